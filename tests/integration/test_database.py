"""The database of the task families: migrations, and what is said when it is not as it should be."""

import asyncio
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import ProgrammingError

from arqlight.checked_fields import Secret
from arqlight.connections.postgres import database_url, migrate
from arqlight.errors import DatabaseMissing, DatabaseUnreachable, SettingsError
from arqlight.families.database import MIGRATIONS, Database
from arqlight.families.metadata import SCHEMA
from arqlight.family import installed
from arqlight.journal.audit_entry import KINDS
from arqlight.key_ring import KeyRing
from arqlight.settings import KEY_FILE, Settings, load_settings
from arqlight_service.audit.archive import Archive
from tests.conftest import with_database

# As version 0001 kept them.
OLD_ENDPOINTS = """
INSERT INTO arqlight.webhook_endpoints (id, url, event_types, secret, old_secret, old_secret_until) VALUES
  ('ep', 'https://example.org/', '{}', 'new', 'old', now() + interval '1 day'),
  ('ep2', 'https://example.org/', '{}', 'only', 'ended', now() - interval '1 day')
"""
OLD_DELIVERIES = """
INSERT INTO arqlight.webhook_deliveries (endpoint_id, message_id, event, body, attempt, job_id, error, duration_ms) VALUES
  ('ep', 'm1', 'e', 'b1', 1, 'j', 'busy', 1), ('ep', 'm1', 'e', 'b1', 2, 'j', NULL, 1),
  ('ep', 'm2', 'e', 'b2', 1, 'k', 'busy', 1), ('ep2', 'm1', 'e', 'b1', 1, 'l', NULL, 1)
"""
OLD_TELEMETRY = """
INSERT INTO arqlight.devices (fingerprint, product, version, events) VALUES
  ('f', 'quill', '2.1', 1), ('f', 'lumen', '1.0', 1), ('g', 'quill', '2.0', 1);
INSERT INTO arqlight.telemetry_events (fingerprint, event_id) VALUES ('f', 'seq1'), ('g', 'seq1'), ('gone', 'seq1');
INSERT INTO arqlight.usage_daily (fingerprint, product, day, counter, total) VALUES
  ('f', 'quill', '2026-05-04', 'runs', 1), ('gone', 'quill', '2026-05-04', 'runs', 2);
"""


