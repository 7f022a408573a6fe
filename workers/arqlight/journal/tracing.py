"""OpenTelemetry traces, from a request through enqueueing to the job; nothing at all where they are not switched on.

arq's bytes have no place for a trace, so it travels in a key of its own beside the job (W3C Trace Context).
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from arqlight.extras import needed_for, require
from arqlight.journal.keys import KEYS
from arqlight.settings import Settings

LIFE_S = 24 * 3600
_tracer: Any = None


def is_on() -> bool:
    """Whether spans are made in this process."""
    return _tracer is not None


def check_packages(settings: Settings) -> None:
    """Raise MissingExtra where traces are wanted and cannot be made."""
    if settings.traces:
        require("ARQLIGHT_TRACES", "opentelemetry")


def switch_on(settings: Settings, service: str, provider: Any = None) -> None:
    """Make spans from now on, if the settings say so; they go where the OTEL_… variables say.

    :param provider: an application's own TracerProvider. Raises MissingExtra.
    """
    global _tracer
    if not settings.traces:
        return
    with needed_for("ARQLIGHT_TRACES"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    if provider is None:
        provider = TracerProvider(resource=Resource.create({"service.name": service}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = provider.get_tracer("arqlight")


def switch_off() -> None:
    """Make no more spans."""
    global _tracer
    _tracer = None


@contextlib.contextmanager
def request_span(method: str, route: str, headers: Mapping[str, str]) -> Iterator[Any]:
    """The span of a request, a child of the caller's when its headers name one."""
    if _tracer is None:
        yield None
        return
    from opentelemetry import propagate, trace

    parent = propagate.extract(headers)
    with _tracer.start_as_current_span(f"{method} {route}", parent, trace.SpanKind.SERVER) as span:
        span.set_attributes({"http.request.method": method, "http.route": route})
        yield span


@contextlib.contextmanager
def enqueue_span(tasks: Sequence[str]) -> Iterator[str]:
    """The span of enqueueing; what has to travel with the jobs, "" for nothing."""
    if _tracer is None:
        yield ""
        return
    from opentelemetry import propagate, trace

    with _tracer.start_as_current_span(f"enqueue {tasks[0]}", kind=trace.SpanKind.PRODUCER) as span:
        span.set_attributes({"messaging.system": "arq", "messaging.batch.message_count": len(tasks)})
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        yield carrier.get("traceparent", "")


async def carry(redis: Redis, ids: Sequence[str], traceparent: str) -> None:
    """Lay down beside each job where its trace began."""
    async with redis.pipeline(transaction=False) as pipe:
        for job_id in ids:
            pipe.set(KEYS["trace"] + job_id, traceparent, ex=LIFE_S)
        await pipe.execute()


@contextlib.asynccontextmanager
async def job_span(redis: Redis, job_id: str, task: str, attributes: Mapping[str, Any]) -> Any:
    """The span of an attempt, in the trace that enqueued the job; for a process that traces (`is_on`)."""
    from opentelemetry import propagate, trace

    raw = await redis.get(KEYS["trace"] + job_id)
    parent = propagate.extract({"traceparent": raw.decode("ascii", "replace")}) if raw else None
    with _tracer.start_as_current_span(f"run {task}", parent, trace.SpanKind.CONSUMER) as span:
        span.set_attributes({"messaging.system": "arq", "messaging.message.id": job_id, **attributes})
        yield span


def note_failure(span: Any, error: str) -> None:
    """An attempt failed: class and text of the error, without secrets."""
    from opentelemetry.trace import Status, StatusCode

    span.set_status(Status(StatusCode.ERROR, error))
