"""REST of bulk operations: licence keys, exports and their downloads."""

import asyncio
import base64
from datetime import datetime
from typing import Any

from aiohttp import web

from arqlight.families.bulk import exports, licences
from arqlight.families.bulk.formats import FORMATS
from arqlight.families.bulk.licence_key import public_pem, signing_key
from arqlight.families.bulk.links import check_link, sign_link
from arqlight.families.bulk.storage import open_store
from arqlight_service.api.answers import done, enqueue
from arqlight_service.api.call import call
from arqlight_service.api.problems import Problem
from arqlight_service.api.requests import Strict
from arqlight_service.api.shapes.answer import Items
from arqlight_service.app_keys import KEY_RING, SETTINGS
from arqlight_service.auth.identity import identity_of
from arqlight_service.auth.roles import Role, needs
from arqlight_service.families.bulk.shapes import Batch, Export, NewBatch, NewExport
from arqlight_service.families.database import DATABASE

routes = web.RouteTableDef()


class LicenceRequest(Strict):
    """A batch of licence keys."""

    product: str
    count: int


class ExportRequest(Strict):
    """A table to export."""

    table: str
    format: str


@routes.get("/api/v1/licences")
@call(Role.VIEWER, tag="bulk", answers={200: Items[Batch]})
async def list_licences(request: web.Request) -> web.Response:
    """The newest batches of licence keys; the keys themselves are in an export."""
    return web.json_response({"items": await licences.list_batches(request.app[DATABASE])})


@routes.post("/api/v1/licences")
@call(Role.OPERATOR, tag="bulk", answers={202: NewBatch}, body=LicenceRequest, does="make licence keys")
async def new_licences(request: web.Request, asked: LicenceRequest) -> web.Response:
    """Make a batch of licence keys."""
    batch_id = await licences.new_batch(request.app[DATABASE], asked.product, asked.count)
    job_id = await enqueue(request, licences.generate_licence_keys, batch_id=batch_id)
    return done(request, {"batch": batch_id, "id": job_id}, "/bulk", 202)


@routes.get("/api/v1/licences/public-key")
@needs(Role.PUBLIC)
async def public_key(request: web.Request) -> web.Response:
    """The key that verifies licences offline, as PEM."""
    return web.Response(text=public_pem(signing_key(request.app[SETTINGS], request.app[KEY_RING])))


@routes.get("/api/v1/exports")
@call(Role.VIEWER, tag="bulk", answers={200: Items[Export]})
async def list_exports(request: web.Request) -> web.Response:
    """The newest exports, each with its download link while that works, for operators."""
    found = await exports.list_exports(request.app[DATABASE])
    return web.json_response({"items": [with_link(request, export) for export in found]})


@routes.post("/api/v1/exports")
@call(Role.OPERATOR, tag="bulk", answers={202: NewExport}, body=ExportRequest, does="export a table")
async def new_export(request: web.Request, asked: ExportRequest) -> web.Response:
    """Export a table."""
    export_id = await exports.new_export(request.app[DATABASE], asked.table, asked.format)
    job_id = await enqueue(request, exports.export_table, export_id=export_id)
    return done(request, {"export": export_id, "id": job_id}, "/bulk", 202)


@routes.get("/api/v1/exports/{id}")
@call(Role.VIEWER, tag="bulk", answers={200: Export}, refuses=(404,))
async def one_export(request: web.Request) -> web.Response:
    """One export, with its download link while that works."""
    found = await exports.find_export(request.app[DATABASE], request.match_info["id"])
    return web.json_response(with_link(request, found))


@routes.get("/exports/{id}/download")
@needs(Role.OPERATOR, does="download export {id}", kind="secret")
async def download(request: web.Request) -> web.StreamResponse:
    """The file of an export, for the operator whose signed link it is.

    403 for the link of somebody else, a wrong one or an expired one, 410 when the file is gone.
    """
    export_id, query = request.match_info["id"], request.query
    check_link(request.app[KEY_RING], export_id, query.get("expires", ""), query.get("signature", ""), _who(request))
    export = await exports.find_export(request.app[DATABASE], export_id)
    if export["state"] != "done":
        raise Problem(410, f"export {export_id} is {export['state']}; there is no file to download")
    store = await asyncio.to_thread(open_store, request.app[SETTINGS])
    parts = store.read(export["path"])
    try:
        first = await anext(parts, b"")
    except FileNotFoundError:
        raise Problem(410, f"the file of export {export_id} is gone from the store; make a new export") from None
    response = web.StreamResponse(
        headers={
            "Content-Type": FORMATS[export["format"]],
            "Content-Length": str(export["size_bytes"]),
            "Content-Disposition": f'attachment; filename="{export["path"]}"',
            "Cache-Control": "private, no-store",
            "Repr-Digest": _digest(export["sha256"]),
        }
    )
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    await response.write(first)
    async for part in parts:
        await response.write(part)
    return response


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
