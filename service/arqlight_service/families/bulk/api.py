"""REST of bulk operations: licence keys, exports and their downloads."""

import asyncio
import base64
from datetime import datetime
from typing import Annotated, Any

from aiohttp import web
from pydantic import BeforeValidator, Field

from arqlight.errors import CursorInvalid
from arqlight.families.bulk import exports, licences
from arqlight.families.bulk.formats import FORMATS
from arqlight.families.bulk.licence_key import public_pem, signing_key
from arqlight.families.bulk.links import check_link, sign_link
from arqlight.families.bulk.origin import DatabaseCopied
from arqlight.families.bulk.tables import exports as exports_table
from arqlight.families.bulk.tables import licence_batches
from arqlight_service.api.answers import done, page_of
from arqlight_service.api.call import call
from arqlight_service.api.problems import Problem
from arqlight_service.api.requests import Strict
from arqlight_service.api.shapes.answer import Page
from arqlight_service.app_keys import KEY_RING, SETTINGS
from arqlight_service.auth.identity import identity_of
from arqlight_service.auth.roles import Role, needs
from arqlight_service.families.bulk.jobs import new_job_id, settled, start, start_again
from arqlight_service.families.bulk.ranges import wanted_part
from arqlight_service.families.bulk.shapes import Batch, Export, NewBatch, NewExport
from arqlight_service.families.database import DATABASE

routes = web.RouteTableDef()
ONE_BATCH = "/api/v1/licences/{id:[0-9]{1,18}}"


def none_of_empty(value: object) -> object:
    """A field that a form left empty was not given."""
    return None if value == "" else value


Key = Annotated[str | None, BeforeValidator(none_of_empty)]


class ListQuery(Strict):
    """A page of a list, the newest first."""

    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = Field(None, max_length=40)
    """`next` of the page before."""


class LicenceRequest(Strict):
    """A batch of licence keys."""

    product: str
    count: int
    idempotency_key: Key = None
    """Under a key that was used, the answer is the batch that was made then."""


class ExportRequest(Strict):
    """A table to export."""

    table: str
    format: str
    batch: Annotated[int | None, BeforeValidator(none_of_empty)] = None
    """One batch of the table licences."""
    idempotency_key: Key = None
    """Under a key that was used, the answer is the export that was made then."""


@routes.get("/api/v1/licences")
@call(Role.VIEWER, tag="bulk", answers={200: Page[Batch]}, query=ListQuery)
async def list_licences(request: web.Request, query: ListQuery) -> web.Response:
    """The newest batches of licence keys; the keys themselves are in an export."""
    found, following = await batches_shown(request, query.limit, query.cursor)
    return page_of(found, following, query.limit)


@routes.get(ONE_BATCH)
@call(Role.VIEWER, tag="bulk", answers={200: Batch}, refuses=(404,))
async def one_batch(request: web.Request) -> web.Response:
    """One batch of licence keys."""
    return web.json_response(await _batch(request))


@routes.post("/api/v1/licences")
@call(Role.OPERATOR, tag="bulk", answers={202: NewBatch}, body=LicenceRequest, does="make licence keys")
async def new_licences(request: web.Request, asked: LicenceRequest) -> web.Response:
    """Make a batch of licence keys."""
    database = request.app[DATABASE]
    job_id = new_job_id()
    batch_id, is_new = await licences.request_batch(
        database, asked.product, asked.count, key=asked.idempotency_key, job_id=job_id
    )
    if is_new:
        await start(request, licence_batches, batch_id, job_id)
    else:
        job_id = (await licences.find_batch(database, batch_id))["job_id"]
    return done(request, {"batch": batch_id, "id": job_id}, "/bulk", 202)


@routes.post(ONE_BATCH + "/retry")
@call(Role.OPERATOR, tag="bulk", answers={202: NewBatch}, refuses=(404, 409), does="retry batch {id}")
async def retry_batch(request: web.Request) -> web.Response:
    """Go on with a batch that failed or was cancelled: the keys that are not made yet, as they would have been.

    Of a restored or copied database these may exist elsewhere: that fails, and says so; who retries then takes them
    anyway.
    """
    found = await _batch(request)
    batch_id = found["id"]
    knows_of_copy = (found["reason"] or "").startswith(DatabaseCopied.__name__)
    accepted = {"made_in": None} if knows_of_copy else {}
    job_id = await start_again(request, licence_batches, batch_id, found["state"], **accepted)
    return done(request, {"batch": batch_id, "id": job_id}, "/bulk", 202)


@routes.get("/api/v1/licences/public-key")
@needs(Role.PUBLIC)
async def public_key(request: web.Request) -> web.Response:
    """The key that verifies licences offline, as PEM."""
    return web.Response(text=public_pem(signing_key(request.app[SETTINGS], request.app[KEY_RING])))


@routes.get("/api/v1/exports")
@call(Role.VIEWER, tag="bulk", answers={200: Page[Export]}, query=ListQuery)
async def list_exports(request: web.Request, query: ListQuery) -> web.Response:
    """The newest exports, each with its download link while that works, for operators."""
    found, following = await exports_shown(request, query.limit, query.cursor)
    return page_of(found, following, query.limit)


