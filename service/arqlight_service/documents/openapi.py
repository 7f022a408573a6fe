"""`GET /api/v1/openapi.json`: every call under `/api/v1` that answers with JSON, as its handler states it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from arqlight.errors import SettingsError
from arqlight.version import __version__
from arqlight_service.api.call import Call, call_of
from arqlight_service.api.shapes.answer import Problem
from arqlight_service.auth.roles import Role, need_of, needs
from arqlight_service.documents.schemas import Schema, schemas_of

routes = web.RouteTableDef()
PREFIX = "/api/v1/"
# What is no call with a JSON answer: the feed (AsyncAPI tells of it), a PEM file, and these documents.
BESIDE = ("/api/v1/feed", "/api/v1/licences/public-key", "/api/v1/openapi.json", "/api/v1/asyncapi.json")
ALWAYS = (400, 401, 403, 408, 413, 415, 421, 422, 429, 503)
REFUSALS = {
    400: ("BadRequest", "The request cannot be read, or has a parameter that is not known."),
    401: ("Unauthorized", "Nobody is known to be asking."),
    403: ("Forbidden", "The role does not allow it."),
    404: ("NotFound", "It is not there, or the connection's driver does not support it."),
    408: ("RequestTimeout", "The body did not come in time."),
    409: ("Conflict", "Not as things stand."),
    413: ("ContentTooLarge", "The body is too large."),
    415: ("UnsupportedMediaType", "The body is not JSON."),
    421: ("MisdirectedRequest", "A host name that is not ours."),
    422: ("UnprocessableContent", "A field is wrong; `field` names it."),
    429: ("TooManyRequests", "Too many."),
    503: ("ServiceUnavailable", "A server behind the service is away."),
}
CONNECTION: Schema = {
    "name": "connection", "in": "query", "schema": {"type": "string"},
    "description": "The connection that is meant, by name; the first one by default.",
}  # fmt: skip
IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    "description": "The same key again within a day, with the same body, is answered as the first time, and nothing is "
    "done twice.",
}  # fmt: skip
DOCUMENT = web.AppKey("openapi", dict[str, Any])


@dataclass(frozen=True, slots=True)
class _Route:
    """A call at its address."""

    method: str
    path: str
    parameters: list[Schema]
    handler: Any
    role: str
    call: Call

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}"


@routes.get("/api/v1/openapi.json")
@needs(Role.VIEWER)
async def openapi(request: web.Request) -> web.Response:
    """The document."""
    return web.json_response(request.app[DOCUMENT])


def describe(app: web.Application) -> dict[str, Any]:
    """The document of an application's routes. Raises SettingsError for one of the API that states nothing."""
    found = list(_calls(app))
    shapes: dict[Any, Any] = {"problem": Problem}
    for route in found:
        stated = route.call
        shapes |= {(route.key, status): shape for status, shape in stated.answers.items() if shape is not None}
        if stated.query is not None:
            shapes[route.key, "query"] = stated.query
        for number, model in enumerate(_bodies(stated)):
            shapes[route.key, "body", number] = model
    schemas, definitions = schemas_of(shapes)
    paths: dict[str, dict[str, Any]] = {}
    for route in found:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas, definitions)
    for route in found:  # a query is told parameter by parameter
        definitions.pop(route.call.query.__name__ if route.call.query else "", None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "arqlight", "version": __version__, "license": {"name": "MIT", "identifier": "MIT"},
            "summary": "Background jobs on arq: what runs, what waits, what failed.",
            "description": "Times are ISO 8601 in UTC with milliseconds; durations carry their unit in the name "
            "(`_s`, `_ms`). A parameter or field that is not known is refused. Problems are RFC 9457. The feed is in "
            "asyncapi.json.",
        },
        "servers": [{"url": "/", "description": "Where this document comes from."}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.call.tag for route in found)],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(definitions.items())),
            "responses": {
                name: {
                    "description": words,
                    "content": {"application/problem+json": {"schema": schemas["problem"]}},
                }
                for name, words in REFUSALS.values()
            },
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "`arqlight token add` makes one."},
                "session": {"type": "apiKey", "in": "cookie", "name": "arqlight", "description": "Of a page."},
            },
        },
        "security": [{"token": []}, {"session": []}, {}],
    }  # fmt: skip


