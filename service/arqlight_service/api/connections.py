"""Connections: which there are, and whether each answers."""

from typing import Any

from aiohttp import web

from arqlight.errors import ArqlightError
from arqlight.extras import MissingExtra
from arqlight_service.api.answers import done
from arqlight_service.api.call import call
from arqlight_service.api.shapes.answer import Items
from arqlight_service.api.shapes.operator import Connection, TestedConnection
from arqlight_service.app_keys import CONNECTIONS, FAMILIES_DATABASE, REACHABILITY
from arqlight_service.auth.roles import Role

FAMILIES = "database"  # what the API calls the database of the task families
routes = web.RouteTableDef()


@routes.get("/api/v1/connections")
@call(Role.VIEWER, tag="connections", answers={200: Items[Connection]})
async def list_connections(request: web.Request) -> web.Response:
    """Every connection, whether it answers, and why not."""
    return web.json_response({"items": request.app[REACHABILITY].to_json()})


@routes.post("/api/v1/connections/{name}/test")
@call(
    Role.OPERATOR,
    tag="connections",
    answers={200: TestedConnection},
    refuses=(404,),
    does="test connection {name}",
    kind="routine",
)
async def test_connection(request: web.Request) -> web.Response:
    """Ask a connection now; `database` is the database of the task families."""
    name = request.match_info["name"]
    if name == FAMILIES:
        return done(request, await try_families(request.app), "/settings")
    connection, reachability = request.app[CONNECTIONS].find(name), request.app[REACHABILITY]
    await reachability.ask(connection)
    told = next(each for each in reachability.to_json() if each["name"] == name)
    return done(request, {part: told[part] for part in ("name", "ok", "detail")}, "/settings")


async def try_families(app: web.Application) -> dict[str, Any]:
    """What the task families' database answers, or in one sentence why it does not; never with a password."""
    database = app.get(FAMILIES_DATABASE)
    if database is None:
        return {
            "name": FAMILIES,
            "ok": False,
            "detail": str(MissingExtra("the database of the task families", "families")),
        }
    try:
        return {"name": FAMILIES, "ok": True, "detail": f"{await database.ping()} answers"}
    except ArqlightError as error:
        return {"name": FAMILIES, "ok": False, "detail": str(error).splitlines()[0]}
