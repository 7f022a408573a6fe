"""The feed: snapshot, changes, cursors; a consumer that resumes ends with the truth."""

import asyncio
import json
import random
import time
from typing import Any

import pytest
from aiohttp import ClientTimeout, ClientWebSocketResponse, WSCloseCode, WSMsgType, WSServerHandshakeError
from aiohttp.test_utils import TestClient, TestServer
from arq import func
from arq.connections import ArqRedis

from arqlight.journal.journal import Journal, NewJob
from arqlight.journal.reader import Reader
from arqlight.settings import Settings
from arqlight_service.app import create_app
from arqlight_service.app_keys import FEEDS
from arqlight_service.feed import subscriber as subscribers
from tests.conftest import Client, StartWorker
from tests.support.waiting import eventually

FEED = "/api/v1/feed"
QUEUE = "arq:queue"


async def ok(ctx: dict[str, Any]) -> None:
    pass


async def odd(ctx: dict[str, Any], number: int) -> None:
    if number % 3 == 0:
        raise ValueError(f"number {number}")


async def subscribe(client: Client, topics: list[str], since: str | None = None) -> ClientWebSocketResponse:
    socket = await client.ws_connect(FEED, protocols=["arqlight.v1"])
    assert socket.protocol == "arqlight.v1"
    await socket.send_json({"subscribe": topics, "since": since})
    return socket


async def frame(socket: ClientWebSocketResponse, **wanted: Any) -> Any:
    """The next frame that has these members."""
    async with asyncio.timeout(10):
        while True:
            got = await socket.receive_json()
            if all(got.get(name) == value for name, value in wanted.items()):
                return got


async def test_a_snapshot_comes_first_and_then_changes(
    client: Client, journal: Journal, start_worker: StartWorker
) -> None:
    socket = await subscribe(client, ["counts", "active", "failed", "events"])
    snapshots = [await frame(socket, type="snapshot") for _ in range(4)]
    assert [snapshot["topic"] for snapshot in snapshots] == ["failed", "counts", "active", "events"]
    assert snapshots[1]["data"]["queued"] == 0
    [job_id] = await journal.enqueue([NewJob("odd", QUEUE, (3,))])
    changes: dict[str, Any] = {}
    # Which of the two comes first is not promised.
    while len(changes) < 2:
        change = await frame(socket, type="change")
        changes[change["topic"]] = change["data"]
    assert changes["counts"]["queued"] == 1
    assert changes["counts"]["standing"]["command"] == "arqlight worker"
    assert [(job["id"], job["state"]) for job in changes["active"]] == [(job_id, "queued")]
    event = await frame(socket, type="event", job=job_id)
    assert (event["state"], event["attempt"], event["task"], event["queue"]) == ("queued", 0, "odd", "default")
    await start_worker([func(odd, name="odd")])
    failed = await frame(socket, type="change", topic="failed")
    [job] = failed["data"]["added"]
    assert (job["id"], job["error"]) == (job_id, "ValueError")
    assert "odd" in job["trace"]
    await journal.delete(job_id)
    assert (await frame(socket, type="change", topic="failed"))["data"] == {"added": [], "removed": [job_id]}
    await socket.close()


async def test_a_plain_arq_clients_job_is_seen_within_a_second_with_no_worker_there(
    client: Client, pool: ArqRedis
) -> None:
    socket = await subscribe(client, ["counts", "queue:lonely"])
    await frame(socket, type="snapshot", topic="queue:lonely")
    began = time.monotonic()
    await pool.enqueue_job("anything", _queue_name="arq:queue:lonely")
    change = await frame(socket, type="change", topic="queue:lonely")
    assert change["data"]["queued"] == 1
    assert time.monotonic() - began < 1
    await socket.close()


async def test_a_job_and_the_workers_can_be_followed(
    client: Client, journal: Journal, start_worker: StartWorker
) -> None:
    await journal.enqueue([NewJob("ok", QUEUE, id="a b/c")])
    socket = await subscribe(client, ["job:a b/c", "workers"])
    assert (await frame(socket, topic="job:a b/c"))["data"]["state"] == "queued"
    assert (await frame(socket, topic="workers"))["data"] == []
    worker = await start_worker([ok])
    states = {(await frame(socket, type="change", topic="job:a b/c"))["data"]["state"]}
    if states != {"succeeded"}:
        states = {(await frame(socket, type="change", topic="job:a b/c"))["data"]["state"]}
    assert states == {"succeeded"}
    socket_two = await subscribe(client, ["workers"])
    assert (await frame(socket_two, topic="workers"))["data"][0]["id"] == worker.id
    await socket.close()
    await socket_two.close()


