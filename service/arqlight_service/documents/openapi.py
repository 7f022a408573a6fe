"""`GET /api/v1/openapi.json`: every call under `/api/v1` that answers with JSON, from the routes and `facts.py`."""

import re
from typing import Any

from aiohttp import web

from arqlight.version import __version__
from arqlight_service.auth.roles import Role, need_of, needs
from arqlight_service.documents.facts import FACTS, Facts
from arqlight_service.documents.schemas import SCHEMAS, Schema, ref

routes = web.RouteTableDef()
PREFIX = "/api/v1/"
# What is no call with a JSON answer: the feed (AsyncAPI tells of it), a PEM file, and these documents.
BESIDE = ("/api/v1/feed", "/api/v1/licences/public-key", "/api/v1/openapi.json", "/api/v1/asyncapi.json")
ALWAYS = (400, 401, 403, 408, 413, 421, 422, 429, 503)
WORDS = {
    400: "The request cannot be read.", 401: "Nobody is known to be asking.", 403: "The role does not allow it.",
    404: "It is not there.", 408: "The body did not come in time.", 409: "Not as things stand.",
    413: "The body is too large.",
    421: "A host name that is not ours.", 422: "A field is wrong; `field` names it.", 429: "Too many.",
    503: "A server behind the service is away.",
}  # fmt: skip
DOCUMENT = web.AppKey("openapi", dict[str, Any])


@routes.get("/api/v1/openapi.json")
@needs(Role.VIEWER)
async def openapi(request: web.Request) -> web.Response:
    """The document."""
    return web.json_response(request.app[DOCUMENT])


def describe(app: web.Application) -> dict[str, Any]:
    """The document of an application's routes. Raises RuntimeError for a route that `facts.py` does not know."""
    schemas = dict(SCHEMAS)
    paths: dict[str, dict[str, Any]] = {}
    for route in app.router.routes():
        pattern = route.resource.canonical if route.resource else ""
        if not pattern.startswith(PREFIX) or pattern in BESIDE or route.method == "HEAD":
            continue
        path, parameters = _path(pattern)
        facts = FACTS.get((route.method, path))
        if facts is None:
            raise RuntimeError(f"{route.method} {path} has no line in service/documents/facts.py")
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, facts, parameters, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "arqlight", "version": __version__, "license": {"name": "MIT", "identifier": "MIT"},
            "description": "Background jobs on arq: what runs, what waits, what failed. The feed is in asyncapi.json.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "arqlight"},
            },
        },
        "security": [{"token": []}, {"session": []}, {}],
    }  # fmt: skip


def _path(pattern: str) -> tuple[str, list[Schema]]:
    """The router's pattern as OpenAPI writes it, and its parameters."""
    parameters = []
    for name, rule in re.findall(r"\{(\w+)(?::((?:[^{}]|\{[^}]*\})+))?\}", pattern):
        schema: Schema = {"type": "string", "minLength": 1}
        if re.fullmatch(r"[\w|]+", rule):
            schema = {"enum": rule.split("|")}
        elif rule:
            schema["pattern"] = f"^{rule}$"
        parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
    return re.sub(r"\{(\w+):(?:[^{}]|\{[^}]*\})+\}", r"{\1}", pattern), parameters


def _operation(
    route: web.AbstractRoute, facts: Facts, parameters: list[Schema], schemas: dict[str, Schema]
) -> dict[str, Any]:
    need = need_of(route)
    query = dict(facts.query) | ({"connection": {"type": "string"}} if facts.by_connection else {})
    parameters = [*parameters, *({"name": name, "in": "query", "schema": about} for name, about in query.items())]
    answers: dict[str, Any] = {
        str(status): {"description": "Done."}
        | ({"content": {"application/json": {"schema": schema}}} if schema else {})
        for status, schema in facts.answers.items()
    }
    refusals = {*ALWAYS, *facts.refuses, *((404,) if facts.by_connection else ())}
    problem = {"application/problem+json": {"schema": ref("Problem")}}
    answers |= {str(status): {"description": WORDS[status], "content": problem} for status in sorted(refusals)}
    handler: Any = route.handler
    operation: dict[str, Any] = {
        "operationId": f"{handler.__name__}_{route.method.lower()}",
        "summary": (handler.__doc__ or "").strip().splitlines()[0],
        "x-role": need.role.shown if need else "",
        "responses": answers,
    }
    if parameters:
        operation["parameters"] = parameters
    if facts.takes:
        taken = [_model(model, schemas) for model in facts.takes]
        schema = taken[0] if len(taken) == 1 else {"anyOf": taken}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _success(schema: Schema | None) -> dict[str, Any]:
    content = {} if schema is None else {"content": {"application/json": {"schema": schema}}}
    return {"description": "Done."} | content


def _model(model: Any, schemas: dict[str, Schema]) -> Schema:
    made = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(made.pop("$defs", {}))
    schemas[model.__name__] = made
    return ref(model.__name__)
