"""What was set on the page for a queue or a task, over what the code says; running workers follow within moments."""

import json
from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from arqlight.errors import InvalidInput
from arqlight.jobs.names import read_name
from arqlight.jobs.overrides import Override, Overrides, check_override, read_override
from arqlight.journal.keys import KEYS
from arqlight.journal.scripting import Scripts


async def read_overrides(redis: Redis) -> Overrides:
    """What is set on the server."""
    raw: dict[bytes, bytes] = await redis.hgetall(KEYS["overrides"])  # type: ignore[misc]
    return Overrides({read_name(name): read_override(entry) for name, entry in raw.items()})


async def set_override(
    redis: Redis, scripts: Scripts, kind: str, name: str, values: Mapping[str, Any]
) -> tuple[Override, Override]:
    """Set what `values` says for a queue (by key) or a task, all of it or nothing; what was set, and what is now.

    Raises InvalidInput, which names the field.
    """
    if kind not in ("queue", "task") or not name or len(name) > 200:
        raise InvalidInput("name", f"{kind}:{name!r} is neither a queue nor a task")
    chosen = check_override(values)
    if chosen.concurrency is not None and kind == "task":
        raise InvalidInput("concurrency", "it is set for a queue, not for a task: a claim takes jobs of a queue")
    before = (await read_overrides(redis)).get(kind, name)
    await scripts.run("configure", f"{kind}:{name}", json.dumps(chosen.values()) if chosen.values() else "")
    return before, chosen
