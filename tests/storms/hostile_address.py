"""The hostile client of `storm_hostile_address.py`, a process of its own: everything at once, as fast as it is answered.

`python -m tests.storms.hostile_address <url> <address>`; it ends when its standard input does, and says what it got.
"""

import asyncio
import contextlib
import sys
from collections import Counter
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

# By four tasks each: what is cheap, what is large, what is searched, what is not there.
PATHS = ("/healthz", "/", "/jobs?limit=500", "/failed?q=nothing", "/api/v1/jobs?q=nothing&limit=500", "/api/v1/stats",
         "/api/v1/logs?q=nothing", "/static/live.js", "/none", "/sign-in/provider")  # fmt: skip
TASKS_A_PATH = 4
RESTING = 1_500  # connections that ask once and then rest
TOGETHER = 100


async def _ask(session: ClientSession, url: str, seen: Counter[str]) -> None:
    while True:
        try:
            async with session.get(url) as answer:
                await answer.read()
                seen[str(answer.status)] += 1
        except (ClientError, OSError, TimeoutError):
            seen["refused"] += 1
            await asyncio.sleep(0.01)  # the client's own descriptors and ports are bounded too


async def _rest(host: str, port: int, address: str, seen: Counter[str]) -> None:
    """Connections that are kept open after one request; one that is closed is opened again."""
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(host, port, local_addr=(address, 0))
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with contextlib.suppress(OSError):
                while await reader.read(1_000):
                    seen["resting"] += 1
            writer.close()
        seen["resting, refused"] += 1
        await asyncio.sleep(0.5)


async def _attack(url: str, address: str) -> Counter[str]:
    seen: Counter[str] = Counter()
    at = urlsplit(url)
    connector = TCPConnector(limit=0, local_addr=(address, 0))
    async with ClientSession(connector=connector, timeout=ClientTimeout(total=30)) as session:
        work = [asyncio.create_task(_ask(session, url + path, seen)) for path in PATHS for _ in range(TASKS_A_PATH)]
        for _ in range(RESTING // TOGETHER):
            work += [
                asyncio.create_task(_rest(str(at.hostname), at.port or 80, address, seen)) for _ in range(TOGETHER)
            ]
            await asyncio.sleep(0.05)
        await asyncio.to_thread(sys.stdin.read)
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
    return seen


if __name__ == "__main__":
    sys.stdout.write(f"{dict(asyncio.run(_attack(*sys.argv[1:])))}\n")
