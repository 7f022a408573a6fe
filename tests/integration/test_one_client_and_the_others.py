"""What one client does keeps no other out: tries to sign in, connections, long searches."""

import asyncio
import contextlib
import resource
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector, web
from arq.connections import ArqRedis

from arqlight.connections.connection import Connection
from arqlight.jobs import reading
from arqlight.jobs.filters import JobFilter
from arqlight.journal.journal import Journal, NewJob
from arqlight.settings import Settings
from arqlight_service.api.problems import Problem
from arqlight_service.app import create_app
from arqlight_service.auth import throttle
from arqlight_service.auth.access import ACCESS
from arqlight_service.auth.proxies import Proxies
from arqlight_service.auth.sign_in import inside
from arqlight_service.loop_share import AT_ONCE_S, LOOP_SHARE, LoopShare
from arqlight_service.serve import GuardedSite
from arqlight_service.slow_clients import BESIDE_FEEDS, OpenConnections
from tests.conftest import Client
from tests.support.access import add_user, guarded, sign_in
from tests.support.on_any_driver import enqueue
from tests.support.waiting import eventually


async def test_tries_from_elsewhere_slow_a_name_down_and_lock_nobody_out(
    pool: ArqRedis, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "DELAY_STEP_S", 0.0001)
    async with guarded(settings, trusted_proxies="127.0.0.0/8") as client:
        await add_user(client, "ada", "admin")
        for number in range(110):
            await _tries(client).count("ada", f"198.51.100.{number // 10}")
        with pytest.raises(Problem, match="too many sign-in attempts"):
            await _tries(client).count("ada", "198.51.100.0")
        assert (await sign_in(client, "ada", headers={"X-Forwarded-For": "203.0.113.9"})).status == 303


async def test_tries_of_one_ipv6_network_count_together(pool: ArqRedis, settings: Settings) -> None:
    async with guarded(settings) as client:
        for number in range(throttle.MOST["pair"]):
            await _tries(client).count("ada", f"2001:db8::{number:x}")
        with pytest.raises(Problem, match="too many sign-in attempts"):
            await _tries(client).count("ada", "2001:db8::ffff")
        await _tries(client).count("ada", "2001:db8:0:1::1")


async def test_sign_ins_begun_at_the_provider_have_a_bound(pool: ArqRedis, settings: Settings) -> None:
    async with guarded(settings) as client:
        for _ in range(throttle.MOST["provider"]):
            await _tries(client).count_provider("203.0.113.9")
        with pytest.raises(Problem, match="too many sign-in attempts"):
            await _tries(client).count_provider("203.0.113.9")
        await _tries(client).count_provider("203.0.113.10")
    assert inside("/jobs?q=" + "x" * 8_000) == "/", "what is kept of each is short"


def _tries(client: Client) -> throttle.Tries:
    tries: throttle.Tries | None = client.app[ACCESS].tries if client.app else None
    assert tries is not None
    return tries


