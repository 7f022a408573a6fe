"""Look into pickled bytes without running them: only plain values are built, anything else becomes its class's name.

Python's documentation of `pickle`, "Restricting Globals", is the rule; a class that is not on the list turns into an
inert stand-in, so a page can show arguments of types that the service does not even have.
"""

import datetime
import decimal
import io
import pickle
import pickletools
import re
import uuid
from collections import OrderedDict
from typing import Any

# Hashing a tuple nested once a byte recurses in C: at this size it still fits a main thread's 8 MiB stack.
LARGEST_BYTES = 64 * 1024

_PLAIN: dict[tuple[str, str], Any] = {
    (kind.__module__, kind.__qualname__): kind
    for kind in (
        datetime.datetime,
        datetime.date,
        datetime.time,
        datetime.timedelta,
        datetime.timezone,
        decimal.Decimal,
        uuid.UUID,
        set,
        frozenset,
        complex,
        OrderedDict,
    )
}


class Opaque:
    """Stands for an object that is not built. Takes whatever the pickle machine does to it, and does nothing."""

    name = "object"
    made_of: tuple[object, ...] = ()  # what its class would have been called with: an exception's own text

    def __new__(cls, *args: object, **kwargs: object) -> "Opaque":
        made = super().__new__(cls)
        made.made_of = args
        return made

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def append(self, item: object) -> None:
        pass

    def extend(self, items: object) -> None:
        pass

    def add(self, item: object) -> None:
        pass

    def __repr__(self) -> str:
        return f"<{self.name}>"


# What may be PUT or LONG_BINPUT with a place that is larger than any pickle needs; text may look so too.
_MAYBE_PUT = re.compile(rb"p[^\n]{4,}\n|r.{4}", re.DOTALL)


def _refuse_memo_bomb(raw: bytes) -> None:
    """Raise ValueError for a pickle that puts something far out into its memo.

    The machine makes room for every place before it, and writes there: ten bytes can ask for 30 GB.
    """
    if not _MAYBE_PUT.search(raw):
        return
    try:
        for opcode, argument, _ in pickletools.genops(raw):
            if opcode.name in ("PUT", "LONG_BINPUT") and not 0 <= (argument or 0) <= len(raw):
                raise ValueError(f"it puts something at place {argument} of its memo")
    except Exception as error:  # hostile bytes may raise anything at all
        raise ValueError(f"not a pickle that can be shown: {error}") from error


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        plain = _PLAIN.get((module, name))
        return plain if plain is not None else type("Opaque", (Opaque,), {"name": f"{module}.{name}"})

    def persistent_load(self, pid: object) -> Any:
        raise pickle.UnpicklingError("persistent ids are not read")


def read_pickle(raw: bytes) -> Any:
    """The value in `raw`, with every non-plain object as an `Opaque`.

    Raises ValueError when the bytes are no pickle, or more than a page should read.
    """
    if len(raw) > LARGEST_BYTES:
        raise ValueError(f"{len(raw)} bytes are too many to show (limit {LARGEST_BYTES})")
    return _load(_Reader, raw, "not a pickle that can be shown")


# A tuple is hashed by hashing what is in it, in C: more of these opcodes in one pickle might nest too deep for a stack.
MOST_TUPLES = 64 * 1024
_TUPLE_OPCODES = (pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3, pickle.TUPLE)


class _StrictReader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        plain = _PLAIN.get((module, name))
        if plain is None:
            raise pickle.UnpicklingError(f"it holds a {module}.{name}, and only plain values are read")
        return plain

    def persistent_load(self, pid: object) -> Any:
        raise pickle.UnpicklingError("persistent ids are not read")


def read_plain_pickle(raw: bytes) -> Any:
    """The value in `raw`, which holds nothing but plain values: what is meant to be worked with, not only shown.

    Raises ValueError for anything else.
    """
    if len(raw) > LARGEST_BYTES and sum(raw.count(opcode) for opcode in _TUPLE_OPCODES) > MOST_TUPLES:
        raise ValueError(f"{len(raw)} bytes of pickle may nest too deep to be read")
    return _load(_StrictReader, raw, "not a pickle of plain values")


def _load(reader: type[pickle.Unpickler], raw: bytes, wrong: str) -> Any:
    _refuse_memo_bomb(raw)
    try:
        return reader(io.BytesIO(raw)).load()
    except Exception as error:  # hostile bytes may raise anything at all
        raise ValueError(f"{wrong}: {type(error).__name__}: {error}") from error