@routes.post("/api/v1/exports")
@call(Role.OPERATOR, tag="bulk", answers={202: NewExport}, body=ExportRequest, does="export a table")
async def new_export(request: web.Request, asked: ExportRequest) -> web.Response:
    """Export a table, or one batch of licence keys."""
    database = request.app[DATABASE]
    job_id = new_job_id()
    export_id, is_new = await exports.request_export(
        database, asked.table, asked.format, batch=asked.batch, key=asked.idempotency_key, job_id=job_id
    )
    if is_new:
        await start(request, exports_table, export_id, job_id)
    else:
        job_id = (await exports.find_export(database, export_id))["job_id"]
    return done(request, {"export": export_id, "id": job_id}, "/bulk", 202)


@routes.post("/api/v1/exports/{id}/retry")
@call(Role.OPERATOR, tag="bulk", answers={202: NewExport}, refuses=(404, 409), does="retry export {id}")
async def retry_export(request: web.Request) -> web.Response:
    """Begin an export anew that failed or was cancelled."""
    found = await _export(request)
    export_id = found["id"]
    job_id = await start_again(request, exports_table, export_id, found["state"])
    return done(request, {"export": export_id, "id": job_id}, "/bulk", 202)


@routes.get("/api/v1/exports/{id}")
@call(Role.VIEWER, tag="bulk", answers={200: Export}, refuses=(404,))
async def one_export(request: web.Request) -> web.Response:
    """One export, with its download link while that works."""
    return web.json_response(with_link(request, await _export(request)))


@routes.get("/exports/{id}/download")
@needs(Role.OPERATOR, does="download export {id}", kind="secret")
async def download(request: web.Request) -> web.StreamResponse:
    """The file of an export, for the operator whose signed link it is; with `Range` a part of it (RFC 9110, 14).

    403 for the link of somebody else, a wrong one or an expired one, 410 when the file is gone.
    """
    export_id, query = request.match_info["id"], request.query
    check_link(request.app[KEY_RING], export_id, query.get("expires", ""), query.get("signature", ""), _who(request))
    export = await exports.find_export(request.app[DATABASE], export_id)
    if export["state"] != "done":
        raise Problem(410, f"export {export_id} is {export['state']}; there is no file to download")
    size, etag = export["size_bytes"], f'"{export["sha256"]}"'
    headers = request.headers
    part = wanted_part(headers.get("Range"), headers.get("If-Range"), etag, size) if request.method == "GET" else None
    wanted = range(size) if part is None else part
    store = await asyncio.to_thread(exports.open_exports, request.app[SETTINGS])
    parts = store.read(export["path"], wanted.start, wanted.stop)
    try:
        first = await anext(parts, b"")
    except FileNotFoundError:
        raise Problem(410, f"the file of export {export_id} is gone from the store; make a new export") from None
    response = web.StreamResponse(
        status=200 if part is None else 206,
        headers={
            "Content-Type": FORMATS[export["format"]],
            "Content-Length": str(len(wanted)),
            **({} if part is None else {"Content-Range": f"bytes {part.start}-{part.stop - 1}/{size}"}),
            "Accept-Ranges": "bytes",
            "ETag": etag,
            "Content-Disposition": f'attachment; filename="{export["path"]}"',
            "Cache-Control": "private, no-store",
            "Repr-Digest": _digest(export["sha256"]),
        },
    )
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    await response.write(first)
    async for following in parts:
        await response.write(following)
    return response


async def batches_shown(
    request: web.Request, limit: int = 50, cursor: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of batches as they stand, and the next cursor. Raises CursorInvalid."""
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise CursorInvalid(cursor)
    found, following = await licences.list_batches(request.app[DATABASE], limit, int(cursor) if cursor else None)
    return await settled(request, licence_batches, found), None if following is None else str(following)


async def exports_shown(
    request: web.Request, limit: int = 50, cursor: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of exports as they stand, with their links, and the next cursor. Raises CursorInvalid."""
    found, following = await exports.list_exports(request.app[DATABASE], limit, cursor)
    return [with_link(request, each) for each in await settled(request, exports_table, found)], following


async def _batch(request: web.Request) -> dict[str, Any]:
    found = await licences.find_batch(request.app[DATABASE], int(request.match_info["id"]))
    return (await settled(request, licence_batches, [found]))[0]


async def _export(request: web.Request) -> dict[str, Any]:
    found = await exports.find_export(request.app[DATABASE], request.match_info["id"])
    return (await settled(request, exports_table, [found]))[0]


def with_link(request: web.Request, export: dict[str, Any]) -> dict[str, Any]:
    """An export with `download`, a link signed for an operator who asks, while there is something to download."""
    identity = identity_of(request)
    if export["state"] != "done" or identity is None or identity.role < Role.OPERATOR:
        return {**export, "download": None}
    expires_s = int(datetime.fromisoformat(export["expires_at"]).timestamp())
    base = (request.app[SETTINGS].public_url or str(request.url.origin())).rstrip("/")
    return {**export, "download": base + sign_link(request.app[KEY_RING], export["id"], expires_s, _who(request))}


def _who(request: web.Request) -> str:
    identity = identity_of(request)
    return identity.name if identity else ""


def _digest(sha256: str) -> str:
    """RFC 9530."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"
