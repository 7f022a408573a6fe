"""Periodic jobs: due once however many workers look, edited by people, refused when they never fire."""

import asyncio
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest
from arq import cron, func
from arq.connections import ArqRedis

from arqlight.jobs.periodic_job import PeriodicJob
from arqlight.journal.journal import Journal
from arqlight.journal.keys import KEYS
from arqlight.journal.schedules import ensure_schedules, read_schedules
from arqlight.runtime.schedules import fire_due
from tests.conftest import Client, StartWorker
from tests.support.waiting import eventually

MINUTELY = PeriodicJob("beat", "* * * * *", "ok", "arq:queue", {})


async def ok(ctx: dict[str, Any]) -> str:
    return "fine"


def at(moment: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arqlight.runtime.schedules.timestamp_ms", lambda: int(moment.timestamp() * 1000))


async def ids(pool: ArqRedis) -> list[str]:
    return [member.decode() for member in await pool.zrange("arq:queue", 0, -1)]


async def test_what_is_due_is_enqueued_once_by_any_number_of_workers(
    pool: ArqRedis, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ensure_schedules(pool, [MINUTELY])
    at(datetime(2026, 5, 4, 11, 59, 58, tzinfo=UTC), monkeypatch)
    await asyncio.gather(*(fire_due(pool, journal) for _ in range(10)))
    assert await ids(pool) == ["schedule:beat:2026-05-04T11:59:00.000Z", "schedule:beat:2026-05-04T12:00:00.000Z"]
    at(datetime(2026, 5, 4, 12, 0, 30, tzinfo=UTC), monkeypatch)
    await fire_due(pool, journal)
    assert len(await ids(pool)) == 2
    at(datetime(2026, 5, 4, 12, 0, 55, tzinfo=UTC), monkeypatch)
    await fire_due(pool, journal)
    assert (await ids(pool))[-1] == "schedule:beat:2026-05-04T12:01:00.000Z"


async def test_a_jitter_longer_than_the_period_holds_no_moment_back(
    pool: ArqRedis, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    jittery = PeriodicJob("slow", "* * * * *", "ok", "arq:queue", {}, jitter_s=3600)
    await ensure_schedules(pool, [jittery])
    began = datetime(2026, 5, 4, 11, 59, 58, tzinfo=UTC).timestamp()
    for beat in range(0, 600, 5):
        at(datetime.fromtimestamp(began + beat, tz=UTC), monkeypatch)
        await fire_due(pool, journal)
        expected = {f"schedule:slow:2026-05-04T12:0{minute}:00.000Z" for minute in range(1 + (beat + 3) // 60)}
        assert expected <= set(await ids(pool)), "each is enqueued as its moment comes"


async def test_what_was_missed_for_long_is_left_out(
    pool: ArqRedis, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ensure_schedules(pool, [MINUTELY])
    await pool.hset(KEYS["fired"], "beat", json.dumps({"due": 0, "job": "x"}))  # type: ignore[misc]
    at(datetime(2026, 5, 4, 12, 0, 30, tzinfo=UTC), monkeypatch)
    await fire_due(pool, journal)
    assert len(await ids(pool)) == 1


async def test_a_schedule_is_edited_run_now_and_switched_off(
    pool: ArqRedis, client: Client, start_worker: StartWorker
) -> None:
    daily = PeriodicJob("daily", "0 3 * * *", "ok", "arq:queue", {})
    await start_worker([ok], schedules=[daily])
    [shown] = (await (await client.get("/api/v1/schedules")).json())["items"]
    assert (shown["words"], shown["last_job"]) == ("At 03:00 AM, UTC", None)
    assert shown["next_at"].endswith("T03:00:00.000Z")
    changed = await client.patch("/api/v1/schedules/daily", json={"cron": "30 4 * * 1", "jitter_s": 60})
    assert (await changed.json())["words"] == "At 04:30 AM, only on Monday, UTC"
    for body, field in (({"cron": "0 0 31 2 *"}, "cron"), ({"jitter_s": 9999}, "jitter_s"), ({"enabled": "maybe"}, "enabled"),
                        ({"name": "x"}, "name")):  # fmt: skip
        answer = await client.patch("/api/v1/schedules/daily", json=body)
        assert (answer.status, (await answer.json())["field"]) == (422, field)
    [kept] = await read_schedules(pool)
    assert (kept.cron, kept.jitter_s) == ("30 4 * * 1", 60), "nothing half saved"
    answer = await client.post("/api/v1/schedules/daily/run")
    job_id = (await answer.json())["id"]
    await eventually(lambda: pool.zscore(KEYS["succeeded"], job_id))
    answer = await client.post("/api/v1/schedules/daily", data={"enabled": "false"}, headers={"Accept": "text/html"})
    assert answer.status == 200
    text = await (await client.get("/schedules")).text()
    assert "Succeeded" in text
    assert "Enable" in text
    assert (await client.post("/api/v1/schedules/nope/run")).status == 404
    audit = (await (await client.get("/api/v1/audit?kind=change")).json())["items"]
    changes = [{"enabled": False}, {"id": job_id}, {"cron": "30 4 * * 1", "jitter_s": 60}]
    assert [entry["to"] for entry in audit] == changes
    assert audit[1]["what"] == "run schedule daily now"
    await start_worker([ok], schedules=[daily])
    assert (await read_schedules(pool))[0].cron == "30 4 * * 1", "a worker's start does not undo it"


async def test_a_running_worker_fires_a_schedule_at_its_moment(
    pool: ArqRedis, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start_worker([ok], schedules=[MINUTELY])

    async def ran() -> Any:
        raw = await pool.hget(KEYS["fired"], "beat")  # type: ignore[misc]
        return raw and await pool.zscore(KEYS["succeeded"], json.loads(raw)["job"])

    await eventually(ran, within_s=15)


async def test_the_cron_jobs_of_an_application_are_shown_too(client: Client, start_worker: StartWorker) -> None:
    await start_worker([func(ok, name="ok")], cron_jobs=[cron(ok, name="nightly", hour=3, minute={0, 30})])
    text = await (await client.get("/schedules")).text()
    assert "nightly" in text
    assert "hour 3, minute [0, 30]" in text
    assert asdict(MINUTELY)["cron"] == "* * * * *"
