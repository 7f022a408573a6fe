"""The transitions of jobs on a Redis or Valkey server."""

from typing import Any

from redis.asyncio import Redis

from arqlight.connections.connection import Transition
from arqlight.connections.redis_client import ANSWER_TIMEOUT_S
from arqlight.jobs.cursors import START, place
from arqlight.jobs.display import iso
from arqlight.jobs.names import read_name, shown_name
from arqlight.jobs.queues import queue_name
from arqlight.journal.keys import KEYS


class RedisStream:
    """The journal's own stream of events."""

    tells = True

    def __init__(self, redis: Redis, keep_events: int) -> None:
        self._redis = redis
        self._keep_events = keep_events
        # A read that waits has to end before the client gives up on it.
        answer_s: float = redis.connection_pool.connection_kwargs.get("socket_timeout") or ANSWER_TIMEOUT_S
        self._longest_ms = max(1, int(answer_s * 500))

    async def last_cursor(self) -> str:
        """The place of the newest event."""
        newest = await self._redis.xrevrange(KEYS["events"], count=1)
        return newest[0][0].decode() if newest else START

    async def can_resume(self, cursor: str) -> bool:
        """Whether the stream still has everything behind `cursor`."""
        if cursor == START:
            return bool(await self._redis.xlen(KEYS["events"]) < self._keep_events)  # it was never cut
        # Its very event is there: one that is older was cut off, and another history has none of this moment.
        return bool(await self._redis.xrange(KEYS["events"], cursor, cursor))

    async def after(self, cursor: str, count: int, *, told: bool = True) -> list[Transition]:
        """The events behind `cursor`, oldest first."""
        entries = await self._redis.xrange(KEYS["events"], min=f"({cursor}", count=count)
        return [_transition(entry_id.decode(), fields, told) for entry_id, fields in entries]

    async def wait(self, cursor: str, longest_ms: int) -> None:
        """Return when there are events behind `cursor`, or when the time is up."""
        block = min(longest_ms, self._longest_ms)
        await self._redis.xread({KEYS["events"]: cursor}, count=1, block=block)

    async def say_watched(self, seconds: int) -> None:
        """Somebody looks at progress, for the next seconds."""
        await self._redis.set(KEYS["watched"], "1", ex=seconds)


def _transition(cursor: str, fields: dict[bytes, bytes], is_told: bool) -> Transition:
    touches_failed = fields[b"state"] in (b"failed", b"deleted") or fields.get(b"reason") == b"retried"
    job_id = read_name(fields[b"job"])
    if not is_told:
        return Transition(cursor, job_id, touches_failed)
    told: dict[str, Any] = {name.decode(): value.decode("utf-8", "replace") for name, value in fields.items()}
    shown = {
        **told,
        "job": shown_name(job_id),
        "queue": queue_name(read_name(fields[b"queue"])),
        "attempt": int(told["attempt"]),
        "at": iso(place(cursor)[0]),
    }
    return Transition(cursor, job_id, touches_failed, shown)
