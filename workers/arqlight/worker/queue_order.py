"""Which queue a claim looks into first: strict priority, or weights."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arqlight.errors import SettingsError
from arqlight.jobs.queues import queue_key
from arqlight.setting_values import read_limit, read_pair, read_weights


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
    named = _pairs(queues)
    keys = tuple(queue_key(name, known) for name, _ in named)
    if len(set(keys)) < len(keys):
        raise SettingsError(f"queues {', '.join(name for name, _ in named)}: a queue is named twice; name each once")
    try:
        return QueueOrder(keys, read_weights(named))
    except ValueError as error:
        raise SettingsError(str(error)) from None


def parse_limits(limits: Sequence[str] | Mapping[str, int], known: frozenset[str] = frozenset()) -> dict[str, int]:
    """How many jobs of a queue may run at once, over all workers: `["emails=5"]` or `{"emails": 5}`, by key.

    One of `known` is a key already. Raises SettingsError for a limit that is no whole number of at least 1.
    """
    try:
        return {queue_key(name, known): read_limit(name, limit) for name, limit in _pairs(limits)}
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _pairs(given: Sequence[str] | Mapping[str, int]) -> list[tuple[str, str]]:
    if isinstance(given, Mapping):
        return [(name.strip(), str(number)) for name, number in given.items()]
    return [read_pair(entry) for entry in given]
