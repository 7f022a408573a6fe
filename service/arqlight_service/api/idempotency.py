"""`Idempotency-Key`: a request that is sent again, for its answer was lost, is answered as the first time.

As the IETF's draft "The Idempotency-Key HTTP Header Field" has it: the same key with another body is refused (422), one
that is still under way too (409). What was answered is kept for a day, for the one who asked.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from arqlight_service.api.problems import Problem
from arqlight_service.app_keys import CONNECTIONS
from arqlight_service.auth.identity import actor

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
LONGEST_KEY = 200
KEPT_MS = 24 * 3600 * 1000
UNDER_WAY_MS = 60_000


async def answer_once(
    request: web.Request, answer: Callable[[], Awaitable[web.StreamResponse]], *, keep: bool = True
) -> web.StreamResponse:
    """What `answer` gives, or what it gave before under the same key. Raises Problem 400, 409, 422.

    :param keep: whether the answer may be kept; one that may not is refused the second time, and nothing is done again.
    """
    key, home = request.headers.get(HEADER), request.app[CONNECTIONS].home
    if key is None or home is None or request.method != "POST":
        return await answer()
    if not (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise Problem(400, f"{HEADER} has 1 to {LONGEST_KEY} printable ASCII characters", field=HEADER)
    kept = home.store.answers
    name = _hash(actor(request), request.path_qs, key)
    body = _hash((await request.read()).hex())
    if not await kept.add(name, json.dumps({"body": body}), UNDER_WAY_MS):
        return _again(await kept.get(name), body)
    try:
        response = await answer()
    except asyncio.CancelledError:  # the server hangs: it would not be told, and whether it was done is not known
        raise
    except BaseException:
        await kept.delete(name)
        raise
    if isinstance(response, web.Response) and response.status < 500:
        told = {
            "body": body,
            "status": response.status,
            "text": response.text if keep else None,
            "kind": response.content_type,
            "location": response.headers.get("Location"),
        }
        await kept.set(name, json.dumps(told), KEPT_MS)
    else:
        await kept.delete(name)
    return response


def _again(raw: str | None, body: str) -> web.Response:
    told = json.loads(raw or "{}")
    if told and told["body"] != body:
        raise Problem(422, f"this {HEADER} was sent with another body before; use another key", field=HEADER)
    if "status" not in told:
        raise Problem(
            409, f"a request with this {HEADER} is under way; send it again in a moment", headers={"Retry-After": "1"}
        )
    if told["text"] is None:
        raise Problem(409, f"this {HEADER} was answered before, and what it answered is shown once only")
    headers = {REPLAYED: "true"} | ({"Location": told["location"]} if told["location"] else {})
    return web.Response(status=told["status"], text=told["text"], content_type=told["kind"], headers=headers)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
