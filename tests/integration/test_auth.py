"""Who gets in, what each role may, and for how long."""

import asyncio
import re
from typing import Any

import pytest
from aiohttp import WSMsgType, WSServerHandshakeError
from arq.connections import ArqRedis

from arqlight.connections.named import Connections
from arqlight.errors import InvalidInput, SettingsError
from arqlight.settings import Settings
from arqlight_service.app import create_app
from arqlight_service.auth.access import ACCESS
from arqlight_service.auth.open_feeds import WATCH
from arqlight_service.auth.roles import Role, need_of
from arqlight_service.auth.throttle import MOST
from tests.support import commands
from tests.support.access import PASSWORD, add_token, add_user, guarded, sign_in
from tests.support.commands import Ended
from tests.support.waiting import eventually

PUBLIC = {
    "/sign-in/provider", "/sign-in/callback", "/healthz", "/readyz", "/sign-in", "/api/v1/licences/public-key",
    "/static", "/unsubscribe", "/api/v1/sync/{marketplace}/events",
}  # fmt: skip
ADMIN = {
    "/api/v1/queues/{queue}/empty", "/api/v1/schedules/{name}", "/api/v1/settings/{kind}/{name}", "/api/v1/webhooks",
    "/api/v1/webhooks/{id}", "/api/v1/webhooks/{id}/delete", "/api/v1/webhooks/{id}/rotate",
    "/api/v1/templates/{name}", "/api/v1/templates/{name}/rollback", "/api/v1/telemetry/erasures",
}  # fmt: skip
DOWNLOADS = {
    "/exports/{id}/download", "/api/v1/telemetry/devices/export", "/api/v1/telemetry/usage/export",
}  # fmt: skip


def test_every_route_states_its_role_and_no_change_is_open_to_viewers(settings: Settings) -> None:
    app = create_app(settings, Connections([]))
    stated = {}
    for route in app.router.routes():
        need = need_of(route)
        assert need is not None, route
        assert route.resource is not None
        path = re.sub(r"\{(\w+):[^{}]*(\{[^}]*\})?\}", r"{\1}", route.resource.canonical)
        stated[route.method, path] = need.role
    assert len(stated) > 100
    for (method, path), role in stated.items():
        if path in PUBLIC:
            assert role is Role.PUBLIC, path
        elif path in DOWNLOADS:
            assert role is Role.OPERATOR
        elif method in ("GET", "HEAD"):
            assert role is Role.VIEWER, (method, path)
        elif path in ADMIN:
            assert role is Role.ADMIN, (method, path)
        elif path == "/sign-out":
            assert role is Role.VIEWER
        else:
            assert role is Role.OPERATOR, (method, path)


def test_a_route_that_states_no_role_stops_the_start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from aiohttp import web

    from arqlight_service.operations import health

    async def forgotten(_: web.Request) -> web.Response:
        return web.Response()

    monkeypatch.setattr(health, "routes", [web.get("/forgotten", forgotten)])
    with pytest.raises(SettingsError, match="/forgotten states no role"):
        create_app(settings, Connections([]))


async def test_nobody_gets_anything_without_signing_in(pool: ArqRedis, settings: Settings) -> None:
    async with guarded(settings) as client:
        assert client.app is not None
        for route in client.app.router.routes():
            assert route.resource is not None
            need = need_of(route)
            if need is None or need.role is Role.PUBLIC or route.method == "HEAD":
                continue
            path = re.sub(r"\{\w+:pause\|resume\}", "pause", route.resource.canonical)
            path = re.sub(r"\{\w+:queue\|task\}", "queue", path)
            path = re.sub(r"\{[^{}]*(\{[^}]*\})?\}", "1", path)
            answer = await client.request(route.method, path)
            assert answer.status == 401, (route.method, path)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await client.get("/nothing-here")).status == 401
        assert (await client.get("/healthz")).status == 200
        with pytest.raises(WSServerHandshakeError, match="401"):
            await client.ws_connect("/api/v1/feed")