async def test_a_consumer_cut_off_50_times_during_2000_jobs_ends_with_exactly_the_truth(
    client: Client, journal: Journal, pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    dice = random.Random(7)
    seen: dict[str, list[str]] = {}
    failed: set[str] = set()
    cursors: list[str] = []
    cursor: str | None = "0-0"
    cuts = 0

    def take(got: Any) -> None:
        if got["type"] == "event":
            assert not cursors or _place(got["cursor"]) > _place(cursors[-1]), "in order, and never twice"
            cursors.append(got["cursor"])
            seen.setdefault(got["job"], []).append(got["state"])
        elif got["topic"] == "failed" and got["type"] == "change":
            failed.update(job["id"] for job in got["data"]["added"])
            failed.difference_update(got["data"]["removed"])
        elif got["topic"] == "failed":
            failed.clear()
            failed.update(job["id"] for job in got["data"])

    async def work() -> None:
        for start in range(0, 2000, 40):
            await journal.enqueue([NewJob("odd", QUEUE, (n,), id=f"j{n}") for n in range(start, start + 40)])
            await asyncio.sleep(0.02)

    await start_worker([func(odd, name="odd", keep_result=0)], max_jobs=20)
    working = asyncio.create_task(work())
    while True:
        socket = await subscribe(client, ["events", "failed"], cursor)
        budget = dice.randrange(10, 150) if cuts < 50 else 10**9
        while budget:
            try:
                got = await socket.receive_json(timeout=3 if cuts >= 50 else 20)
            except TimeoutError:
                break
            take(got)
            cursor = got["cursor"] or cursor
            budget -= 1
        if budget:
            break
        cuts += 1
        # Cut without notice.
        assert socket._response.connection
        socket._response.connection.transport.abort()  # type: ignore[union-attr]
    await working
    assert cuts == 50
    truth, _ = await reader.jobs(state="failed", limit=500)
    in_failed = set()
    following: str | None = None
    while True:
        page, following = await reader.jobs(state="failed", limit=500, cursor=following)
        in_failed |= {job.id for job in page}
        if following is None:
            break
    assert failed == in_failed == {f"j{n}" for n in range(0, 2000, 3)}
    assert len(truth) == 500
    assert set(seen) == {f"j{n}" for n in range(2000)}
    for job_id, states in seen.items():
        end = "failed" if job_id in failed else "succeeded"
        assert states == ["queued", "processing", end]
    assert len(cursors) == await pool.xlen("arqlight:events")


async def test_a_consumer_that_resumes_after_nobody_watched_gets_what_happened_meanwhile(
    client: Client, journal: Journal
) -> None:
    socket = await subscribe(client, ["events"], "0-0")
    await journal.enqueue([NewJob("ok", QUEUE, (), id="before")])
    seen = await frame(socket, type="event", job="before")
    await socket.close()
    await eventually(lambda: not client.app[FEEDS]["default"]._subscribers)
    await journal.enqueue([NewJob("ok", QUEUE, (), id="meanwhile")])
    socket = await subscribe(client, ["events"], seen["cursor"])
    await journal.enqueue([NewJob("ok", QUEUE, (), id="after")])
    assert [(await frame(socket, type="event"))["job"] for _ in range(2)] == ["meanwhile", "after"]
    await socket.close()


def _place(cursor: str) -> tuple[int, ...]:
    return tuple(map(int, cursor.split("-")))


@pytest.mark.parametrize("since", ["99999999999999-0", "1-1"])
async def test_a_cursor_too_old_or_of_another_stream_gets_a_notice_and_a_snapshot(
    pool: ArqRedis, settings: Settings, since: str
) -> None:
    small = settings.changed(keep_events=100)
    event: Any = {"state": "queued", "queue": QUEUE, "task": "t", "attempt": 0}
    for number in range(150):
        await pool.xadd("arqlight:events", {"job": number, **event}, maxlen=120, approximate=False)
    async with TestClient(TestServer(create_app(small))) as client:
        socket = await subscribe(client, ["counts", "events"], since)
        notice = await frame(socket, type="error")
        assert "older than what the feed keeps, or of another server" in notice["detail"]
        snapshot = await frame(socket, type="snapshot", topic="counts")
        assert snapshot["cursor"] == (await pool.xrevrange("arqlight:events", count=1))[0][0].decode()
        await socket.close()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{not json", "must be JSON"),
        ("[" * 20_000, "must be JSON"),
        ("[]", "must be an object"),
        ('{"since": null}', "must be an object"),
        ('{"subscribe": "counts"}', "must be a list"),
        ('{"subscribe": [1]}', "must be a list"),
        ('{"subscribe": ["odd"]}', "unknown topic 'odd'"),
        ('{"subscribe": ["job:"]}', "unknown topic 'job:'"),
        ('{"subscribe": ["counts"], "since": "yesterday"}', "not a cursor"),
        ('{"subscribe": ["counts"], "since": 7}', "not a cursor"),
        ('{"subscribe": ["counts"], "since": "1-99999999999999999999"}', "not a cursor"),
        (json.dumps({"subscribe": ["job:x"] * 51}), "too many"),
    ],
)
async def test_a_bad_frame_is_answered_and_the_next_one_served(client: Client, text: str, words: str) -> None:
    socket = await client.ws_connect(FEED)
    await socket.send_str(text)
    got = await frame(socket)
    assert (got["type"], words in got["detail"]) == ("error", True), got
    await socket.send_bytes(b"binary")
    assert "not binary" in (await frame(socket))["detail"]
    await socket.send_json({"subscribe": ["counts"]})
    assert (await frame(socket))["type"] == "snapshot"
    await socket.close()