@pytest.fixture
def empty(postgres: str) -> Any:
    """A database of its own, with nothing in it."""
    server = create_engine(database_url(postgres), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS fresh WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE fresh"))
    yield database_url(postgres).set(database="fresh")
    with server.connect() as connection:
        connection.execute(text("DROP DATABASE fresh WITH (FORCE)"))
    server.dispose()


def test_migrations_make_exactly_the_tables_that_the_code_knows(empty: Any) -> None:
    installed()  # with the tables of each family
    migrate(empty, MIGRATIONS, SCHEMA)
    engine = create_engine(empty)
    with engine.connect() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.check(config)
    engine.dispose()


def _migrated_with(empty: Any, *kept: str) -> Engine:
    """A database of version 0001 in which that was kept, brought up to date."""
    engine = create_engine(empty)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        config.attributes |= {"connection": connection, "schema": SCHEMA}
        command.upgrade(config, "0001")
        for each in kept:
            connection.execute(text(each))
    migrate(empty, MIGRATIONS, SCHEMA)
    return engine


def test_what_was_sold_before_amounts_were_minor_units_keeps_its_worth(empty: Any) -> None:
    sold = (
        "INSERT INTO arqlight.sales (marketplace, sale_id, product, amount, currency, refunded, sold_at, raw) VALUES "
    )
    rows = [("29.00", "USD", False), ("19.99", "EUR", True), ("1500", "JPY", False), ("150", "₩", False),
            ("9" * 30, "USD", False), ("7.5", "odd", False)]  # fmt: skip
    values = ", ".join(
        f"('gumroad', '{number}', 'Quill', {amount}, '{currency}', {refunded}, now(), '{{}}')"
        for number, (amount, currency, refunded) in enumerate(rows)
    )
    runs = (
        "INSERT INTO arqlight.sync_runs (marketplace, job_id, error, finished_at) "
        "VALUES ('gumroad', 'a', NULL, now()), ('gumroad', 'b', 'NotYet: 429', now()), ('gumroad', 'c', NULL, NULL)"
    )
    engine = _migrated_with(empty, sold + values, runs)
    with engine.connect() as connection:
        columns = "amount_minor, currency, refunded_minor, state"
        found = connection.execute(text(f"SELECT {columns} FROM arqlight.sales ORDER BY sale_id")).all()
        states = connection.execute(text("SELECT state FROM arqlight.sync_runs ORDER BY job_id")).scalars().all()
    engine.dispose()
    assert [tuple(row) for row in found] == [
        (2900, "USD", 0, "paid"), (1999, "EUR", 1999, "refunded"), (1500, "JPY", 0, "paid"), (15000, "KRW", 0, "paid"),
        (2**63 - 1, "USD", 0, "paid"), (750, "XXX", 0, "paid"),
    ]  # fmt: skip
    assert states == ["done", "failed", "failed"]


def test_what_version_0001_kept_of_webhooks_is_there_after_the_migration(empty: Any) -> None:
    engine = _migrated_with(empty, OLD_ENDPOINTS, OLD_DELIVERIES)
    with engine.connect() as connection:

        def rows(query: str) -> list[Any]:
            return [tuple(row) for row in connection.execute(text(query))]

        secrets = "SELECT endpoint_id, convert_from(secret, 'UTF8'), until IS NULL FROM arqlight.webhook_secrets ORDER BY 1, 2"
        assert rows(secrets) == [("ep", "new", True), ("ep", "old", False), ("ep2", "only", True)]
        assert rows("SELECT id, body FROM arqlight.webhook_events ORDER BY id") == [("m1", "b1"), ("m2", "b2")]
        deliveries = (
            "SELECT endpoint_id, message_id, state, d.attempt, count(a.id) FROM arqlight.webhook_deliveries d"
            " JOIN arqlight.webhook_attempts a ON a.delivery_id = d.id GROUP BY 1, 2, 3, 4 ORDER BY 1, 2"
        )
        assert rows(deliveries) == [
            ("ep", "m1", "delivered", 2, 2), ("ep", "m2", "failed", 1, 1), ("ep2", "m1", "delivered", 1, 1)
        ]  # fmt: skip
    engine.dispose()


def test_events_counted_before_ids_were_of_a_product_do_not_count_again_after_the_migration(empty: Any) -> None:
    engine = _migrated_with(empty, OLD_TELEMETRY)
    with engine.connect() as connection:
        ids = connection.execute(text("SELECT fingerprint, product, event_id FROM arqlight.telemetry_events")).all()
        usage = connection.execute(text("SELECT fingerprint, version, total FROM arqlight.usage_daily")).all()
    engine.dispose()
    assert sorted(map(tuple, ids)) == [("f", "lumen", "seq1"), ("f", "quill", "seq1"), ("g", "quill", "seq1")]
    assert sorted(map(tuple, usage)) == [("f", "2.1", 1), ("gone", "", 2)]


def test_ten_that_start_at_once_migrate_one_after_the_other(empty: Any) -> None:
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda url: migrate(url, MIGRATIONS, SCHEMA), [empty] * 10))
    engine = create_engine(empty)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM arqlight.alembic_version")).scalar_one() == 1
    engine.dispose()


