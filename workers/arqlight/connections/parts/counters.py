"""What was counted. Rates of the last minutes are in `Reads.rates`, which every driver has."""

from typing import Any, Protocol

from arqlight.journal.counters import Span, Totals


class Counters(Protocol):
    """Throughput, failures, and how long jobs waited and ran."""

    async def chart(self, span: Span, queue: str | None = None) -> dict[str, Any]:
        """`{"span", "step_s", "points": [{"at", "succeeded", "failed", "wait_p50_ms", …}]}`, the oldest point first.

        :param queue: a queue's key; None for all queues together.
        """
        ...

    async def totals(self) -> Totals:
        """The counters that only grow."""
        ...
