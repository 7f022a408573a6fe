"""What can be set for webhooks."""

from dataclasses import dataclass

from arqlight.checked_fields import Secret, option
from arqlight.setting_values import check_networks, check_webhook_secret
from arqlight.settings import FamilySettings


@dataclass(frozen=True)
class WebhookSettings(FamilySettings):
    """How webhooks are delivered."""

    keep_deliveries_d: float = option(30, above=0, most=36_500, about="Days that deliveries of webhooks are kept.")
    webhook_secret: Secret | None = option(
        None, "Standard Webhooks secret (whsec_…) that signs.", check=check_webhook_secret
    )
    webhook_timeout_s: float = option(15, above=0, most=3600, about="Seconds for one delivery, connect to last byte.")
    webhook_allowed_networks: str = option(
        "", "Private networks that webhooks may be sent to: 10.0.0.0/8,127.0.0.0/8.", check=check_networks
    )
    webhook_failures_allowed: int = option(
        50, least=1, most=1_000_000, about="Failed deliveries in a row after which an endpoint is switched off."
    )
