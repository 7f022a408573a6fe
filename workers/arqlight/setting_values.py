"""What a setting cannot be, although it is a text: each check raises ValueError, with the reason and what to write.

None shows a secret's value.
"""

import base64
import binascii
import ipaddress
import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from arqlight.checked_fields import Secret

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
MOST_WEIGHT, MOST_LIMIT = 1000, 1_000_000


def split_names(text: str) -> list[str]:
    """A list as the environment and the command line write it: `high, default`."""
    return [name.strip() for name in text.split(",") if name.strip()]


def check_token(token: Secret) -> None:
    """A token or key as it is pasted into the environment."""
    value = token.get_secret_value()
    if value != value.strip():
        raise ValueError("it begins or ends with a space or a newline; take that away")
    if not value.isprintable() or " " in value:
        raise ValueError("it holds spaces or control characters, which no token has")


def check_secret_key(key: Secret) -> None:
    """What keys are derived from."""
    check_token(key)
    if len(key.get_secret_value()) < 32:
        raise ValueError("it is shorter than 32 characters; make one with: openssl rand -hex 32")


def check_webhook_secret(secret: Secret) -> None:
    """A secret of Standard Webhooks; "" is none."""
    value = secret.get_secret_value()
    try:
        is_one = value.startswith("whsec_") and bool(base64.b64decode(value.removeprefix("whsec_"), validate=True))
    except binascii.Error:
        is_one = False
    if value and not is_one:
        raise ValueError('it must be whsec_ and base64; make one with: echo "whsec_$(openssl rand -base64 32)"')


def check_networks(text: str) -> None:
    """Networks with commas between them."""
    for name in split_names(text):
        ipaddress.ip_network(name)


def check_url(url: str) -> None:
    """An address of the web, without a query; "" is none."""
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if url and (not is_one or parts.fragment or not url.isprintable() or " " in url):
        raise ValueError("it is no web address; write https://name.example.org")


def check_port(address: str) -> None:
    """An address whose port, if it names one, is a number."""
    try:
        urlsplit(address).port  # noqa: B018 - it is read, and checked, here
    except ValueError:
        raise ValueError("its port is no number up to 65535") from None


def check_host(host: str) -> None:
    """The name or the address of a host, without scheme, port or path."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        if not _HOST.fullmatch(host):
            raise ValueError(
                f"{host!r} is no host; write a name or an address alone, without http:// and port"
            ) from None


def check_hosts(text: str) -> None:
    """Hosts with commas between them."""
    for host in split_names(text):
        check_host(host)


def check_origins(text: str) -> None:
    """Sites with commas between them."""
    for origin in split_names(text):
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.netloc or origin != f"{parts.scheme}://{parts.netloc}":
            raise ValueError(f"{origin!r} is no origin; write https://app.example.org, without a path")


def check_header(name: str) -> None:
    """The name of a header (RFC 9110, 5.1)."""
    if not _HEADER.fullmatch(name):
        raise ValueError("it is no name of a header; write one like X-Forwarded-User")


def check_mail_address(text: str) -> None:
    """One address of mail; "" is none."""
    name, _, host = text.rpartition("@")
    if text and not (name and host and text.isprintable() and not set(text) & set(" ,<>")):
        raise ValueError("it is no mail address; write ada@example.org")


def check_sender(text: str) -> None:
    """A mail address, with or without a name before it."""
    inner = text[text.rindex("<") + 1 : -1] if text.endswith(">") and "<" in text else text
    if not inner or not text.isprintable():
        raise ValueError("it is no sender; write ada@example.org, or Ada <ada@example.org>")
    check_mail_address(inner)


def check_name(text: str) -> None:
    """A name that is not empty."""
    if not text.strip() or not text.isprintable():
        raise ValueError("it is empty, or holds control characters")


def check_file(path: Path) -> None:
    """A file that is there and can be read."""
    if not os.path.isfile(path) or not os.access(path, os.R_OK):
        raise ValueError("there is no such file, or it cannot be read")


def check_folder(path: Path) -> None:
    """A folder, or a place where one can be made."""
    place = os.path.abspath(path)
    while not os.path.exists(place) and place != os.path.dirname(place):
        place = os.path.dirname(place)
    if not os.path.isdir(place):
        raise ValueError(f"{place!r} is a file; name a folder")


def check_queues(text: str) -> None:
    """Queues in order of priority, all with a weight or none: `high,default` or `high=6,default=3`."""
    named = [read_pair(entry) for entry in text.split(",")]
    names = [name for name, _ in named]
    if not all(names):
        raise ValueError("a name is missing; write them with one comma between two: high,default")
    if len(set(names)) < len(names):
        raise ValueError("a queue is named twice; name each once")
    read_weights(named)


def check_limits(text: str) -> None:
    """Jobs of a queue at once: `emails=5,bulk=2`."""
    for entry in split_names(text):
        read_limit(*read_pair(entry))


def read_pair(entry: str) -> tuple[str, str]:
    """`name=number`, or a name alone, whose number is ""; `=` with nothing behind it is a number that is none."""
    name, equals, number = entry.partition("=")
    return name.strip(), number.strip() or equals


def read_weights(named: Sequence[tuple[str, str]]) -> tuple[int, ...] | None:
    """The weights of queues by name, or None when none has one."""
    weighted = [number for _, number in named if number]
    if not weighted:
        return None
    if len(weighted) < len(named):
        bare = next(name for name, number in named if not number)
        raise ValueError(f"queue {bare!r} has no weight while others have one; give all one, or none")
    return tuple(_read_number(name, number, "weight", MOST_WEIGHT) for name, number in named)


def read_limit(name: str, number: str) -> int:
    """How many jobs of a queue may run at once."""
    return _read_number(name, number, "limit", MOST_LIMIT)


def _read_number(name: str, text: str, what: str, most: int) -> int:
    if not (name and text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise ValueError(f"queue {name!r}: its {what} is {text!r}; write a whole number from 1 to {most}")
    return int(text)
