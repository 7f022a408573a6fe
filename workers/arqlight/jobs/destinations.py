"""Where the arguments of a job send what they hold: addresses, and what stands under the name of one."""

import json
import re
from collections.abc import Iterator
from typing import Any

from arqlight.jobs.name_words import name_words

_NAMES = frozenset(
    """
    url urls uri uris href link links host hosts hostname hostnames server servers port ports ip ips address
    addresses addr endpoint endpoints proxy proxies domain domains site gateway broker brokers origin base
    baseurl to cc bcc recipient recipients receiver receivers email emails mail phone mobile chat chatid
    channel channels room topic topics target targets destination destinations dest callback callbacks webhook
    webhooks hook hooks bucket registry remote upstream dsn reply
    """.split()  # noqa: SIM905 -- a list literal would take seventy lines
)
# An address of the web, of mail, or of a host by its name or number. Clients forgive a slash too few or of the wrong
# kind, and take an address without its scheme.
_ADDRESS = re.compile(
    r"[A-Za-z][\w+.-]*:[/\\]|^\s*[/\\]{2}|@|^\[?[0-9A-Fa-f:.]{3,}\]?(?::\d+)?$|^[\w-]+:\d+(?:/|$)"
    r"|^(?:[\w-]+\.)+[A-Za-z][\w-]+\.?(?::\d+)?(?:/|$)"
)
_BACKSLASHES = re.compile(r"\\+/")
Place = tuple[Any, ...]


def new_destination(edited: Any, shown: Any) -> Any:
    """The first value of JSON that says where to send something, and did not stand in that place; None for none.

    A text is one by its look, now or before; any value by the name it stands under. A text that holds JSON is looked
    into.
    """
    before = dict(_leaves(shown))
    for place, value in _leaves(edited):
        was = before.get(place)
        if value is None or (type(value), value) == (type(was), was):
            continue
        if _is_address(value) or _is_address(was) or _is_under_a_destination(place):
            return value
    return None


def _leaves(value: Any) -> Iterator[tuple[Place, Any]]:
    """Texts, numbers and the names of objects, each with its place."""
    waiting: list[tuple[Place, Any]] = [((), value)]
    while waiting:
        place, value = waiting.pop()
        inner = _read(value) if isinstance(value, str) else value
        if isinstance(inner, dict):
            for name, each in inner.items():
                yield (*place, name, ...), name
                waiting.append(((*place, name), each))
        elif isinstance(inner, list):
            waiting += [((*place, number), each) for number, each in enumerate(inner)]
        else:
            yield place, value


def _read(text: str) -> Any:
    """What a text holds, if it is an object or a list of JSON; else the text."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and bool(_ADDRESS.search(_BACKSLASHES.sub("/", value)))


def _is_under_a_destination(place: Place) -> bool:
    """Whether the name that a value stands under, alone or in a list, is one of a destination."""
    name = next((part for part in reversed(place) if not isinstance(part, int)), None)
    return isinstance(name, str) and not _NAMES.isdisjoint(name_words(name))
