"""What stops a start: one sentence, exit code 2, and nothing half done."""

import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from arq.connections import ArqRedis
from sqlalchemy import create_engine, text

from arqlight.connections.database.schema import SCHEMA as JOBS_SCHEMA
from arqlight.connections.postgres import database_url
from arqlight.families.metadata import SCHEMA
from tests.support.commands import assert_one_sentence, run
from tests.support.waiting import eventually

Spawn = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def newer(postgres: str) -> Iterator[str]:
    """A database whose two schemas a later version made."""
    server = create_engine(database_url(postgres), isolation_level="AUTOCOMMIT")
    url = database_url(postgres).set(database="newer")
    with server.connect() as connection:
        connection.execute(text("CREATE DATABASE newer"))
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for schema in (SCHEMA, JOBS_SCHEMA):
            connection.execute(text(f"CREATE SCHEMA {schema}"))
            connection.execute(text(f"CREATE TABLE {schema}.alembic_version AS SELECT '9999' AS version_num"))
    engine.dispose()
    yield url.set(drivername="postgresql").render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text("DROP DATABASE newer WITH (FORCE)"))
    server.dispose()


@pytest.mark.parametrize("command", ["worker", "server", "up"])
@pytest.mark.parametrize("names", ["ARQLIGHT_DATABASE_URL", "ARQLIGHT_CONNECTIONS"])
def test_a_database_that_a_newer_version_made_stops_the_start(
    newer: str, tmp_path: Path, command: str, names: str
) -> None:
    is_connection = names == "ARQLIGHT_CONNECTIONS"
    value = f"billing={newer}" if is_connection else newer
    data_dir = tmp_path / "data"
    ended = run(command, "--data-dir", str(data_dir), "--port", "0", environment={names: value})
    assert_one_sentence(ended, "was made by another version of arqlight")
    assert ("connection 'billing'" in ended.told) == is_connection
    assert not data_dir.exists()


async def test_a_database_that_is_away_stops_no_start(pool: ArqRedis, spawn: Spawn, tmp_path: Path) -> None:
    away = "postgresql://user@127.0.0.1:1/x"
    mine = {
        "ARQLIGHT_DATABASE_URL": away, "ARQLIGHT_CONNECTIONS": f"billing={away}",
        "ARQLIGHT_DATA_DIR": str(tmp_path / "data"),
    }  # fmt: skip
    service, worker = spawn("server", "--port", "0", **mine), spawn("worker", **mine)
    assert service.stdout
    assert any("arqlight is at" in line for line in iter(service.stdout.readline, ""))
    await eventually(lambda: pool.zcard("arqlight:workers"), within_s=30)
    assert worker.poll() is None


@pytest.mark.parametrize("command", ["server", "up"])
def test_a_port_that_is_taken_stops_the_start(tmp_path: Path, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run(command, "--port", str(port), "--data-dir", str(tmp_path / "data"))
    assert_one_sentence(ended, f"ARQLIGHT_PORT={port} is taken by another program; choose another")
    assert not (tmp_path / "data").exists()
