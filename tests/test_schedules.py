"""Periodic jobs: due once however many workers look, edited by people, refused when they never fire."""

import asyncio
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest
from arq import cron, func
from arq.connections import ArqRedis

from tests.conftest import Client, StartWorker
from tests.waiting import eventually
from workers.errors import InvalidInput
from workers.journal import Journal
from workers.keys import KEYS
from workers.schedules import AHEAD_MS, PeriodicJob, check_cron, ensure_schedules, fire_due, read_schedules

MINUTELY = PeriodicJob("beat", "* * * * *", "ok", "arq:queue", {})


async def ok(ctx: dict[str, Any]) -> str:
    return "fine"


def at(moment: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.schedules.timestamp_ms", lambda: int(moment.timestamp() * 1000))


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


async def test_what_was_missed_for_long_is_left_out(
    pool: ArqRedis, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ensure_schedules(pool, [MINUTELY])
    await pool.hset(KEYS["fired"], "beat", json.dumps({"due": 0, "job": "x"}))  # type: ignore[misc]
    at(datetime(2026, 5, 4, 12, 0, 30, tzinfo=UTC), monkeypatch)
    await fire_due(pool, journal)
    assert len(await ids(pool)) == 1


def test_jitter_is_the_same_for_all_and_another_each_time() -> None:
    jittery = PeriodicJob("a", "* * * * *", "ok", "q", {}, jitter_s=600)
    moments = jittery.due(0)
    first = [at_ms - due_ms for due_ms, at_ms in (next(moments) for _ in range(20))]
    again = jittery.due(0)
    assert first == [at_ms - due_ms for due_ms, at_ms in (next(again) for _ in range(20))]
    assert len(set(first)) > 15
    assert all(0 <= jitter < 600_000 for jitter in first)
    assert AHEAD_MS > 5_000


@pytest.mark.parametrize(
    ("expression", "reason"),
    [("0 0 30 2 *", "never fires"), ("0 0 31 4,6 *", "never fires"), ("* * * *", "has not five fields"), ("61 * * * *", "no cron expression"),
     ("", "has not five fields"), ("@daily", "has not five fields"), ("a b c d e", "no cron expression"),
     ("* " * 300, "has not five fields"), ("* * * * * *", "has not five fields")],
)  # fmt: skip
def test_a_cron_that_is_none_or_never_fires_is_refused(expression: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        check_cron(expression)


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
    assert "Switch on" in text
    assert (await client.post("/api/v1/schedules/nope/run")).status == 404
    audit = (await (await client.get("/api/v1/audit")).json())["items"]
    changes = [{"enabled": False}, None, {"cron": "30 4 * * 1", "jitter_s": 60}]
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