async def test_a_person_is_led_to_the_sign_in_page_and_back(pool: ArqRedis, settings: Settings) -> None:
    async with guarded(settings) as client:
        page = await client.get("/jobs?state=failed", headers={"Accept": "text/html"}, allow_redirects=False)
        assert page.status == 303
        assert page.headers["Location"] == "/sign-in?next=/jobs?state%3Dfailed"
        assert "There is no user yet" in await (await client.get("/sign-in")).text()
        await add_user(client, "ada", "viewer")
        answer = await sign_in(client, "ada", form={"next": "/jobs?state=failed"})
        assert (answer.status, answer.headers["Location"]) == (303, "/jobs?state=failed")
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Path=/" in cookie
        me = await (await client.get("/api/v1/me")).json()
        assert me == {"name": "ada", "role": "viewer", "by": "session"}


async def test_over_https_the_cookie_is_bound_to_the_host_and_secure(pool: ArqRedis, settings: Settings) -> None:
    async with guarded(settings, trusted_proxies="127.0.0.1", public_url="https://jobs.example.org") as client:
        await add_user(client, "ada", "viewer")
        forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "jobs.example.org"}
        answer = await sign_in(client, "ada", headers=forwarded)
        assert answer.headers["Set-Cookie"].startswith("__Host-arqlight=")
        assert "Secure" in answer.headers["Set-Cookie"]
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


async def test_behind_https_no_cookie_is_set_that_is_not_secure(pool: ArqRedis, settings: Settings) -> None:
    forwarded = {"X-Forwarded-Proto": "https"}
    async with guarded(settings, public_url="https://jobs.example.org") as client:
        await add_user(client, "ada", "viewer")
        for headers in ({}, forwarded):  # the proxy is not named, or sends nothing: the public URL says it
            answer = await sign_in(client, "ada", headers=headers)
            assert answer.headers["Set-Cookie"].startswith("__Host-arqlight=")
            assert "Secure" in answer.headers["Set-Cookie"]
    async with guarded(settings) as client:
        answer = await sign_in(client, "ada", headers=forwarded)
        assert (answer.status, "Set-Cookie" in answer.headers) == (421, False)
        assert "ARQLIGHT_TRUSTED_PROXIES" in await answer.text()
    async with guarded(settings, trusted_proxies="127.0.0.1") as client:
        assert "Secure" in (await sign_in(client, "ada", headers=forwarded)).headers["Set-Cookie"]


async def test_one_name_is_one_user_however_it_is_written(pool: ArqRedis, settings: Settings) -> None:
    async with guarded(settings) as client:
        assert client.app is not None
        users, tokens = client.app[ACCESS].users, client.app[ACCESS].tokens
        assert users is not None
        assert tokens is not None
        await add_user(client, "Ada", "operator")
        for name in ("ADA", "ada"):
            with pytest.raises(InvalidInput, match="is a user already"):
                await users.add(name, PASSWORD, "admin")
        for name in ("\uff21da", "\ufb01n", "\u212ayle"):  # full width A, ligature fi, Kelvin sign
            with pytest.raises(InvalidInput, match="looks like another name"):
                await users.add(name, PASSWORD, "admin")
            with pytest.raises(InvalidInput, match="looks like another name"):
                await tokens.add(name, "viewer", 1)
        assert (await sign_in(client, "aDA")).status == 303
        assert (await (await client.get("/api/v1/me")).json())["name"] == "ada"
        await users.change("ADA", role="viewer")
        assert [(user.name, user.role) for user in await users.all()] == [("ada", Role.VIEWER)]
        await users.remove("Ada")
        assert await users.all() == []


async def test_a_user_of_an_earlier_version_keeps_the_name_as_it_was_typed(pool: ArqRedis, settings: Settings) -> None:
    async with guarded(settings) as client:
        await add_user(client, "ada", "viewer")
        await pool.hset("arqlight:users", "Ada", await pool.hget("arqlight:users", "ada"))  # type: ignore[misc]
        await pool.hdel("arqlight:users", "ada")  # type: ignore[misc]
        assert (await sign_in(client, "Ada")).status == 303
        assert (await (await client.get("/api/v1/me")).json())["name"] == "Ada"
        with pytest.raises(InvalidInput, match="is a user already"):
            await add_user(client, "ada", "viewer")


