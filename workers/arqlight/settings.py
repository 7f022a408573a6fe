"""Every setting, from the environment (`ARQLIGHT_…`), checked once at start.

`Settings` are those of the core. A task family declares its own (`FamilySettings`), and finds them with `Settings.of`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from arqlight.addresses import (
    DATABASE_SCHEMES,
    OBSERVED,
    REDIS_SCHEMES,
    check_address,
    parse_connections,
)
from arqlight.alert_rules import parse_rules
from arqlight.checked_fields import Secret, WrongFields, checked, is_secret_field, option
from arqlight.errors import SettingsError
from arqlight.private_files import is_of_others
from arqlight.setting_values import (
    check_folder,
    check_header,
    check_host,
    check_hosts,
    check_limits,
    check_mail_address,
    check_name,
    check_networks,
    check_origins,
    check_port,
    check_queues,
    check_secret_key,
    check_url,
)
from arqlight.setting_values import split_names as split_names

ADDRESS_FILE = "redis-url"
DATABASE_FILE = "database-url"
KEY_FILE = "secret-key"
LOCK_FILE = "lock"
EXPORTS, VALKEY, POSTGRES = "exports", "valkey", "postgres"
# All that is ever in a data directory.
IN_DATA_DIR = (ADDRESS_FILE, DATABASE_FILE, KEY_FILE, LOCK_FILE, EXPORTS, VALKEY, POSTGRES)
FALLBACK_REDIS_URL = "redis://127.0.0.1:6379/0"
PREFIX = "ARQLIGHT_"
# Names that a platform sets, read where ours are not.
PLATFORM_NAMES = {"port": "PORT"}


def _check_redis(url: str) -> None:
    if url.partition("://")[0] not in REDIS_SCHEMES:
        raise ValueError("it must begin with redis://, rediss://, unix:// or redis+sentinel://")
    check_address("default", url)


def _check_database(url: Secret) -> None:
    address = url.get_secret_value()
    if address and address.partition("://")[0] not in (*DATABASE_SCHEMES, "postgresql+psycopg"):
        raise ValueError("it must be postgresql://user:password@host:5432/name; what is set is something else")
    check_port(address)


def _check_webhook(url: Secret) -> None:
    check_url(url.get_secret_value())


def _check_connections(text: Secret) -> None:
    parse_connections(text.get_secret_value())


@dataclass(frozen=True)
class FamilySettings:
    """What can be set for a task family: a frozen dataclass of it has a field for each (`checked_fields.option`).

    Each is `ARQLIGHT_<NAME>` and a flag. A secret is a `Secret`, under a name that ends in `password`, `secret`,
    `token` or the like, so that it is masked wherever it comes up.
    """


Part = TypeVar("Part", bound=FamilySettings)
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Settings:
    """What can be set. Times carry their unit in the name; a secret never shows in a repr.

    :param for_families: what the environment has for task families, unread until a family asks for it.
    """

    host: str = option("127.0.0.1", "Address the service listens on; any but loopback needs `auth`.", check=check_host)
    port: int = option(
        8080,
        least=0,
        most=65535,
        about="Port of the service; 0 takes a free one. PORT works too.",
    )
    data_dir: Path = option(
        Path(".arqlight"), "Data of the embedded servers, the secret key, and exports.", check=check_folder
    )
    redis_url: str | None = option(
        None,
        "Redis or Valkey: redis://, rediss:// or unix://. Default: the server that `up` started.",
        check=_check_redis,
    )
    database_url: Secret | None = option(
        None,
        "PostgreSQL: postgresql://…, for the task families' data. Default: the one `up` started.",
        check=_check_database,
    )
    connections: Secret = option(
        Secret(""),
        "Further connections, name=address each: legacy=rediss://…, billing=postgresql://… (see the docs).",
        check=_check_connections,
    )
    routes: str = option("", "Tasks or queues whose jobs go to another connection: bulk=billing,send_email=billing.")
    observe: str | None = option(
        None,
        "Redis or Valkey of plain arq workers to observe, read-only, in place of `default`.",
        check=_check_redis,
    )
    secret_key: Secret | None = option(
        None,
        "What keys are derived from, 32 characters or more. Default: made in the data directory.",
        check=check_secret_key,
    )
    public_url: str | None = option(None, "Public URL of the service, for links in mails and exports.", check=check_url)
    auth: Literal["none", "users", "proxy", "oidc"] = option(
        "none",
        "Who may sign in. none: no sign-in, loopback only; users: users of `arqlight user add`, and tokens; "
        "proxy, oidc: users signed in by a proxy or an OpenID Connect provider, and tokens.",
    )
    allowed_hosts: str = option(
        "", "Host names requests may be for, besides public_url's: jobs.internal.", check=check_hosts
    )
    cors_origins: str = option(
        "", "Sites whose scripts may call the API with a token: https://app.example.org.", check=check_origins
    )
    trusted_proxies: str = option(
        "", "Networks of proxies whose X-Forwarded headers count: 10.1.2.0/28.", check=check_networks
    )
    proxy_user_header: str = option(
        "X-Forwarded-User", "Header in which such a proxy names the user.", check=check_header
    )
    roles: str = option("", "Roles of those users, the first match counts: ada@example.org=admin,*@example.org=viewer.")
    oidc_issuer: str | None = option(None, "OpenID Connect provider: https://accounts.example.org.", check=check_url)
    oidc_client_id: str | None = option(None, "Client id of this service at the provider.")
    oidc_client_secret: Secret | None = option(None, "Client secret of this service at the provider.")
    oidc_claim: str = option("email", "Claim of the ID token that is the user's name here.", check=check_name)
    session_h: float = option(12, above=0, most=24 * 31, about="Hours until a session ends.")
    sockets_per_address: int = option(
        200, least=1, most=100_000, about="Open feeds, and idle connections, per client address; an IPv6 /64 is one."
    )
    share_per_address: float = option(
        0.1, above=0, most=1, about="Of the service's time, what one address gets while others ask too; 1 for all."
    )
    alerts: str = option(
        "oldest_s>300,failure_rate>0.5,no_worker_s>60",
        "Rules: depth, oldest_s, failure_rate (0 to 1), no_worker_s, each above a number.",
        check=parse_rules,
    )
    alert_email: str | None = option(None, "Address that alerts are mailed to.", check=check_mail_address)
    alert_webhook: Secret | None = option(
        None, "URL that alerts are sent to as webhooks; what knows it may write there.", check=_check_webhook
    )
    alert_quiet_s: float = option(
        3600, least=1, about="Seconds before the same alert is sent again.", most=366 * 24 * 3600
    )
    queues: str = option(
        "high,default,emails,webhooks,telemetry,sync,bulk",
        "Queues of the bundled worker, in order of priority; or weights: high=6,default=3,emails=1.",
        check=check_queues,
    )
    queue_limits: str = option(
        "", "Jobs of a queue that may run at once, over all workers: emails=5,bulk=2.", check=check_limits
    )
    mask: str = option(
        "",
        "Names of arguments that are masked besides password, token, code and such: iban,card_*.",
    )
    serializer: Literal["pickle", "json"] = option(
        "pickle", "What writes jobs: pickle, as arq does; json: no pickle is written or read by a worker."
    )
    max_jobs: int = option(20, least=1, most=10_000, about="Jobs the bundled worker runs at a time.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = option(
        "INFO", "What is logged; INFO is two lines a job, as arq writes them."
    )
    log_format: Literal["text", "json"] = option("text", "Plain lines, or JSON with job ids.")
    traces: bool = option(False, "OpenTelemetry traces, to where OTEL_… say; needs arqlight[otel].")
    max_body_bytes: int = option(
        1024 * 1024, least=1024, about="Largest request body the service accepts.", most=1024**3
    )
    keep_events: int = option(100_000, least=100, about="State changes that the feed can replay.", most=1_000_000_000)
    keep_succeeded: int = option(
        10_000, least=0, about="Succeeded and cancelled jobs that are kept.", most=1_000_000_000
    )
    keep_failed: int = option(
        1_000_000, least=1, about="Failed jobs kept; beyond it the oldest are dropped.", most=1_000_000_000
    )
    keep_logs: int = option(20_000, least=100, about="Lines of the log that are kept for the page.", most=1_000_000_000)
    keep_job_log: int = option(500, least=1, most=10_000, about="Lines of its own log that a job keeps.")
    keep_attempts: int = option(25, least=1, most=1_000, about="Failed attempts, with their traces, that a job keeps.")
    keep_audit: int = option(50_000, least=1, about="Changes in the audit list.", most=10**9)
    keep_audit_days: float = option(400, above=0, about="Days they stay in it.", most=36_600)
    keep_audit_routine: int = option(
        20_000,
        least=1,
        about="Jobs, events, telemetry and tests in it.",
        most=1_000_000_000,
    )
    keep_audit_routine_days: float = option(30, above=0, about="Days they stay in it.", most=36_600)
    keep_audit_sign_ins: int = option(20_000, least=1, about="Sign-ins and sign-outs in it.", most=1_000_000_000)
    keep_audit_sign_ins_days: float = option(400, above=0, about="Days they stay in it.", most=36_600)
    keep_audit_secrets: int = option(20_000, least=1, about="Secrets handed out in it.", most=1_000_000_000)
    keep_audit_secrets_days: float = option(400, above=0, about="Days they stay in it.", most=36_600)
    keep_audit_refused: int = option(20_000, least=1, about="Refused requests in it.", most=1_000_000_000)
    keep_audit_refused_days: float = option(90, above=0, about="Days they stay in it.", most=36_600)
    for_families: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def resolved_redis_url(self) -> str:
        """The server to talk to: the one set, else the one `arqlight up` started under `data_dir`, else localhost's."""
        if self.redis_url is not None:
            return self.redis_url
        return _kept_address(self.data_dir / ADDRESS_FILE) or FALLBACK_REDIS_URL

    def resolved_database_url(self) -> str | None:
        """The PostgreSQL to talk to: the one set, else the one `arqlight up` started under `data_dir`, else None."""
        if self.database_url is not None:
            return self.database_url.get_secret_value() or None
        return _kept_address(self.data_dir / DATABASE_FILE)

    def check_routes(self) -> None:
        """Raise ValueError for a route to a connection that is not set."""
        known = {"default", *parse_connections(self.connections.get_secret_value())}
        for entry in split_names(self.routes):
            name, equals, connection = entry.partition("=")
            if not (name and equals) or connection not in known:
                raise ValueError(
                    f"ROUTES={self.routes!r}: {entry!r} is not name=connection with one of {', '.join(sorted(known))}"
                )

    def route(self, task: str, queue: str) -> str | None:
        """The connection that is set for the jobs of a task, else of a queue; None where nothing is."""
        routes = dict(entry.split("=", 1) for entry in split_names(self.routes))
        return routes.get(task) or routes.get(queue)

    def connection_addresses(self) -> dict[str, str]:
        """Every connection, name -> address; `default` comes first, or what is observed in its place."""
        first = {"observed": OBSERVED + self.observe} if self.observe else {"default": self.resolved_redis_url()}
        return first | parse_connections(self.connections.get_secret_value())

    def of(self, family: type[Part]) -> Part:
        """What is set for a task family. Raises SettingsError, one line that names each wrong setting."""
        return _checked(family, self.for_families)

    def changed(self, **values: Any) -> "Settings":
        """These settings with some others, of the core or of families; what is given is taken as it is."""
        own = {name: value for name, value in values.items() if name in OWN_NAMES}
        others = {name: value for name, value in values.items() if name not in OWN_NAMES}
        return replace(self, **own, for_families={**self.for_families, **others})

    def queue_names(self) -> list[str]:
        """`queues`, split."""
        return split_names(self.queues)

    def limit_names(self) -> list[str]:
        """`queue_limits`, split."""
        return split_names(self.queue_limits)


