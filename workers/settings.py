"""Every setting, from the environment (`ARQLIGHT_…`), checked once at start."""

from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from workers.errors import SettingsError

ADDRESS_FILE = "redis-url"
FALLBACK_REDIS_URL = "redis://127.0.0.1:6379/0"


class Settings(BaseSettings):
    """What can be set. Times carry their unit in the name; a secret never shows in a repr."""

    model_config = SettingsConfigDict(env_prefix="ARQLIGHT_", extra="ignore", frozen=True)

    host: str = Field("127.0.0.1", description="Address the service listens on; loopback only, until it has sign-in.")
    port: int = Field(
        8080,
        ge=0,
        le=65535,
        validation_alias=AliasChoices("ARQLIGHT_PORT", "PORT", "port"),
        description="Port of the service; 0 takes a free one. PORT works too.",
    )
    data_dir: Path = Field(Path(".arqlight"), description="Where the embedded server keeps its data.")
    redis_url: str | None = Field(
        None, description="Redis or Valkey: redis://, rediss:// or unix://. Default: the server that `up` started."
    )
    queues: str = Field(
        "high,default,emails",
        description="Queues the bundled worker takes from, first ones first; or weights: high=6,default=3,emails=1.",
    )
    queue_limits: str = Field(
        "", description="Jobs of a queue that may run at once, over all workers: emails=5,bulk=2."
    )
    max_jobs: int = Field(20, ge=1, le=10_000, description="Jobs the bundled worker runs at a time.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="What is logged; INFO is two lines a job, as arq writes them."
    )
    max_body_bytes: int = Field(1024 * 1024, ge=1024, description="Largest request body the service accepts.")
    keep_events: int = Field(100_000, ge=100, description="Transitions the feed can replay.")
    keep_succeeded: int = Field(10_000, ge=0, description="Succeeded (and cancelled) jobs kept for a look.")
    keep_failed: int = Field(1_000_000, ge=1, description="Failed jobs kept; beyond it the oldest are dropped.")
    smtp_host: str = Field("127.0.0.1", description="SMTP server.")
    smtp_port: int = Field(25, ge=1, le=65535, description="Its port.")
    smtp_tls: Literal["none", "starttls", "implicit"] = Field("none", description="none, starttls or implicit.")
    smtp_ca_file: Path | None = Field(None, description="CA certificates to trust instead of the system's.")
    smtp_username: str | None = Field(None, description="Sign-in name, when the server asks for one.")
    smtp_password: SecretStr | None = Field(None, description="Its password.")
    smtp_from: str = Field("arqlight <no-reply@localhost>", description="From address.")
    smtp_connect_timeout_s: float = Field(10, gt=0, description="Seconds to connect, TLS included.")
    smtp_send_timeout_s: float = Field(30, gt=0, description="Seconds for each answer of the SMTP server.")
    webhook_secret: SecretStr | None = Field(None, description="Standard Webhooks secret (whsec_…) that signs.")
    webhook_timeout_s: float = Field(15, gt=0, description="Seconds for one delivery, connect to last byte.")

    @field_validator("redis_url")
    @classmethod
    def _known_scheme(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("it must begin with redis://, rediss:// or unix://")
        return url

    def resolved_redis_url(self) -> str:
        """The server to talk to: the one set, else the one `arqlight up` started under `data_dir`, else localhost's."""
        if self.redis_url is not None:
            return self.redis_url
        try:
            return (self.data_dir / ADDRESS_FILE).read_text().strip()
        except FileNotFoundError:
            return FALLBACK_REDIS_URL

    def queue_names(self) -> list[str]:
        """`queues`, split."""
        return split_names(self.queues)

    def limit_names(self) -> list[str]:
        """`queue_limits`, split."""
        return split_names(self.queue_limits)


def split_names(text: str) -> list[str]:
    """A list as the environment and the command line write it: `high, default`."""
    return [name.strip() for name in text.split(",") if name.strip()]


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; an override that is not None wins over the environment.

    Raises SettingsError, one line that names each wrong setting.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        wrong = "; ".join(
            f"{'ARQLIGHT_' + str(e['loc'][0]).upper().removeprefix('ARQLIGHT_')}={e['input']!r}: "
            f"{e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        )
        raise SettingsError(f"setting {wrong}") from None
