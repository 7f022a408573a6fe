"""The parts of a connection: each works, or is refused by name, on every driver."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from arq.connections import ArqRedis
from arq.utils import timestamp_ms

from arqlight.checked_fields import Secret
from arqlight.connections.connection import Connection
from arqlight.connections.named import Connections, open_connection
from arqlight.connections.parts import PARTS, Part
from arqlight.errors import InvalidInput, NotFound, NotSupported
from arqlight.jobs.log_line import LogLine
from arqlight.jobs.periodic_job import PeriodicJob
from arqlight.jobs.queues import queue_key
from arqlight.journal.audit_entry import new_entry
from arqlight.journal.log_reader import LogFilter
from arqlight.settings import Settings
from arqlight_service.app import create_app
from tests.conftest import Client, with_database
from tests.support.on_any_driver import empty_schema
from tests.support.waiting import eventually

QUEUE = queue_key("default")
Use = Callable[[Connection], Awaitable[None]]
DRIVERS = {"redis": frozenset(PARTS), "database": frozenset[Part](), "observed": frozenset[Part]()}


@pytest.fixture(params=sorted(DRIVERS))
async def connection(
    request: pytest.FixtureRequest, pool: ArqRedis, settings: Settings, postgres: str
) -> AsyncIterator[Connection]:
    url = settings.resolved_redis_url()
    addresses = {"redis": url, "database": postgres, "observed": f"observe+{url}"}
    if request.param == "database":
        await empty_schema(postgres)
    opened = open_connection("here", addresses[request.param], with_database(settings, postgres))
    assert opened.shown_driver == request.param
    yield opened
    await opened.close()


@pytest.fixture
async def seen(settings: Settings, pool: ArqRedis) -> AsyncIterator[Client]:
    """A client of a service with a second connection, which is only observed."""
    several = settings.changed(connections=Secret(f"seen=observe+{settings.resolved_redis_url()}"))
    async with TestClient(TestServer(create_app(several))) as client:
        yield client


async def use_log(connection: Connection) -> None:
    log = connection.log
    assert await log.newest() is None
    for level, text in (("info", "it begins"), ("error", "it breaks")):
        await log.write([LogLine(b"job-1", b"add", level, "arqlight.job", text, "worker-1", "{}")])
    lines, following = await log.lines(LogFilter(), limit=1)
    assert ([line["message"] for line in lines], lines[0]["id"]) == (["it breaks"], await log.newest())
    older, _ = await log.lines(LogFilter(job="job-1"), before=following)
    assert [line["message"] for line in older] == ["it begins"]
    assert [line["message"] for line in (await log.lines(LogFilter(level="error")))[0]] == ["it breaks"]


async def use_schedules(connection: Connection) -> None:
    schedules = connection.schedules
    nightly = PeriodicJob("nightly", "0 3 * * *", "add", QUEUE, {"left": 1})
    await schedules.ensure([nightly])
    before, changed = await schedules.change("nightly", enabled=False)
    assert before.enabled
    assert (await schedules.all(), await schedules.find("nightly")) == ([changed], changed)
    await schedules.ensure([nightly])
    assert not (await schedules.find("nightly")).enabled, "what people changed stays"
    job_id = await schedules.fire_now("nightly")
    assert await schedules.last_jobs() == {"nightly": job_id}
    assert (await connection.reader.job_json(job_id))["kwargs"] == {"left": 1}
    with pytest.raises(NotFound):
        await schedules.fire_now("weekly")


async def use_overrides(connection: Connection) -> None:
    before, chosen = await connection.overrides.set("task", "add", {"tries": 7})
    assert before.values() == {}
    assert chosen.tries == 7
    assert (await connection.overrides.read()).get("task", "add") == chosen
    with pytest.raises(InvalidInput):
        await connection.overrides.set("task", "add", {"tries": 0})


async def use_counters(connection: Connection) -> None:
    chart = await connection.counters.chart("hour", QUEUE)
    assert (chart["span"], len(chart["points"])) == ("hour", 60)
    assert (await connection.counters.totals()).failures == {}


async def use_audit(connection: Connection) -> None:
    made = [replace(new_entry("change", "ada", f"change {number}"), id=f"{number:013d}-a") for number in range(5)]
    for entry in (*made, refused := new_entry("refused", "eve", "sign in")):
        await connection.audit.add(entry)
    assert await connection.audit.newest(limit=2) == [refused, made[4]]
    assert await connection.audit.newest(("change",), before=made[3].id, since=made[1].id) == [made[2], made[1]]
    assert await connection.audit.oldest("change", 2) == made[:2]
    await connection.audit.remove(made[1:2])
    await connection.audit.trim("change", 2, made[1].id)
    assert await connection.audit.newest() == [refused, made[4], made[3]]
    await connection.audit.trim("change", 2, made[4].id)
    assert await connection.audit.newest() == [refused, made[4]]


async def use_maintenance(connection: Connection) -> None:
    assert await connection.maintenance.warnings() == []
    assert (await connection.maintenance.memory()).used_bytes > 0
    faults = {finding.fault for finding in await connection.maintenance.findings()}
    assert faults <= {"not durable", "no notifications"}


async def use_store(connection: Connection) -> None:
    store = connection.store
    assert await store.users.add("ada", "1")
    assert not await store.users.add("ada", "2")
    await store.users.set("Zoë", "ü")
    assert (await store.users.get("ada"), await store.users.all()) == ("1", {"ada": "1", "Zoë": "ü"})
    assert await store.users.delete("ada")
    assert not await store.users.delete("ada")
    assert await store.tokens.all() == {}, "each kind has a place of its own"
    await store.sessions.set("s", "text", 60_000)
    assert await store.sessions.get_many(["s", "t"]) == ["text", None]
    assert await store.sessions.get_many([]) == []
    await store.sessions.delete("s")
    assert await store.sessions.get("s") is None
    await store.sign_ins.set("state", "begun", 60_000)
    assert [await store.sign_ins.take("state") for _ in range(2)] == ["begun", None]
    assert await store.operation_leases.add("op", "replica 1", 1)
    await eventually(lambda: store.operation_leases.add("op", "replica 2", 60_000))
    assert not await store.operation_leases.add("op", "replica 3", 60_000)
    await store.operation_leases.extend("op", 1)
    await eventually(lambda: store.operation_leases.add("op", "replica 4", 60_000))
    counts = [await store.sign_in_attempts.count(["a", "b"], 60) for _ in range(2)]
    assert [[count.number for count in each] for each in counts] == [[1, 1], [2, 2]]
    assert all(0 < count.left_s <= 60 for each in counts for count in each)
    await store.sign_in_attempts.reset("a")
    assert [count.number for count in await store.sign_in_attempts.count(["a", "b"], 60)] == [1, 3]
    for number in range(4):
        await store.newest_operations.add(f"op{number}", timestamp_ms() + number, 3)
    assert await store.newest_operations.newest(2) == ["op3", "op2"]
    assert await store.newest_operations.newest(9) == ["op3", "op2", "op1"]


USES: dict[Part, Use] = {
    "log": use_log, "schedules": use_schedules, "overrides": use_overrides, "counters": use_counters,
    "audit": use_audit, "maintenance": use_maintenance, "store": use_store,
}  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
async def test_a_part_works_or_is_refused_by_name(connection: Connection, part: Part) -> None:
    assert connection.supports(part) == (part in DRIVERS[connection.shown_driver])
    if connection.supports(part):
        await USES[part](connection)
        return
    with pytest.raises(NotSupported) as refused:
        await USES[part](connection)
    assert (refused.value.connection, refused.value.part) == ("here", part)
    assert str(refused.value) == (
        f"connection 'here' has no {part}: its driver ({connection.shown_driver}) does not support it"
    )


async def test_the_store_writes_the_keys_that_services_before_it_wrote(pool: ArqRedis, settings: Settings) -> None:
    connection = open_connection("here", settings.resolved_redis_url(), settings)
    store = connection.store
    await store.users.set("ada", "u")
    await store.tokens.set("0123", "t")
    await store.sessions.set("s", "x", 60_000)
    await store.sign_ins.set("state", "x", 60_000)
    await store.sign_in_attempts.count(["pair:1"], 60)
    await store.operations.set("op_1", "x", 60_000)
    await store.newest_operations.add("op_1", 5, 100)
    await store.operation_leases.add("op_1", "x", 60_000)
    await store.alert_quiet_periods.add("depth>1:default", "1", 60_000)
    assert await pool.hgetall("arqlight:users") == {b"ada": b"u"}  # type: ignore[misc]
    assert await pool.hgetall("arqlight:tokens") == {b"0123": b"t"}  # type: ignore[misc]
    assert await pool.zrange("arqlight:operations", 0, -1, withscores=True) == [(b"op_1", 5.0)]
    texts = ("session:s", "signing-in:state", "tries:pair:1", "operation:op_1", "operating:op_1",
             "alerted:depth>1:default")  # fmt: skip
    assert await pool.mget([f"arqlight:{text}" for text in texts]) == [b"x", b"x", b"1", b"x", b"x", b"1"]
    assert all([0 < await pool.pttl(f"arqlight:{text}") <= 60_000 for text in texts])
    await connection.close()


async def test_queues_of_plain_arq_clients_are_found_as_they_come(pool: ArqRedis, settings: Settings) -> None:
    connection = open_connection("here", settings.resolved_redis_url(), settings)
    await pool.enqueue_job("add", _queue_name="arq:queue:before")
    async with _running(connection.maintenance.keep_finding_queues()):
        await eventually(lambda: _knows(connection, "arq:queue:before"))
        await pool.enqueue_job("add", _queue_name="arq:queue:after")
        await eventually(lambda: _knows(connection, "arq:queue:after"))
    await connection.close()


@contextlib.asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """In the background while the body runs."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _knows(connection: Connection, queue: str) -> bool:
    return queue in await connection.reader.known_queues()


