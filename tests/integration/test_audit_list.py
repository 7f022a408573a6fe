"""The audit list: nothing is left out, nothing is pushed out, and it can be taken away and watched."""

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from arq.connections import ArqRedis
from sqlalchemy import text

from arqlight.connections.named import open_connections
from arqlight.families.database import Database
from arqlight.journal.audit_entry import LARGEST_VALUE, Kind, new_entry
from arqlight.settings import Settings
from arqlight_service.app import create_app
from arqlight_service.audit.trail import TRAIL
from arqlight_service.auth.roles import SAFE_METHODS, Role, need_of, needs
from arqlight_service.operations import health
from tests.conftest import with_database
from tests.support.access import Client, add_token, add_user, guarded, sign_in
from tests.support.postgres_proxy import PostgresProxy
from tests.support.waiting import eventually


async def entries(client: Client, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await (await client.get(f"/api/v1/audit?limit=1000&{query}")).json())["items"]
    return found


async def count(pool: ArqRedis) -> int:
    return sum([await pool.zcard(key) for key in await pool.keys("arqlight:audit:*")])


def _path(route: web.AbstractRoute) -> str:
    assert route.resource is not None
    path = route.resource.canonical.replace("{action}", "pause").replace("{kind}", "queue")
    return re.sub(r"\{\w+\}", "1", path)


async def test_every_route_that_changes_something_writes_one_entry_also_when_it_refuses(
    pool: ArqRedis, settings: Settings
) -> None:
    async with guarded(settings) as client:
        assert client.app is not None
        _, token = await add_token(client, "admin")
        _, viewer = await add_token(client, "viewer")
        seen = 0
        for route in client.app.router.routes():
            need = need_of(route)
            if need is None or (route.method in SAFE_METHODS and (route.method, need.kind) not in HANDED_OUT):
                continue
            seen += 1
            assert need.does, f"{route.method} {_path(route)} does not say in the audit list what it does"
            for headers in (token, viewer, {}):
                before = await count(pool)
                answer = await client.request(
                    route.method, _path(route), headers=headers, json={}, allow_redirects=False
                )
                assert await count(pool) == before + 1, (route.method, _path(route), answer.status)
                [entry] = (await (await client.get("/api/v1/audit?limit=1", headers=token)).json())["items"]
                is_refused = answer.status >= 400
                assert (entry["kind"] == "refused") == is_refused, entry
                assert (str(answer.status) in entry["result"]) == is_refused, entry
                assert entry["address"] == "127.0.0.1"
        assert seen > 30


HANDED_OUT = {("GET", "secret"), ("GET", "sign-in")}


