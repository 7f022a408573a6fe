"""`make fuzz`: ten thousand bad frames at the feed."""

import asyncio
import json
import random
from collections import Counter
from typing import Any

from aiohttp import ClientWebSocketResponse, WSMsgType
from aiohttp.test_utils import TestClient, TestServer
from arq.connections import ArqRedis

from arqlight.settings import Settings
from arqlight_service.app import create_app
from arqlight_service.feed import routes as feed_routes
from tests.storms.conftest import Say
from tests.storms.size import scaled
from tests.support.frames import check_frame
from tests.support.waiting import eventually

FRAMES = scaled(10_000)
WORDS: list[Any] = [
    "counts",
    "active",
    "failed",
    "events",
    "job:",
    "job:x",
    "queue:" + "x" * 400,
    "",
    "x",
    None,
    1,
    [],
    {},
    "\ud800",
]


def bad_frame(dice: random.Random) -> str | bytes:
    kind = dice.randrange(8)
    if kind == 0:
        return dice.randbytes(dice.randrange(200))
    if kind == 1:
        return "".join(map(chr, (dice.randrange(1, 0xD7FF) for _ in range(dice.randrange(100)))))
    if kind == 2:
        return json.dumps({"subscribe": [dice.choice(WORDS) for _ in range(dice.randrange(80))]})
    if kind == 3:
        return json.dumps(
            {"subscribe": dice.choice(WORDS), "since": dice.choice(["1-", "-", "9" * 30 + "-0", 5, {}, "1-1"])}
        )
    if kind == 4:
        return "[" * dice.randrange(1, 30_000)
    if kind == 5:
        return json.dumps(dice.choice([None, 1, "x", [], {"subscribe": None}, {"since": "0-0"}]))
    if kind == 6:
        return '{"subscribe": ["counts"], "since": "' + "0" * dice.randrange(1, 3_000) + '"}'
    return json.dumps({"subscribe": ["events"], "since": f"{dice.randrange(2**63)}-{dice.randrange(2**63)}"})


async def test_no_bad_frame_breaks_the_feed(pool: ArqRedis, settings: Settings, say: Say, monkeypatch: Any) -> None:
    monkeypatch.setattr(feed_routes, "FRAMES_A_SECOND", 1_000_000)  # what is sent faster is cut off, in other tests
    monkeypatch.setattr(feed_routes, "FRAMES_AT_ONCE", 1_000_000)
    dice = random.Random(9)
    answers: Counter[str] = Counter()
    async with TestClient(TestServer(create_app(settings))) as client:
        calm = await client.ws_connect("/api/v1/feed")
        await calm.send_json({"subscribe": ["counts"]})
        assert (await calm.receive_json(timeout=5))["type"] == "snapshot"

        async def read(socket: ClientWebSocketResponse) -> None:
            async for message in socket:
                frame = json.loads(message.data)
                check_frame(frame)
                answers[frame["type"]] += 1

        sent, sockets = 0, 0
        while sent < FRAMES:
            socket = await client.ws_connect("/api/v1/feed")
            sockets += 1
            reading = asyncio.create_task(read(socket))
            for _ in range(100):
                frame = bad_frame(dice)
                await (socket.send_bytes(frame) if isinstance(frame, bytes) else socket.send_str(frame))
                sent += 1
            await socket.send_str('{"subscribe": ["queue:over"]}')
            await eventually(lambda before=answers["snapshot"]: answers["snapshot"] > before, within_s=20)  # type: ignore[misc]
            await socket.close()
            await reading
        too_large = await client.ws_connect("/api/v1/feed")
        await too_large.send_str("x" * (feed_routes.LARGEST_FRAME_BYTES + 1))
        message = await too_large.receive(timeout=5)
        assert message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED)
        await pool.enqueue_job("x")
        await pool.sadd("arqlight:queues", "arq:queue")  # type: ignore[misc]
        while (await calm.receive_json(timeout=5))["data"]["queued"] != 1:  # another consumer goes on
            continue
    say(
        "feed",
        f"{sent:,} bad frames over {sockets} sockets: {answers['error']:,} answered with an error, none broke it",
    )
