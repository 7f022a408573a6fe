"""What was set on the page for a queue or a task, over what the code says; running workers follow within moments."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from arq.utils import timestamp_ms
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from redis.asyncio import Redis

from workers.errors import InvalidInput
from workers.keys import KEYS, queue_name
from workers.plain import iso
from workers.scripting import Scripts

AUDIT_ENTRIES = 200


class Override(BaseModel):
    """What can be set for a task, or for all tasks of a queue; None leaves what the code says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout_s: float | None = Field(None, gt=0, le=86_400, description="Seconds an attempt may run.")
    tries: int | None = Field(None, ge=1, le=100, description="Attempts before a job is failed.")
    backoff_first_s: float | None = Field(None, gt=0, le=86_400, description="Seconds before the second attempt.")
    backoff_longest_s: float | None = Field(None, gt=0, le=604_800, description="Longest wait between two attempts.")
    keep_result_s: float | None = Field(None, ge=0, le=2_592_000, description="Seconds a result is kept.")
    concurrency: int | None = Field(
        None, ge=1, le=100_000, description="Jobs of the queue that run at once, over all workers."
    )

    @model_validator(mode="after")
    def _in_order(self) -> "Override":
        first, longest = self.backoff_first_s, self.backoff_longest_s
        if first is not None and longest is not None and first > longest:
            raise ValueError(f"backoff_first_s={first:g} is above backoff_longest_s={longest:g}")
        return self

    def over(self, other: "Override") -> "Override":
        """This, and where it says nothing, the other."""
        return other.model_copy(update=self.model_dump(exclude_none=True))


NOTHING = Override()  # type: ignore[call-arg]


@dataclass(frozen=True, slots=True)
class Overrides:
    """What is set now. A task's own wins over its queue's."""

    _entries: Mapping[str, Override] = field(default_factory=dict)

    def find(self, task: str, queue: str) -> Override | None:
        """What is set for a job of `task` in `queue` (its key); None, at no cost, where nothing is."""
        if not self._entries:
            return None
        own, lane = self._entries.get(f"task:{task}"), self._entries.get(f"queue:{queue}")
        return own.over(lane) if own and lane else own or lane

    def items(self) -> list[tuple[str, str, Override]]:
        """Each as (kind, name, override)."""
        return [(*name.split(":", 1), override) for name, override in sorted(self._entries.items())]  # type: ignore[misc]

    def get(self, kind: str, name: str) -> Override:
        """What is set for one queue (by key) or task."""
        return self._entries.get(f"{kind}:{name}", NOTHING)


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


def audit_entry(who: str, what: str, before: Any, after: Any) -> str:
    """A line of the audit list."""
    return json.dumps({"at": iso(timestamp_ms()), "who": who, "what": what, "from": before, "to": after})


async def note(redis: Redis, who: str, what: str, before: Any, after: Any) -> None:
    """Write a change into the audit list; the service holds it to its bound (`upkeep.py`)."""
    await redis.lpush(KEYS["audit"], audit_entry(who, what, before, after))  # type: ignore[misc]


async def read_audit(redis: Redis, limit: int = AUDIT_ENTRIES) -> list[dict[str, Any]]:
    """The newest changes: `{"at", "who", "what", "from", "to"}`."""
    entries: list[bytes] = await redis.lrange(KEYS["audit"], 0, limit - 1)  # type: ignore[misc]
    return [json.loads(entry) for entry in entries]
