"""Structured logs with job ids, and traces from a request through enqueueing to the job."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from arq import func
from arq.connections import ArqRedis
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, format_trace_id

from arqlight.jobs.secret_texts import MASK, hide_always
from arqlight.journal import tracing
from arqlight.runtime.log_output import _Json, _Lines
from arqlight.settings import Settings
from tests.conftest import ROOT, Client, StartWorker
from tests.support.waiting import eventually


@pytest.fixture
def spans(settings: Settings) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.switch_on(settings.changed(traces=True), "tests", provider)
    yield exporter
    tracing.switch_off()


async def test_a_trace_goes_from_the_request_through_enqueueing_to_the_job(
    client: Client, pool: ArqRedis, start_worker: StartWorker, spans: InMemorySpanExporter
) -> None:
    async def works(ctx: dict[str, Any]) -> None:
        return

    async def fails(ctx: dict[str, Any], password: str) -> None:
        raise ValueError(f"refused with {password}")

    await start_worker([func(works, name="works"), func(fails, name="fails", max_tries=1)])
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
    for task, kwargs in (("works", {}), ("fails", {"password": "hunter2-hunter2"})):
        answer = await client.post("/api/v1/jobs", json={"task": task, "kwargs": kwargs}, headers=headers)
        assert answer.status == 201

    async def all_there() -> bool:
        return len([span for span in spans.get_finished_spans() if span.name.startswith("run ")]) == 2

    await eventually(all_there)
    found = {span.name: span for span in spans.get_finished_spans() if span.name != "POST /api/v1/jobs"}
    requests = {span.context.span_id for span in spans.get_finished_spans() if span.name == "POST /api/v1/jobs"}
    assert {format_trace_id(span.context.trace_id) for span in found.values()} == {trace_id}
    for task in ("works", "fails"):
        enqueued, ran = found[f"enqueue {task}"], found[f"run {task}"]
        assert enqueued.parent is not None
        assert enqueued.parent.span_id in requests
        assert ran.parent is not None
        assert ran.parent.span_id == enqueued.context.span_id
        assert (enqueued.kind, ran.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)
        assert ran.attributes is not None
        assert ran.attributes["arq.attempt"] == 1
    assert found["run works"].status.is_ok or found["run works"].status.description is None
    told = found["run fails"].status.description or ""
    assert told.startswith("ValueError: refused with")
    assert "hunter2" not in told
    assert "hunter2" not in repr([span.to_json() for span in spans.get_finished_spans()])


async def test_without_traces_nothing_is_written_beside_a_job(
    client: Client, pool: ArqRedis, start_worker: StartWorker
) -> None:
    async def works(ctx: dict[str, Any]) -> None:
        return

    await start_worker([func(works, name="works")])
    assert (await client.post("/api/v1/jobs", json={"task": "works"})).status == 201
    await eventually(lambda: pool.zcard("arqlight:succeeded"))
    assert not await pool.keys("arqlight:trace:*")


async def test_lines_carry_the_job_and_mask_its_secrets(pool: ArqRedis, start_worker: StartWorker) -> None:
    lines: dict[str, list[str]] = {"json": [], "text": []}

    class Kept(logging.Handler):
        def __init__(self, kind: str, formatter: logging.Formatter) -> None:
            super().__init__()
            self.kind = kind
            self.setFormatter(formatter)

        def emit(self, record: logging.LogRecord) -> None:
            lines[self.kind].append(self.format(record))

    async def pay(ctx: dict[str, Any], token: str) -> None:
        ctx["log"].warning("paying with %s", token)

    handlers = [Kept("json", _Json()), Kept("text", _Lines())]
    hide_always(["a-setting-of-ours"])
    for handler in handlers:
        logging.getLogger().addHandler(handler)
    try:
        await start_worker([func(pay, name="pay")])
        await pool.enqueue_job("pay", _job_id="job-7", token="tok-12345-secret")
        await eventually(lambda: pool.zcard("arqlight:succeeded"))
        logging.getLogger("arqlight.test").error("it said a-setting-of-ours")
    finally:
        for handler in handlers:
            logging.getLogger().removeHandler(handler)
    told = [json.loads(line) for line in lines["json"]]
    [paying] = [line for line in told if line["message"].startswith("paying")]
    assert paying["message"] == f"paying with {MASK}"
    assert (paying["job_id"], paying["task"], paying["attempt"], paying["queue"]) == ("job-7", "pay", 1, "arq:queue")
    assert (paying["level"], paying["logger"]) == ("warning", "arqlight.job")
    assert "at" in paying
    for text in (*lines["json"], *lines["text"]):
        assert "tok-12345-secret" not in text
        assert "a-setting-of-ours" not in text


def test_the_board_asks_for_nothing_that_is_not_told(settings: Settings) -> None:
    import re

    source = (ROOT / "service" / "arqlight_service" / "operations" / "metrics.py").read_text()
    told = set(re.findall(r'"(arqlight_\w+)"', source))
    board = json.loads((ROOT / "deploy" / "grafana.json").read_text())
    asked = {name for panel in board["panels"] for target in panel.get("targets", ())
             for name in re.findall(r"arqlight_\w+", target["expr"])}  # fmt: skip
    known = {name + suffix for name in told for suffix in ("", "_total", "_bucket", "_sum", "_count")}
    assert asked <= known, asked - known
    assert len(asked) >= 10
