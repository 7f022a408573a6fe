"""Every setting, from the environment (`ARQLIGHT_…`), checked once at start.

`Settings` are those of the core. A task family declares its own (`FamilySettings`), and finds them with `Settings.of`.
"""

import ipaddress
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from arqlight.addresses import OBSERVED, REDIS_SCHEMES, check_address, parse_connections
from arqlight.alert_rules import parse_rules
from arqlight.errors import SettingsError

ADDRESS_FILE = "redis-url"
DATABASE_FILE = "database-url"
KEY_FILE = "secret-key"
FALLBACK_REDIS_URL = "redis://127.0.0.1:6379/0"
PREFIX = "ARQLIGHT_"
# Names that a platform sets, read where ours are not.
PLATFORM_NAMES = {"port": "PORT"}


class FamilySettings(BaseModel):
    """What can be set for a task family: a subclass names it, each field is `ARQLIGHT_<NAME>` and a flag.

    A secret is a `SecretStr`, under a name that ends in `password`, `secret`, `token` or the like, so that it is
    masked wherever it comes up.
    """

    model_config = ConfigDict(frozen=True)


Part = TypeVar("Part", bound=FamilySettings)
Kind = TypeVar("Kind", bound=BaseModel)


class Settings(BaseModel):
    """What can be set. Times carry their unit in the name; a secret never shows in a repr.

    What the environment has for task families is kept beside it, unread, until a family asks for it.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    host: str = Field("127.0.0.1", description="Address the service listens on; another than loopback needs `auth`.")
    port: int = Field(
        8080,
        ge=0,
        le=65535,
        description="Port of the service; 0 takes a free one. PORT works too.",
    )
    data_dir: Path = Field(Path(".arqlight"), description="Where the embedded server keeps its data.")
    redis_url: str | None = Field(
        None, description="Redis or Valkey: redis://, rediss:// or unix://. Default: the server that `up` started."
    )
    database_url: SecretStr | None = Field(
        None, description="PostgreSQL: postgresql://…, for the task families' data. Default: the one `up` started."
    )
    connections: SecretStr = Field(
        SecretStr(""),
        description="Further connections, name=address each: legacy=rediss://…, billing=postgresql://… (see the docs).",
    )
    routes: str = Field(
        "", description="Tasks or queues whose jobs go to another connection: bulk=billing,send_email=billing."
    )
    observe: str | None = Field(
        None, description="Redis or Valkey of plain arq workers that is only looked at, without `default` beside it."
    )
    secret_key: SecretStr | None = Field(
        None,
        description="What keys are derived from, 32 characters or more. Default: made in the data directory.",
    )
    public_url: str | None = Field(None, description="Where people reach the page, for links in mails and exports.")
    auth: Literal["none", "users", "proxy", "oidc"] = Field(
        "none",
        description="Who may come in. none: whoever reaches loopback; users: those of `arqlight user add`, and tokens; "
        "proxy, oidc: those whom a proxy or an OpenID Connect provider signed in, and tokens.",
    )
    allowed_hosts: str = Field("", description="Host names requests may be for, besides public_url's: jobs.internal.")
    trusted_proxies: str = Field("", description="Networks of proxies whose X-Forwarded headers count: 10.0.0.0/8.")
    proxy_user_header: str = Field("X-Forwarded-User", description="Where such a proxy says who signed in.")
    roles: str = Field(
        "", description="What those may do, first match first: ada@example.org=admin,*@example.org=viewer."
    )
    oidc_issuer: str | None = Field(None, description="OpenID Connect provider: https://accounts.example.org.")
    oidc_client_id: str | None = Field(None, description="What it knows this service as.")
    oidc_client_secret: SecretStr | None = Field(None, description="The secret it gave.")
    oidc_claim: str = Field("email", description="Which claim of its ID token is a person's name here.")
    session_h: float = Field(12, gt=0, le=24 * 31, description="Hours until somebody has to sign in again.")
    sockets_per_address: int = Field(
        200, ge=1, le=100_000, description="Feeds, and connections that ask nothing, of one address at a time."
    )
    alerts: str = Field(
        "oldest_s>300,failure_rate>0.5,no_worker_s>60",
        description="Rules: depth, oldest_s, failure_rate (0 to 1), no_worker_s, each above a number.",
    )
    alert_email: str | None = Field(None, description="Who is told by mail when a rule is broken.")
    alert_webhook: str | None = Field(None, description="Where it is told by webhook.")
    alert_quiet_s: float = Field(3600, ge=1, description="Seconds in which the same alert is told once.")
    queues: str = Field(
        "high,default,emails,webhooks,telemetry,sync,bulk",
        description="Queues the bundled worker takes from, first ones first; or weights: high=6,default=3,emails=1.",
    )
    queue_limits: str = Field(
        "", description="Jobs of a queue that may run at once, over all workers: emails=5,bulk=2."
    )
    mask: str = Field(
        "",
        description="Names of arguments that are masked besides password, token, code and such: iban,card_*.",
    )
    serializer: Literal["pickle", "json"] = Field(
        "pickle", description="What writes jobs: pickle, as arq does; json: no pickle is written or read by a worker."
    )
    max_jobs: int = Field(20, ge=1, le=10_000, description="Jobs the bundled worker runs at a time.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="What is logged; INFO is two lines a job, as arq writes them."
    )
    log_format: Literal["text", "json"] = Field("text", description="Lines for people, or JSON with job ids.")
    traces: bool = Field(False, description="OpenTelemetry traces, to where OTEL_… say; needs arqlight[otel].")
    max_body_bytes: int = Field(1024 * 1024, ge=1024, description="Largest request body the service accepts.")
    keep_events: int = Field(100_000, ge=100, description="Transitions the feed can replay.")
    keep_succeeded: int = Field(10_000, ge=0, description="Succeeded (and cancelled) jobs kept for a look.")
    keep_failed: int = Field(1_000_000, ge=1, description="Failed jobs kept; beyond it the oldest are dropped.")
    keep_logs: int = Field(20_000, ge=100, description="Lines of the log that are kept for the page.")
    keep_job_log: int = Field(500, ge=1, le=10_000, description="Lines of its own log that a job keeps.")
    keep_attempts: int = Field(25, ge=1, le=1_000, description="Failed attempts, with their traces, that a job keeps.")
    keep_audit: int = Field(1_000, ge=1, description="Entries of the list of who changed what.")

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        # Not what is kept for families: there may be passwords in it, and their type is not known here.
        return ((name, getattr(self, name)) for name in type(self).model_fields)

    @field_validator("secret_key")
    @classmethod
    def _one_word(cls, key: SecretStr | None) -> SecretStr | None:
        return check_token(key)

    @field_validator("alerts")
    @classmethod
    def _rules(cls, text: str) -> str:
        parse_rules(text)
        return text

    @field_validator("connections")
    @classmethod
    def _connections(cls, text: SecretStr) -> SecretStr:
        parse_connections(text.get_secret_value())
        return text

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value()) < 32:
            raise ValueError("it is shorter than 32 characters; make one with: openssl rand -hex 32")
        return key

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, text: str) -> str:
        return check_networks(text)

    @field_validator("redis_url", "observe")
    @classmethod
    def _known_scheme(cls, url: str | None) -> str | None:
        if url is not None:
            if url.partition("://")[0] not in REDIS_SCHEMES:
                raise ValueError("it must begin with redis://, rediss://, unix:// or redis+sentinel://")
            check_address("default", url)
        return url

    def resolved_redis_url(self) -> str:
        """The server to talk to: the one set, else the one `arqlight up` started under `data_dir`, else localhost's."""
        if self.redis_url is not None:
            return self.redis_url
        if named := parse_connections(self.connections.get_secret_value()).get("default"):
            return named
        try:
            return (self.data_dir / ADDRESS_FILE).read_text().strip()
        except FileNotFoundError:
            return FALLBACK_REDIS_URL

    def resolved_database_url(self) -> str | None:
        """The PostgreSQL to talk to: the one set, else the one `arqlight up` started under `data_dir`, else None."""
        if self.database_url is not None:
            return self.database_url.get_secret_value() or None
        try:
            return (self.data_dir / DATABASE_FILE).read_text().strip()
        except FileNotFoundError:
            return None

    @model_validator(mode="after")
    def _routes_lead_somewhere(self) -> "Settings":
        known = {"default", *parse_connections(self.connections.get_secret_value())}
        for entry in split_names(self.routes):
            name, equals, connection = entry.partition("=")
            if not (name and equals) or connection not in known:
                raise ValueError(
                    f"ROUTES={self.routes!r}: {entry!r} is not name=connection with one of {', '.join(sorted(known))}"
                )  # fmt: skip
        return self

    def route(self, task: str, lane: str) -> str | None:
        """The connection that is set for the jobs of a task, else of a lane; None where nothing is."""
        routes = dict(entry.split("=", 1) for entry in split_names(self.routes))
        return routes.get(task) or routes.get(lane)

    def connection_addresses(self) -> dict[str, str]:
        """Every connection, name -> address; `default` comes first, or what is observed in its place."""
        first = {"observed": OBSERVED + self.observe} if self.observe else {"default": self.resolved_redis_url()}
        return first | {
            name: address
            for name, address in parse_connections(self.connections.get_secret_value()).items()
            if name != "default"
        }

    def of(self, family: type[Part]) -> Part:
        """What is set for a task family. Raises SettingsError, one line that names each wrong setting."""
        kept = self.model_extra or {}
        return _checked(family, {name: kept[name] for name in family.model_fields if kept.get(name) is not None})

    def queue_names(self) -> list[str]:
        """`queues`, split."""
        return split_names(self.queues)

    def limit_names(self) -> list[str]:
        """`queue_limits`, split."""
        return split_names(self.queue_limits)


