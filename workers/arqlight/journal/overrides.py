"""What was set on the page for a queue or a task, over what the code says; running workers follow within moments."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from redis.asyncio import Redis

from arqlight.errors import InvalidInput
from arqlight.jobs.overrides import Override, Overrides
from arqlight.jobs.queues import queue_name
from arqlight.journal.audit import audit_entry
from arqlight.journal.keys import KEYS
from arqlight.journal.scripting import Scripts


async def read_overrides(redis: Redis) -> Overrides:
    """What is set on the server."""
    raw: dict[bytes, bytes] = await redis.hgetall(KEYS["overrides"])  # type: ignore[misc]
    return Overrides({name.decode(): Override.model_validate_json(entry) for name, entry in raw.items()})


async def set_override(
    redis: Redis, scripts: Scripts, kind: str, name: str, values: Mapping[str, Any], who: str
) -> Override:
    """Set what `values` says for a queue (by key) or a task, instead of what was set; all of it or nothing.

    Raises InvalidInput, which names the field.
    """
    if kind not in ("queue", "task") or not name or len(name) > 200:
        raise InvalidInput("name", f"{kind}:{name!r} is neither a queue nor a task")
    try:
        chosen = Override.model_validate({field: value for field, value in values.items() if value not in (None, "")})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "backoff_first_s"
        raise InvalidInput(field, first["msg"].removeprefix("Value error, ")) from None
    if chosen.concurrency is not None and kind == "task":
        raise InvalidInput("concurrency", "it is set for a queue, not for a task: a claim takes jobs of a queue")
    before = (await read_overrides(redis)).get(kind, name)
    shown = queue_name(name) if kind == "queue" else name
    changed = (before.model_dump(exclude_none=True), chosen.model_dump(exclude_none=True))
    entry = audit_entry(who, f"{kind} {shown}", *changed)
    told = chosen.model_dump_json(exclude_none=True)
    await scripts.run("configure", f"{kind}:{name}", "" if told == "{}" else told, entry)
    return chosen
