"""What can be set for the sync of marketplaces."""

from pydantic import Field, SecretStr, field_validator

from arqlight.settings import FamilySettings, check_token


class SyncSettings(FamilySettings):
    """The marketplaces, and the tokens that may read sales."""

    envato_token: SecretStr | None = Field(None, description="Personal token of the Envato API.")
    envato_url: str = Field("https://api.envato.com", description="Where the Envato API is.")
    gumroad_token: SecretStr | None = Field(None, description="Access token of the Gumroad API.")
    gumroad_url: str = Field("https://api.gumroad.com", description="Where the Gumroad API is.")

    @field_validator("envato_token", "gumroad_token")
    @classmethod
    def _one_word(cls, token: SecretStr | None) -> SecretStr | None:
        return check_token(token)