async def test_another_way_to_write_a_name_is_no_further_try(pool: ArqRedis, settings: Settings) -> None:
    async with guarded(settings) as client:
        await add_user(client, "ada", "admin")
        names = ("ada", "Ada", "aDa", "ADA", "\uff41da")
        for number in range(MOST["pair"]):
            assert (await sign_in(client, names[number % len(names)], "wrong password 1")).status == 401
        assert (await sign_in(client, "adA")).status == 429


async def test_a_wrong_password_and_an_unknown_name_look_the_same(pool: ArqRedis, settings: Settings) -> None:
    async with guarded(settings) as client:
        await add_user(client, "ada", "admin")
        answers = [await sign_in(client, name, "wrong password 1") for name in ("ada", "eve")]
        assert [answer.status for answer in answers] == [401, 401]
        texts = [await answer.text() for answer in answers]
        assert texts[0] == texts[1]
        assert "Incorrect name or password" in texts[0]
        assert (await client.get("/api/v1/me")).status == 401


async def test_tries_are_limited_also_with_the_right_password(pool: ArqRedis, settings: Settings) -> None:
    async with guarded(settings) as client:
        await add_user(client, "ada", "admin")
        for _ in range(MOST["pair"]):
            assert (await sign_in(client, "ada", "wrong password 1")).status == 401
        answer = await sign_in(client, "ada")
        assert answer.status == 429
        assert 0 < int(answer.headers["Retry-After"]) <= 900
        assert (await sign_in(client, "bob", "wrong password 1")).status == 401, "another name is not locked out"


async def test_what_is_kept_opens_nothing(pool: ArqRedis, settings: Settings) -> None:
    async with guarded(settings) as client:
        await add_user(client, "ada", "viewer")
        cookie = (await sign_in(client, "ada")).cookies["arqlight"].value
        _, headers = await add_token(client, "viewer")
        secrets = [PASSWORD, cookie, headers["Authorization"].removeprefix("Bearer ")]
        for key in await pool.keys("arqlight:*"):
            read: Any = {b"string": pool.get, b"hash": pool.hgetall}.get(await pool.type(key))
            dump = repr((key, await read(key) if read else None))
            assert not any(secret in dump for secret in secrets), key
        assert "$argon2id$" in repr(await pool.hgetall("arqlight:users"))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("scope", "reads", "retries", "empties", "enqueues"),
    [
        ("viewer", 200, 403, 403, 403),
        ("operator", 200, 404, 403, 422),
        ("admin", 200, 404, 404, 422),
        ("enqueue", 403, 403, 403, 422),
        ("telemetry", 403, 403, 403, 403),
        ("metrics", 403, 403, 403, 403),
    ],
)
async def test_each_scope_may_what_it_says_and_no_more(
    pool: ArqRedis, settings: Settings, scope: str, reads: int, retries: int, empties: int, enqueues: int
) -> None:
    async with guarded(settings) as client:
        _, headers = await add_token(client, scope)
        assert (await client.get("/api/v1/stats", headers=headers)).status == reads
        assert (await client.post("/api/v1/failed/x/retry", headers=headers)).status == retries
        empty = await client.post("/api/v1/queues/none/empty", json={"confirm": "none"}, headers=headers)
        assert empty.status == empties
        assert (await client.post("/api/v1/jobs", json={}, headers=headers)).status == enqueues


async def test_a_token_ends_when_it_expires_is_revoked_or_is_another(pool: ArqRedis, settings: Settings) -> None:
    async with guarded(settings) as client:
        assert client.app is not None
        tokens = client.app[ACCESS].tokens
        assert tokens is not None
        _, short = await add_token(client, "viewer", days=0.3 / 86_400)
        token_id, headers = await add_token(client, "viewer")
        assert (await client.get("/api/v1/me", headers=headers)).status == 200
        assert (await client.get("/api/v1/me", headers={"Authorization": "Bearer arql_x"})).status == 401
        await tokens.revoke(token_id)
        assert (await client.get("/api/v1/me", headers=headers)).status == 401
        await eventually(lambda: _is_refused(client, short))
        with pytest.raises(InvalidInput, match="367"):
            await tokens.add("too long", "viewer", 367)
        with pytest.raises(InvalidInput, match="no scope 'root'"):
            await tokens.add("root", "root", 1)


