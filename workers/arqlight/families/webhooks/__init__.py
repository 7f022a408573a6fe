"""Webhooks to third parties, as Standard Webhooks 1.0 says (https://www.standardwebhooks.com)."""

from arqlight.families.webhooks.settings import WebhookSettings
from arqlight.family import Family

FAMILY = Family(
    name="webhooks",
    tasks=tuple(
        f"arqlight.families.webhooks.delivery:{task}" for task in ("deliver_webhook", "send_event", "deliver_event")
    ),
    settings=WebhookSettings,
    on_startup="arqlight.families.webhooks.clients:open_clients",
    on_shutdown="arqlight.families.webhooks.clients:close_clients",
    tidy="arqlight.families.webhooks.endpoints:tidy",
    exports="arqlight.families.webhooks.tables:EXPORTS",
)
