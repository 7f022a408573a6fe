"""What people expect of a REST API, whatever the call."""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from arq.connections import ArqRedis

from arqlight.errors import SettingsError
from arqlight.families.database import Database
from arqlight.journal.journal import Journal, NewJob
from arqlight.settings import Settings, load_settings
from arqlight_service.api.call import Call, call_of
from arqlight_service.app import create_app
from arqlight_service.auth.middleware import refuse_open_service
from tests.conftest import Client, with_database
from tests.support.access import add_token, guarded

JOB = {"task": "work", "args": [1]}


@pytest.fixture
async def known(journal: Journal, pool: ArqRedis) -> None:
    await journal.announce_tasks({"work": {"queue": "arq:queue", "serializer": "pickle"}})
    await journal.announce_queues(["arq:queue"])


def _calls(client: Client) -> list[tuple[str, str, Call]]:
    """Every call of the API with an address that a router can make of it."""
    assert client.app is not None
    found = []
    for route in client.app.router.routes():
        stated = call_of(route.handler)
        if stated is not None and route.method != "HEAD" and route.resource is not None:
            path = route.resource.canonical
            for name, value in (
                ("action", "pause"),
                ("kind", "task"),
                ("id", "1"),
                ("queue", "default"),
                ("name", "1"),
            ):
                path = path.replace(f"{{{name}}}", value)
            found.append((route.method, path, stated))
    return found


async def test_an_unknown_parameter_is_refused_by_every_call_alike(client: Client) -> None:
    calls = _calls(client)
    assert len(calls) > 55
    for method, path, _ in calls:
        answer = await client.request(method, path, params={"colour": "red"}, json={})
        told = await answer.json()
        assert (answer.status, told["field"]) == (400, "colour"), (method, path, told)
        assert "unknown parameter 'colour'" in told["detail"]


async def test_a_body_of_another_kind_is_415_at_every_call_that_takes_one(client: Client) -> None:
    takers = [(method, path) for method, path, stated in _calls(client) if stated.body is not None]
    assert len(takers) > 15
    for method, path in takers:
        answer = await client.request(method, path, data=b"<job/>", headers={"Content-Type": "application/xml"})
        assert answer.status == 415, (method, path, await answer.text())
        assert answer.content_type == "application/problem+json"


async def test_json_with_a_vendors_type_is_json(client: Client, known: None) -> None:
    body, headers = json.dumps(JOB), {"Content-Type": "application/vnd.example+json"}
    assert (await client.post("/api/v1/jobs", data=body, headers=headers)).status == 201


async def test_options_says_what_may_be_asked(client: Client) -> None:
    answer = await client.options("/api/v1/failed/x")
    assert (answer.status, answer.headers["Allow"]) == (204, "DELETE, GET, HEAD, OPTIONS")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert (await client.options("/api/v1/nowhere")).status == 404


async def test_a_script_of_a_named_site_may_call_with_a_token_and_no_other_site(
    settings: Settings, pool: ArqRedis
) -> None:
    async with guarded(settings, cors_origins="https://app.example.org") as client:
        _, token = await add_token(client, "operator")
        theirs = {"Origin": "https://app.example.org", "Sec-Fetch-Site": "cross-site"}
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        preflight = await client.options("/api/v1/jobs", headers=theirs | asked)
        assert preflight.status == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == "https://app.example.org"
        assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
        assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
        read = await client.get("/api/v1/stats", headers=theirs | token)
        assert (read.status, read.headers["Access-Control-Allow-Origin"]) == (200, "https://app.example.org")
        assert "Access-Control-Allow-Credentials" not in read.headers
        changed = await client.post("/api/v1/failed/x/retry", headers=theirs | token)
        assert changed.status == 404, "it came as far as the call"
        assert changed.headers["Access-Control-Allow-Origin"] == "https://app.example.org", "a refusal can be read too"
        without = await client.post("/api/v1/failed/x/retry", headers=theirs)
        assert without.status == 403
        other = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        assert (
            "Access-Control-Allow-Origin" not in (await client.options("/api/v1/jobs", headers=other | asked)).headers
        )
        assert (await client.post("/api/v1/failed/x/retry", headers=other | token)).status == 403


@pytest.mark.parametrize("origin", ["https://a.example/path", "a.example", "*", "https://", "null"])
def test_an_origin_that_is_none_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(SettingsError, match="ARQLIGHT_CORS_ORIGINS"):
        load_settings(cors_origins=origin)


def test_other_sites_are_not_let_in_where_nobody_signs_in(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="ARQLIGHT_CORS_ORIGINS needs ARQLIGHT_AUTH"):
        refuse_open_service(settings.changed(cors_origins="https://app.example.org"))


async def test_a_request_that_is_sent_again_is_done_once(client: Client, known: None, pool: ArqRedis) -> None:
    headers = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    first = await client.post("/api/v1/jobs", json=JOB, headers=headers)
    second = await client.post("/api/v1/jobs", json=JOB, headers=headers)
    assert (first.status, second.status) == (201, 201)
    assert await first.json() == await second.json()
    assert second.headers["Location"] == first.headers["Location"]
    assert (first.headers.get("Idempotency-Replayed"), second.headers["Idempotency-Replayed"]) == (None, "true")
    assert await pool.zcard("arq:queue") == 1
    other = await client.post("/api/v1/jobs", json={**JOB, "args": [2]}, headers=headers)
    assert (other.status, (await other.json())["field"]) == (422, "Idempotency-Key")
    again = await client.post("/api/v1/jobs", json=JOB, headers={"Idempotency-Key": "another"})
    assert again.status == 201
    assert await pool.zcard("arq:queue") == 2