def split_names(text: str) -> list[str]:
    """A list as the environment and the command line write it: `high, default`."""
    return [name.strip() for name in text.split(",") if name.strip()]


def check_token(token: SecretStr | None) -> SecretStr | None:
    """A token or key as it is pasted into the environment. Raises ValueError for one that cannot be one."""
    value = token.get_secret_value() if token else ""
    if value != value.strip():
        raise ValueError("it begins or ends with a space or a newline; take that away")
    if not value.isprintable() or " " in value:
        raise ValueError("it holds spaces or control characters, which no token has")
    return token


def check_networks(text: str) -> str:
    """Networks with commas between them. Raises ValueError."""
    for name in split_names(text):
        ipaddress.ip_network(name)
    return text


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; an override that is not None wins over the environment.

    Raises SettingsError, one line that names each wrong setting.
    """
    given = {name.upper(): value for name, value in os.environ.items()}
    read = {name.removeprefix(PREFIX).lower(): value for name, value in given.items() if name.startswith(PREFIX)}
    for name, platform_name in PLATFORM_NAMES.items():
        if name not in read and platform_name in given:
            read[name] = given[platform_name]
    return _checked(Settings, read | {name: value for name, value in overrides.items() if value is not None})


def _checked(kind: type[Kind], values: dict[str, Any]) -> Kind:
    try:
        return kind(**values)
    except ValidationError as error:
        wrong = "; ".join(
            f"{_place(kind, e)}{e['msg'].removeprefix('Value error, ')}" for e in error.errors(include_url=False)
        )
        raise SettingsError(f"setting {wrong}") from None


def _place(kind: type[BaseModel], error: Any) -> str:
    """Which setting, and what it was; nothing for what is wrong between several."""
    if not error["loc"]:
        return PREFIX
    name = str(error["loc"][0])
    return f"{PREFIX}{name.upper()}{_shown(kind, name, error['input'])}: "


def _shown(kind: type[BaseModel], name: str, value: object) -> str:
    """What was set, unless it is a secret."""
    if "Secret" in str(kind.model_fields[name].annotation):
        return ""
    if isinstance(value, str) and "@" in value and "://" in value:
        value = f"{value.partition('://')[0]}://…@{value.rpartition('@')[2]}"
    return f"={value!r}"
