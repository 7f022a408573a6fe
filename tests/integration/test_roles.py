"""The table of roles, routes, topics and controls (docs/roles.md), walked as each role and with each token."""

import re
from typing import Any

import pytest
from aiohttp import web
from arq import func
from arq.connections import ArqRedis

from arqlight.connections.named import Connections
from arqlight.families.bulk.exports import export_table, new_export
from arqlight.journal.journal import Journal, NewJob
from arqlight.journal.reader import Reader
from arqlight.settings import Settings
from arqlight_service.app import create_app
from arqlight_service.auth.roles import PURPOSES, Role, need_of, role_named
from tests.conftest import Client, StartWorker
from tests.support import roles_document
from tests.support.access import add_token, add_user, guarded, sign_in
from tests.support.job_states import reaches
from tests.support.roles_document import controls, path_of

SCOPES = ("viewer", "operator", "admin", *PURPOSES)


def test_the_document_of_roles_is_what_the_code_says() -> None:
    assert roles_document.render() == roles_document.DOCUMENT.read_text(), f"run `{roles_document.COMMAND}`"


@pytest.mark.parametrize("scope", SCOPES)
async def test_each_route_answers_whom_the_table_says_and_refuses_the_others(
    scope: str, pool: ArqRedis, family_settings: Settings
) -> None:
    async with guarded(family_settings) as client:
        _, headers = await add_token(client, scope)
        assert client.app is not None
        for route in client.app.router.routes():
            need = need_of(route)
            assert need is not None
            if route.method == "HEAD" or need.role is Role.PUBLIC:
                continue
            role = role_named(scope) or Role.PUBLIC
            may = role >= need.role or scope == need.purpose
            path = filled(path_of(route))
            answer = await client.request(route.method, path, headers=headers, allow_redirects=False)
            # A download has a link of its own beside the role.
            refused = answer.status in (401, 403) and not (may and path.endswith("/download"))
            assert refused != may, (scope, route.method, path, answer.status)
            answer.close()


def filled(path: str) -> str:
    """The path with something in place of each parameter."""
    path = re.sub(r"\{action\}", "pause" if "queues" in path else "retry", path)
    return re.sub(r"\{\w+\}", "1", path.replace("{kind}", "queue"))


def test_no_page_offers_a_role_what_it_may_not_do(settings: Settings) -> None:
    app = create_app(settings, Connections([]))
    found = controls()
    assert len(found) > 15
    for template, action, shown_from in found:
        need = need_of(route_of(app, action))
        assert need is not None, action
        assert need.role <= shown_from, (
            f"{template} shows {action} from {shown_from.shown} on; it needs {need.role.shown}"
        )


def route_of(app: web.Application, action: str) -> web.AbstractRoute:
    app.freeze()
    for resource in app.router.resources():
        for route in resource:
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path_of(route)))
            if route.method == "POST" and re.fullmatch(pattern, action):
                return route
    raise AssertionError(f"nothing takes {action}")


async def test_a_viewer_sees_no_download_and_an_operators_link_is_nobody_elses(
    pool: ArqRedis, family_settings: Settings, exported: str
) -> None:
    async with guarded(family_settings) as client:
        (_, viewer), (_, one), (_, other) = [
            await add_token(client, scope) for scope in ("viewer", "operator", "admin")
        ]
        assert (await listed(client, viewer))["download"] is None
        link = "/" + (await listed(client, one))["download"].split("/", 3)[3]
        assert (await client.get(link, headers=one)).status == 200
        assert [(await client.get(link, headers=who)).status for who in (viewer, other, {})] == [403, 403, 401]
        audit = (await (await client.get("/api/v1/audit", headers=one)).json())["items"]
        assert f"download export {exported}" in [entry["what"] for entry in audit]


async def listed(client: Client, headers: dict[str, str]) -> Any:
    [found] = (await (await client.get("/api/v1/exports", headers=headers)).json())["items"]
    return found


@pytest.fixture
async def exported(family: Any, database: Any) -> str:
    """A finished export; its id."""
    ctx = await family()
    export_id: str = await new_export(ctx["database"], "devices", "csv")
    await export_table(ctx, export_id)
    return export_id


@pytest.mark.parametrize("ended", ["failed", "cancelled"])
async def test_the_id_of_a_job_that_people_may_still_look_at_is_not_given_again(
    ended: str, client: Client, journal: Journal, reader: Reader, start_worker: StartWorker
) -> None:
    async def fails(ctx: dict[str, Any]) -> None:
        raise ValueError("boom")

    await start_worker([func(fails, name="fails")])
    await journal.enqueue([NewJob("fails", "arq:queue", id="kept", delay_ms=60_000 if ended == "cancelled" else 0)])
    if ended == "cancelled":
        await journal.cancel("kept", "arq:queue", "fails")
    await reaches(reader, "kept", ended)
    answer = await client.post("/api/v1/jobs", json={"task": "fails", "id": "kept"})
    assert answer.status == 409, await answer.text()
    assert (await (await client.get("/api/v1/jobs/kept")).json())["state"] == ended


async def test_who_may_not_edit_a_template_reads_its_source(pool: ArqRedis, settings: Settings) -> None:
    async with guarded(settings) as client:
        for role, reads in (("viewer", True), ("operator", True), ("admin", False)):
            await add_user(client, role, role)
            await sign_in(client, role)
            page = await (await client.get("/templates/alert")).text()
            assert ("Source of the text" in page) is reads, role
