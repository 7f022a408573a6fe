"""Who changed what, from what, to what."""

import json
from typing import Any

from arq.utils import timestamp_ms
from redis.asyncio import Redis

from arqlight.jobs.display import iso
from arqlight.jobs.secret_texts import hide_within
from arqlight.journal.keys import KEYS

AUDIT_ENTRIES = 200


def audit_entry(who: str, what: str, before: Any, after: Any) -> str:
    """A line of the audit list."""
    told = {"who": who, "what": what, "from": before, "to": after}
    return json.dumps({"at": iso(timestamp_ms()), **hide_within(told)})


async def note(redis: Redis, who: str, what: str, before: Any, after: Any) -> None:
    """Write a change into the audit list; the service holds it to its bound."""
    await redis.lpush(KEYS["audit"], audit_entry(who, what, before, after))  # type: ignore[misc]


async def read_audit(redis: Redis, limit: int = AUDIT_ENTRIES) -> list[dict[str, Any]]:
    """The newest changes: `{"at", "who", "what", "from", "to"}`."""
    entries: list[bytes] = await redis.lrange(KEYS["audit"], 0, limit - 1)  # type: ignore[misc]
    return [json.loads(entry) for entry in entries]


async def trim_audit(redis: Redis, most: int) -> None:
    """Keep the newest `most` changes."""
    await redis.ltrim(KEYS["audit"], 0, most - 1)  # type: ignore[misc]