async def test_schemas_that_are_lost_are_made_again_while_the_process_runs(empty: Any) -> None:
    address = empty.set(drivername="postgresql").render_as_string(hide_password=False)
    settings = load_settings(database_url=Secret(address))
    database, archive = Database(settings), Archive(address)
    engine = create_engine(empty, isolation_level="AUTOCOMMIT")

    async def count() -> int:
        async with database.begin() as connection:
            return int((await connection.execute(text(f"SELECT count(*) FROM {SCHEMA}.licences"))).scalar_one())

    for lost in range(2):
        if lost:
            with engine.connect() as connection:
                connection.execute(text(f"DROP SCHEMA {SCHEMA} CASCADE"))
                connection.execute(text("DROP SCHEMA arqlight_audit CASCADE"))
            with pytest.raises(ProgrammingError):
                await count()
            with pytest.raises(DatabaseUnreachable):
                await archive.newest(KINDS, "", "", 1)
        assert await count() == 0
        assert await archive.newest(KINDS, "", "", 1) == []
    await database.close()
    await archive.close()
    engine.dispose()


def test_a_schema_of_a_newer_version_is_refused_in_one_sentence(empty: Any) -> None:
    migrate(empty, MIGRATIONS, SCHEMA)
    engine = create_engine(empty)
    with engine.begin() as connection:
        connection.execute(text("UPDATE arqlight.alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(SettingsError, match="was made by another version of arqlight") as refused:
        migrate(empty, MIGRATIONS, SCHEMA)
    assert f"this one knows up to {ScriptDirectory(str(MIGRATIONS)).get_current_head()}" in str(refused.value)


@pytest.mark.parametrize(
    "address", ["postgresql://ada:hunter2@127.0.0.1:1/x", "postgresql://ada:hunter2@no.such.host.invalid/x"]
)
async def test_a_database_that_is_away_is_said_without_the_password(settings: Settings, address: str) -> None:
    database = Database(with_database(settings, address))
    with pytest.raises(DatabaseUnreachable, match="no PostgreSQL answers at postgresql://ada:") as away:
        async with database.begin():
            pass
    assert "hunter2" not in str(away.value)


@pytest.mark.parametrize("address", ["mysql://x:hunter2@y/z", "nonsense", "http://hunter2@x"])
async def test_an_address_that_is_none_is_refused_without_the_password(settings: Settings, address: str) -> None:
    with pytest.raises(SettingsError, match="ARQLIGHT_DATABASE_URL must be postgresql://") as refused:
        async with Database(with_database(settings, address)).begin():
            pass
    assert "hunter2" not in str(refused.value)


async def test_a_database_that_comes_later_is_found(settings: Settings, postgres: str, tmp_path: Path) -> None:
    database = Database(settings.changed(data_dir=tmp_path))
    with pytest.raises(DatabaseMissing):
        async with database.begin():
            pass
    (tmp_path / "database-url").write_text(postgres + "\n")
    async with database.begin() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
    await database.close()


async def test_a_connection_that_was_cut_is_made_anew(database: Database) -> None:
    async with database.begin() as connection:
        mine = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    other = Database(database._settings)
    async with other.begin() as connection:
        await connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": mine})
    await other.close()
    async with database.begin() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1


async def test_a_secret_key_is_made_once_and_read_by_nobody_else(settings: Settings, tmp_path: Path) -> None:
    rings = [KeyRing(settings.changed(data_dir=tmp_path)) for _ in range(20)]
    keys = await asyncio.gather(*(asyncio.to_thread(ring.derive, "x") for ring in rings))
    assert len(set(keys)) == 1
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]
    assert rings[0].derive("y") != rings[0].derive("x")


def test_what_was_sealed_opens_with_the_same_secret_only(settings: Settings) -> None:
    mine, other = (KeyRing(settings.changed(secret_key=Secret(letter * 32))) for letter in "ab")
    sealed = mine.encrypt("whsec_secret")
    assert mine.decrypt(sealed) == "whsec_secret"
    with pytest.raises(SettingsError, match="does not open with this ARQLIGHT_SECRET_KEY"):
        other.decrypt(sealed)


def test_a_secret_key_that_is_too_short_or_cannot_be_kept_is_said(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="shorter than 32 characters") as refused:
        load_settings(secret_key="hunter2")
    assert "hunter2" not in str(refused.value)
    with pytest.raises(SettingsError, match="set ARQLIGHT_SECRET_KEY"):
        KeyRing(settings.changed(data_dir=Path("/proc/nowhere"))).derive("x")
