"""The tasks that deliver: to any address, and an event to an endpoint."""

from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import aiohttp
from arq.worker import Retry

from arqlight.errors import InvalidInput, NotYet, PermanentFailure
from arqlight.families.webhooks.answers import (
    Answer,
    DeliveryFailed,
    InvalidWebhook,
    host_of,
    judge,
    parse_url,
    post,
)
from arqlight.families.webhooks.enqueueing import enqueue_due
from arqlight.families.webhooks.network import ForbiddenAddress
from arqlight.families.webhooks.owners import tell_disabled, tell_failing
from arqlight.families.webhooks.receiver_slots import longest_attempt_s, receiver_slot
from arqlight.families.webhooks.records import attempts
from arqlight.families.webhooks.records.attempts import Begun, EndpointOff
from arqlight.families.webhooks.rules.retries import WAITS_S, moved_s
from arqlight.families.webhooks.settings import WebhookSettings
from arqlight.families.webhooks.signing import body_of, check_payload, sign
from arqlight.journal.journal import Journal
from arqlight.tasks import Waits, task

TRIES = len(WAITS_S) + 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt: the answer, if one came, and why it failed, unless it was taken."""

    answer: Answer | None
    problem: Exception | None
    duration_ms: int


@task(queue="default", tries=TRIES, timeout_s=60, backoff=Waits(WAITS_S), check=check_payload)
async def deliver_webhook(
    ctx: dict[str, Any], url: str, payload: Any = None, event: str = "message"
) -> dict[str, int | str]:
    """POST `{"type", "timestamp", "data"}` to `url`, signed when ARQLIGHT_WEBHOOK_SECRET is set.

    Returns `{"status", "answer"}`. Tried again over a day whatever the answer, but after a 410; a Retry-After moves
    the try and spends none. The id in `webhook-id` stays the same across attempts.
    """
    settings, now = ctx["settings"].of(WebhookSettings), datetime.now(UTC)
    try:
        host, port = parse_url(url)
    except InvalidInput as error:
        raise InvalidWebhook(str(error)) from error
    body = body_of(event, payload, ctx["enqueue_time"])
    secret = settings.webhook_secret
    keys = [secret.get_secret_value()] if secret else []
    headers = sign(keys, f"msg_{ctx['job_id']}", body, now)
    async with receiver_slot(ctx, f"{host}:{port}"):
        answer = await post(ctx["http"], url, body, headers, settings.webhook_timeout_s)
    try:
        judge(answer, url)
    except DeliveryFailed as failure:
        if moved := _moved(answer, (now - ctx["enqueue_time"]).total_seconds(), failure):
            raise moved from failure
        raise
    return {"status": answer.status, "answer": answer.text}


@task(queue="webhooks", tries=TRIES, timeout_s=60, backoff=Waits(WAITS_S))
async def deliver_event(ctx: dict[str, Any], endpoint_id: str, message_id: str, run: int = 0) -> dict[str, int | str]:
    """Deliver one event to one endpoint, and keep what came of it; an endpoint that fails for days is switched off.

    Returns `{"status", "answer"}`. A 410 switches the endpoint off at once, as the standard says. `run` counts the
    replays: an earlier run of a delivery that was replayed does nothing.
    """
    settings = ctx["settings"].of(WebhookSettings)
    async with receiver_slot(ctx, endpoint_id):
        begun = await attempts.begin(
            ctx["database"], ctx["keys"], endpoint_id, message_id, run, job_id=ctx["job_id"],
            takes_s=longest_attempt_s(settings),
        )  # fmt: skip
        if begun is None:
            return {"status": 0, "answer": "nothing to do: it was delivered, or a replay has taken over"}
        outcome = await _try(ctx["http"], begun, settings.webhook_timeout_s)
    error = _next(ctx, begun, outcome)
    ended = await attempts.end(
        ctx["database"], begun, attempt=ctx["job_try"], answer=outcome.answer, problem=outcome.problem,
        wait_s=(error.defer_score or 0) / 1000 if isinstance(error, Retry) else None,
        duration_ms=outcome.duration_ms, disable_after_d=settings.webhook_disable_after_d,
    )  # fmt: skip
    if ended.following is not None:
        await enqueue_due(Journal(ctx["redis"], ctx["settings"]), [ended.following])
    if ended.verdict == "warn":
        await tell_failing(ctx, endpoint_id, ended.failing_since)
    if ended.verdict == "disable":
        await tell_disabled(ctx, endpoint_id, ended.reason, ended.failing_since)
        raise EndpointOff(f"switched off: {ended.reason}; last: {outcome.problem}") from outcome.problem
    if error is not None:
        raise error from (outcome.problem if error is not outcome.problem else None)
    assert outcome.answer is not None  # noqa: S101 - no error means an answer
    return {"status": outcome.answer.status, "answer": outcome.answer.text}


async def _try(session: aiohttp.ClientSession, begun: Begun, timeout_s: float) -> Outcome:
    begin_s, found = perf_counter(), begun.found
    answer: Answer | None = None
    problem: Exception | None = None
    try:
        headers = sign(begun.keys, found.message_id, found.body, found.now)
        answer = await post(session, found.url, found.body, headers, timeout_s)
        judge(answer, found.url)
    except TimeoutError:
        problem = TimeoutError(f"no answer from {host_of(found.url)} within {timeout_s:g} s")
    except (aiohttp.ClientError, OSError, PermanentFailure, DeliveryFailed) as error:
        problem = error
    return Outcome(answer, problem, round((perf_counter() - begin_s) * 1000))


def _next(ctx: dict[str, Any], begun: Begun, outcome: Outcome) -> BaseException | None:
    """What the job ends with: nothing, a Retry, or the failure itself where it is not tried again."""
    problem, answer = outcome.problem, outcome.answer
    # An address may be forbidden for an hour, while a name resolves wrongly.
    if problem is None or (isinstance(problem, PermanentFailure) and not isinstance(problem, ForbiddenAddress)):
        return problem
    moved = _moved(answer, begun.age_s, problem) if answer else None
    return moved or deliver_event.again(ctx, problem)


def _moved(answer: Answer, age_s: float, failure: Exception) -> NotYet | None:
    """A try that the receiver's Retry-After moves; None where one has to be spent."""
    wait_s = moved_s(answer.retry_after_s, age_s)
    return None if wait_s is None else NotYet(wait_s, str(failure))
