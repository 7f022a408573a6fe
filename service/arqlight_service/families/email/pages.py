"""`/templates`: e-mail templates; edit with a preview, send a test, versions with their differences."""

from typing import Annotated, Any

import aiohttp_jinja2
from aiohttp import web
from pydantic import BeforeValidator

from arqlight.errors import NotFound
from arqlight.families.email import templates
from arqlight.families.email.settings import EmailSettings
from arqlight_service.api.problems import Problem
from arqlight_service.api.requests import Strict, from_json, parse_input
from arqlight_service.app_keys import SETTINGS
from arqlight_service.auth.roles import Role, needs
from arqlight_service.families.database import DATABASE
from arqlight_service.families.email.renderer import RENDERER

routes = web.RouteTableDef()
FRAME_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; sandbox"
)


class FramePreview(Strict):
    """A template with the values to fill in, as the editor's form sends them."""

    subject: str
    text: str
    html: str
    variables: Annotated[dict[str, Any], BeforeValidator(from_json)]


@routes.get("/templates")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("templates.html")
async def template_list(request: web.Request) -> dict[str, Any]:
    """Every template."""
    database = request.app[DATABASE]
    found = await templates.list_templates(database)
    return {"page": "templates", "templates": [each.to_json() for each in found], "has_database": database.is_set}


@routes.post("/templates/preview")
@needs(Role.OPERATOR, does="preview a template", kind="routine")
async def preview(request: web.Request) -> web.Response:
    """The HTML part of what is being edited, for the frame beside the editor.

    A page of its own, for mails carry styles, which our pages' rules forbid; scripts it forbids all the same.
    """
    asked = await parse_input(request, FramePreview)
    rendered = await request.app[RENDERER].render(asked.model_dump(exclude={"variables"}), asked.variables)
    headers = {"Content-Security-Policy": FRAME_POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return web.Response(text=rendered.html, content_type="text/html", headers=headers)


@routes.get("/templates/{name}")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("template.html")
async def template_page(request: web.Request) -> dict[str, Any]:
    """The editor, with the versions; `?compare=N` shows what changed since version N."""
    database, name = request.app[DATABASE], request.match_info["name"]
    try:
        current = await templates.find_template(database, name)
        versions = await templates.list_versions(database, name)
    except NotFound:
        if "new" not in request.query:
            raise
        current, versions = templates.EmailTemplate(name, 0, "", "", ""), []
    compared = request.query.get("compare")
    changes = None
    if compared is not None:
        if not (compared.isascii() and compared.isdigit()):
            raise Problem(400, f"compare={compared[:50]!r} is not a version", field="compare")
        older = await templates.find_template(database, name, int(compared[:9]))
        changes = templates.difference(older, current)
    variables = list(current.variables) or await request.app[RENDERER].variables_of(current.parts)
    return {
        "page": "templates",
        "smtp_from": request.app[SETTINGS].of(EmailSettings).smtp_from,
        "template": {**current.to_json(), "variables": variables},
        "versions": [version.to_json() for version in versions],
        "changes": changes,
        "compared": compared,
        "has_database": database.is_set,
    }
