"""What can be set for webhooks."""

from dataclasses import dataclass

from arqlight.checked_fields import Secret, option
from arqlight.setting_values import check_networks, check_webhook_secret
from arqlight.settings import FamilySettings


@dataclass(frozen=True)
class WebhookSettings(FamilySettings):
    """How webhooks are delivered."""

    keep_deliveries_d: float = option(
        30, above=0, most=36_500, about="Days that events and their deliveries are kept, and can be replayed."
    )
    webhook_secret: Secret | None = option(
        None, "Standard Webhooks secret (whsec_…) that signs.", check=check_webhook_secret
    )
    # A delivery's job has 60 s.
    webhook_timeout_s: float = option(15, above=0, most=50, about="Seconds for one delivery, connect to last byte.")
    webhook_allowed_networks: str = option(
        "", "Private networks that webhooks may be sent to: 10.0.0.0/8,127.0.0.0/8.", check=check_networks
    )
    webhook_concurrency: int = option(
        3, least=1, most=1_000, about="Deliveries to one endpoint that run at once, over all workers."
    )
    webhook_disable_after_d: float = option(
        5,
        above=0,
        most=365,
        about="Days of nothing but failure after which an endpoint is switched off; its owner is told at half of them.",
    )