async def test_who_has_a_part_is_named_where_several_are_known(
    settings: Settings, pool: ArqRedis, postgres: str
) -> None:
    url = settings.resolved_redis_url()
    addresses = {"seen": f"observe+{url}", "billing": postgres, "main": url, "second": url}
    connections = Connections([open_connection(name, address, settings) for name, address in addresses.items()])
    assert [each.name for each in connections.with_part("log")] == ["main", "second"]
    assert connections.home is connections.find("main", "store")
    with pytest.raises(
        NotSupported, match=r"'billing' has no log: .*\(database\).*; these connections do: main, second"
    ):
        connections.find("billing", "log")
    with pytest.raises(NotSupported, match=r"'seen' has no store: its driver \(observed\)"):
        connections.find(None, "store")
    await connections.close()
    observing = Connections([open_connection("seen", f"observe+{url}", settings)])
    assert observing.home is None
    with pytest.raises(NotSupported, match="these connections do: none"):
        observing.find("seen", "audit")
    await observing.close()


async def test_a_task_finds_in_its_context_what_arq_would_put_there(connection: Connection) -> None:
    context = connection.task_context()
    if connection.shown_driver == "redis":
        assert await context["redis"].ping()
    else:
        assert context == {}


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/api/v1/logs", "log"), ("/api/v1/charts", "counters"), ("/api/v1/schedules", "schedules"),
        ("/api/v1/settings", "overrides"), ("/api/v1/audit", "audit"),
    ],
)  # fmt: skip
async def test_the_api_says_what_a_driver_does_not_support(seen: Client, path: str, part: Part) -> None:
    assert (await seen.get(f"{path}?connection=default")).status == 200
    answer = await seen.get(f"{path}?connection=seen")
    assert answer.status == 404
    assert f"'seen' has no {part}" in (await answer.json())["detail"]


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/logs", "log"), ("/charts", "counters"), ("/schedules", "schedules"), ("/settings", "overrides"),
        ("/settings", "audit"),
    ],
)  # fmt: skip
async def test_a_page_says_what_a_driver_does_not_support(seen: Client, path: str, part: Part) -> None:
    answer = await seen.get(f"{path}?connection=seen")
    assert answer.status == 200
    assert f"Connection &#39;seen&#39; has no {part}: its driver (observed) does not support it" in await answer.text()
    assert "has no" not in await (await seen.get(f"{path}?connection=default")).text()