def _calls(app: web.Application) -> Iterator[_Route]:
    for route in app.router.routes():
        pattern = route.resource.canonical if route.resource else ""
        if not pattern.startswith(PREFIX) or pattern in BESIDE or route.method == "HEAD":
            continue
        stated, need = call_of(route.handler), need_of(route)
        if stated is None:
            raise SettingsError(f"{route.method} {pattern} does not state what it takes and answers: @call(…)")
        path, parameters = _path(pattern)
        role = need.role.shown if need else ""
        yield _Route(route.method, path, parameters, route.handler, role, stated)


def _path(pattern: str) -> tuple[str, list[Schema]]:
    """The router's pattern as OpenAPI writes it, and its parameters."""
    parameters = []
    for name, rule in re.findall(r"\{(\w+)(?::((?:[^{}]|\{[^}]*\})+))?\}", pattern):
        schema: Schema = {"type": "string", "minLength": 1}
        if re.fullmatch(r"[\w|]+", rule):
            schema = {"type": "string", "enum": rule.split("|")}
        elif rule:
            schema["pattern"] = f"^{rule}$"
        parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
    return re.sub(r"\{(\w+):(?:[^{}]|\{[^}]*\})+\}", r"{\1}", pattern), parameters


def _bodies(stated: Call) -> tuple[Any, ...]:
    if stated.body is None:
        return ()
    return stated.body if isinstance(stated.body, tuple) else (stated.body,)


def _operation(route: _Route, schemas: dict[Any, Schema], definitions: dict[str, Schema]) -> Schema:
    stated = route.call
    parameters = [*route.parameters, *_query(route, schemas, definitions)]
    refusals = {*ALWAYS, *stated.refuses, *((404,) if stated.by_connection else ())}
    if route.method == "POST":
        parameters.append(IDEMPOTENCY_KEY)
        refusals.add(409)
    answers: Schema = {}
    for status, shape in stated.answers.items():
        answers[str(status)] = {"description": "Done."}
        if shape is not None:
            answers[str(status)]["content"] = {"application/json": {"schema": schemas[route.key, status]}}
            for kind, is_one in (("application/x-ndjson", stated.lines), ("text/csv", stated.csv)):
                if is_one:
                    answers[str(status)]["content"][kind] = {"schema": {"type": "string"}}
    for status in sorted(refusals):
        answers[str(status)] = {"$ref": f"#/components/responses/{REFUSALS[status][0]}"}
    told = (route.handler.__doc__ or "").strip()
    operation: Schema = {
        "operationId": f"{route.handler.__name__}_{route.method.lower()}", "summary": told.splitlines()[0],
        "tags": [stated.tag], "x-role": route.role, "parameters": parameters, "responses": answers,
    }  # fmt: skip
    if route.role == Role.PUBLIC.shown:
        operation["security"] = []
    if bodies := _bodies(stated):
        taken = [schemas[route.key, "body", number] for number in range(len(bodies))]
        schema = taken[0] if len(taken) == 1 else {"anyOf": taken}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _query(route: _Route, schemas: dict[Any, Schema], definitions: dict[str, Schema]) -> list[Schema]:
    found: list[Schema] = []
    if route.call.query is not None:
        model = schemas[route.key, "query"]
        model = definitions[model["$ref"].rpartition("/")[2]] if "$ref" in model else model
        for name, about in model["properties"].items():
            schema = {key: value for key, value in about.items() if key != "description"}
            if [each for each in schema.get("anyOf", ()) if each.get("type") == "null"]:
                # Left out is what null would be: a query has no other way to say it.
                kept = [each for each in schema["anyOf"] if each.get("type") != "null"]
                schema = kept[0] if len(kept) == 1 else {"anyOf": kept}
            parameter = {"name": name, "in": "query", "schema": schema}
            found.append(parameter | ({"description": about["description"]} if "description" in about else {}))
    return [*found, CONNECTION] if route.call.by_connection else found
