"""Licence keys and exports: a crash in the middle, tricks in cells, downloads."""

import asyncio
import csv
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pyarrow.parquet as pq
import pytest
from aiohttp.test_utils import TestClient, TestServer
from arq.connections import ArqRedis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from moto.server import ThreadedMotoServer
from sqlalchemy import func, insert, select

from arqlight.errors import InvalidInput
from arqlight.families.bulk import exports
from arqlight.families.bulk.exports import export_table, new_export, open_exports, remove_expired
from arqlight.families.bulk.licence_key import InvalidLicence, make_key, signing_key, tag_of, verify_key
from arqlight.families.bulk.licences import find_batch, generate_licence_keys, new_batch
from arqlight.families.bulk.tables import exports as exports_table
from arqlight.families.bulk.tables import licences
from arqlight.families.database import Database
from arqlight.families.sync.tables import sales
from arqlight.journal.journal import Journal, NewJob
from arqlight.key_ring import KeyRing
from arqlight.settings import Settings
from arqlight_service.app import create_app
from tests.conftest import ROOT, StartWorker
from tests.support.families import hooks
from tests.support.waiting import eventually

Family = Callable[..., Awaitable[dict[str, Any]]]
Spawn = Callable[..., subprocess.Popen[str]]
QUEUE = generate_licence_keys.queue


@pytest.fixture
def signer() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def test_a_key_verifies_offline_and_says_what_it_is_for(signer: Ed25519PrivateKey) -> None:
    key = make_key(signer, tag_of("Quill"), 7, 123)
    assert (len(key.split("-")), {len(group) for group in key.split("-")}) == (16, {8})
    licence = verify_key(key, signer.public_key())
    assert (licence.batch, licence.number, licence.is_for("Quill"), licence.is_for("Tessera")) == (7, 123, True, False)
    typed = key.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert verify_key(typed, signer.public_key()) == licence, "as a person types it"


def test_every_single_typing_error_is_found_before_the_signature(signer: Ed25519PrivateKey) -> None:
    key = make_key(signer, tag_of("Quill"), 7, 123)
    for place in range(0, len(key), 9):
        wrong = "X" if key[place] != "X" else "Y"
        with pytest.raises(InvalidLicence, match="typing error"):
            verify_key(key[:place] + wrong + key[place + 1 :], signer.public_key())
    swapped = key[1] + key[0] + key[2:]
    if swapped != key:
        with pytest.raises(InvalidLicence):
            verify_key(swapped, signer.public_key())


@pytest.mark.parametrize("key", ["", "abc", "ü" * 128, "0" * 128, "Z" * 128, "-" * 500])
def test_what_is_no_key_is_refused(signer: Ed25519PrivateKey, key: str) -> None:
    with pytest.raises(InvalidLicence):
        verify_key(key, signer.public_key())


def test_a_key_of_somebody_else_is_refused(signer: Ed25519PrivateKey) -> None:
    key = make_key(Ed25519PrivateKey.generate(), tag_of("Quill"), 1, 1)
    with pytest.raises(InvalidLicence, match="not of this public key"):
        verify_key(key, signer.public_key())


