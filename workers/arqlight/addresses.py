"""Addresses of servers as they are written: `redis://`, `rediss://`, `unix://`, `redis+sentinel://`, `postgresql://`.

With `observe+` before it, a Redis is only looked at.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

REDIS_SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")


DATABASE_SCHEMES = ("postgresql", "postgres")


# What may stand behind the `?` of a Redis address, and what each is.
_OPTIONS = {
    "db": r"\d{1,5}", "max_connections": r"\d{1,6}", "health_check_interval": r"\d{1,6}",
    "socket_timeout": r"\d{1,6}(\.\d+)?", "socket_connect_timeout": r"\d{1,6}(\.\d+)?",
    "socket_keepalive": "true|false", "retry_on_timeout": "true|false",
    "username": ".+", "password": ".+", "client_name": "[!-~]+",
}  # fmt: skip
_TLS_OPTIONS = {
    "ssl_cert_reqs": "required|optional|none", "ssl_ca_certs": ".+", "ssl_ca_data": "(?s:.+)", "ssl_certfile": ".+",
    "ssl_keyfile": ".+", "ssl_check_hostname": "true|false",
}  # fmt: skip


SENTINEL_PORT = 26379


RESERVED = {
    "default": "that is the Redis or Valkey of ARQLIGHT_REDIS_URL",
    "database": "that is the database of the task families",
}


OBSERVED = "observe+"  # before an address: nothing is written there


_NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}")


# A comma stands between two connections, but also between two sentinels of one: the name behind it tells.
_BETWEEN = re.compile(r"[\s,]+(?=[^\s,=]+=[a-z+]+://)")


@dataclass(frozen=True, slots=True)
class SentinelAddress:
    """`redis+sentinel://user:password@host:26379,host:26379/master?db=0`: sentinels, and the master they watch."""

    hosts: tuple[tuple[str, int], ...]
    master: str
    username: str | None
    password: str | None
    database: int
    tls: bool


def parse_connections(text: str) -> dict[str, str]:
    """`legacy=rediss://…, billing=postgresql://…` as name -> address, in order.

    Raises ValueError, which names the entry that is wrong and never shows an address: it may hold a password.
    """
    found: dict[str, str] = {}
    for entry in _BETWEEN.split(text.strip().strip(",").strip()):
        if not entry:
            continue
        name, equals, address = entry.strip(" ,").partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise ValueError(
                "each connection is name=address with a name of small letters, digits, - and _; "
                f"{name.split('://')[0][:40]!r} is not such a name"
            )
        if name in RESERVED:
            raise ValueError(f"a connection cannot be named {name!r}: {RESERVED[name]}; choose another name")
        if name in found:
            raise ValueError(f"connection {name!r} is named twice")
        check_address(name, address)
        found[name] = address
    return found


def check_address(name: str, address: str) -> None:
    """Raises ValueError for an address that cannot be one; its message never shows it."""
    is_observed, address = address.startswith(OBSERVED), address.removeprefix(OBSERVED)
    scheme = address.partition("://")[0]
    if is_observed and scheme not in REDIS_SCHEMES:
        raise ValueError(f"connection {name!r}: only a Redis or Valkey can be observed")
    if "://" not in address or scheme not in (*REDIS_SCHEMES, *DATABASE_SCHEMES):
        known = ", ".join(f"{each}://" for each in (*REDIS_SCHEMES, "postgresql"))
        raise ValueError(f"the address of connection {name!r} must begin with one of {known}")
    if scheme in REDIS_SCHEMES:
        _check_options(name, address)
    if scheme.endswith("+sentinel"):
        parse_sentinel(name, address)
        return
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"the address of connection {name!r} has a port that is no number up to 65535") from None
    if scheme == "unix" and not parts.path.strip("/"):
        raise ValueError(f"the address of connection {name!r} names no socket; write unix:///run/valkey.sock")
    if scheme in ("redis", "rediss"):
        if not host:
            raise ValueError(f"the address of connection {name!r} names no host")
        database = parts.path.strip("/")
        if database and not (database.isascii() and database.isdigit()):
            raise ValueError(f"connection {name!r}: {database[:40]!r} is no number of a database; write …:6379/0")


def _check_options(name: str, address: str) -> None:
    """Raises ValueError for an option that would be ignored, or that is none."""
    known = _OPTIONS | (_TLS_OPTIONS if address.startswith("rediss") else {})
    try:
        options = parse_qsl(urlsplit(address).query, keep_blank_values=True)
    except ValueError:
        raise ValueError(f"the address of connection {name!r} cannot be read") from None
    for place, (option, value) in enumerate(options):
        if option not in known:
            only = " over rediss://" if option in _TLS_OPTIONS else ""
            raise ValueError(
                f"connection {name!r}: its address has no option {option[:40]!r}{only}; there are {', '.join(known)}"
            )
        if option in dict(options[:place]):
            raise ValueError(f"connection {name!r}: {option} stands twice in its address")
        if not re.fullmatch(known[option], value):
            raise ValueError(f"connection {name!r}: {option} in its address is not of the form {known[option]}")


def parse_sentinel(name: str, address: str) -> SentinelAddress:
    """An address of sentinels. Raises ValueError."""
    parts = urlsplit(address)
    login, _, places = parts.netloc.rpartition("@")
    username, _, password = login.partition(":")
    hosts = []
    for place in places.split(","):
        host, _, port = place.partition(":")
        if not host or (port and not _is_port(port)):
            raise ValueError(f"connection {name!r} must name its sentinels as host:port, with commas between them")
        hosts.append((host, int(port or SENTINEL_PORT)))
    master = parts.path.strip("/")
    if not master:
        raise ValueError(f"connection {name!r} must name the master that its sentinels watch: …:26379/mymaster")
    number = parse_qs(parts.query).get("db", ["0"])[0]
    if not (number.isascii() and number.isdigit()):
        raise ValueError(f"connection {name!r}: db={number[:40]!r} is no number of a database")
    return SentinelAddress(
        tuple(hosts), master, unquote(username) or None, unquote(password) or None, int(number),
        parts.scheme.startswith("rediss"),
    )  # fmt: skip


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 65535


def is_database(url: str) -> bool:
    """Whether an address is that of a PostgreSQL."""
    return url.partition("://")[0] in DATABASE_SCHEMES


def is_sentinel(url: str) -> bool:
    """Whether an address names sentinels."""
    return url.partition("://")[0].endswith("+sentinel")


def shown_redis(url: str) -> str:
    """An address without user and password, and without options, which may be a password."""
    scheme, _, rest = url.partition("?")[0].partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
