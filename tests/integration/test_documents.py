"""The documents of the API and of the feed are true."""

import json
from pathlib import Path
from typing import Any

from arq.connections import ArqRedis

from arqlight.families.database import Database
from arqlight.journal.journal import Journal, NewJob
from arqlight_service.documents.asyncapi import describe_feed
from arqlight_service.feed.feed import PLAIN_TOPICS
from tests.conftest import Client, StartWorker
from tests.support.api_fuzzing import Spawn, drive
from tests.support.frames import check_frame
from tests.support.waiting import eventually


async def test_the_api_answers_as_its_document_says(
    pool: ArqRedis, spawn: Spawn, postgres: str, database: Database, tmp_path: Path, journal: Journal
) -> None:
    await journal.announce_tasks({"work": {"queue": "arq:queue", "serializer": "pickle"}})
    await journal.enqueue([NewJob("work", "arq:queue", id=f"job-{number}") for number in range(5)])
    sent = await drive(spawn, postgres, tmp_path, phases="coverage", examples=1, seed=1, limit_s=60)
    assert sent > 500


async def test_every_call_is_in_the_document_with_its_role(client: Client) -> None:
    document = await (await client.get("/api/v1/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    operations = [about for path in document["paths"].values() for about in path.values()]
    assert len(operations) > 55
    assert all(
        about["x-role"] in ("public", "viewer", "operator", "admin") and about["summary"] for about in operations
    )
    assert len({about["operationId"] for about in operations}) == len(operations)


async def test_every_frame_of_the_feed_is_one_of_the_documents(
    client: Client, pool: ArqRedis, start_worker: StartWorker
) -> None:
    async def boom(ctx: dict[str, Any]) -> None:
        raise ValueError("no")

    await start_worker([boom], max_tries=1)
    socket = await client.ws_connect("/api/v1/feed")
    topics = [*PLAIN_TOPICS, "job:x", "queue:default"]
    await socket.send_json({"subscribe": topics, "since": None})
    await pool.enqueue_job(boom.__qualname__, _job_id="x")
    await eventually(lambda: pool.zcard("arqlight:failed"))
    await socket.send_str("{")
    seen: set[str] = set()
    wanted = {f"snapshot_{topic.partition(':')[0]}" for topic in topics} | {
        "change_failed",
        "change_job",
        "event",
        "error",
    }
    while not wanted <= seen:
        seen.add(check_frame(json.loads(await socket.receive_str(timeout=10))))
    assert await (await client.get("/api/v1/asyncapi.json")).json() == describe_feed()
