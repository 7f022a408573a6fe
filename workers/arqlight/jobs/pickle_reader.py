"""Look into pickled bytes without running them: only plain values are built, anything else becomes its class's name.

Python's documentation of `pickle`, "Restricting Globals", is the rule; a class that is not on the list turns into an
inert stand-in, so a page can show arguments of types that the service does not even have.
"""

import datetime
import decimal
import uuid
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from arqlight.errors import OverBudget
from arqlight.jobs.budget import Budget
from arqlight.jobs.opaque import Opaque
from arqlight.jobs.pickle_machine import PickleMachine

LONGEST_REASON = 500

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


def read_pickle(raw: bytes, budget: Budget) -> Any:
    """The value in `raw`, with every non-plain object as an `Opaque`. Raises ValueError, OverBudget."""
    return _read(raw, budget, _class_or_name, "not a pickle that can be shown")


def read_plain_pickle(raw: bytes, budget: Budget) -> Any:
    """The value in `raw`, which holds nothing but plain values: what is meant to be worked with, not only shown.

    Raises ValueError for anything else, OverBudget.
    """
    return _read(raw, budget, _plain_class, "not a pickle of plain values")


def _class_or_name(module: str, name: str) -> Any:
    plain = _PLAIN.get((module, name))
    return plain if plain is not None else Opaque(f"{module}.{name}")


def _plain_class(module: str, name: str) -> Any:
    plain = _PLAIN.get((module, name))
    if plain is None:
        raise ValueError(f"it holds a {module}.{name}, and only plain values are read")
    return plain


def _read(raw: bytes, budget: Budget, find_class: Callable[[str, str], Any], wrong: str) -> Any:
    try:
        value = PickleMachine(raw, budget, find_class).run()
        budget.walk(value)
    except OverBudget:
        raise
    except Exception as error:  # hostile bytes may raise anything at all
        raise ValueError(f"{wrong}: {type(error).__name__}: {error}"[:LONGEST_REASON]) from error
    return value