async def test_a_new_route_cannot_be_left_out_of_it(
    pool: ArqRedis, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    @needs(Role.OPERATOR)
    async def forgotten(_: web.Request) -> web.Response:
        return web.Response()

    monkeypatch.setattr(health, "routes", [*health.routes, web.put("/forgotten/{x}", forgotten)])
    async with TestClient(TestServer(create_app(settings))) as client:
        assert (await client.put("/forgotten/1")).status == 200
        [entry] = await entries(client)
        assert (entry["what"], entry["who"], entry["result"]) == ("PUT /forgotten/1", "127.0.0.1", "done")


async def test_what_is_harmless_or_refused_pushes_no_change_out(pool: ArqRedis, settings: Settings) -> None:
    few = {f"keep_audit{kind}": 5 for kind in ("", "_routine", "_sign_ins", "_secrets", "_refused")}
    async with guarded(settings, **few) as client:
        assert client.app is not None
        await add_user(client, "ada", "admin")
        await sign_in(client, "ada")
        await pool.sadd("arqlight:queues", "arq:queue")  # type: ignore[misc]
        _, token = await add_token(client, "operator")
        assert (await client.post("/api/v1/queues/default/pause", headers=token)).status == 200
        for number in range(8):
            assert (await client.post("/api/v1/connections/default/test", headers=token)).status == 200
            assert (await client.post("/api/v1/failed/none/retry", headers=token)).status == 404
            assert (await sign_in(client, f"eve{number}", "wrong password 1")).status == 401
        await client.app[TRAIL].keep_up()
        kinds = [entry["kind"] for entry in await entries(client)]
        assert {kind: kinds.count(kind) for kind in kinds} == {"change": 1, "sign-in": 1, "routine": 5, "refused": 5}
        [change] = await entries(client, "kind=change")
        assert (change["what"], change["from"], change["to"]) == ("queue default", "running", "paused")
        page = await (await client.get("/settings")).text()
        assert "queue default" in page
        assert "sign in as ada" in page


async def test_entries_go_when_they_are_too_old(pool: ArqRedis, settings: Settings) -> None:
    app = create_app(settings.changed(keep_audit_days=1.0))
    async with TestClient(TestServer(app)) as client:
        entry = new_entry("change", "ada", "something")
        day_old = int(entry.id.partition("-")[0]) - 25 * 3600 * 1000
        for kind in ("change", "secret"):
            old = entry.to_json() | {"id": f"{day_old}-00", "kind": kind}
            await pool.zadd(f"arqlight:audit:{kind}", {f"{day_old}-00 {json.dumps(old)}": 0})
        await app[TRAIL].note(entry)
        await app[TRAIL].keep_up()
        assert [each["kind"] for each in await entries(client)] == ["change", "secret"]


async def test_enqueueing_events_and_secrets_are_in_it(
    family_settings: Settings, pool: ArqRedis, database: Database
) -> None:
    async with guarded(family_settings) as client:
        assert client.app is not None
        await client.app[TRAIL].keep_up()
        _, token = await add_token(client, "admin")
        _, program = await add_token(client, "enqueue")
        sent = await client.post("/api/v1/events", json={"event": "order.paid", "payload": {}}, headers=program)
        assert sent.status == 202, await sent.text()
        made = await client.post("/api/v1/webhooks", json={"url": "http://127.0.0.1:1/"}, headers=token)
        endpoint = await made.json()
        path = f"/api/v1/webhooks/{endpoint['id']}"
        assert (await client.patch(path, json={"description": "shop"}, headers=token)).status == 200
        assert (await client.post(f"{path}/rotate", json={}, headers=token)).status == 200
        assert (await client.delete(path, headers=token)).status == 204
        assert (await client.get("/exports/none/download?expires=1&signature=x", headers=token)).status == 403
        found = await (await client.get("/api/v1/audit?limit=6", headers=token)).json()
        told = [(each["kind"], each["what"].replace(endpoint["id"], "E")) for each in found["items"]]
        assert told == [
            ("refused", "download export none"), ("change", "delete webhook endpoint E"),
            ("secret", "rotate the secret of webhook endpoint E"), ("change", "change webhook endpoint E"),
            ("secret", "register a webhook endpoint"), ("routine", "send an event"),
        ]  # fmt: skip
        assert (found["items"][3]["from"], found["items"][3]["to"]) == ({"description": ""}, {"description": "shop"})
        assert found["items"][5]["to"]["event"] == "order.paid"
        assert endpoint["secret"] not in json.dumps(found)


async def test_with_postgresql_it_is_kept_there_and_its_absence_loses_nothing(
    pool: ArqRedis, settings: Settings, postgres: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with PostgresProxy(postgres) as proxy:
        app = create_app(with_database(settings, proxy.url))
        async with TestClient(TestServer(app)) as client:
            trail = app[TRAIL]
            await trail.keep_up()
            async with Connected(settings, postgres) as there:
                await there("TRUNCATE arqlight_audit.entries")
                await trail.note(new_entry("change", "ada", "before"))
                await trail.keep_up()
                assert (await count(pool), await there("SELECT count(*) FROM arqlight_audit.entries")) == (0, 1)
                async with proxy.down():
                    assert (await client.post("/api/v1/connections/default/test")).status == 200
                    assert await count(pool) == 1
                    assert (await client.get("/api/v1/audit")).status == 503
                    shown = await (await client.get("/settings")).text()
                    assert "no PostgreSQL answers" in shown
                    await eventually(lambda: "the audit list could not be kept up" in caplog.text, within_s=20)
                await eventually(lambda: _is_empty(pool), within_s=30)
                assert [each["what"] for each in await entries(client)] == ["test connection default", "before"]
                assert [each["what"] for each in await entries(client, "kind=change")] == ["before"]


async def test_in_postgresql_each_kind_is_held_to_its_bounds_too(
    pool: ArqRedis, settings: Settings, postgres: str
) -> None:
    app = create_app(with_database(settings, postgres, keep_audit=2))
    async with TestClient(TestServer(app)) as client, Connected(settings, postgres) as there:
        await app[TRAIL].keep_up()
        await there("TRUNCATE arqlight_audit.entries")
        kinds: tuple[Kind, ...] = ("change", "change", "change", "refused")
        for kind in kinds:
            await app[TRAIL].note(new_entry(kind, "ada", kind))
            await asyncio.sleep(0.002)  # ids of one millisecond are in no order
        app[TRAIL]._trimmed_ms = 0
        await app[TRAIL].keep_up()
        assert await there("SELECT count(*) FROM arqlight_audit.entries") == 3
        assert [each["what"] for each in await entries(client)] == ["refused", "change", "change"]


async def test_what_an_earlier_version_wrote_is_taken_over(pool: ArqRedis, settings: Settings) -> None:
    old = [
        {"at": "2026-11-01T10:00:00.000Z", "who": "ada", "what": "sign in from ::1", "from": None, "to": "signed in"},
        {"at": "2026-11-01T11:00:00.000Z", "who": "::1", "what": "sign in as eve", "from": None, "to": "refused"},
        {"at": "2026-11-01T12:00:00.000Z", "who": "ada", "what": "queue high", "from": "running", "to": "paused"},
    ]
    for entry in old:
        await pool.lpush("arqlight:audit", json.dumps(entry))  # type: ignore[misc]
    async with TestClient(TestServer(create_app(settings))) as client:
        for _ in range(2):
            found = await entries(client)
            assert [(each["kind"], each["what"]) for each in found] == [
                ("change", "queue high"), ("refused", "sign in as eve"), ("sign-in", "sign in from ::1"),
            ]  # fmt: skip
            assert (found[0]["from"], found[0]["to"], found[0]["at"][:13]) == ("running", "paused", "2026-11-01T12")
        assert not await pool.exists("arqlight:audit")


async def test_it_is_paged_and_exported_as_lines(pool: ArqRedis, settings: Settings) -> None:
    app = create_app(settings)
    async with TestClient(TestServer(app)) as client:
        for number in range(1_203):  # more than an export reads at once
            await app[TRAIL].note(new_entry("change" if number % 2 else "secret", "ada", f"{number}"))
        paged: list[str] = []
        cursor = ""
        while True:
            page = await (await client.get(f"/api/v1/audit?limit=500&cursor={cursor}")).json()
            paged += [each["id"] for each in page["items"]]
            if (cursor := page["next"]) is None:
                break
        answer = await client.get("/api/v1/audit?format=jsonl")
        assert answer.content_type == "application/x-ndjson"
        lines = [json.loads(line) for line in (await answer.text()).splitlines()]
        assert [each["id"] for each in lines] == paged
        assert len(set(paged)) == 1_203
        since = datetime.now(UTC).isoformat().replace("+00:00", "Z").replace("2026", "2099")
        assert await (await client.get(f"/api/v1/audit?format=jsonl&since={since}")).text() == ""
        assert (await client.get("/api/v1/audit?cursor=x")).status == 400
        assert (await client.get("/api/v1/audit?kind=x")).status == 400
    done = await asyncio.to_thread(_arqlight, settings, "audit", "export", "--kind", "secret")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [
        each["id"] for each in lines if each["kind"] == "secret"
    ]


async def test_the_command_line_is_in_it_too_also_when_it_is_refused(pool: ArqRedis, settings: Settings) -> None:
    assert (await asyncio.to_thread(_arqlight, settings, "token", "add", "ci")).returncode == 0
    assert (await asyncio.to_thread(_arqlight, settings, "token", "revoke", "none")).returncode != 0
    connections = open_connections(settings)
    assert connections.home is not None
    refused, made = await connections.home.audit.newest()
    await connections.close()
    assert (made.kind, made.what, made.result) == ("secret", "add token ci, viewer", "done")
    assert (refused.kind, refused.what) == ("refused", "revoke token none")
    assert "no token 'none'" in refused.result
    assert made.who.endswith("(command line)")


async def test_every_entry_is_a_line_of_the_log_also_when_it_cannot_be_kept(
    pool: ArqRedis, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "arqlight.audit")
    app = create_app(settings)
    async with TestClient(TestServer(app)) as client:
        await client.post("/api/v1/failed/a%0Ab/retry")
        [line] = [record for record in caplog.records if record.name == "arqlight.audit"]
        assert line.getMessage() == "127.0.0.1 (127.0.0.1) retry job a\\nb: refused (404)"
        assert line.__dict__["audit"] == (await entries(client))[0]
        await pool.set("arqlight:audit:change", "no sorted set")
        await app[TRAIL].note(new_entry("change", "ada", "lost"))
        assert "the audit list does not have" in caplog.text
        assert caplog.records[-1].levelno == logging.ERROR
        await pool.delete("arqlight:audit:change")


def test_an_entry_has_a_bound_and_no_secret() -> None:
    entry = new_entry("change", "a" * 9_999, "x", before={"password": "hunter2hunter2"}, after=["y" * 99_999])
    assert len(json.dumps(entry.to_json())) < 2 * LARGEST_VALUE
    assert "hunter2" not in json.dumps(entry.to_json())


async def _is_empty(pool: ArqRedis) -> bool:
    return await count(pool) == 0


def _arqlight(settings: Settings, *command: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {
        "ARQLIGHT_REDIS_URL": settings.resolved_redis_url(),
        "ARQLIGHT_DATA_DIR": str(settings.data_dir),
    }
    return subprocess.run(
        [sys.executable, "-m", "arqlight_service", *command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


class Connected:
    """`async with Connected(settings, url) as there:` and `await there(sql)` for the first value of the first row."""

    def __init__(self, settings: Settings, url: str) -> None:
        self._database = Database(with_database(settings, url))

    async def __aenter__(self) -> "Connected":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._database.close()

    async def __call__(self, sql: str) -> Any:
        async with self._database.begin() as connection:
            found = await connection.execute(text(sql))
            return found.scalar() if found.returns_rows else None
