"""The tasks that deliver: to any address, and to the endpoints that subscribed to an event."""

from time import perf_counter
from typing import Any

import aiohttp
from arq.worker import Retry

from arqlight.connections.connection import Transitions
from arqlight.errors import InvalidInput, NotFound, PermanentFailure
from arqlight.families.webhooks import endpoints
from arqlight.families.webhooks.answers import (
    Answer,
    DeliveryFailed,
    DeliveryRefused,
    InvalidWebhook,
    judge,
    parse_url,
    post,
)
from arqlight.families.webhooks.network import ForbiddenAddress
from arqlight.families.webhooks.settings import WebhookSettings
from arqlight.families.webhooks.signing import body_of, check_payload, sign
from arqlight.journal.journal import Journal, NewJob
from arqlight.tasks import Backoff, Waits, task

# The schedule that Standard Webhooks gives as an example: eight attempts over a day and a half.
WAITS_S = (5, 300, 1800, 7200, 18_000, 36_000, 36_000)
KEPT_WAITING_MS = 4 * 24 * 3600 * 1000
ENDPOINT_OFF = "webhook.endpoint.disabled"


class EndpointOff(PermanentFailure):
    """The endpoint was switched off or deleted before the delivery was made."""


@task(queue="default", tries=8, timeout_s=60, backoff=Backoff(first_s=5, factor=3, longest_s=3600), check=check_payload)
async def deliver_webhook(
    ctx: dict[str, Any], url: str, payload: Any = None, event: str = "message"
) -> dict[str, int | str]:
    """POST `{"type", "timestamp", "data"}` to `url`, signed when ARQLIGHT_WEBHOOK_SECRET is set.

    Returns `{"status", "answer"}`. Retries 5xx, 429 and network errors, after Retry-After when the receiver names it;
    the id in `webhook-id` stays the same across attempts.
    """
    settings = ctx["settings"].of(WebhookSettings)
    try:
        parse_url(url)
    except InvalidInput as error:
        raise InvalidWebhook(str(error)) from error
    body = body_of(event, payload, ctx["enqueue_time"])
    secret = settings.webhook_secret
    keys = [secret.get_secret_value()] if secret else []
    headers = sign(keys, f"msg_{ctx['job_id']}", body)
    answer = await post(ctx["http"], url, body, _json(headers), settings.webhook_timeout_s)
    judge(answer, url)
    return {"status": answer.status, "answer": answer.text}


@task(queue="webhooks", tries=6, timeout_s=60, check=check_payload)
async def send_event(
    ctx: dict[str, Any], event: str, payload: Any = None, message_id: str | None = None
) -> dict[str, Any]:
    """Enqueue a delivery of `event` for each endpoint that subscribed to it; run twice, it delivers once.

    Returns `{"message_id", "endpoints"}`.
    """
    message = message_id or f"msg_{ctx['job_id']}"
    body = body_of(event, payload, ctx["enqueue_time"])
    wanting = await endpoints.subscribed_to(ctx["database"], event)
    journal = Journal(ctx["redis"], ctx["settings"])
    for endpoint_id in wanting:
        await journal.enqueue_once(_delivery(endpoint_id, message, event, body, f"{message}:{endpoint_id}"))
    return {"message_id": message, "endpoints": len(wanting)}


@task(queue="webhooks", tries=len(WAITS_S) + 1, timeout_s=60, backoff=Waits(WAITS_S))
async def deliver_event(
    ctx: dict[str, Any], endpoint_id: str, message_id: str, event: str, body: str
) -> dict[str, int | str]:
    """Deliver one message to one endpoint, and keep what came of it; an endpoint that keeps failing is switched off.

    Returns `{"status", "answer"}`. A 410 switches the endpoint off at once, as the standard says.
    """
    settings = ctx["settings"].of(WebhookSettings)
    try:
        endpoint, keys = await endpoints.find_with_keys(ctx["database"], ctx["keys"], endpoint_id)
    except NotFound as error:
        raise EndpointOff(str(error)) from error
    if not endpoint.enabled:
        raise EndpointOff(
            f"endpoint {endpoint_id} ({endpoint.url}) is switched off: {endpoint.disabled_reason or 'by hand'}"
        )
    begun = perf_counter()
    answer: Answer | None = None
    problem: Exception | None = None
    try:
        headers = sign(keys, message_id, body)
        answer = await post(ctx["http"], endpoint.url, body, _json(headers), settings.webhook_timeout_s)
        judge(answer, endpoint.url)
    except (aiohttp.ClientError, TimeoutError, ForbiddenAddress, DeliveryFailed, DeliveryRefused, Retry) as error:
        problem = error
    failures = await endpoints.keep_delivery(
        ctx["database"], endpoint_id, message_id, event, body, attempt=ctx["job_try"], job_id=ctx["job_id"],
        answer=answer, problem=problem, duration_ms=round((perf_counter() - begun) * 1000),
    )  # fmt: skip
    if problem is None:
        assert answer is not None  # noqa: S101 - no problem means an answer
        return {"status": answer.status, "answer": answer.text}
    reason = _reason_to_switch_off(answer, failures, settings)
    if reason and await endpoints.switch_off(ctx["database"], endpoint_id, reason):
        ctx["log"].warning("webhook endpoint %s (%s) is switched off: %s", endpoint_id, endpoint.url, reason)
        told = {"endpoint": endpoint_id, "url": endpoint.url, "reason": reason}
        await Journal(ctx["redis"], ctx["settings"]).enqueue(
            [NewJob(send_event.name, send_event.queue, (), {"event": ENDPOINT_OFF, "payload": told})]
        )
        raise EndpointOff(f"{reason}; last answer: {problem}") from problem
    raise problem


async def resend(journal: Transitions, database: Any, delivery_id: int) -> str:
    """Deliver once more what was delivered before; the new job's id. Raises NotFound."""
    past = await endpoints.find_delivery(database, delivery_id)
    job = _delivery(past["endpoint_id"], past["message_id"], past["event"], past["body"], None)
    return (await journal.enqueue([job]))[0]


def _delivery(endpoint_id: str, message_id: str, event: str, body: str, job_id: str | None) -> NewJob:
    told = {"endpoint_id": endpoint_id, "message_id": message_id, "event": event, "body": body}
    return NewJob(deliver_event.name, deliver_event.queue, (), told, id=job_id, expires_ms=KEPT_WAITING_MS)


def _reason_to_switch_off(answer: Answer | None, failures: int, settings: WebhookSettings) -> str | None:
    if answer is not None and answer.status == 410:
        return "it answered 410 Gone"
    if failures >= settings.webhook_failures_allowed:
        return f"{failures} deliveries failed in a row"
    return None


def _json(headers: dict[str, str]) -> dict[str, str]:
    return {"Content-Type": "application/json", **headers}
