"""Headers as the service reads them: text that can be written again, wherever it goes.

A byte that is not UTF-8 arrives as half a surrogate pair, which no encoder takes: a cookie, a Referer or an Expect with
one would be an error of ours wherever it is compared, logged, stored or shown.
"""

import re
from collections.abc import Callable
from typing import Any

from aiohttp import hdrs
from multidict import CIMultiDict, CIMultiDictProxy

_HALF = re.compile("[\ud800-\udfff]")
CONTINUE = "100-continue"
Make = Callable[..., Any]


def readable(headers: CIMultiDictProxy[str]) -> CIMultiDictProxy[str]:
    """The same, with U+FFFD for each byte that is not UTF-8, and without an expectation that nobody knows.

    A server may pass over an Expect that it does not know (RFC 9110, 10.1.1); aiohttp's refusal repeats it.
    """
    knows = headers.get(hdrs.EXPECT, CONTINUE).lower() == CONTINUE
    if knows and not any(map(_HALF.search, headers.values())):
        return headers
    return CIMultiDictProxy(
        CIMultiDict(
            (name, _HALF.sub("\ufffd", value)) for name, value in headers.items() if knows or name != hdrs.EXPECT
        )
    )


def with_readable_headers(make: Make) -> Make:
    """A factory of requests like `make`, for aiohttp's server."""

    def request(message: Any, *rest: Any) -> Any:
        return make(message._replace(headers=readable(message.headers)), *rest)

    return request