async def _is_refused(client: Any, headers: dict[str, str]) -> bool:
    return bool((await client.get("/api/v1/me", headers=headers)).status == 401)


async def _closed_within(socket: Any, seconds: float) -> int:
    async with asyncio.timeout(seconds):
        while True:
            message = await socket.receive()
            if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING):
                return int(socket.close_code)


async def test_a_revoked_tokens_feed_closes_within_five_seconds_and_no_other(
    pool: ArqRedis, settings: Settings
) -> None:
    async with guarded(settings) as client:
        assert client.app is not None
        tokens = client.app[ACCESS].tokens
        assert tokens is not None
        gone_id, gone = await add_token(client, "viewer")
        _, stays = await add_token(client, "viewer")
        text = gone["Authorization"].removeprefix("Bearer ")
        socket = await client.ws_connect("/api/v1/feed", protocols=("arqlight.v1", f"bearer.{text}"))
        assert socket.protocol == "arqlight.v1", "the token is not said back"
        other = await client.ws_connect("/api/v1/feed", headers=stays)
        events = await client.get("/api/v1/feed?subscribe=counts", headers=gone)
        await tokens.revoke(gone_id)
        assert await _closed_within(socket, 5) == 1008
        async with asyncio.timeout(5):
            await events.content.read()
        await other.send_json({"subscribe": ["counts"]})
        assert (await other.receive_json(timeout=5))["type"] == "snapshot"
        with pytest.raises(WSServerHandshakeError, match="401"):
            await client.ws_connect("/api/v1/feed", headers=gone)


async def test_a_consumer_that_does_not_answer_the_close_does_not_keep_others_open(
    pool: ArqRedis, settings: Settings
) -> None:
    async with guarded(settings) as client:
        assert client.app is not None
        tokens, watch = client.app[ACCESS].tokens, client.app[WATCH]
        assert tokens is not None
        (mute_id, mute), (other_id, other) = await add_token(client, "viewer"), await add_token(client, "viewer")
        silent = await client.ws_connect("/api/v1/feed", headers=mute, autoclose=False)
        socket = await client.ws_connect("/api/v1/feed", headers=other)
        await tokens.revoke(mute_id)
        await eventually(lambda: watch.dropped["not allowed any more"])
        await tokens.revoke(other_id)
        assert await _closed_within(socket, 5) == 1008
        await silent.close()


async def test_where_nobody_signs_in_no_name_but_this_machines_is_answered_for(
    pool: ArqRedis, settings: Settings
) -> None:
    async with guarded(settings, auth="none", public_url="https://jobs.example.org") as client:
        assert (await client.get("/api/v1/stats", headers={"Host": "jobs.example.org"})).status == 421
        assert (await client.get("/api/v1/stats")).status == 200


@pytest.mark.parametrize("change", ["sign out", "new password", "other role", "removed"])
async def test_a_session_and_its_feed_end_with_what_made_them(pool: ArqRedis, settings: Settings, change: str) -> None:
    async with guarded(settings) as client:
        assert client.app is not None
        users = client.app[ACCESS].users
        assert users is not None
        await add_user(client, "ada", "operator")
        await sign_in(client, "ada")
        socket = await client.ws_connect("/api/v1/feed", protocols=("arqlight.v1",))
        if change == "sign out":
            csrf = _csrf(await (await client.get("/", headers={"Accept": "text/html"})).text())
            answer = await client.post("/sign-out", headers={"X-CSRF-Token": csrf}, allow_redirects=False)
            assert answer.status == 303
        elif change == "new password":
            await users.change("ada", password="another long secret")
        elif change == "other role":
            await users.change("ada", role="viewer")
        else:
            await users.remove("ada")
        assert await _closed_within(socket, 5) == 1008
        assert (await client.get("/api/v1/me")).status == 401


def _csrf(page: str) -> str:
    found = re.search(r'<meta name="csrf" content="([0-9a-f]{32})">', page)
    assert found
    return found[1]


