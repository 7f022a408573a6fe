"""Jobs and results as bytes that cannot run code: JSON, and pickles of nothing but plain values.

arq pickles by default, and unpickling runs whatever the bytes say: who may write to the server may run code in every
worker. The bundled tasks read with `read_plain`. With ARQLIGHT_SERIALIZER=json nothing of ours writes a pickle and no
worker of ours reads one. Applications name both functions in their own WorkerSettings and clients:

    job_serializer, job_deserializer = write_json, read_json
"""

import base64
import datetime
import decimal
import json
import pickle
import uuid
from collections.abc import Callable
from typing import Any

from arqlight.jobs.pickle_reader import Opaque, read_pickle, read_plain_pickle

MARK = "$type"  # a JSON object with this member stands for a value that JSON has not
_JSON_BEGINS = b"{"


class PickleRefused(ValueError):
    """The bytes are a pickle, and pickles are not read here."""

    def __init__(self) -> None:
        super().__init__(
            "the job was pickled, and pickles are refused here (ARQLIGHT_SERIALIZER=json): enqueue it with "
            "job_serializer=arqlight.jobs.serialization.write_json"
        )


class RemoteError(Exception):
    """An exception that was raised where the job ran: its class by name, and its text."""


def write_json(value: Any) -> bytes:
    """A job or result of arq's as JSON. Raises TypeError for values that have no form in it.

    Tuples come back as lists. Times, dates, decimals, UUIDs, bytes and sets keep their type; an exception keeps its
    class's name and its text.
    """
    return json.dumps(_marked(value), separators=(",", ":")).encode()


def read_json(raw: bytes) -> Any:
    """What `write_json` wrote. Raises PickleRefused for a pickle, ValueError for what is neither."""
    if not raw.startswith(_JSON_BEGINS):
        raise PickleRefused if raw.startswith(b"\x80") else ValueError("these bytes are no JSON of ours")
    return json.loads(raw, object_hook=_unmarked)


def read_plain(raw: bytes) -> Any:
    """What `write_json` wrote, or a pickle of plain values; nothing in it is ever called. Raises ValueError."""
    return read_json(raw) if raw.startswith(_JSON_BEGINS) else read_plain_pickle(raw)


def serializer_named(name: str) -> Callable[[Any], bytes]:
    """What writes jobs: `pickle`, as arq does, or `json`."""
    return write_json if name == "json" else pickle.dumps


def _marked(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, dict):
        if all(type(name) is str for name in value) and MARK not in value:
            return {name: _marked(inner) for name, inner in value.items()}
        return {MARK: "dict", "value": [[_marked(name), _marked(inner)] for name, inner in value.items()]}
    if isinstance(value, list | tuple):
        return [_marked(inner) for inner in value]
    if isinstance(value, set | frozenset):
        return {MARK: "set", "value": [_marked(inner) for inner in value]}
    if isinstance(value, bytes):
        return {MARK: "bytes", "value": base64.b64encode(value).decode()}
    if isinstance(value, BaseException):
        return {MARK: "exception", "value": [type(value).__name__, str(value)]}
    for kind, name in ((datetime.datetime, "datetime"), (datetime.date, "date"), (datetime.time, "time")):
        if isinstance(value, kind):
            return {MARK: name, "value": value.isoformat()}
    if isinstance(value, datetime.timedelta):
        return {MARK: "timedelta", "value": value.total_seconds()}
    if isinstance(value, decimal.Decimal | uuid.UUID):
        return {MARK: type(value).__name__.lower(), "value": str(value)}
    raise TypeError(f"a {type(value).__name__} has no form in JSON; pass plain values")


_BUILD: dict[str, Callable[[Any], Any]] = {
    "dict": lambda pairs: {_hashable(name): inner for name, inner in pairs},
    "set": lambda values: {_hashable(inner) for inner in values},
    "bytes": lambda text: base64.b64decode(text, validate=True),
    "exception": lambda parts: RemoteError(": ".join(map(str, parts))),
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "timedelta": lambda seconds: datetime.timedelta(seconds=seconds),
    "decimal": decimal.Decimal,
    "uuid": uuid.UUID,
}


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def _unmarked(found: dict[str, Any]) -> Any:
    kind = found.get(MARK)
    if kind is None:
        return found
    build = _BUILD.get(kind) if isinstance(kind, str) else None
    if build is None:
        raise ValueError(f"a value of type {str(kind)[:50]!r} is none of ours")
    return build(found.get("value"))


def look_into(raw: bytes) -> Any:
    """A job or result for people to look at: as `pickled.read_pickle`, and JSON too. Raises ValueError."""
    if not raw.startswith(_JSON_BEGINS):
        return read_pickle(raw)
    try:
        value = read_json(raw)
    except Exception as error:  # hostile bytes may raise anything at all
        raise ValueError(f"not JSON that can be shown: {type(error).__name__}: {error}") from error
    if isinstance(value, dict) and isinstance(value.get("r"), RemoteError):
        name, _, text = str(value["r"]).partition(": ")
        value["r"] = type("Opaque", (Opaque,), {"name": name})(text)
    return value
