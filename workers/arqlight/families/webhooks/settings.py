"""What can be set for webhooks."""

from pydantic import Field, SecretStr, field_validator

from arqlight.settings import FamilySettings, check_networks


class WebhookSettings(FamilySettings):
    """How webhooks are delivered."""

    keep_deliveries_d: float = Field(30, gt=0, description="Days that deliveries of webhooks are kept for a look.")
    webhook_secret: SecretStr | None = Field(None, description="Standard Webhooks secret (whsec_…) that signs.")
    webhook_timeout_s: float = Field(15, gt=0, description="Seconds for one delivery, connect to last byte.")
    webhook_allowed_networks: str = Field(
        "", description="Private networks webhooks may go to all the same: 10.0.0.0/8,127.0.0.0/8."
    )
    webhook_failures_allowed: int = Field(
        50, ge=1, description="Failed deliveries in a row after which an endpoint is switched off."
    )

    @field_validator("webhook_allowed_networks")
    @classmethod
    def _networks(cls, text: str) -> str:
        return check_networks(text)
