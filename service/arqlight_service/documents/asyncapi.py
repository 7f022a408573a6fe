"""`GET /api/v1/asyncapi.json`: the feed, each frame by its topic."""

from typing import Any

from aiohttp import web

from arqlight.version import __version__
from arqlight_service.auth.roles import Role, needs
from arqlight_service.documents.schemas import Schema, schemas_of
from arqlight_service.feed.feed import NAMED_TOPICS, PLAIN_TOPICS
from arqlight_service.feed.routes import (
    FRAMES_A_SECOND,
    FRAMES_AT_ONCE,
    LARGEST_FRAME_BYTES,
    LONGEST_ID,
    MOST_TOPICS,
    PROTOCOL,
)
from arqlight_service.feed.shapes import CHANGES, SNAPSHOTS, Complaint, Event, Subscribed

routes = web.RouteTableDef()
CURSOR: Schema = {"type": ["string", "null"], "description": "Give it back as `since` after a cut."}
TOPIC: Schema = {
    "anyOf": [
        {"type": "string", "enum": list(PLAIN_TOPICS)},
        {"type": "string", "pattern": f"^({'|'.join(NAMED_TOPICS)}).+"},
    ]
}
SUBSCRIBE: Schema = {
    "type": "object",
    "required": ["subscribe"],
    "properties": {
        "subscribe": {"type": "array", "items": TOPIC, "maxItems": MOST_TOPICS},
        "since": CURSOR,
        "id": {"type": "string", "maxLength": LONGEST_ID, "description": "Answered by a frame `subscribed`."},
    },
}


@routes.get("/api/v1/asyncapi.json")
@needs(Role.VIEWER)
async def asyncapi(request: web.Request) -> web.Response:
    """The document."""
    return web.json_response(describe_feed())


def describe_feed() -> dict[str, Any]:
    """The feed as AsyncAPI 3.0 tells it."""
    told = {
        f"{kind}_{_named(topic)}": (kind, topic, data)
        for kind, topics in (("snapshot", SNAPSHOTS), ("change", CHANGES))
        for topic, data in topics.items()
    }
    shapes = {name: data for name, (_, _, data) in told.items()} | {
        "event": Event,
        "error": Complaint,
        "subscribed": Subscribed,
    }
    schemas, definitions = schemas_of(shapes)
    payloads = {name: _frame(kind, topic, schemas[name]) for name, (kind, topic, _) in told.items()}
    payloads |= {name: schemas[name] for name in ("event", "error", "subscribed")}
    messages = {
        name: {"name": name, "payload": payload} for name, payload in (*payloads.items(), ("subscribe", SUBSCRIBE))
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "arqlight feed",
            "version": __version__,
            "license": {"name": "MIT"},
            "description": (
                f"WebSocket, subprotocol `{PROTOCOL}`; the same over Server-Sent Events. A consumer says what it wants "
                "and, after a cut, its last cursor; it gets a snapshot or what it missed, then changes. Without a "
                "header it shows its token as a second subprotocol, `bearer.<token>`. A frame of a consumer has "
                f"{LARGEST_FRAME_BYTES} bytes at most; {FRAMES_AT_ONCE} may come at once, then {FRAMES_A_SECOND} a "
                "second."
            ),
        },
        "defaultContentType": "application/json",
        "channels": {
            "feed": {
                "address": "/api/v1/feed",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {
                    "ws": {
                        "method": "GET",
                        "query": {"type": "object", "properties": {"connection": {"type": "string"}}},
                    }
                },
            }
        },
        "operations": {
            "follow": _operation("send", list(payloads)),
            "subscribe": _operation("receive", ["subscribe"]),
        },
        "components": {"messages": messages, "schemas": dict(sorted(definitions.items()))},
    }


def _named(topic: str) -> str:
    return topic.rstrip(":")


def _frame(kind: str, topic: str, data: Schema) -> Schema:
    """A snapshot or a change of a topic."""
    is_named = topic.endswith(":")
    name: Schema = {"type": "string", "pattern": f"^{topic}.+"} if is_named else {"type": "string", "const": topic}
    return {
        "type": "object",
        "required": ["type", "topic", "data", "cursor"],
        "properties": {"type": {"type": "string", "const": kind}, "topic": name, "data": data, "cursor": CURSOR},
    }


def _operation(action: str, names: list[str]) -> dict[str, Any]:
    messages = [{"$ref": f"#/channels/feed/messages/{name}"} for name in names]
    return {"action": action, "channel": {"$ref": "#/channels/feed"}, "messages": messages}
