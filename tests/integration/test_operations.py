"""Work on many failed jobs at once: groups, retry, delete; each job once, and none that failed meanwhile."""

import asyncio
from typing import Any

import pytest
from arq import func
from arq.connections import ArqRedis

from arqlight.connections.named import open_connections
from arqlight.jobs.filters import JobFilter
from arqlight.journal.groups import read_groups
from arqlight.journal.journal import Journal, NewJob
from arqlight.journal.keys import KEYS
from arqlight.journal.reader import Reader
from arqlight.settings import Settings
from arqlight_service.operations.operations import Operations
from tests.conftest import Client, StartWorker
from tests.support.waiting import eventually

QUEUE = "arq:queue"


class Flaky:
    """Fails by two causes until it is fixed; counts what ran."""

    def __init__(self) -> None:
        self.fixed = False
        self.ran: dict[str, int] = {}

    async def charge(self, ctx: dict[str, Any]) -> None:
        self.ran[ctx["job_id"]] = self.ran.get(ctx["job_id"], 0) + 1
        if not self.fixed:
            self._declined()

    async def ship(self, ctx: dict[str, Any]) -> None:
        self.ran[ctx["job_id"]] = self.ran.get(ctx["job_id"], 0) + 1
        raise TimeoutError("the warehouse does not answer")

    def _declined(self) -> None:
        raise ConnectionError("the bank hung up")


@pytest.fixture
async def flaky(start_worker: StartWorker) -> Flaky:
    flaky = Flaky()
    await start_worker([func(flaky.charge, name="charge"), func(flaky.ship, name="ship")], max_jobs=100)
    return flaky


async def _failed(pool: ArqRedis, number: int) -> bool:
    return bool(await pool.zcard(KEYS["failed"]) == number)


async def _ended(client: Client, operation: dict[str, Any]) -> Any:
    async def over() -> Any:
        told = await (await client.get(f"/api/v1/operations/{operation['id']}")).json()
        return told if told["state"] != "running" else None

    return await eventually(over, within_s=60)


async def test_of_4000_failures_of_two_causes_one_group_runs_again_each_once_while_new_ones_arrive(
    pool: ArqRedis, journal: Journal, reader: Reader, client: Client, flaky: Flaky
) -> None:
    await journal.enqueue([NewJob("charge", QUEUE, id=f"c{n}") for n in range(2500)])
    await journal.enqueue([NewJob("ship", QUEUE, id=f"s{n}") for n in range(1500)])
    await eventually(lambda: _failed(pool, 4000), within_s=60)
    groups, total = await read_groups(reader.scripts)
    assert total == 2
    assert {(group["task"], group["error"], group["count"]) for group in groups} == {
        ("charge", "ConnectionError", 2500), ("ship", "TimeoutError", 1500),
    }  # fmt: skip
    charges = next(group for group in groups if group["task"] == "charge")
    assert sum(charges["spark"]) == 2500
    assert charges["first_seen"] <= charges["last_seen"]

    stop = asyncio.Event()

    async def more() -> int:
        """New failures of the same cause, while the group is retried: they are not of those that were meant."""
        number = 0
        while not stop.is_set():
            await journal.enqueue([NewJob("ship", QUEUE, id=f"new{number}")])
            number += 1
            await asyncio.sleep(0.002)
        return number

    arriving = asyncio.create_task(more())
    flaky.fixed = True
    answer = await client.post("/api/v1/operations", json={"kind": "retry", "fingerprint": charges["fingerprint"]})
    assert answer.status == 202, await answer.text()
    operation = await _ended(client, await answer.json())
    stop.set()
    arrived = await arriving
    assert (operation["done"], operation["skipped"], operation["total"]) == (2500, 0, 2500)

    async def settled() -> bool:
        return await _failed(pool, 1500 + arrived) and bool(await pool.zcard(QUEUE) == 0)

    await eventually(settled, within_s=60)
    assert {flaky.ran[f"c{n}"] for n in range(2500)} == {2}, "each ran again, once"
    assert {flaky.ran[f"s{n}"] for n in range(1500)} == {1}, "the other group did not"
    [left], _ = await read_groups(reader.scripts)
    assert (left["task"], left["count"]) == ("ship", 1500 + arrived)
    audit = await (await client.get("/api/v1/audit")).json()
    assert audit["items"][0]["what"] == "retry failed jobs"


async def test_a_group_that_fails_again_while_it_is_retried_is_not_retried_twice(
    pool: ArqRedis, journal: Journal, reader: Reader, client: Client, flaky: Flaky
) -> None:
    await journal.enqueue([NewJob("charge", QUEUE, id=f"c{n}") for n in range(1000)])
    await eventually(lambda: _failed(pool, 1000), within_s=30)
    answer = await client.post("/api/v1/operations", json={"kind": "retry", "all": True})
    operation = await _ended(client, await answer.json())
    assert operation["done"] == 1000

    async def again() -> bool:
        return await _failed(pool, 1000) and set(flaky.ran.values()) == {2}

    await eventually(again, within_s=30)
    [group], _ = await read_groups(reader.scripts)
    assert group["count"] == 1000


