"""What a running job tells: how far it is, and what it has to say."""

import asyncio
import itertools
import json
import logging
from typing import Any

import pytest
from arq import func
from arq.connections import ArqRedis

from arqlight.connections.redis.log import RedisLog
from arqlight.jobs.job import Job
from arqlight.jobs.secret_texts import MASK
from arqlight.journal.journal import Journal, NewJob
from arqlight.journal.keys import KEYS
from arqlight.journal.reader import Reader
from arqlight.journal.scripting import Scripts
from arqlight.runtime.job_log import Logbook
from arqlight.settings import Settings
from tests.conftest import Client, StartWorker
from tests.support.waiting import eventually

QUEUE = "arq:queue"


async def counts(ctx: dict[str, Any], total: int = 300) -> None:
    for step in range(total + 1):
        ctx["progress"](step, total, "sheets")
        await asyncio.sleep(0.002)
    await ctx["done"].wait()


async def speaks(ctx: dict[str, Any], code: str = "") -> None:
    ctx["log"]("called: %s", "as a function")
    ctx["log"].warning("a warning with %s", code)
    logging.getLogger("somebody.elses.library").error("the standard logging %d", 7)
    await asyncio.to_thread(lambda: logging.getLogger("threaded").warning("from a thread"))
    raise ValueError(f"the code {code} was wrong")


async def _progress(pool: ArqRedis) -> Any:
    step = await pool.hget(KEYS["progress"], "long")  # type: ignore[misc]
    return json.loads(step) if step else None


async def _active(reader: Reader) -> Job | None:
    return next(iter((await reader.overview()).active), None)


async def test_progress_is_written_while_somebody_looks_and_never_more_than_ten_times_a_second(
    pool: ArqRedis, journal: Journal, reader: Reader, start_worker: StartWorker
) -> None:
    done = asyncio.Event()
    worker = await start_worker([func(counts, name="counts")], ctx={"done": done})
    await pool.set(KEYS["watched"], "1")
    written: list[float] = []
    report = worker.progress._scripts.run

    async def spy(*args: Any) -> Any:
        written.append(asyncio.get_running_loop().time())
        return await report(*args)

    worker.progress._scripts.run = spy  # type: ignore[method-assign, assignment]
    await journal.enqueue([NewJob("counts", QUEUE, id="long")])

    async def finished() -> bool:
        step = await _progress(pool)
        return bool(step and step["done"] == 300)

    await eventually(finished)
    assert (await _progress(pool))["what"] == "sheets"
    gaps = [after - before for before, after in itertools.pairwise(written)]
    assert len(written) > 3
    assert min(gaps) > 0.095
    job = await _active(reader)
    assert job
    assert job.to_json()["progress"]["total"] == 300
    done.set()


async def test_nobody_looking_costs_no_write(
    pool: ArqRedis, journal: Journal, reader: Reader, start_worker: StartWorker, client: Client
) -> None:
    done = asyncio.Event()
    worker = await start_worker([func(counts, name="counts")], ctx={"done": done})
    await journal.enqueue([NewJob("counts", QUEUE, (50,), id="long")])
    await eventually(lambda: worker.progress._steps.get("long", (0,))[0] == 50)
    assert not await pool.exists(KEYS["progress"])
    async with client.ws_connect("/api/v1/feed", protocols=["arqlight.v1"]) as feed:
        await feed.send_json({"subscribe": ["job:long"]})
        # Somebody looks now: what was told before comes up, and the feed brings it.
        async with asyncio.timeout(10):
            async for message in feed:
                data = message.json()["data"]
                if data["progress"]:
                    break
        assert (data["progress"]["done"], data["progress"]["total"]) == (50, 50)
    done.set()


async def test_progress_never_goes_back_and_is_of_its_own_job(
    pool: ArqRedis, journal: Journal, start_worker: StartWorker
) -> None:
    release = asyncio.Event()

    async def wavers(ctx: dict[str, Any], number: int) -> None:
        for step in (1, 5, 3, number):
            ctx["progress"](step, 10)
        await release.wait()

    worker = await start_worker([func(wavers, name="wavers")])
    await journal.enqueue([NewJob("wavers", QUEUE, (number,), id=f"w{number}") for number in (2, 7)])
    await eventually(lambda: len(worker.progress._steps) == 2)
    assert {job: step[0] for job, step in worker.progress._steps.items()} == {"w2": 5, "w7": 7}
    release.set()
    await eventually(lambda: not worker.progress._steps)


