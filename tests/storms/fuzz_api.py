"""`make fuzz`: the API by schemathesis, with noise and with values that lead somewhere."""

import asyncio
from pathlib import Path

import pytest
from arq.connections import ArqRedis

from arqlight.bundled import bundled_tasks
from arqlight.families.database import Database
from arqlight.journal.journal import Journal, NewJob
from arqlight.settings import Settings
from tests.conftest import StartWorker
from tests.storms.conftest import Say
from tests.support.api_fuzzing import Spawn, drive

KNOWN = {"path.queue": "default", "path.name": "two_factor", "path.kind": "queue"}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("known", [{}, {**KNOWN, "path.id": "job-1"}, {**KNOWN, "path.id": "failed-1"}])
async def test_no_request_gets_an_answer_that_the_document_does_not_know(
    pool: ArqRedis, spawn: Spawn, postgres: str, database: Database, tmp_path: Path, journal: Journal, say: Say,
    known: dict[str, str], start_worker: StartWorker, settings: Settings,
) -> None:  # fmt: skip
    async def work(ctx: object) -> None:
        await asyncio.sleep(0)

    await start_worker([work, *bundled_tasks().values()], queues=["arq:queue:never"])
    await journal.enqueue([NewJob("work", "arq:queue", id=f"job-{number}") for number in range(50)])
    sent = await drive(
        spawn, postgres, tmp_path, phases="coverage,fuzzing,stateful", examples=60, seed=20 + len(known), limit_s=60,
        parameters=known,
    )  # fmt: skip
    which = known.get("path.id", "noise")
    say(f"API, {which}", f"{sent:,} requests by schemathesis: no 5xx, no answer that is not in the OpenAPI document")