OWN_NAMES = frozenset(each.name for each in fields(Settings)) - {"for_families"}


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; an override that is not None wins over the environment.

    Raises SettingsError, one line that names each wrong setting.
    """
    given = {name.upper(): value for name, value in os.environ.items()}
    read = {name.removeprefix(PREFIX).lower(): value for name, value in given.items() if name.startswith(PREFIX)}
    for name, platform_name in PLATFORM_NAMES.items():
        if name not in read and platform_name in given:
            read[name] = given[platform_name]
    given_values = read | {name: value for name, value in overrides.items() if value is not None}
    own = {name: value for name, value in given_values.items() if name in OWN_NAMES}
    settings = replace(
        _checked(Settings, own),
        for_families={name: value for name, value in given_values.items() if name not in OWN_NAMES},
    )
    try:
        settings.check_routes()
    except ValueError as error:
        raise SettingsError(f"setting {PREFIX}{error}") from None
    return settings


def _kept_address(path: Path) -> str | None:
    """What `arqlight up` wrote there. An address that somebody else put there would be a server of theirs."""
    try:
        if is_of_others(path):
            raise SettingsError(
                f"ARQLIGHT_DATA_DIR: {str(path)!r} is not used: another user may have written it; start `arqlight up` "
                "yourself, or choose another directory"
            )
        return path.read_text().strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"ARQLIGHT_DATA_DIR: {str(path)!r} cannot be read: {error}; choose another directory"
        ) from error


def _checked(kind: type[Kind], values: Mapping[str, Any]) -> Kind:
    try:
        return checked(kind, values)
    except WrongFields as error:
        wrong = "; ".join(
            f"{PREFIX}{name.upper()}{_shown(kind, name, value)}: {reason}" for name, value, reason in error.wrong
        )
        raise SettingsError(f"setting {wrong}") from None


def _shown(kind: type[Any], name: str, value: object) -> str:
    """What was set, unless it is a secret."""
    if is_secret_field(kind, name):
        return ""
    if isinstance(value, str) and "@" in value:  # an address, also one whose scheme was left out
        scheme, separator, _ = value.rpartition("@")[0].partition("://")
        value = f"{scheme + separator if separator else ''}…@{value.rpartition('@')[2]}"
    return f"={value!r}"
