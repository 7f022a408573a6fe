"""What a request may hold: JSON that everybody reads alike, parameters once, methods as they are."""

import pytest

from tests.conftest import Client


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b'{"kind": "retry", "ids": ["a"], "ids": ["b"]}', 400, "'ids' stands twice"),
        (b'{"kind": NaN}', 400, "NaN is no number"),
        (b'{"kind": -Infinity}', 400, "-Infinity is no number"),
        ('{"kind": "retry"}'.encode("utf-16"), 400, "not JSON"),
        (b'{"kind": ' + b"[" * 500 + b"]" * 500 + b"}", 422, "nested deeper than 100"),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/operations", "/api/v1/jobs", "/api/v1/events", "/api/v1/telemetry"])
async def test_json_that_readers_take_differently_or_nobody_can_write_again_is_refused_everywhere(
    client: Client, path: str, body: bytes, status: int, said: str
) -> None:
    answer = await client.post(path, data=body, headers={"Content-Type": "application/json"})
    told = await answer.json()
    assert (answer.status, said in told["detail"]) == (status, True), told


async def test_what_a_form_sends_as_json_is_held_to_the_same(client: Client) -> None:
    for kwargs in ('{"a": NaN}', '{"a": 1, "a": 2}', '{"a": ' + "[" * 500 + "]" * 500 + "}"):
        answer = await client.post("/api/v1/jobs/x/again", data={"args": "[]", "kwargs": kwargs})
        assert (answer.status, (await answer.json())["field"]) == (422, "kwargs")


async def test_a_parameter_that_is_given_twice_is_refused(client: Client) -> None:
    for path in ("/api/v1/jobs?limit=1&limit=2", "/jobs?q=a&q=b", "/api/v1/stats?connection=default&connection=other"):
        answer = await client.get(path)
        assert (answer.status, "more than once" in (await answer.json())["detail"]) == (400, True), path


async def test_a_method_that_is_not_allowed_names_all_that_are(client: Client) -> None:
    answer = await client.put("/api/v1/jobs")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS, POST")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/openmetrics-text", "application/openmetrics-text"),
        ("application/openmetrics-text;q=0, text/plain", "text/plain"),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.4", "application/openmetrics-text"),
        ("*/*", "text/plain"),
    ],
)
async def test_metrics_come_in_the_format_that_is_accepted_and_say_that_it_depends(
    client: Client, accept: str, kind: str
) -> None:
    answer = await client.get("/metrics", headers={"Accept": accept})
    assert answer.content_type == kind
    assert "Accept" in [part.strip() for value in answer.headers.getall("Vary") for part in value.split(",")]
