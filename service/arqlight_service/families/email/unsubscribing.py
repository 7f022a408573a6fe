"""`/unsubscribe`: leaving with one click (RFC 8058), by a mail program or on the page that its link opens."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from arqlight.families.email import suppressions
from arqlight.families.email.unsubscribing import check_unsubscribe
from arqlight_service.app_keys import KEY_RING
from arqlight_service.auth.roles import Role, needs
from arqlight_service.families.database import DATABASE

routes = web.RouteTableDef()


def _address(request: web.Request) -> str:
    """Whose link it is. Raises UnsubscribeLinkInvalid."""
    address = request.query.get("address", "")
    check_unsubscribe(request.app[KEY_RING], address, request.query.get("signature", ""))
    return address


@routes.get("/unsubscribe")
@needs(Role.PUBLIC)
@aiohttp_jinja2.template("unsubscribe.html")
async def unsubscribe_page(request: web.Request) -> dict[str, Any]:
    """Ask whether to: programs that look at every link in a mail must change nothing (RFC 8058, 1)."""
    return {"page": "unsubscribe", "address": _address(request), "is_done": False}


@routes.post("/unsubscribe")
@needs(Role.PUBLIC, does="unsubscribe", kind="routine")
@aiohttp_jinja2.template("unsubscribe.html")
async def unsubscribe(request: web.Request) -> dict[str, Any]:
    """Leave, whatever the body says: the link alone tells who (RFC 8058, 3.2: no cookie, no sign-in, no redirect)."""
    address = _address(request)
    await suppressions.add(request.app[DATABASE], [address], "unsubscribed", who="the reader, by the link in a mail")
    return {"page": "unsubscribe", "address": address, "is_done": True}
