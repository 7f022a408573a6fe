"""Webhooks to third parties, as Standard Webhooks 1.0 says (https://www.standardwebhooks.com)."""

from arqlight.families.webhooks.settings import WebhookSettings
from arqlight.family import Family

FAMILY = Family(
    name="webhooks",
    tasks=(
        "arqlight.families.webhooks.delivery:deliver_webhook",
        "arqlight.families.webhooks.sending:send_event",
        "arqlight.families.webhooks.delivery:deliver_event",
        "arqlight.families.webhooks.replaying:replay_deliveries",
        "arqlight.families.webhooks.replaying:enqueue_overdue",
    ),
    settings=WebhookSettings,
    schedules="arqlight.families.webhooks.schedules:schedules",
    on_startup="arqlight.families.webhooks.clients:open_clients",
    on_shutdown="arqlight.families.webhooks.clients:close_clients",
    tidy="arqlight.families.webhooks.records.retention:tidy",
    exports="arqlight.families.webhooks.tables:EXPORTS",
)