async def test_a_socket_that_another_sites_page_opens_is_refused(client: Client) -> None:
    with pytest.raises(WSServerHandshakeError) as refused:
        await client.ws_connect(FEED, headers={"Origin": "https://evil.example"})
    assert refused.value.status == 403


async def test_the_same_feed_comes_over_server_sent_events_and_resumes_by_last_event_id(
    client: Client, journal: Journal
) -> None:
    async with client.get(FEED, params={"subscribe": "counts,events"}) as answer:
        assert answer.content_type == "text/event-stream"
        got = await _sse(answer, 2)
        assert [(one["type"], one["topic"]) for _, one in got] == [("snapshot", "counts"), ("snapshot", "events")]
    await journal.enqueue([NewJob("ok", QUEUE, id="x")])
    async with client.get(FEED, params={"subscribe": "events"}, headers={"Last-Event-ID": got[-1][0]}) as answer:
        [(cursor, event)] = await _sse(answer, 1)
        assert (event["type"], event["job"], event["cursor"]) == ("event", "x", cursor)


async def _sse(answer: Any, number: int) -> list[tuple[str, Any]]:
    got: list[tuple[str, Any]] = []
    async with asyncio.timeout(10):
        while len(got) < number:
            block = (await answer.content.readuntil(b"\n\n")).decode()
            lines = dict(line.split(": ", 1) for line in block.strip().splitlines())
            got.append((lines["id"], json.loads(lines["data"])))
    return got


async def test_a_socket_that_is_not_read_is_closed_and_the_others_miss_nothing(
    client: Client, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribers, "SEND_TIMEOUT_S", 0.5)
    stalled, reading = await subscribe(client, ["events"]), await subscribe(client, ["counts"])
    await frame(stalled, type="snapshot")
    assert stalled._response.connection
    transport: Any = stalled._response.connection.transport
    transport.pause_reading()
    # More than both ends of a connection hold by themselves.
    for _ in range(60):
        await journal.enqueue([NewJob("ok", QUEUE) for _ in range(1000)])
    figures = {"queued": 0}
    while figures["queued"] < 60_000:
        figures = (await frame(reading, topic="counts"))["data"]
    await eventually(lambda: len(client.app[FEEDS]["default"]._subscribers) == 1)
    transport.resume_reading()
    closed = None
    while closed is None:
        message = await stalled.receive(timeout=10)
        closed = message if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR) else None
    await reading.close()


async def test_a_transition_reaches_a_subscriber_within_250_ms_at_100_jobs_a_second(
    client: Client, journal: Journal, start_worker: StartWorker
) -> None:
    await start_worker([func(ok, name="ok", keep_result=0)])
    socket = await subscribe(client, ["counts", "active", "failed", "events"])
    await frame(socket, type="snapshot", topic="events")

    async def produce() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(200):
            await journal.enqueue([NewJob("ok", QUEUE)])
            await asyncio.sleep(max(0, began + (number + 1) / 100 - loop.time()))

    producing = asyncio.create_task(produce())
    late: list[float] = []
    while len(late) < 600:
        event = await frame(socket, type="event")
        late.append(time.time() * 1000 - int(event["cursor"].split("-")[0]))
    await producing
    assert max(late) <= 250, f"the slowest took {max(late):.0f} ms"
    await socket.close()


