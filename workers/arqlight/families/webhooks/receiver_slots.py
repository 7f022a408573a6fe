"""How many of a worker's slots receivers may hold while they are waited for: each its few, and all together not all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from arqlight.families.webhooks.settings import WebhookSettings
from arqlight.runtime.slots import slot

# What an attempt may take beside the answer: a slot or a probe counts as lost after that.
MARGIN_S = 10.0


def longest_attempt_s(settings: WebhookSettings) -> float:
    """Seconds after which an attempt has ended, whatever became of its worker."""
    return settings.webhook_timeout_s + MARGIN_S


@asynccontextmanager
async def receiver_slot(ctx: dict[str, Any], receiver: str) -> AsyncIterator[None]:
    """Hold one of the slots of a receiver, and one of those that this worker has for receivers: three of four.

    Raises NotYet where none is free (see `runtime.slots`): mails and codes find a slot of the worker free, however many
    receivers hang.
    """
    if "redis" not in ctx:  # the service itself tells an alert, where all jobs are in PostgreSQL
        yield
        return
    settings = ctx["settings"]
    own = settings.of(WebhookSettings)
    hold_s, most = longest_attempt_s(own), max(1, settings.max_jobs * 3 // 4)
    async with (
        slot(ctx["redis"], settings, f"webhooks {receiver}", own.webhook_concurrency, hold_s),
        slot(ctx["redis"], settings, f"webhooks of worker {ctx['webhook_worker']}", most, hold_s),
    ):
        yield