async def test_what_a_task_says_stands_on_its_page_and_in_the_log_with_its_secrets_masked(
    pool: ArqRedis, journal: Journal, reader: Reader, start_worker: StartWorker, client: Client
) -> None:
    await start_worker([func(speaks, name="speaks")])
    await journal.enqueue([NewJob("speaks", QUEUE, (), {"code": "918273"}, id="speaker")])

    async def said() -> Any:
        job = await reader.job_json("speaker")
        return job if job["state"] == "failed" and len(job["log"]) >= 5 else None

    job = await eventually(said)
    lines = [(line["level"], line["message"].splitlines()[0]) for line in job["log"]]
    assert lines[:4] == [
        ("info", "called: as a function"),
        ("warning", f"a warning with {MASK}"),
        ("error", "the standard logging 7"),
        ("warning", "from a thread"),
    ]
    assert job["message"] == f"the code {MASK} was wrong"
    everything = json.dumps(job) + str(await pool.xrange(KEYS["logs"])) + str(await pool.xrange(KEYS["events"]))
    assert "918273" not in everything
    answer = await client.get("/api/v1/logs", params={"job": "speaker", "level": "warning", "q": "THREAD"})
    [line] = (await answer.json())["items"]
    assert (line["message"], line["task"], line["logger"]) == ("from a thread", "speaks", "threaded")


async def test_secrets_given_by_place_or_set_as_settings_are_masked_too(
    pool: ArqRedis, journal: Journal, reader: Reader, start_worker: StartWorker, settings: Settings
) -> None:
    async def fails(ctx: dict[str, Any], to: str, password: str) -> None:
        raise ValueError(f"{to} {password} {ctx['smtp']}")

    secretive = settings.changed(smtp_password="hunter2hunter2")
    await start_worker([func(fails, name="fails")], settings=secretive, ctx={"smtp": "hunter2hunter2"})
    await journal.enqueue([NewJob("fails", QUEUE, ("ada", "correct horse"), id="x")])
    await eventually(lambda: pool.zcard(KEYS["failed"]))
    job = await reader.job_json("x")
    assert job["message"] == f"ada {MASK} {MASK}"
    assert "horse" not in json.dumps(job["failures"])
    assert "hunter2" not in json.dumps(job["failures"])


async def test_a_line_whose_arguments_do_not_fit_is_kept_all_the_same(pool: ArqRedis, settings: Settings) -> None:
    book = Logbook(RedisLog(pool, Scripts(pool, settings)), "w")
    book.emit(logging.LogRecord("arqlight.job", logging.INFO, "", 0, "so %d", ("x",), None))
    await book.close_book()
    [(_, fields)] = await pool.xrange(KEYS["logs"])
    assert fields[b"message"].startswith(b"'so %d' with arguments that do not fit")


async def test_a_flood_of_lines_is_bounded_and_what_was_dropped_is_said(
    pool: ArqRedis, journal: Journal, reader: Reader, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.runtime.job_log.MOST_WAITING", 100)

    async def floods(ctx: dict[str, Any]) -> None:
        for number in range(1000):
            ctx["log"]("line %d", number)

    await start_worker([func(floods, name="floods")])
    await journal.enqueue([NewJob("floods", QUEUE, id="flood")])

    async def told() -> bool:
        entries = await pool.xrange(KEYS["logs"])
        return any(b"900 lines were dropped" in fields[b"message"] for _, fields in entries)

    await eventually(told)
    assert len((await reader.job_json("flood"))["log"]) == 100


@pytest.mark.parametrize("query", ["level=loud", "limit=0", "before=x", "colour=red", "q=" + "x" * 300])
async def test_a_wrong_query_of_the_log_is_refused_with_the_field(client: Client, query: str) -> None:
    answer = await client.get(f"/api/v1/logs?{query}")
    problem = await answer.json()
    assert answer.status == 400
    assert problem["detail"]


async def test_a_jobs_log_goes_with_the_job(pool: ArqRedis, settings: Settings, start_worker: StartWorker) -> None:
    async def talks(ctx: dict[str, Any]) -> None:
        ctx["log"].info("here")

    await start_worker([func(talks, name="talks")], settings=settings.changed(keep_succeeded=3))
    for number in range(20):
        await pool.enqueue_job("talks", _job_id=f"talks-{number}")

    async def is_bounded() -> bool:
        left = await pool.keys("arqlight:log:*")
        return await pool.zcard("arq:queue") == 0 and len(left) == 3

    await eventually(is_bounded)