async def test_a_change_from_a_page_needs_what_only_our_pages_know(pool: ArqRedis, settings: Settings) -> None:
    async with guarded(settings) as client:
        await add_user(client, "ada", "operator")
        await sign_in(client, "ada")
        csrf = _csrf(await (await client.get("/", headers={"Accept": "text/html"})).text())
        retry = "/api/v1/failed/x/retry"
        assert (await client.post(retry)).status == 403
        assert (await client.post(retry, headers={"X-CSRF-Token": "0" * 32})).status == 403
        assert (await client.post(retry, headers={"X-CSRF-Token": "ü"})).status == 403
        assert (await client.post(retry, headers={"X-CSRF-Token": csrf})).status == 404
        assert (await client.post(retry, data={"_csrf": csrf})).status == 404
        assert (await client.post(retry, data={"_csrf": "x"})).status == 403


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
     {"Origin": "null"}],
)  # fmt: skip
async def test_another_sites_page_changes_nothing_and_gets_no_feed(
    pool: ArqRedis, settings: Settings, headers: dict[str, str]
) -> None:
    async with guarded(settings) as client:
        await add_user(client, "ada", "admin")
        assert (await sign_in(client, "ada", headers=headers)).status == 403, "signing somebody in as another"
        await sign_in(client, "ada")
        assert (await client.post("/api/v1/failed/x/retry", headers=headers)).status == 403
        with pytest.raises(WSServerHandshakeError, match="403"):
            await client.ws_connect("/api/v1/feed", headers=headers)


async def test_only_our_own_names_are_answered_for(pool: ArqRedis, settings: Settings) -> None:
    async with guarded(settings, public_url="https://jobs.example.org", allowed_hosts="other.internal") as client:
        for host, status in (
            ("jobs.example.org", 401), ("JOBS.example.org:443", 401), ("other.internal", 401), ("localhost", 401),
            ("evil.example", 421), ("jobs.example.org.evil.example", 421), ("[", 400), ("", 400),
        ):  # fmt: skip
            assert (await client.get("/api/v1/stats", headers={"Host": host})).status == status, host
        assert (await client.get("/healthz", headers={"Host": "10.1.2.3:8080"})).status == 200
        _, token = await add_token(client, "viewer")
        offered = {"Sec-WebSocket-Protocol": f"bearer.{token['Authorization'].removeprefix('Bearer ')}"}
        for host, status in (("evil.example", 421), ("10.1.2.3", 421), ("other.internal", 200), ("127.0.0.1", 200)):
            assert (await client.get("/api/v1/stats", headers={"Host": host, **token})).status == status, host
        assert (await client.get("/api/v1/stats", headers={"Host": "evil.example", **offered})).status == 421


async def test_only_a_named_proxys_word_counts(pool: ArqRedis, settings: Settings) -> None:
    roles = {"auth": "proxy", "roles": "ada@example.org=admin,*@example.org=viewer"}
    said = {"X-Forwarded-User": "ada@example.org", "X-Forwarded-For": "203.0.113.9"}
    async with guarded(settings, **roles, trusted_proxies="10.0.0.0/8") as client:
        assert (await client.get("/api/v1/me", headers=said)).status == 401, "we are no named proxy"
    async with guarded(settings, **roles, trusted_proxies="127.0.0.1") as client:
        me = await (await client.get("/api/v1/me", headers=said)).json()
        assert me == {"name": "ada@example.org", "role": "admin", "by": "proxy"}
        other = await client.get("/api/v1/me", headers={"X-Forwarded-User": "Bob@Example.org"})
        assert (await other.json())["role"] == "viewer"
        shouted = await client.get("/api/v1/me", headers={"X-Forwarded-User": "ADA@example.org"})
        assert (await shouted.json())["role"] == "admin"
        for name in ("eve@evil.example", "", "a" * 300 + "@example.org", "\uff41da@example.org"):
            assert (await client.get("/api/v1/me", headers={"X-Forwarded-User": name})).status == 401
        twice = [("X-Forwarded-User", "ada@example.org"), ("X-Forwarded-User", "bob@example.org")]
        assert (await client.get("/api/v1/me", headers=twice)).status == 401
        assert (await client.post("/api/v1/failed/x/retry", headers=said)).status == 403, "no CSRF token"
        page = await (await client.get("/", headers={**said, "Accept": "text/html"})).text()
        answer = await client.post("/api/v1/failed/x/retry", headers={**said, "X-CSRF-Token": _csrf(page)})
        assert answer.status == 404