def test_each_try_from_wherever_waits_longer_but_never_for_long() -> None:
    waits = [throttle.delay_s(number) for number in (1, 20, 21, 60, 100_000)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (0, throttle.LONGEST_DELAY_S)
    assert waits[2] > 0


@contextlib.asynccontextmanager
async def site(settings: Settings, feeds: int) -> AsyncIterator[tuple[str, web.Application]]:
    app = create_app(settings)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = GuardedSite(runner, "127.0.0.1", 0, OpenConnections(feeds, Proxies(settings).is_named))
    await site.start()
    yield site.name, app
    await runner.cleanup()


async def _rests(port: int, address: str) -> tuple[bytes, asyncio.StreamWriter]:
    """A connection that asks once and then rests; what it was answered with, b"" for one that is refused."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    with contextlib.suppress(OSError):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return await reader.readline(), writer
    return b"", writer


async def test_connections_that_rest_between_requests_have_a_bound_for_each_client(
    pool: ArqRedis, settings: Settings
) -> None:
    async with site(settings, feeds=5) as (url, _):
        port, resting = int(url.rpartition(":")[2]), []
        for _ in range(5 + BESIDE_FEEDS):
            answer, writer = await _rests(port, "127.0.0.66")
            assert answer.startswith(b"HTTP/1.1 200")
            resting.append(writer)
        assert (await _rests(port, "127.0.0.66"))[0] == b""
        assert (await _rests(port, "127.0.0.1"))[0].startswith(b"HTTP/1.1 200"), "others are served"
        for writer in resting:
            writer.close()

        async def has_room() -> bool:
            return (await _rests(port, "127.0.0.66"))[0].startswith(b"HTTP/1.1 200")

        await eventually(has_room)


def test_all_connections_together_leave_descriptors_for_servers_and_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (200, 200))
    connections = OpenConnections(100_000)
    assert sum(connections.enter(f"10.0.{number}.1") is not None for number in range(200)) == 200 - 128
    assert OpenConnections(100_000, lambda address: True).enter("10.0.0.1") is not None


async def test_a_search_over_large_jobs_is_cut_says_so_and_goes_on_behind(
    pool: ArqRedis, client: Client, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_WORK_S", 0.05)
    await journal.enqueue([NewJob("work", "arq:queue", ("the needle",), id="the-oldest")])
    await journal.enqueue([NewJob("work", "arq:queue", (["x" * 20] * 500,), id=f"job-{each}") for each in range(150)])
    page = await (await client.get("/api/v1/jobs?q=needle")).json()
    assert page["cut"] is True
    assert "This list was cut" in await (await client.get("/jobs?q=needle")).text()
    found, pages = list(page["items"]), 1
    while page["next"]:
        page = await (await client.get("/api/v1/jobs", params={"q": "needle", "cursor": page["next"]})).json()
        found, pages = found + page["items"], pages + 1
    assert [job["id"] for job in found] == ["the-oldest"]
    assert pages > 2
    whole = await (await client.get("/api/v1/jobs?task=none&queue=none")).json()
    assert whole == {"items": [], "next": None, "cut": False}
    assert "This list was cut" not in await (await client.get("/jobs?task=none&queue=none")).text()


async def test_a_search_lets_others_in_on_every_driver(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(40):
        await enqueue(connection, "work", ["x" * 20] * 500)
    turns = 0

    async def pause() -> None:
        nonlocal turns
        turns += 1

    reading.PAUSE.set(pause)
    jobs, following = await connection.reader.jobs(where=JobFilter(text="nothing"))
    assert (jobs, following) == ([], None)
    assert turns > 3
    monkeypatch.setattr(reading, "MOST_ENTRIES", 10)
    jobs, following = await connection.reader.jobs(where=JobFilter(text="nothing"))
    assert jobs == []
    assert following is not None


async def test_a_client_that_took_more_than_its_share_waits_while_others_ask_and_only_then() -> None:
    share = LoopShare(0.1)
    greedy = share.client("10.0.0.1", counts=True)
    greedy.spend(AT_ONCE_S + 0.02)
    began = time.monotonic()
    await share.turn(greedy)
    assert time.monotonic() - began < 0.1, "nobody else is there"
    other = share.client("10.0.0.2", counts=True)
    await share.turn(other)
    waits = [asyncio.create_task(share.turn(greedy)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(wait.done() for wait in waits)
    await asyncio.gather(*waits)
    assert time.monotonic() - began > 0.15
    assert not greedy.waiting


async def test_what_a_request_takes_of_the_loop_is_measured_for_its_client(pool: ArqRedis, settings: Settings) -> None:
    async with site(settings, feeds=5) as (url, app):
        client = app[LOOP_SHARE].client("127.0.0.66", counts=False)
        spent: list[float] = []
        client.spend = spent.append  # type: ignore[method-assign, assignment]
        connector: Any = TCPConnector(local_addr=("127.0.0.66", 0))
        async with ClientSession(connector=connector) as session, session.get(f"{url}/jobs") as answer:
            assert answer.status == 200
        assert len(spent) > 3
        assert 0.001 < sum(spent) < 5
