"""Frames of the feed, held against its document."""

import functools
from typing import Any

import jsonschema

from arqlight_service.documents.asyncapi import describe_feed


@functools.cache
def _validators() -> dict[str, jsonschema.Draft202012Validator]:
    document = describe_feed()
    return {
        name: jsonschema.Draft202012Validator({**message["payload"], "components": document["components"]})
        for name, message in document["components"]["messages"].items()
    }


def check_frame(frame: dict[str, Any]) -> str:
    """The name of the message that a frame is. Raises jsonschema's ValidationError for one that is none."""
    name = str(frame["type"])
    if name in ("snapshot", "change"):
        name = f"{name}_{frame['topic'].partition(':')[0]}"
    _validators()[name].validate(frame)
    return name
