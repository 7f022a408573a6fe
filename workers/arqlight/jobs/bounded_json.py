"""JSON that anybody may have written, read within a budget."""

import json
from typing import Any

from arqlight.errors import OverBudget
from arqlight.jobs.budget import Budget

DEEPEST = 100  # levels; what is nested deeper cannot be written again: pickle, JSON and databases each have a limit


class TooDeep(OverBudget):
    """JSON that is nested too deep to be written again."""


def read_bounded(text: str | bytes, budget: Budget, deepest: int | None = DEEPEST, **hooks: Any) -> Any:
    """The value of `text`. Raises OverBudget (TooDeep), ValueError for what is no JSON.

    :param deepest: levels of nesting; None: as many as Python's own reader takes.
    :param hooks: `json.loads`' own.
    """
    budget.admit(text)
    written = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    # Before each value but the first stands one of these; those in texts are counted as well.
    budget.take(1 + sum(map(written.count, (b"[", b"{", b","))))
    try:
        value = json.loads(text, **hooks)
    except RecursionError as error:
        raise OverBudget("it is nested too deep to be read") from error
    if deepest is not None:
        _check_depth(value, deepest)
    return value


def _check_depth(value: Any, deepest: int) -> None:
    level = [value]
    for _ in range(deepest):
        level = [inner for each in level for inner in _parts(each)]
        if not level:
            return
    raise TooDeep(f"it is nested deeper than {deepest} levels")


def _parts(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