@pytest.mark.parametrize(
    ("product", "count", "field"),
    [("", 1, "product"), ("x" * 101, 1, "product"), ("a\nb", 1, "product"), (" a", 1, "product"), ("a", 0, "count"),
     ("a", 1_000_001, "count"), ("a", -5, "count")],
)  # fmt: skip
async def test_a_batch_that_cannot_be_is_refused(database: Database, product: str, count: int, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await new_batch(database, product, count)
    assert refused.value.field == field


async def test_30_000_keys_survive_kill_9_at_half_without_a_duplicate_or_a_gap(
    family_settings: Settings, database: Database, spawn: Spawn, journal: Journal, pool: ArqRedis
) -> None:
    batch = await new_batch(database, "Quill", 30_000)
    [job_id] = await journal.enqueue([NewJob("generate_licence_keys", QUEUE, (), {"batch_id": batch})])
    assert family_settings.database_url
    environment = {
        "ARQLIGHT_DATABASE_URL": family_settings.database_url.get_secret_value(),
        "ARQLIGHT_DATA_DIR": str(family_settings.data_dir),
        "ARQLIGHT_QUEUES": "bulk",
    }
    await pool.set("arqlight:watched", "1")
    seen: list[int] = []

    async def made() -> int:
        seen.append((await find_batch(database, batch))["made"])
        step = await pool.hget("arqlight:progress", job_id)  # type: ignore[misc]
        if step:
            shown = json.loads(step)
            assert (shown["total"], shown["what"]) == (30_000, "licence keys")
        return seen[-1]

    first = spawn("worker", **environment)

    async def half() -> bool:
        return await made() >= 15_000

    await eventually(half, within_s=60)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    stopped = await made()
    assert 15_000 <= stopped < 30_000
    spawn("worker", **environment)

    async def done() -> bool:
        return await made() == 30_000

    await eventually(done, within_s=90)
    assert seen == sorted(seen), "progress never goes back"
    async with database.begin() as connection:
        rows = (await connection.execute(select(licences.c.number, licences.c.key))).all()
    assert sorted(row.number for row in rows) == list(range(1, 30_001))
    assert len({row.key for row in rows}) == 30_000
    public = signing_key(family_settings, KeyRing(family_settings)).public_key()
    for row in rows[::25]:
        licence = verify_key(row.key, public)
        assert (licence.batch, licence.number, licence.is_for("Quill")) == (batch, row.number, True)


async def test_a_batch_that_was_cancelled_goes_on_where_it_was(
    family_settings: Settings, database: Database, start_worker: StartWorker, journal: Journal, pool: ArqRedis
) -> None:
    await start_worker([generate_licence_keys], queues=[QUEUE], **hooks(family_settings))
    batch = await new_batch(database, "Quill", 20_000)
    [job_id] = await journal.enqueue([NewJob("generate_licence_keys", QUEUE, (), {"batch_id": batch})])

    async def begun() -> bool:
        return bool((await find_batch(database, batch))["made"] > 0)

    await eventually(begun)
    await journal.cancel(job_id, QUEUE, "generate_licence_keys")

    async def is_in(state: str) -> bool:
        return bool((await find_batch(database, batch))["state"] == state)

    await eventually(lambda: is_in("cancelled"))
    made = (await find_batch(database, batch))["made"]
    assert 0 < made < 20_000
    await journal.enqueue([NewJob("generate_licence_keys", QUEUE, (), {"batch_id": batch})])
    await eventually(lambda: is_in("done"), within_s=30)
    async with database.begin() as connection:
        assert (await connection.execute(select(func.count(licences.c.key.distinct())))).scalar_one() == 20_000


FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1"]  # noqa: RUF001


@pytest.fixture
async def sold(database: Database) -> int:
    """Sales whose products try a spreadsheet's patience; how many."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    products = [*FORMULAS, "plain", 'with "quotes", and\nlines', "ünï"]
    values = [
        {"marketplace": "envato", "sale_id": str(n), "product": product, "buyer": "-5", "amount_minor": -7 if n == 8 else 29,
         "currency": "USD", "licence": "", "state": "refunded" if n % 2 == 0 else "paid", "sold_at": at, "raw": {"n": n}}
        for n, product in enumerate(products)
    ]  # fmt: skip
    async with database.begin() as connection:
        await connection.execute(insert(sales), values)
    return len(values)


async def export(ctx: dict[str, Any], table: str, kind: str) -> tuple[dict[str, Any], bytes]:
    export_id = await new_export(ctx["database"], table, kind)
    told = await export_table(ctx, export_id)
    data = (ctx["settings"].data_dir / "exports" / told["path"]).read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (told["size_bytes"], told["sha256"])
    return told, data


async def test_a_csv_runs_nothing_in_a_spreadsheet_and_keeps_its_numbers(family: Family, sold: int) -> None:
    told, data = await export(await family(), "sales", "csv")
    rows = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    assert told["rows"] == len(rows) == sold
    by_id = {row["sale_id"]: row for row in rows}
    for number, formula in enumerate(FORMULAS):
        assert by_id[str(number)]["product"] == f"'{formula}"
    assert by_id["8"]["product"] == "plain"
    assert by_id["8"]["amount_minor"] == "-7", "a number is no formula"
    assert by_id["8"]["buyer"] == "'-5", "a text that looks like one might be"
    assert by_id["9"]["product"] == 'with "quotes", and\nlines'


async def test_json_lines_and_parquet_hold_the_same_rows(family: Family, sold: int) -> None:
    ctx = await family()
    _, lines = await export(ctx, "sales", "jsonl")
    _, parquet = await export(ctx, "sales", "parquet")
    read = [json.loads(line) for line in lines.decode().splitlines()]
    table = pq.read_table(io.BytesIO(parquet)).to_pylist()
    assert len(read) == len(table) == sold
    assert [row["product"] for row in read] == [row["product"] for row in table]
    assert (table[0]["sold_at"], table[0]["state"], table[0]["amount_minor"]) == (
        datetime(2026, 1, 1, tzinfo=UTC),
        "refunded",
        29,
    )
    _, empty = await export(ctx, "devices", "parquet")
    assert pq.read_table(io.BytesIO(empty)).num_rows == 0


async def test_an_export_is_downloaded_by_its_signed_link_until_it_expires(
    family: Family, family_settings: Settings, sold: int, database: Database
) -> None:
    ctx = await family()
    told, data = await export(ctx, "sales", "csv")
    async with TestClient(TestServer(create_app(family_settings))) as client:
        [listed] = (await (await client.get("/api/v1/exports")).json())["items"]
        path = "/" + listed["download"].split("/", 3)[3]
        answer = await client.get(path)
        assert (answer.status, await answer.read()) == (200, data)
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{told["path"]}"'
        assert answer.headers["Content-Length"] == str(told["size_bytes"])
        tampered = path.replace("expires=", "expires=9")
        for wrong in (path[:-1], tampered, path.split("?")[0], path.split("&")[0], path.replace("ex_", "ex_0")):
            assert (await client.get(wrong)).status == 403, wrong
        async with database.begin() as connection:
            past = datetime.now(UTC) - timedelta(minutes=1)
            await connection.execute(exports_table.update().values(expires_at=past))
        assert await remove_expired(database, family_settings) == 1
        assert (await client.get(path)).status == 410
        assert not (family_settings.data_dir / "exports" / told["path"]).exists()


async def test_an_export_that_is_cut_short_leaves_no_half_file(family: Family, sold: int, monkeypatch: Any) -> None:
    ctx = await family()
    export_id = await new_export(ctx["database"], "sales", "csv")

    async def broken(*_: Any) -> int:
        raise RuntimeError("cut")

    monkeypatch.setattr(exports, "_copy", broken)
    before = set((ctx["settings"].data_dir / "exports").glob("*"))
    with pytest.raises(Exception, match=r"Retry|cut"):
        await export_table(ctx, export_id)
    await asyncio.sleep(0)
    assert not [
        path for path in set((ctx["settings"].data_dir / "exports").glob("*")) - before if path.suffix == ".csv"
    ]


@pytest.mark.parametrize(("table", "kind", "field"), [("pg_shadow", "csv", "table"), ("sales", "exe", "format")])
async def test_only_known_tables_and_formats_are_exported(
    database: Database, table: str, kind: str, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await new_export(database, table, kind)
    assert refused.value.field == field


async def test_a_wrong_store_is_refused_in_one_sentence(family: Family) -> None:
    for url in ("ftp://x/y", "memory://", "nonsense"):
        ctx = await family(storage_url=url)
        export_id = await new_export(ctx["database"], "devices", "csv")
        with pytest.raises(Exception) as refused:  # noqa: PT011 - the task's Retry carries it
            await export_table(ctx, export_id)
        assert "ARQLIGHT_STORAGE_URL" in f"{refused.value} {refused.value.__cause__}"


def test_the_command_line_verifies_a_key_offline(settings: Settings, signer: Ed25519PrivateKey, tmp_path: Path) -> None:
    def command(*words: str) -> tuple[int, str]:
        environment = {"PATH": os.environ["PATH"], "ARQLIGHT_DATA_DIR": str(settings.data_dir), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-m", "arqlight_service", "licence", *words], env=environment, cwd=tmp_path, capture_output=True,
            text=True, check=False, timeout=60,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    key_file = tmp_path / "public.pem"
    key_file.write_text(command("public-key")[1])
    key = make_key(signing_key(settings, KeyRing(settings)), tag_of("Quill"), 3, 4)
    verify = ("verify", key, "--public-key", str(key_file))
    assert command(*verify, "--product", "Quill") == (0, "valid: batch 3, number 4, for Quill\n")
    code, said = command(*verify, "--product", "Tessera")
    assert (code, "it is for another product than 'Tessera'" in said) == (1, True)
    wrong = key[:-1] + ("0" if key[-1] != "0" else "1")
    code, said = command("verify", wrong, "--public-key", str(key_file))
    assert (code, "typing error" in said) == (1, True)
    assert command("verify", key, "--public-key", str(tmp_path / "none.pem"))[0] == 2
    key_file.write_text("no key")
    code, said = command(*verify)
    assert (code, "no public key in PEM" in said) == (2, True)


async def test_an_export_goes_to_s3_and_is_downloaded_from_there(
    family: Family, family_settings: Settings, sold: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    try:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT": address,
            "AWS_ALLOW_HTTP": "true",
        }.items():
            monkeypatch.setenv(name, value)
        async with aiohttp.ClientSession() as http, http.put(f"{address}/arqlight") as answer:
            assert answer.status == 200
        ctx = await family(storage_url="s3://arqlight/exports")
        export_id = await new_export(ctx["database"], "sales", "csv")
        told = await export_table(ctx, export_id)
        async with TestClient(TestServer(create_app(ctx["settings"]))) as client:
            listed = await (await client.get(f"/api/v1/exports/{export_id}")).json()
            data = await (await client.get("/" + listed["download"].split("/", 3)[3])).read()
        assert hashlib.sha256(data).hexdigest() == told["sha256"]
        store = open_exports(ctx["settings"])
        for start, end in ((0, None), (5, 20), (7, None), (0, 3), (4, 4)):
            read = b"".join([part async for part in store.read(told["path"], start, end)])
            assert read == data[start:end], (start, end)
    finally:
        server.stop()
