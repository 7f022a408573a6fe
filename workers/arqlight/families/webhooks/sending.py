"""The task that sends an event: to whoever takes it."""

from typing import Any

from arqlight.families.webhooks.enqueueing import enqueue_due
from arqlight.families.webhooks.records.events import keep_event
from arqlight.families.webhooks.signing import body_of, check_payload
from arqlight.journal.journal import Journal
from arqlight.tasks import Backoff, task


@task(queue="webhooks", tries=20, timeout_s=60, backoff=Backoff(longest_s=3600), check=check_payload)
async def send_event(
    ctx: dict[str, Any],
    event: str,
    payload: Any = None,
    message_id: str | None = None,
    customer: str | None = None,
) -> dict[str, Any]:
    """Keep an event, and enqueue a delivery for each endpoint that takes it; run twice, it delivers once.

    It goes to the endpoints of `customer` and to the platform's own; without one, to the platform's own only.
    Returns `{"message_id", "endpoints"}`.
    """
    message = message_id or f"msg_{ctx['job_id']}"
    kept = await keep_event(ctx["database"], message, event, body_of(event, payload, ctx["enqueue_time"]), customer)
    await enqueue_due(Journal(ctx["redis"], ctx["settings"]), kept.due)
    return {"message_id": message, "endpoints": kept.endpoints}