async def test_of_many_at_once_under_one_key_one_is_done(client: Client, known: None, pool: ArqRedis) -> None:
    async def post() -> int:
        return (await client.post("/api/v1/jobs", json=JOB, headers={"Idempotency-Key": "k"})).status

    statuses = await asyncio.gather(*(post() for _ in range(10)))
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    assert await pool.zcard("arq:queue") == 1


async def test_what_was_refused_under_a_key_may_be_sent_again(client: Client, journal: Journal, pool: ArqRedis) -> None:
    headers = {"Idempotency-Key": "k"}
    assert (await client.post("/api/v1/jobs", json=JOB, headers=headers)).status == 503
    await journal.announce_tasks({"work": {"queue": "arq:queue", "serializer": "pickle"}})
    assert (await client.post("/api/v1/jobs", json=JOB, headers=headers)).status == 201


async def test_a_key_is_of_who_sent_it(settings: Settings, pool: ArqRedis, known: None) -> None:
    async with guarded(settings) as client:
        headers = {"Idempotency-Key": "k"}
        answers = []
        for scope in ("operator", "admin"):
            _, token = await add_token(client, scope)
            answers.append(await (await client.post("/api/v1/jobs", json=JOB, headers=headers | token)).json())
        assert answers[0]["id"] != answers[1]["id"]


@pytest.mark.parametrize("key", ["", "x" * 201, "é"])
async def test_a_key_that_is_none_is_refused(client: Client, known: None, key: str) -> None:
    answer = await client.post("/api/v1/jobs", json=JOB, headers={"Idempotency-Key": key})
    assert answer.status == 400


Fetch = Callable[[dict[str, str]], Awaitable[tuple[dict[str, str], bytes]]]


@pytest.fixture
async def fetch(settings: Settings, journal: Journal, known: None) -> Any:
    """The list of many jobs, as it comes: nothing is unpacked."""
    await journal.enqueue([NewJob("work", "arq:queue", (number,)) for number in range(50)])
    async with TestClient(TestServer(create_app(settings)), auto_decompress=False) as client:

        async def get(headers: dict[str, str]) -> tuple[dict[str, str], bytes]:
            answer = await client.get("/api/v1/jobs", headers=headers)
            return dict(answer.headers), await answer.read()

        yield get


async def test_a_large_answer_is_gzipped_for_those_who_accept_it(fetch: Fetch) -> None:
    headers, body = await fetch({"Accept-Encoding": "gzip, deflate"})
    assert headers["Content-Encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(body))["items"]) == 50
    assert "Accept-Encoding" in headers["Vary"]


@pytest.mark.parametrize("accepted", ["identity", "gzip;q=0", "gzip; q=0.0, *", "br"])
async def test_it_is_not_for_those_who_do_not(fetch: Fetch, accepted: str) -> None:
    headers, body = await fetch({"Accept-Encoding": accepted})
    assert "Content-Encoding" not in headers
    assert len(json.loads(body)["items"]) == 50


@pytest.mark.parametrize(
    ("accepted", "kind"),
    [
        ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "text/html"),
        ("text/html;q=0, application/json", "application/problem+json"),
        ("application/json", "application/problem+json"),
        ("*/*", "application/problem+json"),
    ],
)
async def test_html_is_for_those_who_accept_it(client: Client, accepted: str, kind: str) -> None:
    answer = await client.get("/nowhere", headers={"Accept": accepted})
    assert (answer.status, answer.content_type) == (404, kind)


async def test_metrics_are_open_metrics_for_those_who_ask(client: Client, known: None, pool: ArqRedis) -> None:
    await client.post("/api/v1/jobs", json={**JOB, "id": "x"})
    await client.post("/api/v1/jobs/x/cancel")
    plain = await client.get("/metrics")
    assert plain.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    text = await plain.text()
    assert 'arqlight_jobs_enqueued_total{connection="default",queue="default"} 1.0' in text
    assert 'arqlight_jobs_cancelled_total{connection="default",queue="default"} 1.0' in text
    assert 'arqlight_build_info{python="' in text
    asked = {"Accept": "application/openmetrics-text; version=1.0.0, text/plain;q=0.5"}
    other = await client.get("/metrics", headers=asked)
    assert other.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert (await other.text()).endswith("# EOF\n")


async def test_an_answer_with_a_secret_is_kept_nowhere(
    settings: Settings, postgres: str, database: Database, pool: ArqRedis
) -> None:
    at = with_database(settings, postgres, webhook_allowed_networks="127.0.0.0/8")
    async with TestClient(TestServer(create_app(at))) as client:
        headers, endpoint = {"Idempotency-Key": "k"}, {"url": "http://127.0.0.1:9/hook"}
        first = await client.post("/api/v1/webhooks", json=endpoint, headers=headers)
        secret = (await first.json())["secret"]
        again = await client.post("/api/v1/webhooks", json=endpoint, headers=headers)
        assert (first.status, again.status) == (201, 409)
        assert "shown once" in (await again.json())["detail"]
        assert len((await (await client.get("/api/v1/webhooks")).json())["items"]) == 1
    for key in await pool.keys("arqlight:answers:*"):
        assert secret.encode() not in (await pool.get(key) or b"")


async def test_what_is_answered_again_is_in_the_audit_list_once(
    client: Client, journal: Journal, pool: ArqRedis
) -> None:
    await journal.enqueue([NewJob("work", "arq:queue", id="x")])
    headers = {"Idempotency-Key": "k"}
    for _ in range(2):
        assert (await client.post("/api/v1/jobs/x/cancel", headers=headers)).status == 202
    entries = (await (await client.get("/api/v1/audit")).json())["items"]
    assert [entry["what"] for entry in entries] == ["cancel job x"]
