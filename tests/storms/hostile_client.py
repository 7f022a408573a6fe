"""One hostile address at full speed: `python -m tests.storms.hostile_client PORT SECONDS`; prints what it sent."""

import asyncio
import json
import random
import sys
import time
from collections import Counter

ADDRESS = "127.0.0.66"
AT_ONCE = 100
DEADLINE_S = 5.0
SEARCH = b"/api/v1/jobs?q=nothing-has-this&limit=200"
PATHS = (
    b"/",
    b"/failed",
    b"/jobs",
    b"/charts",
    b"/api/v1/stats",
    b"/api/v1/failed?limit=200",
    SEARCH,
    b"/nothing",
    b"/metrics",
)
FORM = b"name=ada&password=wrong+password"
SIGN_IN = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
FEED = (
    b"GET /api/v1/feed HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)  # fmt: skip


def _request(dice: random.Random) -> tuple[str, bytes]:
    kind = dice.choice(("page", "page", "page", "sign-in", "feed", "half"))
    if kind == "page":
        return kind, b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % dice.choice(PATHS)
    if kind == "sign-in":
        return kind, SIGN_IN + b"Content-Length: %d\r\n\r\n%s" % (len(FORM), FORM)
    return (kind, FEED) if kind == "feed" else (kind, b"GET / HTTP/1.1\r\nHost: local")


async def _send(port: int, until: float, sent: Counter[str], dice: random.Random) -> None:
    while time.monotonic() < until:
        kind, raw = _request(dice)
        try:
            async with asyncio.timeout(DEADLINE_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(ADDRESS, 0))
                try:
                    for _ in range(dice.choice((1, 1, 20))):
                        writer.write(raw)
                        sent[kind] += 1
                        if not await reader.readline():
                            break
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            sent["refused or late"] += 1


async def main(port: int, seconds: float) -> None:
    """Ask with all loops until the time is up."""
    sent: Counter[str] = Counter()
    until, dice = time.monotonic() + seconds, random.Random(7)
    await asyncio.gather(*(_send(port, until, sent, dice) for _ in range(AT_ONCE)))
    print(json.dumps(sent))  # noqa: T201 - its answer


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