async def test_an_operation_whose_service_died_is_taken_up_where_it_was(
    pool: ArqRedis, journal: Journal, settings: Settings, client: Client, flaky: Flaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    await journal.enqueue([NewJob("charge", QUEUE, id=f"c{n}") for n in range(500)])
    await eventually(lambda: _failed(pool, 500), within_s=30)
    flaky.fixed = True
    connections = open_connections(settings)
    dying, retries = Operations(connections), connections.first.journal
    retried = 0
    retry = retries.retry

    async def dies(job_id: str, until_ms: int | None = None) -> None:
        nonlocal retried
        if retried == 250:
            raise asyncio.CancelledError
        retried += 1
        await retry(job_id, until_ms)

    monkeypatch.setattr(retries, "retry", dies)
    operation = await dying.start("retry", "ada", where=JobFilter())
    await eventually(lambda: retried == 250)
    await eventually(lambda: not dying._tasks)
    await pool.delete(KEYS["operating"] + operation.id)  # a few seconds later the hold has run out
    told = await _ended(client, operation.to_json())
    assert told["state"] == "done"
    await eventually(lambda: _failed(pool, 0))
    assert set(flaky.ran.values()) == {2}
    await connections.close()


async def test_selected_jobs_and_those_that_match_a_filter_are_meant_and_no_others(
    pool: ArqRedis, journal: Journal, client: Client, flaky: Flaky
) -> None:
    await journal.enqueue([NewJob("charge", QUEUE, id=f"c{n}") for n in range(10)] + [NewJob("ship", QUEUE, id="s,1")])
    await eventually(lambda: _failed(pool, 11))
    answer = await client.post("/api/v1/operations", json={"kind": "delete", "ids": ["c1", "c2", "c2", "gone"]})
    operation = await _ended(client, await answer.json())
    assert (operation["done"], operation["skipped"]) == (2, 1)
    answer = await client.post("/api/v1/operations", json={"kind": "delete", "task": "charge", "q": "c3"})
    assert (await _ended(client, await answer.json()))["done"] == 1
    form = "kind=delete&ids=s%2C1&ids=c4"
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
    answer = await client.post("/api/v1/operations", data=form, headers=headers, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/failed")
    await eventually(lambda: _failed(pool, 6))


@pytest.mark.parametrize(
    ("body", "field"),
    [({"kind": "explode"}, "kind"), ({"kind": "retry", "ids": ["a"], "task": "x"}, "ids"),
     ({"kind": "retry", "ids": "a"}, "ids"), ({"kind": "retry", "ids": ["x"] * 5001}, "ids"),
     ({"kind": "retry", "since": "yesterday"}, "since"), ({"kind": "retry", "where": {}}, "where"), ({}, "kind"),
     ({"kind": "retry", "ids": ["\u0007"]}, "ids.0"), ({"kind": "retry", "ids": ["a"], "all": True}, "ids"),
     ({"kind": "retry", "task": "x", "all": True}, "ids")],
)  # fmt: skip
async def test_an_operation_that_makes_no_sense_is_refused_with_the_field(
    client: Client, body: dict[str, Any], field: str
) -> None:
    answer = await client.post("/api/v1/operations", json=body)
    problem = await answer.json()
    assert (answer.status, problem["field"]) == (422, field), problem
    assert (await (await client.get("/api/v1/operations")).json())["items"] == []


@pytest.mark.parametrize("kind", ["retry", "delete"])
@pytest.mark.parametrize(
    "selection", [{}, {"ids": []}, {"all": False}, {"q": ""}, {"ids": [], "all": True}, {"ids": [], "q": "c"}], ids=str
)
async def test_an_empty_selection_never_means_every_job(
    client: Client, pool: ArqRedis, journal: Journal, flaky: Flaky, kind: str, selection: dict[str, Any]
) -> None:
    await journal.enqueue([NewJob("charge", QUEUE, id="c1")])
    await eventually(lambda: _failed(pool, 1))
    answer = await client.post("/api/v1/operations", json={"kind": kind, **selection})
    told = await answer.json()
    assert (answer.status, told["field"]) == (422, "ids"), told
    form = {"kind": kind, **({"q": ""} if "q" in selection else {})}
    answer = await client.post("/api/v1/operations", data=form, headers={"Accept": "text/html"}, allow_redirects=False)
    assert (answer.status, "select some" in await answer.text()) == (422, True)
    assert (await (await client.get("/api/v1/operations")).json())["items"] == []
    assert await pool.zcard(KEYS["failed"]) == 1


async def test_every_failed_job_is_meant_when_all_is_said(
    client: Client, pool: ArqRedis, journal: Journal, flaky: Flaky
) -> None:
    await journal.enqueue([NewJob("charge", QUEUE, id=f"c{n}") for n in range(3)])
    await eventually(lambda: _failed(pool, 3))
    answer = await client.post("/api/v1/operations", data={"kind": "delete", "all": "true"})
    assert (await _ended(client, await answer.json()))["done"] == 3
