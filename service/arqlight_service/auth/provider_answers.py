"""What an OpenID Connect provider answers, read to a bound: the provider is another's machine, or whoever took it."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2

LARGEST_BYTES = 1024 * 1024


class AnswerTooLarge(ValueError):
    """The provider answers more than it has to say, or in a form of which the length cannot be told."""


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > LARGEST_BYTES:
                raise AnswerTooLarge(f"it answers more than {LARGEST_BYTES:,} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _ask_unpacked(request: httpx2.Request) -> None:
    request.headers["Accept-Encoding"] = "identity"


async def _bound(response: httpx2.Response) -> None:
    packed = response.headers.get("Content-Encoding", "identity")
    if packed != "identity":
        raise AnswerTooLarge(f"it answers packed ({packed[:50]!r}), which was not asked for")
    response.stream = _Bounded(response.stream)


# Not a transport of our own: with one, httpx2 would no longer heed the environment's proxies.
BOUNDED = {"request": [_ask_unpacked], "response": [_bound]}
