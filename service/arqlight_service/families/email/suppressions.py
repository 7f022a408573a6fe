"""The suppression list: REST and its page."""

from typing import Any, Literal

import aiohttp_jinja2
from aiohttp import web
from pydantic import Field

from arqlight.errors import InvalidInput
from arqlight.families.email import suppressions
from arqlight.families.email.bounces import read_bounces
from arqlight_service.api.answers import done, page_of
from arqlight_service.api.call import call
from arqlight_service.api.requests import Strict, parse_query
from arqlight_service.api.shapes.answer import Page
from arqlight_service.audit.told import tell
from arqlight_service.auth.identity import actor
from arqlight_service.auth.roles import Role, needs
from arqlight_service.families.database import DATABASE
from arqlight_service.families.email.shapes import Added, ListedAddress

routes = web.RouteTableDef()
PAGE = "/suppressions"
MOST_REFUSED_TOLD = 100
LONGEST_FILE = 900_000  # characters; a body has at most a megabyte


class ListQuery(Strict):
    """A page of the list, by address."""

    q: str = Field("", max_length=320)
    """Text in the address."""
    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = Field(None, max_length=1_000)
    """`next` of the page before."""


class NewAddress(Strict):
    """An address that is to get no mail."""

    address: str = Field(max_length=320)
    reason: Literal["bounced", "complained", "unsubscribed", "manual"] = "manual"
    """With `complained` and `unsubscribed` transactional mail is still sent."""
    detail: str = Field("", max_length=500)


class AddressFile(Strict):
    """Many addresses, as CSV."""

    csv: str = Field(max_length=LONGEST_FILE)
    reason: Literal["bounced", "complained", "unsubscribed", "manual"] = "manual"


class BounceMail(Strict):
    """A delivery report (RFC 3464), the whole mail."""

    message: str = Field(max_length=LONGEST_FILE)


class ListedOne(Strict):
    """An address on the list."""

    address: str = Field(max_length=320)


@routes.get("/api/v1/suppressions")
@call(Role.VIEWER, tag="suppression list", answers={200: Page[ListedAddress]}, query=ListQuery)
async def list_suppressions(request: web.Request, query: ListQuery) -> web.Response:
    """The addresses that get no mail, and why."""
    found, following = await suppressions.page(request.app[DATABASE], query.limit, query.cursor, query.q)
    return page_of([each.to_json() for each in found], following, query.limit)


@routes.post("/api/v1/suppressions")
@call(
    Role.OPERATOR, tag="suppression list", answers={201: Added}, body=NewAddress,
    does="put an address on the suppression list",
)  # fmt: skip
async def add_suppression(request: web.Request, asked: NewAddress) -> web.Response:
    """Put an address on the list."""
    address = suppressions.read_listed(asked.address)
    return await _added(request, [address], asked.reason, asked.detail)


@routes.post("/api/v1/suppressions/import")
@call(
    Role.OPERATOR, tag="suppression list", answers={201: Added}, body=AddressFile,
    does="import into the suppression list",
)  # fmt: skip
async def import_suppressions(request: web.Request, asked: AddressFile) -> web.Response:
    """Put the addresses of a CSV file on the list; lines without one are answered with their reason."""
    read = suppressions.read_csv(asked.csv)
    return await _added(request, read.addresses, asked.reason, "", read.refused)


@routes.post("/api/v1/suppressions/bounces")
@call(Role.OPERATOR, tag="suppression list", answers={201: Added}, body=BounceMail, does="take a bounce")
async def take_bounce(request: web.Request, asked: BounceMail) -> web.Response:
    """Put whom a delivery report says not to exist on the list; a full mailbox and the like change nothing."""
    bounces = [each for each in read_bounces(asked.message) if each.is_about_address]
    detail = "; ".join(f"{each.status} {each.said}" for each in bounces)
    return await _added(request, [each.address for each in bounces], "bounced", detail)


@routes.post("/api/v1/suppressions/remove")
@call(
    Role.OPERATOR, tag="suppression list", answers={200: ListedOne}, body=ListedOne, refuses=(404,),
    does="take an address off the suppression list",
)  # fmt: skip
async def remove_suppression(request: web.Request, asked: ListedOne) -> web.Response:
    """Take an address off the list: it gets mail again."""
    address = asked.address.strip().lower()
    await suppressions.remove(request.app[DATABASE], address)
    tell(request, before={"address": address})
    return done(request, {"address": address}, PAGE)


@routes.get(PAGE)
@needs(Role.VIEWER)
@aiohttp_jinja2.template("suppressions.html")
async def suppression_page(request: web.Request) -> dict[str, Any]:
    """The list, with a search, a form to add one and a form to import many."""
    query, database = parse_query(request, ListQuery), request.app[DATABASE]
    found, following = (
        await suppressions.page(database, query.limit, query.cursor, query.q) if database.is_set else ([], None)
    )
    return {
        "page": "suppressions",
        "listed": [each.to_json() for each in found],
        "next": following,
        "query": query,
        "reasons": [each for each in suppressions.REASONS if each != "refused"],
        "has_database": database.is_set,
    }


async def _added(
    request: web.Request,
    addresses: list[str],
    reason: suppressions.Reason,
    detail: str,
    refused: list[dict[str, Any]] | None = None,
) -> web.Response:
    told = refused or []
    if not addresses and len(told) == 1:
        raise InvalidInput("csv", f"line {told[0]['line']}: {told[0]['reason']}")
    added = await suppressions.add(request.app[DATABASE], addresses, reason, detail=detail, who=actor(request))
    tell(request, after={"reason": reason, "added": added, "refused": len(told)})
    answer = {"added": added, "refused": told[:MOST_REFUSED_TOLD], "refused_count": len(told)}
    return done(request, answer, PAGE, 201)
