"""Every request that changes something, signs somebody in or hands out a secret is an entry of the audit list.

It stands before everything that may refuse a request, so it sees how each one ended.
"""

from aiohttp import web

from arqlight.journal.audit_entry import Kind, new_entry
from arqlight_service.api.idempotency import REPLAYED
from arqlight_service.api.problems import Handler
from arqlight_service.audit.told import TOLD, Told
from arqlight_service.audit.trail import NOTE_S, TRAIL
from arqlight_service.auth.access import ACCESS
from arqlight_service.auth.identity import actor, identity_of
from arqlight_service.auth.roles import SAFE_METHODS, Need, need_of

BEHIND_TROUBLE_S = 1.0


@web.middleware
async def note_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer the request, and write down who asked for what, and what came of it."""
    need = need_of(request.match_info.route)
    if need is None or not _is_noted(request, need):
        return await handler(request)
    told = request[TOLD] = Told()
    address = request.app[ACCESS].proxies.seen_through(request).remote or ""  # before the body is read
    try:
        response = await handler(request)
    except web.HTTPException as answer:  # a form is led back to its page
        await _note(request, need, told, address, answer.status)
        raise
    if REPLAYED not in response.headers:  # nothing was done, and what was, is written down
        await _note(request, need, told, address, response.status)
    return response


def _is_noted(request: web.Request, need: Need) -> bool:
    if request.method == "GET":
        return need.kind in ("secret", "sign-in") and bool(need.does)
    return request.method not in SAFE_METHODS


async def _note(request: web.Request, need: Need, told: Told, address: str, status: int) -> None:
    identity = identity_of(request)
    who = told.who or (address if identity is None or identity.by == "local" else actor(request))
    done = status < 400
    kind: Kind = need.kind if done else "refused"
    entry = new_entry(
        kind, who or "unknown", told.what or _what(request, need), address=address,
        before=told.before, after=told.after, result="done" if done else f"{_ended(status)} ({status})",
    )  # fmt: skip
    # Behind a server that just hung for as long as it may, the answer does not wait for it once more.
    await request.app[TRAIL].note(entry, NOTE_S if status < 500 else BEHIND_TROUBLE_S)


def _ended(status: int) -> str:
    return "refused" if status < 500 else "failed"


def _what(request: web.Request, need: Need) -> str:
    """What the route says of itself; of one that says nothing, what was asked for."""
    what = need.does.format_map(request.match_info) if need.does else f"{request.method} {request.path}"
    connection = request.query.get("connection")
    return what[:300] + (f" of {connection[:100]}" if connection else "")
