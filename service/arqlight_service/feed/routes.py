"""`GET /api/v1/feed`: the feed over WebSocket, and over Server-Sent Events for those who cannot."""

import asyncio
import json
import logging
import weakref
from collections import Counter

from aiohttp import WSCloseCode, WSMsgType, web

from arqlight.background import end
from arqlight.connections.connection_errors import SERVER_ERRORS
from arqlight.errors import ArqlightError
from arqlight.jobs.bounded_json import read_bounded
from arqlight.jobs.budget import TOLD, Budget
from arqlight.jobs.cursors import is_cursor
from arqlight_service.api.problems import Problem
from arqlight_service.app_keys import FEEDS, connection_of
from arqlight_service.auth.open_feeds import WATCH
from arqlight_service.auth.roles import Role, needs
from arqlight_service.feed.feed import NAMED_TOPICS, PLAIN_TOPICS, Feed
from arqlight_service.feed.rate_limit import Allowance
from arqlight_service.feed.subscriber import Subscriber, TooSlow

logger = logging.getLogger("arqlight.feed")
routes = web.RouteTableDef()
PROTOCOL = "arqlight.v1"
LARGEST_FRAME_BYTES = 64 * 1024
MOST_TOPICS = 50
LONGEST_ID = 64
HEARTBEAT_S = 20.0
FRAMES_A_SECOND, FRAMES_AT_ONCE = 10, 50  # a consumer asks once, and again when it wants something else
MOST_UNREAD_BYTES = 64 * 1024  # of one consumer; beyond it, ticks wait and are bounded by number
SOCKETS = web.AppKey("sockets", weakref.WeakSet[web.WebSocketResponse])
STREAMS = web.AppKey("streams", set[asyncio.Task[None]])


class BadSubscription(ArqlightError):
    """What a consumer asked for is not what the feed has."""


def parse_subscription(topics: object, since: object) -> tuple[list[str], str | None]:
    """The topics and the cursor of a subscription. Raises BadSubscription, which names what was wrong."""
    if not isinstance(topics, list) or not all(isinstance(topic, str) for topic in topics):
        raise BadSubscription('"subscribe" must be a list of topics, such as ["counts", "active"]')
    if len(topics) > MOST_TOPICS:
        raise BadSubscription(f"{len(topics)} topics are too many; {MOST_TOPICS} at most")
    for topic in topics:
        named = any(topic.startswith(prefix) and len(prefix) < len(topic) <= 300 for prefix in NAMED_TOPICS)
        if topic not in PLAIN_TOPICS and not named:
            raise BadSubscription(
                f"unknown topic {topic[:80]!r}; there are {', '.join(PLAIN_TOPICS)}, queue:<name> and job:<id>"
            )
    if since is not None and not (isinstance(since, str) and is_cursor(since)):
        raise BadSubscription(f'"since" is {str(since)[:80]!r}, not a cursor of this feed; leave it out for a snapshot')
    return topics, since


def parse_frame(text: str) -> tuple[list[str], str | None, str | None]:
    """A client's frame. Raises BadSubscription."""
    try:
        asked = read_bounded(text, Budget(TOLD))
    except ValueError:  # OverBudget is one
        raise BadSubscription('a frame must be JSON, such as {"subscribe": ["counts"], "since": null}') from None
    if not isinstance(asked, dict) or "subscribe" not in asked:
        raise BadSubscription('a frame must be an object with "subscribe" (a list of topics) and, after a cut, "since"')
    name = asked.get("id")
    if name is not None and not (isinstance(name, str) and len(name) <= LONGEST_ID):
        raise BadSubscription(f'"id" is {str(name)[:80]!r}; it is a text of at most {LONGEST_ID} characters')
    return *parse_subscription(asked["subscribe"], asked.get("since")), name


def feed_of(request: web.Request) -> Feed:
    """The feed of the connection that a request names, else of the first one. Raises NotFound."""
    return request.app[FEEDS][connection_of(request).name]


@routes.get("/api/v1/feed")
@needs(Role.VIEWER)
async def feed(request: web.Request) -> web.StreamResponse:
    """A WebSocket when asked to upgrade, else Server-Sent Events."""
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return await _over_websocket(request)
    return await _over_events(request)