async def test_a_stopping_service_closes_its_feeds(pool: ArqRedis, settings: Settings) -> None:
    async with TestClient(TestServer(create_app(settings))) as client:
        socket = await subscribe(client, ["counts"])
        await frame(socket, type="snapshot")
        closing = asyncio.create_task(client.server.close())
        message = await socket.receive(timeout=10)
        assert (message.type, message.data) == (WSMsgType.CLOSE, WSCloseCode.GOING_AWAY)
        await closing


async def test_a_server_that_lost_its_data_is_told_to_who_looks_and_to_who_comes_back(
    client: Client, journal: Journal, pool: ArqRedis
) -> None:
    looking = await subscribe(client, ["counts", "events"])
    await frame(looking, type="snapshot", topic="events")
    await journal.enqueue([NewJob("ok", QUEUE, id="old")])
    old = await frame(looking, type="event", job="old")
    await pool.flushall()
    await journal.enqueue([NewJob("ok", QUEUE, id="new 1"), NewJob("ok", QUEUE, id="new 2")])
    assert "of another server" in (await frame(looking, type="error"))["detail"]
    assert (await frame(looking, type="snapshot", topic="counts"))["data"]["queued"] == 2
    returning = await subscribe(client, ["counts", "events"], old["cursor"])
    assert "of another server" in (await frame(returning))["detail"]
    assert (await frame(returning))["type"] == "snapshot"
    for socket in (looking, returning):
        await frame(socket, type="snapshot", topic="events")
    await journal.enqueue([NewJob("ok", QUEUE, id="new 3")])
    for socket in (looking, returning):
        assert (await frame(socket, type="event"))["job"] == "new 3"
        await socket.close()


async def test_what_a_snapshot_said_and_is_no_longer_true_is_told_though_nobody_else_saw_it(
    client: Client, pool: ArqRedis, journal: Journal, start_worker: StartWorker
) -> None:
    feed = client.app[FEEDS]["default"]
    first = await subscribe(client, ["active"])
    await frame(first, type="snapshot")
    await eventually(lambda: feed._told.get("active") == "[]")
    # Between two ticks: a job comes, somebody subscribes and sees it, and it is gone again.
    await journal.enqueue([NewJob("ok", QUEUE, id="short")])
    _, [(_, active)] = await feed.snapshot(["active"])
    assert [job["id"] for job in active] == ["short"]
    await journal.cancel("short", QUEUE, "ok")
    assert (await frame(first, type="change", topic="active"))["data"] == []
    await first.close()


async def test_the_newest_subscription_wins_while_the_one_before_is_still_answered(
    client: Client, journal: Journal
) -> None:
    socket = await subscribe(client, ["events"], "0-0")
    await journal.enqueue([NewJob("ok", QUEUE, id=f"j{number}") for number in range(50)])
    seen = [await frame(socket, type="event") for _ in range(50)]
    await socket.send_json({"subscribe": ["counts", "active", "failed"], "since": None})
    await socket.send_json({"subscribe": ["events"], "since": seen[9]["cursor"]})
    assert [(await frame(socket, type="event"))["job"] for _ in range(40)] == [f"j{n}" for n in range(10, 50)]
    await socket.close()


async def test_a_consumer_that_adds_topics_and_is_cut_misses_nothing_when_it_waits_for_the_answer_to_its_id(
    client: Client, journal: Journal
) -> None:
    first = await subscribe(client, ["counts", "events"])
    begin = (await frame(first, type="snapshot", topic="counts"))["cursor"]
    await journal.enqueue([NewJob("ok", QUEUE, id=f"j{number}") for number in range(20)])
    await first.close()
    socket = await subscribe(client, ["counts"], begin)
    await frame(socket, topic="counts")  # its cursor is behind all of the jobs
    await socket.send_json({"subscribe": ["counts", "events"], "since": begin, "id": "with events"})
    answer = await frame(socket, type="subscribed")
    assert (answer["id"], answer["topics"], answer["cursor"]) == ("with events", ["counts", "events"], begin)
    await socket.close()
    socket = await subscribe(client, ["counts", "events"], answer["cursor"])
    assert [(await frame(socket, type="event"))["job"] for _ in range(20)] == [f"j{n}" for n in range(20)]
    await socket.send_json({"subscribe": ["counts"], "id": 7})
    assert '"id" is' in (await frame(socket, type="error"))["detail"]
    await socket.close()


async def test_head_of_the_feed_says_what_it_is_and_ends(client: Client) -> None:
    answer = await client.head(FEED, timeout=ClientTimeout(total=5))
    assert (answer.status, answer.content_type, await answer.read()) == (200, "text/event-stream", b"")
    assert not client.app[FEEDS]["default"]._subscribers
