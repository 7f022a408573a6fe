"""Trouble that a Redis or Valkey server has coming: said before it refuses, not after."""

from typing import Any

from redis.asyncio import Redis

NEARLY_FULL = 0.8


async def coming_trouble(redis: Redis) -> list[str]:
    """What the server says of itself that will stop jobs, or loses them; each a sentence, the worst first."""
    async with redis.pipeline(transaction=False) as pipe:
        pipe.info("memory")
        pipe.info("persistence")
        pipe.info("replication")
        memory, persistence, replication = await pipe.execute()
    return [*_writes(persistence, replication), *_memory(memory)]


def _writes(persistence: dict[str, Any], replication: dict[str, Any]) -> list[str]:
    found = []
    if replication.get("role") == "slave":
        found.append("it is a replica that takes no writes: name the primary")
    if persistence.get("aof_last_write_status", "ok") != "ok":
        found.append("it cannot write its append-only file (is its disk full?), and refuses changes: free some space")
    if persistence.get("rdb_last_bgsave_status", "ok") != "ok":
        found.append("it cannot save its snapshot (is its disk full?), and refuses changes unless told otherwise")
    return found


def _memory(memory: dict[str, Any]) -> list[str]:
    limit, used = int(memory.get("maxmemory", 0)), int(memory.get("used_memory", 0))
    if not limit:
        return []
    found = []
    policy = str(memory.get("maxmemory_policy", "noeviction"))
    if used > NEARLY_FULL * limit:
        found.append(
            f"its memory is {used / limit:.0%} full ({used / 1e6:.0f} of {limit / 1e6:.0f} MB): when it is full it "
            "refuses new jobs; raise maxmemory, or keep less (ARQLIGHT_KEEP_SUCCEEDED, ARQLIGHT_KEEP_FAILED)"
        )
    if policy != "noeviction":
        # volatile-…: what expires, which is all that plain arq clients enqueue, every result and every claim's mark.
        found.append(
            f"its maxmemory-policy is {policy}: when memory is short it throws jobs away; set it to noeviction"
        )
    return found
