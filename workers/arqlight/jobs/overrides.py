"""What can be set on the page for a queue or a task, over what the code says."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from arqlight.checked_fields import WrongFields, checked, option
from arqlight.errors import InvalidInput


@dataclass(frozen=True)
class Override:
    """What can be set for a task, or for all tasks of a queue; None leaves what the code says."""

    timeout_s: float | None = option(None, above=0, most=86_400, about="Seconds an attempt may run.")
    tries: int | None = option(None, least=1, most=100, about="Attempts before a job is failed.")
    backoff_first_s: float | None = option(None, above=0, most=86_400, about="Seconds before the second attempt.")
    backoff_longest_s: float | None = option(None, above=0, most=604_800, about="Longest wait between two attempts.")
    keep_result_s: float | None = option(None, least=0, most=2_592_000, about="Seconds a result is kept.")
    concurrency: int | None = option(
        None, least=1, most=100_000, about="Jobs of the queue that run at once, over all workers."
    )

    def values(self) -> dict[str, Any]:
        """What is set."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def over(self, other: "Override") -> "Override":
        """This, and where it says nothing, the other."""
        return replace(other, **self.values())


NOTHING = Override()


def read_override(text: str | bytes) -> Override:
    """One as the server keeps it, in JSON."""
    return checked(Override, json.loads(text))


def check_override(values: Mapping[str, Any]) -> Override:
    """What somebody wants to set; None and "" are not set. Raises InvalidInput, which names the field."""
    given = {name: value for name, value in values.items() if value not in (None, "")}
    unknown = sorted(given.keys() - {each.name for each in fields(Override)})
    if unknown:
        raise InvalidInput(unknown[0], "there is no such setting")
    try:
        chosen = checked(Override, given)
    except WrongFields as error:
        name, _, reason = error.wrong[0]
        raise InvalidInput(name, reason) from None
    first, longest = chosen.backoff_first_s, chosen.backoff_longest_s
    if first is not None and longest is not None and first > longest:
        raise InvalidInput("backoff_first_s", f"backoff_first_s={first:g} is above backoff_longest_s={longest:g}")
    return chosen


@dataclass(frozen=True, slots=True)
class Overrides:
    """What is set now. A task's own wins over its queue's."""

    _entries: Mapping[str, Override] = field(default_factory=dict)

    def find(self, task: str, queue: str) -> Override | None:
        """What is set for a job of `task` in `queue` (its key); None, at no cost, where nothing is."""
        if not self._entries:
            return None
        own, of_queue = self._entries.get(f"task:{task}"), self._entries.get(f"queue:{queue}")
        return own.over(of_queue) if own and of_queue else own or of_queue

    def items(self) -> list[tuple[str, str, Override]]:
        """Each as (kind, name, override)."""
        return [(*name.split(":", 1), override) for name, override in sorted(self._entries.items())]  # type: ignore[misc]

    def get(self, kind: str, name: str) -> Override:
        """What is set for one queue (by key) or task."""
        return self._entries.get(f"{kind}:{name}", NOTHING)