async def test_the_audit_list_says_who_did_what(pool: ArqRedis, settings: Settings) -> None:
    async with guarded(settings, trusted_proxies="127.0.0.1") as client:
        await add_user(client, "ada", "admin")
        client_address = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9"}
        await sign_in(client, "eve", "wrong password 1", headers=client_address)
        await sign_in(client, "ada", headers=client_address)
        _, token = await add_token(client, "operator")
        await pool.sadd("arqlight:queues", "arq:queue")  # type: ignore[misc]
        assert (await client.post("/api/v1/queues/default/pause", headers=token)).status == 200
        assert (
            await client.post("/api/v1/operations", json={"kind": "retry", "all": True}, headers=token)
        ).status == 202
        assert (await client.post("/api/v1/failed/none/retry", headers=token)).status == 404
        audit = (await (await client.get("/api/v1/audit")).json())["items"]
        told = [(entry["kind"], entry["who"], entry["address"], entry["what"], entry["result"]) for entry in audit]
        assert told == [
            ("refused", "token a operator", "127.0.0.1", "retry job none", "refused (404)"),
            ("change", "token a operator", "127.0.0.1", "retry failed jobs", "done"),
            ("change", "token a operator", "127.0.0.1", "queue default", "done"),
            ("sign-in", "ada", "203.0.113.9", "sign in as ada", "done"),
            ("refused", "203.0.113.9", "203.0.113.9", "sign in as eve", "refused (401)"),
        ]


async def test_one_address_gets_so_many_feeds_and_so_many_frames(pool: ArqRedis, settings: Settings) -> None:
    async with guarded(settings, auth="none", sockets_per_address=3) as client:
        sockets = [await client.ws_connect("/api/v1/feed") for _ in range(3)]
        with pytest.raises(WSServerHandshakeError, match="429"):
            await client.ws_connect("/api/v1/feed")
        assert (await client.get("/api/v1/feed?subscribe=counts")).status == 429
        for _ in range(200):
            await sockets[0].send_str('{"subscribe": ["counts"]}')
        assert await _closed_within(sockets[0], 5) == 1008

        async def has_room() -> bool:
            try:
                await client.ws_connect("/api/v1/feed")
            except WSServerHandshakeError:
                return False
            return True

        await eventually(has_room)


async def test_users_and_tokens_are_made_on_the_command_line(pool: ArqRedis, settings: Settings) -> None:
    async def run(*command: str, stdin: str = "") -> Ended:
        server = {"ARQLIGHT_REDIS_URL": str(settings.redis_url)}
        return await asyncio.to_thread(commands.run, *command, environment=server, stdin=stdin)

    made = await run("user", "add", "ada", "--role", "operator", "--password-stdin", stdin=PASSWORD + "\n")
    assert (made.code, made.printed) == (0, "ada may sign in as operator\n")
    again = await run("user", "add", "ada", "--password-stdin", stdin=PASSWORD + "\n")
    assert again.code == 2
    assert "'ada' is a user already" in again.told
    weak = await run("user", "add", "bob", "--password-stdin", stdin="short\n")
    assert weak.code == 2
    assert "12 at least" in weak.told
    assert "ada\toperator" in (await run("user", "list")).printed
    token = await run("token", "add", "ci", "--scope", "enqueue", "--days", "7")
    assert token.printed.startswith("arql_")
    async with guarded(settings) as client:
        assert (await sign_in(client, "ada")).status == 303
        headers = {"Authorization": f"Bearer {token.printed.strip()}"}
        assert (await client.post("/api/v1/jobs", json={}, headers=headers)).status == 422
        listed = (await run("token", "list")).printed
        assert token.printed.strip() not in listed
        assert (await run("token", "revoke", listed.split("\t")[0])).code == 0
        assert (await client.post("/api/v1/jobs", json={"task": "nope"}, headers=headers)).status == 401
        assert (await run("user", "remove", "ada")).code == 0
        assert (await client.get("/api/v1/me")).status == 401
    assert "no user 'ada'" in (await run("user", "change", "ada", "--role", "viewer")).told
