"""REST of e-mail templates: versions, preview, test."""

from typing import Any

from aiohttp import web
from pydantic import Field

from arqlight.errors import InvalidInput
from arqlight.families.email import templates
from arqlight.families.email.message import InvalidEmail, parse_address
from arqlight.families.email.sending import check_known, send_email, taken_by
from arqlight_service.api.answers import done, enqueue
from arqlight_service.api.call import call
from arqlight_service.api.requests import Strict
from arqlight_service.api.shapes.answer import Items
from arqlight_service.api.shapes.job import Enqueued
from arqlight_service.audit.told import tell
from arqlight_service.auth.identity import actor
from arqlight_service.auth.roles import Role
from arqlight_service.families.database import DATABASE
from arqlight_service.families.email.renderer import RENDERER
from arqlight_service.families.email.shapes import RenderedTemplate, Template, TemplateDetail

routes = web.RouteTableDef()
PREVIEW_VARIABLES = 100


class TemplateParts(Strict):
    """A template as it is edited."""

    subject: str
    text: str
    html: str


class SavedTemplate(TemplateParts):
    """A template as it is saved."""

    sender: str = Field("", max_length=500)
    """The From address; without one it is ARQLIGHT_SMTP_FROM."""
    reply_to: str = Field("", max_length=500)
    transactional: bool = True
    """False for what a reader may leave: it carries a link to unsubscribe (RFC 8058)."""
    note: str = Field("", max_length=500)


class Preview(TemplateParts):
    """A template to look at with these variables."""

    note: str = Field("", max_length=500)
    variables: dict[str, Any] = Field({}, max_length=PREVIEW_VARIABLES)


class TestMail(Strict):
    """Where a test is sent, and with what."""

    to: str = Field(max_length=320)
    variables: dict[str, Any] = Field({}, max_length=PREVIEW_VARIABLES)


class RollBack(Strict):
    """The version to go back to."""

    version: int = Field(ge=0, le=1_000_000_000)


@routes.get("/api/v1/templates")
@call(Role.VIEWER, tag="e-mail templates", answers={200: Items[Template]})
async def list_templates(request: web.Request) -> web.Response:
    """Every template in the version that is sent."""
    found = await templates.list_templates(request.app[DATABASE])
    return web.json_response({"items": [template.to_json() for template in found]})


@routes.get("/api/v1/templates/{name}")
@call(Role.VIEWER, tag="e-mail templates", answers={200: TemplateDetail}, refuses=(404,))
async def one_template(request: web.Request) -> web.Response:
    """A template with all its versions, the newest first."""
    current = await templates.find_template(request.app[DATABASE], request.match_info["name"])
    versions = await templates.list_versions(request.app[DATABASE], current.name)
    return web.json_response({**current.to_json(), "versions": [version.to_json() for version in versions]})


@routes.post("/api/v1/templates/preview")
@call(
    Role.OPERATOR,
    tag="e-mail templates",
    answers={200: RenderedTemplate},
    body=Preview,
    does="preview a template",
    kind="routine",
)
async def preview(request: web.Request, asked: Preview) -> web.Response:
    """Render parts that are not saved."""
    parts = asked.model_dump(include={"subject", "text", "html"})
    names = await request.app[RENDERER].variables_of(parts)
    samples = {name: name for name in names} | asked.variables
    rendered = await request.app[RENDERER].render(parts, samples)
    return web.json_response({**rendered._asdict(), "names": names, "variables": samples})


@routes.post("/api/v1/templates/{name}")
@routes.put("/api/v1/templates/{name}")
@call(
    Role.ADMIN,
    tag="e-mail templates",
    answers={201: Template},
    body=SavedTemplate,
    refuses=(404, 409),
    does="save template {name}",
)
async def save_template(request: web.Request, asked: SavedTemplate) -> web.Response:
    """Save a new version, which is sent from now on."""
    name = request.match_info["name"]
    saved = await templates.save_template(
        request.app[DATABASE],
        request.app[RENDERER],
        name,
        asked.model_dump(include=set(TemplateParts.model_fields)),
        **asked.model_dump(exclude=set(TemplateParts.model_fields)),
        who=actor(request),
    )
    tell(request, after={"version": saved.version})
    return done(request, saved.to_json(), f"/templates/{name}", 201)


@routes.post("/api/v1/templates/{name}/test")
@call(
    Role.OPERATOR,
    tag="e-mail templates",
    answers={202: Enqueued},
    body=TestMail,
    refuses=(404,),
    does="send a test of template {name}",
)
async def send_test(request: web.Request, asked: TestMail) -> web.Response:
    """Send the template to one address."""
    template = await templates.find_template(request.app[DATABASE], request.match_info["name"])
    try:
        parse_address(asked.to, "to")
    except InvalidEmail as error:
        raise InvalidInput("to", str(error)) from error
    names = template.variables or tuple(await request.app[RENDERER].variables_of(template.parts))
    if taken := sorted(templates.RESERVED & set(asked.variables)):
        raise InvalidInput("variables", f"{taken[0]} is not a variable of a template")
    check_known(await taken_by(request.app[RENDERER], template), asked.variables)
    variables = {name: name for name in names} | asked.variables
    job_id = await enqueue(request, send_email, to=asked.to, template=template.name, **variables)
    return done(request, {"id": job_id}, f"/templates/{template.name}", 202)


@routes.post("/api/v1/templates/{name}/rollback")
@call(
    Role.ADMIN,
    tag="e-mail templates",
    answers={201: Template},
    body=RollBack,
    refuses=(404,),
    does="roll template {name} back",
)
async def roll_back(request: web.Request, asked: RollBack) -> web.Response:
    """Send an older version again, as a new one."""
    name = request.match_info["name"]
    saved = await templates.roll_back(
        request.app[DATABASE], request.app[RENDERER], name, asked.version, who=actor(request)
    )
    tell(request, after={"version": saved.version})
    return done(request, saved.to_json(), f"/templates/{name}", 201)
