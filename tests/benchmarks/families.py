"""The task families that move much: exports of a million rows, telemetry from many SDKs."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from typing import Any

import aiohttp
import psycopg

from arqlight.connections.postgres import database_url, migrate
from arqlight.families.database import MIGRATIONS
from arqlight.families.metadata import SCHEMA
from tests.benchmarks.peer import ROOT
from tests.benchmarks.report import Table, median
from tests.benchmarks.servers import Servers
from tests.benchmarks.service_process import arqlight, service

KINDS = ("csv", "jsonl", "parquet")
EVENTS_A_REQUEST = 500


def measure_exports(servers: Servers, quick: bool) -> Table:
    """A table of licence keys to each format, each time in a fresh process; beside it COPY of PostgreSQL's own."""
    rows, rounds = (100_000, 1) if quick else (1_000_000, 3)
    migrate(database_url(servers.postgres_url), MIGRATIONS, SCHEMA)
    with psycopg.connect(servers.postgres_url) as connection:
        connection.execute("TRUNCATE arqlight.licences, arqlight.licence_batches CASCADE")
        batch = "INSERT INTO arqlight.licence_batches (product, count) VALUES ('Quill', %s) RETURNING id"
        found = connection.execute(batch, (rows,)).fetchone()
        assert found
        connection.execute(
            "INSERT INTO arqlight.licences (batch_id, number, key, product) SELECT %s, n, "
            "substr(repeat(md5(n::text), 5), 1, 143), 'Quill' FROM generate_series(1, %s) n",
            (found[0], rows),
        )
    told: dict[str, list[dict[str, float]]] = {kind: [] for kind in ("copy", *KINDS)}
    with tempfile.TemporaryDirectory(prefix="arqlight-bench-") as folder:
        for _ in range(rounds):
            for kind in told:
                told[kind].append(_one(servers, kind, folder))
    about = (
        f"{rows:,} licence keys of 143 characters, each time in a fresh process that holds what a worker of the bundled "
        "tasks holds. The aim: under 200 MB at the peak."
    )
    columns = [
        "format",
        "rows/s",
        "part of COPY's rate",
        "size, MB",
        "memory at the peak, MB",
        "before the first row, MB",
    ]
    table = Table("Exports", columns, about)
    for kind, rounds_of in told.items():
        part = median([each["rate"] / copy["rate"] for each, copy in zip(rounds_of, told["copy"], strict=True)])
        name = "COPY … TO STDOUT (csv), psycopg" if kind == "copy" else f"arqlight, {kind}"
        figures = [[each[field] for each in rounds_of] for field in ("rate", "size", "peak", "before")]
        table.add(name, figures[0], part, *figures[1:])
    return table


def _one(servers: Servers, kind: str, folder: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.export_process", kind, folder],
        env=os.environ | {"ARQLIGHT_DATABASE_URL": servers.postgres_url, "PYTHONPATH": str(ROOT)},
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    told: dict[str, float] = json.loads(done.stdout)
    return told


def measure_telemetry(servers: Servers, quick: bool) -> Table:
    """Events taken in by one service process, and folded by one worker, in batches of 500 events with two counters."""
    requests, rounds = (20, 1) if quick else (100, 3)
    taken, folded = asyncio.run(_telemetry(servers, requests, rounds))
    table = Table("Telemetry", ["what", "events/s", "aim"], "Batches of 500 events, two counters each, 1,000 devices.")
    table.add("taken in by one service process", taken, "2,000 events/s")
    table.add("folded into PostgreSQL by one worker", folded, "")
    return table


async def _telemetry(servers: Servers, requests: int, rounds: int) -> tuple[list[float], list[float]]:
    os.environ["ARQLIGHT_DATABASE_URL"] = servers.postgres_url
    taken: list[float] = []
    folded: list[float] = []
    with service(servers) as (port, _):
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
            for number in range(rounds):
                bodies = [_batch(number, request) for request in range(requests)]
                began = time.perf_counter()
                # Four SDKs at a time.
                for first in range(0, requests, 4):
                    await asyncio.gather(*(_post(http, body) for body in bodies[first : first + 4]))
                taken.append(requests * EVENTS_A_REQUEST / (time.perf_counter() - began))
                with arqlight(servers, "worker", "--queues", "telemetry", ARQLIGHT_LOG_LEVEL="WARNING"):
                    while (await _stats(http))["processing"] == 0:
                        await asyncio.sleep(0.005)
                    began = time.perf_counter()
                    left = (await _stats(http))["queued"]
                    while (stats := await _stats(http))["processing"] + stats["queued"]:
                        await asyncio.sleep(0.02)
                    folded.append(left * EVENTS_A_REQUEST / (time.perf_counter() - began))
    return taken, folded


async def _post(http: aiohttp.ClientSession, body: bytes) -> None:
    async with http.post("/api/v1/telemetry", data=body, headers={"Content-Type": "application/json"}) as answer:
        answer.raise_for_status()


async def _stats(http: aiohttp.ClientSession) -> dict[str, Any]:
    async with http.get("/api/v1/stats") as answer:
        stats: dict[str, Any] = await answer.json()
        return stats


def _batch(number: int, request: int) -> bytes:
    now = datetime.now(UTC).isoformat()
    events = [
        {"id": f"{number}-{request}-{event}", "device": f"d{event * 7 % 1000}", "product": "quill", "version": "2.1",
         "at": now, "counters": {"runs": 1, "exports": event % 3}}
        for event in range(EVENTS_A_REQUEST)
    ]  # fmt: skip
    return json.dumps({"sent_at": now, "events": events}).encode()
