"""Who is told that an endpoint fails, and that it was switched off: its contact, the alert address, the platform.

What they are told names the endpoint and its host, never its address: a path often holds a token.
"""

from datetime import UTC, datetime
from typing import Any

from arqlight.families.webhooks.answers import host_of
from arqlight.families.webhooks.records import endpoints
from arqlight.families.webhooks.records.endpoints import Endpoint
from arqlight.families.webhooks.rules.disabling import disabled_at
from arqlight.families.webhooks.sending import send_event
from arqlight.families.webhooks.settings import WebhookSettings
from arqlight.family import installed
from arqlight.journal.journal import Journal, NewJob

FAILING = "webhook.endpoint.failing"
DISABLED = "webhook.endpoint.disabled"


async def tell_failing(ctx: dict[str, Any], endpoint_id: str, failing_since: datetime | None) -> None:
    """Tell that an endpoint takes nothing, and when it will be switched off. Only then does that time begin."""
    endpoint, now = await endpoints.find(ctx["database"], endpoint_id), datetime.now(UTC)
    off_at = disabled_at(failing_since, now, ctx["settings"].of(WebhookSettings).webhook_disable_after_d)
    text = f"It is switched off on {off_at:%Y-%m-%d %H:%M} UTC at the earliest, unless it takes something before."
    await _tell(ctx, endpoint, FAILING, f"Webhook endpoint {endpoint.id} fails", text, failing_since)
    await endpoints.note_warned(ctx["database"], endpoint_id)


async def tell_disabled(ctx: dict[str, Any], endpoint_id: str, reason: str, failing_since: datetime | None) -> None:
    """Tell that an endpoint was switched off."""
    endpoint = await endpoints.find(ctx["database"], endpoint_id)
    text = "Events for it are kept. Switch it on again, then replay what failed."
    await _tell(ctx, endpoint, DISABLED, f"Webhook endpoint {endpoint.id} is switched off", text, failing_since, reason)


async def _tell(
    ctx: dict[str, Any], endpoint: Endpoint, event: str, title: str, text: str, since: datetime | None, reason: str = ""
) -> None:
    host = host_of(endpoint.url)
    since_text = since.isoformat(timespec="seconds") if since else None
    ctx["log"].warning("%s (%s): %s", title, host, reason or f"nothing was taken since {since_text}")
    about = {"endpoint": endpoint.id, "host": host, "customer": endpoint.customer, "failing_since": since_text,
             "failures_in_a_row": endpoint.failures_in_a_row, "reason": reason or None}  # fmt: skip
    # Of no customer: it goes to the platform's own endpoints. The id says it once for each time that it fails.
    once = f"{event}:{endpoint.id}:{int(since.timestamp()) if since else 0}"
    told = {"event": event, "payload": about, "message_id": once}
    jobs = [NewJob(send_event.name, send_event.queue, (), told, id=once)]
    mail = installed().tasks.get("send_email")
    for to in filter(None, dict.fromkeys([endpoint.contact, ctx["settings"].alert_email])):
        if mail is not None:
            words = f"Host {host}. {reason[:1].upper()}{reason[1:]}{'. ' if reason else ''}{text}"
            letter = {"to": to, "template": "alert", "severity": "warning", "title": title, "text": words}
            jobs.append(NewJob(mail.name, mail.queue, (), letter, id=f"{once}:{to}"))
    journal = Journal(ctx["redis"], ctx["settings"])
    for job in jobs:
        await journal.enqueue_once(job)
