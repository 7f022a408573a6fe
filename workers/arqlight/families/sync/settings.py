"""What can be set for the sync of marketplaces."""

from dataclasses import dataclass

from arqlight.checked_fields import Secret, option
from arqlight.setting_values import check_token, check_url
from arqlight.settings import FamilySettings


@dataclass(frozen=True)
class SyncSettings(FamilySettings):
    """The marketplaces, and the tokens that may read sales."""

    envato_token: Secret | None = option(None, "Personal token of the Envato API.", check=check_token)
    envato_url: str = option("https://api.envato.com", "Where the Envato API is.", check=check_url)
    gumroad_token: Secret | None = option(None, "Access token of the Gumroad API.", check=check_token)
    gumroad_url: str = option("https://api.gumroad.com", "Where the Gumroad API is.", check=check_url)
    lemonsqueezy_token: Secret | None = option(None, "API key of Lemon Squeezy.", check=check_token)
    lemonsqueezy_url: str = option("https://api.lemonsqueezy.com", "Where the Lemon Squeezy API is.", check=check_url)
    lemonsqueezy_webhook_secret: Secret | None = option(
        None, "Signing secret of the webhooks of Lemon Squeezy.", check=check_token
    )
    sync_look_back_days: int = option(
        60, least=1, most=3650, about="Days before the last sync whose sales are read again; a full sync reads all."
    )
