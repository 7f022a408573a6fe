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
from functools import partial
from typing import Any

from arqlight.errors import OverBudget
from arqlight.jobs.bounded_json import read_bounded
from arqlight.jobs.budget import RUN, SHOWN, Budget, scalar
from arqlight.jobs.opaque import Opaque
from arqlight.jobs.pickle_reader import read_pickle, read_plain_pickle

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
    """What `write_json` wrote. Raises PickleRefused for a pickle, ValueError for what is neither, OverBudget."""
    return _read_json(raw, Budget(RUN))


def read_plain(raw: bytes) -> Any:
    """What `write_json` wrote, or a pickle of plain values; nothing in it is ever called.

    Raises ValueError, OverBudget.
    """
    budget = Budget(RUN)
    return _read_json(raw, budget) if raw.startswith(_JSON_BEGINS) else read_plain_pickle(raw, budget)


def _read_json(raw: bytes, budget: Budget) -> Any:
    if not raw.startswith(_JSON_BEGINS):
        raise PickleRefused if raw.startswith(b"\x80") else ValueError("these bytes are no JSON of ours")
    # A dict with keys that are no texts takes three levels, so a limit for what people send would be too low here.
    return read_bounded(raw, budget, deepest=None, object_hook=partial(_unmarked, budget))


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


def _dict(budget: Budget, pairs: Any) -> dict[Any, Any]:
    return {_hashable(budget, name): inner for name, inner in pairs}


def _set(budget: Budget, values: Any) -> set[Any]:
    return {_hashable(budget, inner) for inner in values}


def _hashable(budget: Budget, value: Any) -> Any:
    key = _as_tuple(value)
    budget.hash(key)
    return key


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value


def _exception(parts: Any) -> RemoteError:
    name, text = parts
    if not isinstance(name, str) or not isinstance(text, str):  # the repr of a repr is longer each time
        raise ValueError("an exception is two texts: the name of its class, and what it says")
    return RemoteError(f"{name}: {text}")


_BUILD: dict[str, Callable[[Any], Any]] = {
    "bytes": lambda text: base64.b64decode(text, validate=True),
    "exception": _exception,
    "datetime": lambda text: datetime.datetime.fromisoformat(scalar(text)),
    "date": lambda text: datetime.date.fromisoformat(scalar(text)),
    "time": lambda text: datetime.time.fromisoformat(scalar(text)),
    "timedelta": lambda seconds: datetime.timedelta(seconds=scalar(seconds)),
    "decimal": lambda text: decimal.Decimal(scalar(text)),
    "uuid": lambda text: uuid.UUID(scalar(text)),
}
_BUILD_HASHED: dict[str, Callable[[Budget, Any], Any]] = {"dict": _dict, "set": _set}


def _unmarked(budget: Budget, found: dict[str, Any]) -> Any:
    kind = found.get(MARK)
    if kind is None:
        return found
    value = found.get("value")
    if isinstance(kind, str) and kind in _BUILD_HASHED:
        return _BUILD_HASHED[kind](budget, value)
    build = _BUILD.get(kind) if isinstance(kind, str) else None
    if build is None:
        raise ValueError(f"a value of type {str(kind)[:50]!r} is none of ours")
    return build(value)


def look_into(raw: bytes) -> Any:
    """A job or result for people to look at: as `read_pickle`, and JSON too. Raises ValueError, OverBudget."""
    budget = Budget(SHOWN)
    if not raw.startswith(_JSON_BEGINS):
        return read_pickle(raw, budget)
    try:
        value = _read_json(raw, budget)
    except OverBudget:
        raise
    except Exception as error:  # hostile bytes may raise anything at all
        raise ValueError(f"not JSON that can be shown: {type(error).__name__}: {error}") from error
    if isinstance(value, dict) and isinstance(value.get("r"), RemoteError):
        name, _, text = str(value["r"]).partition(": ")
        value["r"] = Opaque(name, (text,))
    return value
