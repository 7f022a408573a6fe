"""REST of what telemetry tells: devices, products and usage, and the same as files."""

from aiohttp import web

from arqlight.families.telemetry import reading
from arqlight_service.api.answers import page_of
from arqlight_service.api.call import call
from arqlight_service.api.shapes.answer import Page
from arqlight_service.auth.roles import Role
from arqlight_service.families.database import DATABASE
from arqlight_service.families.telemetry.files import send_file
from arqlight_service.families.telemetry.queries import ExportQuery, ListQuery, UsageQuery
from arqlight_service.families.telemetry.shapes import Device, Product, Usage

routes = web.RouteTableDef()


@routes.get("/api/v1/telemetry/devices")
@call(Role.VIEWER, tag="telemetry", answers={200: Page[Device]}, query=ListQuery)
async def list_devices(request: web.Request, query: ListQuery) -> web.Response:
    """Devices by product and version, the last seen first."""
    found = await reading.list_devices(request.app[DATABASE], query.which(), query.limit, query.cursor)
    return page_of(*found, query.limit)


@routes.get("/api/v1/telemetry/products")
@call(Role.VIEWER, tag="telemetry", answers={200: Page[Product]}, query=ListQuery)
async def list_products(request: web.Request, query: ListQuery) -> web.Response:
    """Products by name: how many devices have each, and which versions of it."""
    found = await reading.list_products(request.app[DATABASE], query.which(), query.limit, query.cursor)
    return page_of(*found, query.limit)


@routes.get("/api/v1/telemetry/usage")
@call(Role.VIEWER, tag="telemetry", answers={200: Page[Usage]}, query=UsageQuery)
async def list_usage(request: web.Request, query: UsageQuery) -> web.Response:
    """Usage by day, product, version and counter, the last day first."""
    database, which = request.app[DATABASE], query.which()
    found = await reading.list_usage(database, which, query.limit, query.cursor, query.counter)
    return page_of(*found, query.limit)


@routes.get("/api/v1/telemetry/devices/export")
@call(
    Role.OPERATOR, tag="telemetry", answers={200: Device}, query=ExportQuery, lines=True, csv=True,
    does="download devices of telemetry", kind="secret",
)  # fmt: skip
async def export_devices(request: web.Request, query: ExportQuery) -> web.StreamResponse:
    """Every device that matches, as CSV or as lines of JSON."""
    groups = reading.every_device(request.app[DATABASE], query.which())
    return await send_file(request, "telemetry-devices", query.format, list(Device.model_fields), groups)


@routes.get("/api/v1/telemetry/usage/export")
@call(
    Role.OPERATOR, tag="telemetry", answers={200: Usage}, query=ExportQuery, lines=True, csv=True,
    does="download usage of telemetry", kind="secret",
)  # fmt: skip
async def export_usage(request: web.Request, query: ExportQuery) -> web.StreamResponse:
    """All usage that matches, as CSV or as lines of JSON."""
    groups = reading.every_usage(request.app[DATABASE], query.which())
    return await send_file(request, "telemetry-usage", query.format, list(Usage.model_fields), groups)
