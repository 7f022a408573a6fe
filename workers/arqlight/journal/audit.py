"""The audit list on Redis or Valkey: a sorted set for each kind, whose members begin with the entry's id."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

from redis.asyncio import Redis

from arqlight.journal.audit_entry import AuditEntry, Kind, id_at, read_entry
from arqlight.journal.keys import KEYS

OLD_AT_ONCE = 500


async def add_entry(redis: Redis, entry: AuditEntry) -> None:
    """Write one down."""
    await redis.zadd(_key(entry.kind), {_written(entry): 0})


async def newest_entries(
    redis: Redis, kinds: Sequence[Kind], before: str = "", since: str = "", limit: int = 50
) -> list[AuditEntry]:
    """The newest of these kinds, those before an id and not before another one."""
    await adopt_old_list(redis)
    most, least = (f"({before}" if before else "+", f"[{since}" if since else "-")
    found: list[AuditEntry] = []
    for kind in kinds:
        members = await redis.zrevrangebylex(_key(kind), most, least, start=0, num=limit)
        found += [_read(member) for member in members]
    return sorted(found, key=lambda entry: entry.id, reverse=True)[:limit]


async def oldest_entries(redis: Redis, kind: Kind, limit: int) -> list[AuditEntry]:
    """The oldest of a kind, as they are moved to where they are kept permanently."""
    await adopt_old_list(redis)
    return [_read(member) for member in await redis.zrange(_key(kind), 0, limit - 1)]


async def remove_entries(redis: Redis, entries: Sequence[AuditEntry]) -> None:
    """Take out those that are kept elsewhere now."""
    async with redis.pipeline(transaction=False) as pipe:
        for entry in entries:
            pipe.zremrangebylex(_key(entry.kind), f"[{entry.id}", f"({entry.id}~")
        await pipe.execute()


async def trim_entries(redis: Redis, kind: Kind, most: int, since: str) -> None:
    """Keep the newest `most` of a kind, and none from before that id."""
    await redis.zremrangebylex(_key(kind), "-", f"({since}")
    await redis.zremrangebyrank(_key(kind), 0, -(most + 1))


async def adopt_old_list(redis: Redis) -> None:
    """Take over what earlier versions wrote, and replicas of them still write: one list for everything."""
    while lines := await redis.lrange(KEYS["audit"], -OLD_AT_ONCE, -1):  # type: ignore[misc]
        for line in lines:
            await add_entry(redis, _of_old(line))
            await redis.lrem(KEYS["audit"], -1, line)  # type: ignore[misc]


def _of_old(line: bytes) -> AuditEntry:
    """The same line is always the same entry: two services may take it over at once."""
    told = json.loads(line)
    ms = int(datetime.fromisoformat(told["at"]).timestamp() * 1000)
    refused = str(told["to"]).startswith("refused")
    signs = told["what"].startswith(("sign in", "sign out"))
    kind: Kind = ("refused" if refused else "sign-in") if signs else "change"
    return AuditEntry(
        f"{id_at(ms)}-{hashlib.sha256(line).hexdigest()[:8]}", told["at"], kind, told["who"], "", told["what"],
        told["from"], told["to"], "refused" if kind == "refused" else "done",
    )  # fmt: skip


def _key(kind: Kind) -> str:
    return f"{KEYS['audit_of']}{kind}"


def _written(entry: AuditEntry) -> str:
    return f"{entry.id} {json.dumps(entry.to_json())}"


def _read(member: bytes) -> AuditEntry:
    return read_entry(json.loads(member.partition(b" ")[2]))
