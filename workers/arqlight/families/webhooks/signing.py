"""Signatures of Standard Webhooks: three headers, and during a rotation two signatures."""

import base64
import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from standardwebhooks.webhooks import Webhook

from arqlight.families.webhooks.answers import InvalidWebhook


def new_secret() -> str:
    """A secret of 32 bytes, as the standard writes it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def body_of(event: str, payload: Any, at: datetime) -> str:
    """The body of a message: its type, its time and its data. Raises InvalidWebhook for data that JSON cannot carry."""
    told = {"type": event, "timestamp": at.astimezone(UTC).isoformat(), "data": payload}
    try:
        return json.dumps(told, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidWebhook(f"the payload of {event!r} is not JSON: {error}") from error


def check_payload(*args: Any, payload: Any = None, event: str = "message", **others: Any) -> None:
    """Raise InvalidWebhook when a job with these arguments could not be delivered: of a positional payload as well."""
    body_of(event, [payload, *args], datetime.now(UTC))


def sign(keys: Sequence[str], message_id: str, body: str, now: datetime) -> dict[str, str]:
    """The headers of a delivery, signed with each of `keys` (several while a secret is rotated; none: unsigned).

    :param now: the time of the attempt; a receiver refuses one that is minutes off.

    Raises InvalidWebhook for a secret that is none.
    """
    headers = {"webhook-id": message_id, "webhook-timestamp": str(int(now.timestamp()))}
    try:
        signatures = [Webhook(key).sign(message_id, now, body) for key in keys]
    except Exception as error:  # its base64 and its emptiness errors share no class
        raise InvalidWebhook("the webhook secret (ARQLIGHT_WEBHOOK_SECRET) must be whsec_ and base64") from error
    return headers | ({"webhook-signature": " ".join(signatures)} if signatures else {})
