"""Webhooks to third parties, signed as Standard Webhooks 1.0 says (https://www.standardwebhooks.com)."""

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from arq.worker import Retry
from standardwebhooks.webhooks import Webhook

from workers.errors import PermanentFailure
from workers.failures import clean
from workers.settings import Settings
from workers.task import Backoff, task

LONGEST_RETRY_AFTER_S = 3600.0
FIRST_BYTES = 500
_BACKOFF = Backoff(first_s=5, factor=3, longest_s=3600)


class InvalidWebhook(PermanentFailure):
    """The delivery cannot be made from the arguments and settings."""


class DeliveryRefused(PermanentFailure):
    """The receiver does not want this delivery: a redirect, or a 4xx other than 429."""


class DeliveryFailed(Exception):
    """The receiver is in trouble (5xx, 429): try again."""


@task(queue="default", tries=8, timeout_s=60, backoff=_BACKOFF)
async def deliver_webhook(
    ctx: dict[str, Any], url: str, payload: Any = None, event: str = "message"
) -> dict[str, int | str]:
    """POST `{"type", "timestamp", "data"}` to `url`, signed when ARQLIGHT_WEBHOOK_SECRET is set.

    Returns `{"status", "answer"}`. Retries 5xx, 429 and network errors, after Retry-After when the receiver names it;
    the id in `webhook-id` stays the same across attempts.
    """
    settings: Settings = ctx["settings"]
    _check_url(url)
    body = json.dumps(
        {"type": event, "timestamp": ctx["enqueue_time"].astimezone(UTC).isoformat(), "data": payload},
        separators=(",", ":"),
    )
    headers = {"Content-Type": "application/json", **sign(settings, f"msg_{ctx['job_id']}", body)}
    session: aiohttp.ClientSession = ctx["http"]
    limit = aiohttp.ClientTimeout(total=settings.webhook_timeout_s)
    async with session.post(url, data=body, headers=headers, timeout=limit, allow_redirects=False) as response:
        first = await response.content.read(FIRST_BYTES)
        answer = clean(first.decode("utf-8", "replace").strip(), FIRST_BYTES)
        if response.status < 300:
            return {"status": response.status, "answer": answer}
        said = f"{response.status} {response.reason} from {url}: {answer or '(an empty answer)'}"
        if response.status == 429 or response.status >= 500:
            failure = DeliveryFailed(said)
            wait_s = retry_after_s(response.headers.get("Retry-After"))
            if wait_s is None:
                raise failure
            raise Retry(defer=min(wait_s, LONGEST_RETRY_AFTER_S)) from failure
        if response.status < 400:
            said = f"{response.status} to {response.headers.get('Location')!r}: not followed; use that URL"
        raise DeliveryRefused(said)


def sign(settings: Settings, message_id: str, body: str) -> dict[str, str]:
    """The three headers of Standard Webhooks; without a secret only the id and the time. Raises InvalidWebhook."""
    now = datetime.now(UTC)
    headers = {"webhook-id": message_id, "webhook-timestamp": str(int(now.timestamp()))}
    if settings.webhook_secret:
        try:
            signer = Webhook(settings.webhook_secret.get_secret_value())
        except Exception as error:  # its base64 and its emptiness errors share no class
            raise InvalidWebhook("ARQLIGHT_WEBHOOK_SECRET must be whsec_ and base64") from error
        headers["webhook-signature"] = signer.sign(message_id, now, body)
    return headers


def retry_after_s(header: str | None) -> float | None:
    """Seconds that a Retry-After asks for (RFC 9110, 10.2.3: a number or a date); None when it says nothing usable."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise InvalidWebhook(f"url={url!r} is not an http(s) address; write https://example.org/hook")
