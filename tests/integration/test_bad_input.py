"""Every form and endpoint refuses what it cannot use, with the field and the reason, and saves nothing of it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from arq.connections import ArqRedis
from sqlalchemy import func, select

from arqlight.families.database import Database
from arqlight.families.metadata import metadata
from arqlight.settings import Settings
from arqlight_service.app import create_app
from tests.conftest import Client

LONG = "x" * 300_000
PARTS = {"subject": "a", "text": "b", "html": "c"}


@pytest.fixture
async def site(family_settings: Settings, pool: ArqRedis) -> AsyncIterator[Client]:
    async with TestClient(TestServer(create_app(family_settings))) as client:
        yield client


CASES: list[tuple[str, Any, int, str | None]] = [
    ("webhooks", {"url": 5}, 422, "url"),
    ("webhooks", {}, 422, "url"),
    ("webhooks", {"url": LONG}, 422, "url"),
    ("webhooks", {"url": "http://10.0.0.1/"}, 422, "url"),
    ("webhooks", {"url": "http://[::ffff:169.254.169.254]/"}, 422, "url"),
    ("webhooks", {"url": "http://127.0.0.1:9/", "description": "a\0b"}, 422, "description"),
    ("webhooks", {"url": "http://127.0.0.1:9/", "description": "\ud800"}, 422, "description"),
    ("webhooks", {"url": "http://127.0.0.1:9/", "event_types": "a,,b c"}, 422, "event_types"),
    ("webhooks", {"url": "http://127.0.0.1:9/", "colour": 1}, 422, "colour"),
    ("webhooks/nope", {"enabled": True}, 404, None),
    ("webhooks/nope/rotate", {"overlap_s": "long"}, 422, "overlap_s"),
    ("webhooks/nope/rotate", {"overlap_s": 1}, 404, None),
    ("deliveries/12/resend", {}, 404, None),
    ("events", {"event": "a b"}, 422, "event_types"),
    ("events", {"payload": 1}, 422, "event"),
    ("licences", {"product": "Quill", "count": "many"}, 422, "count"),
    ("licences", {"product": "Quill", "count": 0}, 422, "count"),
    ("licences", {"product": "Quill", "count": 10**9}, 422, "count"),
    ("licences", {"product": "a\0", "count": 1}, 422, "product"),
    ("licences", {"count": 1}, 422, "product"),
    ("exports", {"table": "users", "format": "csv"}, 422, "table"),
    ("exports", {"table": "sales", "format": "xls"}, 422, "format"),
    ("exports", {"table": ["sales"], "format": "csv"}, 422, "table"),
    ("sync", {"marketplace": "ebay"}, 422, "marketplace"),
    ("sync", {}, 422, "marketplace"),
    ("sync", {"marketplace": "gumroad", "full": 7}, 422, "full"),
    ("sync", {"marketplace": ["gumroad"]}, 422, "marketplace"),
    ("sync/gumroad/events", {}, 404, None),
    ("sync/lemonsqueezy/events", {"meta": {}}, 404, None),
    ("telemetry", {"events": "many"}, 422, "events"),
    ("telemetry", {"events": [{}] * 1001}, 422, "events"),
    ("templates/order", {**PARTS, "text": LONG}, 422, "text"),
    ("templates/order", {**PARTS, "text": "a\0b"}, 422, "text"),
    ("templates/order", {**PARTS, "note": "a\x1bb"}, 422, "note"),
    ("templates/order", {**PARTS, "subject": "{{ x"}, 422, "subject"),
    ("templates/order", {"subject": "a"}, 422, "text"),
    ("templates/no-name", PARTS, 422, "name"),
    ("templates/preview", {**PARTS, "variables": [1]}, 422, "variables"),
    ("templates/alert/test", {"to": "nobody"}, 422, "to"),
    ("templates/alert/test", {"to": "a@b.org\nBcc: c@d.org"}, 422, "to"),
    ("templates/alert/test", {"to": "a@b.org", "variables": {"template": "x"}}, 422, "variables"),
    ("templates/alert/rollback", {"version": 10**30}, 422, "version"),
    ("templates/alert/rollback", {"version": 77}, 404, None),
    ("templates/nothing/rollback", {"version": 1}, 404, None),
    ("schedules/nope", {"cron": "* * * * *"}, 404, None),
    ("settings/task/nope", {"tries": 2}, 404, None),
    ("queues/nope/pause", {}, 404, None),
    ("operations/nope/cancel", {}, 404, None),
    ("jobs/nope/again", {"args": [], "kwargs": {}}, 404, None),
]


@pytest.mark.parametrize(("path", "body", "status", "field"), CASES)
async def test_what_cannot_be_used_is_refused_with_the_field_and_nothing_is_saved(
    site: Client, database: Database, pool: ArqRedis, path: str, body: Any, status: int, field: str | None
) -> None:
    answer = await site.post(f"/api/v1/{path}", json=body)
    problem = await answer.json()
    assert (answer.status, problem.get("field")) == (status, field), problem
    assert answer.content_type == "application/problem+json"
    assert problem["detail"]
    assert len(problem["detail"]) < 1000
    async with database.begin() as connection:
        for table in metadata.sorted_tables:
            assert (await connection.execute(select(func.count()).select_from(table))).scalar_one() == 0, table.name
    assert not await pool.keys("arq:job:*")


@pytest.mark.parametrize(
    ("data", "content_type"),
    [(b"\xff\xfe", "application/json"), (b'{"product": NaN}', "application/json"), (b"[" * 100_000, "application/json"),
     (b"product=%FF%FE&count=1", "application/x-www-form-urlencoded"), (b"{", "application/json"), (b"", "application/json"),
     (b"a=b", "application/x-www-form-urlencoded; charset=klingon")],
)  # fmt: skip
async def test_a_body_of_a_wrong_encoding_is_refused(site: Client, data: bytes, content_type: str) -> None:
    answer = await site.post("/api/v1/licences", data=data, headers={"Content-Type": content_type})
    assert answer.status in (400, 422)
    assert (await answer.json())["detail"]


async def test_a_form_of_a_browser_is_answered_with_a_page_that_says_what_was_wrong(site: Client) -> None:
    headers = {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"}
    answer = await site.post("/api/v1/licences", data="product=Quill&count=0", headers=headers)
    text = await answer.text()
    assert answer.status == 422
    assert "Count: 0 is not between 1 and 1,000,000" in text
    answer = await site.post("/api/v1/licences", data="product=Quill&count=3", headers=headers, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/bulk")


async def test_another_sites_form_is_refused(site: Client) -> None:
    headers = {"Origin": "https://evil.example", "Content-Type": "application/x-www-form-urlencoded"}
    answer = await site.post("/api/v1/licences", data="product=Quill&count=3", headers=headers)
    assert answer.status == 403


@pytest.mark.parametrize(
    "path",
    ["/jobs?state=odd", "/jobs?since=soon", "/jobs?limit=0", "/jobs?cursor=%00", "/failed?colour=red", "/logs?level=loud",
     "/charts?span=year", "/templates/alert?compare=x", "/api/v1/groups?from=-1", "/webhooks/nope", "/templates/nope", "/sync/runs/7",
     "/api/v1/exports/nope", "/exports/nope/download"],
)  # fmt: skip
async def test_an_address_with_a_wrong_filter_says_what_is_wrong(site: Client, path: str) -> None:
    answer = await site.get(path)
    assert 400 <= answer.status < 500, await answer.text()
