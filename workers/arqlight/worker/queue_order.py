"""Which queue a claim looks into first: strict priority, or weights."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arqlight.errors import SettingsError
from arqlight.jobs.queues import queue_key


@dataclass(frozen=True, slots=True)
class QueueOrder:
    """The queues a worker takes from, by key.

    Without `weights` the first queue goes first, always. With them each queue with work gets its part of the slots over
    time, so that none starves: a weight of 3 beside one of 1 gets three slots of four.
    """

    keys: tuple[str, ...]
    weights: tuple[int, ...] | None = None

    def turns(self, slots: int) -> tuple[Sequence[str], Sequence[int]]:
        """The order of the queues for one claim of `slots` jobs, and the share of the slots each gets first.

        What the shares leave over goes to the queues in order: by lot, so that the smallest weight comes up as well.
        """
        if self.weights is None:
            return self.keys, [slots] * len(self.keys)
        # A weighted shuffle (Efraimidis and Spirakis, 2006): the first of it is drawn in proportion to the weights.
        lots = [random.random() ** (1 / weight) for weight in self.weights]  # noqa: S311 - a lot, not a secret
        order = sorted(range(len(self.keys)), key=lots.__getitem__, reverse=True)
        total = sum(self.weights)
        return [self.keys[i] for i in order], [slots * self.weights[i] // total for i in order]


def parse_queue_order(queues: Sequence[str] | Mapping[str, int], known: frozenset[str] = frozenset()) -> QueueOrder:
    """Names of queues in order (`["high", "default"]`), or with weights (`["high=3", "default=1"]`, `{"high": 3}`).

    One of `known` is a key already, as in `queue_key`.

    Raises SettingsError for a weight that is no whole number from 1 to 1000, a queue named twice, or weights for some
    queues only.
    """
    named = [(name, str(weight)) for name, weight in queues.items()] if isinstance(queues, Mapping) else [
        (name.strip(), weight.strip() if equals else "")
        for name, equals, weight in (each.partition("=") for each in queues)
    ]  # fmt: skip
    keys = tuple(queue_key(name, known) for name, _ in named)
    if len(set(keys)) < len(keys):
        raise SettingsError(f"queues {', '.join(name for name, _ in named)}: a queue is named twice; name each once")
    weighted = [weight for _, weight in named if weight]
    if not weighted:
        return QueueOrder(keys)
    if len(weighted) < len(named):
        bare = next(name for name, weight in named if not weight)
        raise SettingsError(f"queue {bare!r} has no weight while others have one; give all one, or none")
    return QueueOrder(keys, tuple(_positive(name, weight, "weight", 1000) for name, weight in named))


def parse_limits(limits: Sequence[str] | Mapping[str, int], known: frozenset[str] = frozenset()) -> dict[str, int]:
    """How many jobs of a queue may run at once, over all workers: `["emails=5"]` or `{"emails": 5}`, by key.

    One of `known` is a key already. Raises SettingsError for a limit that is no whole number of at least 1.
    """
    named = limits.items() if isinstance(limits, Mapping) else (limit.split("=", 1) for limit in limits)
    parsed: dict[str, int] = {}
    for entry in named:
        name, limit = entry if len(entry) == 2 else (entry[0], "")
        parsed[queue_key(name.strip(), known)] = _positive(name, str(limit), "limit", 1_000_000)
    return parsed


def _positive(name: str, text: str, what: str, largest: int) -> int:
    if not (text.strip().isascii() and text.strip().isdigit() and 1 <= int(text) <= largest):
        raise SettingsError(f"queue {name.strip()!r}: its {what} is {text!r}; write a whole number from 1 to {largest}")
    return int(text)