async def _over_websocket(request: web.Request) -> web.WebSocketResponse:
    # Not compressed: a tick is made once for all, and a compressor belongs to one consumer.
    socket = web.WebSocketResponse(
        protocols=(PROTOCOL,), heartbeat=HEARTBEAT_S, max_msg_size=LARGEST_FRAME_BYTES, compress=False
    )

    transport = request.transport

    def write(blob: bytes) -> bool:
        if transport is None or transport.is_closing() or transport.get_write_buffer_size() > MOST_UNREAD_BYTES:
            return False
        transport.write(blob)
        return True

    async def cut_off() -> None:
        await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"whoever opened this may not look any more")

    if not request.headers.get("Sec-WebSocket-Key", "").isascii():
        raise Problem(400, "Sec-WebSocket-Key is not ASCII (RFC 6455, 4.1)")
    feed = feed_of(request)
    subscriber = Subscriber(feed, socket.send_str, write)
    async with request.app[WATCH].feed(request, cut_off), feed.attached(subscriber):
        try:
            await socket.prepare(request)
        except ConnectionError:
            logger.debug("a consumer of the feed is gone")
            return socket
        request.app[SOCKETS].add(socket)
        sending = asyncio.create_task(_send(subscriber, socket, request.app[WATCH].dropped))
        try:
            frames = Allowance(FRAMES_A_SECOND, FRAMES_AT_ONCE)
            async for message in socket:
                if not frames.take():
                    request.app[WATCH].dropped["too many frames"] += 1
                    await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"too many frames a second")
                    break
                if message.type is WSMsgType.TEXT:
                    await _receive(subscriber, message.data)
                elif message.type is WSMsgType.BINARY:
                    await subscriber.complain("frames are JSON text, not binary")
        except (TooSlow, ConnectionError):
            request.app[WATCH].dropped["too slow"] += 1
            await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"too slow")
        finally:
            await end(sending)
    return socket


async def _receive(subscriber: Subscriber, text: str) -> None:
    try:
        subscriber.subscribe(*parse_frame(text))
    except BadSubscription as error:
        await subscriber.complain(str(error))


async def _send(subscriber: Subscriber, socket: web.WebSocketResponse, dropped: Counter[str]) -> None:
    try:
        await subscriber.run()
    except (TooSlow, ConnectionError) as error:
        dropped["too slow"] += 1
        logger.info("a consumer of the feed is dropped: %s", error)
        await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"too slow", drain=False)
    except (*SERVER_ERRORS, ArqlightError) as error:
        logger.info("a consumer of the feed has to come again: %s", error)
        await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"the server behind the feed is away")
    except Exception:
        logger.exception("the feed of a consumer failed")
        await socket.close(code=WSCloseCode.INTERNAL_ERROR, message=b"the feed failed; resume from the last cursor")


async def _over_events(request: web.Request) -> web.StreamResponse:
    """`?subscribe=counts,active&since=<cursor>`; a browser's EventSource resumes by itself (Last-Event-ID)."""
    topics = [topic for topic in request.query.get("subscribe", "counts,active,failed").split(",") if topic]
    try:
        subscription = parse_subscription(topics, request.headers.get("Last-Event-ID") or request.query.get("since"))
    except BadSubscription as error:
        raise Problem(400, str(error)) from error
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    if request.method == "HEAD":
        await response.prepare(request)
        return response

    async def send(text: str) -> None:
        cursor = json.loads(text)["cursor"]
        mark = f"id: {cursor}\n" if cursor else ""
        await response.write(f"{mark}data: {text}\n\n".encode())

    over = asyncio.Event()

    async def cut_off() -> None:
        over.set()

    feed = feed_of(request)
    subscriber = Subscriber(feed, send)
    async with request.app[WATCH].feed(request, cut_off), feed.attached(subscriber):
        await response.prepare(request)
        subscriber.subscribe(*subscription)
        sending, told = asyncio.create_task(subscriber.run()), asyncio.create_task(over.wait())
        request.app[STREAMS].add(sending)
        try:
            while True:
                done, _ = await asyncio.wait({sending, told}, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    break
                await response.write(b": still here\n\n")
        except ConnectionError:
            logger.debug("a consumer of the feed is gone")
        finally:
            request.app[STREAMS].discard(sending)
            await end(sending, told)
    return response


async def close_feeds(app: web.Application) -> None:
    """Close every feed as the service stops, so that consumers reconnect at once, elsewhere or later."""
    sockets, streams = app[SOCKETS], app[STREAMS]
    for socket in list(sockets):
        await socket.close(code=WSCloseCode.GOING_AWAY, message=b"the service stops")
    for stream in list(streams):
        stream.cancel()
