"""`GET /api/v1/asyncapi.json`: the feed."""

from typing import Any

from aiohttp import web

from arqlight.version import __version__
from arqlight_service.auth.roles import Role, needs
from arqlight_service.documents.schemas import SCHEMAS, TEXT, TEXT_OR_NULL, Schema, an_object
from arqlight_service.feed.feed import NAMED_TOPICS, PLAIN_TOPICS
from arqlight_service.feed.routes import FRAMES_A_SECOND, FRAMES_AT_ONCE, LARGEST_FRAME_BYTES, MOST_TOPICS, PROTOCOL

routes = web.RouteTableDef()
TOPIC: Schema = {
    "anyOf": [{"enum": list(PLAIN_TOPICS)}, {"type": "string", "pattern": f"^({'|'.join(NAMED_TOPICS)}).+"}]
}
SUBSCRIBE: Schema = {
    "type": "object",
    "required": ["subscribe"],
    "properties": {"subscribe": {"type": "array", "items": TOPIC, "maxItems": MOST_TOPICS}, "since": TEXT_OR_NULL},
}
FRAMES: dict[str, Schema] = {
    "snapshot": an_object(type={"const": "snapshot"}, topic=TOPIC, data={}, cursor=TEXT_OR_NULL),
    "change": an_object(type={"const": "change"}, topic=TOPIC, data={}, cursor=TEXT_OR_NULL),
    "event": an_object(type={"const": "event"}, job=TEXT, state=TEXT, attempt={"type": "integer"}, cursor=TEXT),
    "error": an_object(type={"const": "error"}, detail=TEXT, cursor=TEXT_OR_NULL),
}


@routes.get("/api/v1/asyncapi.json")
@needs(Role.VIEWER)
async def asyncapi(request: web.Request) -> web.Response:
    """The document."""
    return web.json_response(describe_feed())


def describe_feed() -> dict[str, Any]:
    """The feed as AsyncAPI 3.0 tells it."""
    messages = {name: {"payload": schema} for name, schema in (*FRAMES.items(), ("subscribe", SUBSCRIBE))}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "arqlight feed",
            "version": __version__,
            "description": (
                f"WebSocket, subprotocol `{PROTOCOL}`; the same over Server-Sent Events. A consumer says what it wants "
                "and, after a cut, its last cursor; it gets a snapshot or what it missed, then changes. Without a "
                "header it shows its token as a second subprotocol, `bearer.<token>`. A frame of a consumer has "
                f"{LARGEST_FRAME_BYTES} bytes at most; {FRAMES_AT_ONCE} may come at once, then {FRAMES_A_SECOND} a "
                "second."
            ),
        },
        "channels": {
            "feed": {
                "address": "/api/v1/feed",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {"ws": {"method": "GET", "query": {"type": "object", "properties": {"connection": TEXT}}}},
            }
        },
        "operations": {
            "follow": _operation("send", list(FRAMES)),
            "subscribe": _operation("receive", ["subscribe"]),
        },
        "components": {"messages": messages, "schemas": {"Job": SCHEMAS["Job"], "Stats": SCHEMAS["Stats"]}},
    }


def _operation(action: str, names: list[str]) -> dict[str, Any]:
    messages = [{"$ref": f"#/channels/feed/messages/{name}"} for name in names]
    return {"action": action, "channel": {"$ref": "#/channels/feed"}, "messages": messages}
