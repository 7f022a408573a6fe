"""A periodic job, and when it is due."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from arq.utils import timestamp_ms
from cronsim import CronSim, CronSimError

from arqlight.errors import InvalidInput, SettingsError

LONGEST_CRON = 200


@dataclass(frozen=True, slots=True)
class PeriodicJob:
    """A job to enqueue whenever `cron` (five fields, UTC) says, up to `jitter_s` later. `queue` is a key."""

    name: str
    cron: str
    task: str
    queue: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    jitter_s: float = 0
    enabled: bool = True

    @property
    def words(self) -> str:
        """When it is due, in words."""
        from cron_descriptor import FormatError, get_description  # what a page asks for, a worker need not load

        try:
            return str(get_description(self.cron)) + ", UTC"
        except (FormatError, ValueError, IndexError):  # an expression that only cronsim knows
            return self.cron

    def due(self, after_ms: int) -> Iterator[tuple[int, int]]:
        """The moments after `after_ms`: of each, what cron says and the time with its jitter, both in ms."""
        after = datetime.fromtimestamp(after_ms / 1000, tz=UTC)
        for moment in CronSim(self.cron, after):
            at_ms = int(moment.timestamp() * 1000)
            yield at_ms, at_ms + self._jitter_ms(at_ms)

    def next_ms(self) -> int:
        """When it is due next."""
        return next(self.due(timestamp_ms()))[1]

    def _jitter_ms(self, at_ms: int) -> int:
        # The same in every worker, another each time.
        lot = int.from_bytes(hashlib.sha256(f"{self.name}:{at_ms}".encode()).digest()[:4], "big") / 2**32
        return int(lot * self.jitter_s * 1000)


def check_cron(cron: str) -> None:
    """Raises InvalidInput for an expression that is none, or that never fires."""
    if len(cron) > LONGEST_CRON or len(cron.split()) != 5:
        raise InvalidInput("cron", f"{cron[:LONGEST_CRON]!r} has not five fields; write minute hour day month weekday")
    try:
        next(CronSim(cron, datetime.now(UTC)))
    except CronSimError as error:
        raise InvalidInput("cron", f"{cron!r} is no cron expression, or one that never fires: {error}") from None
    except StopIteration:
        raise InvalidInput("cron", f"{cron!r} never fires: there is no such day") from None


def check_periodic_job(whose: str, given: Any) -> None:
    """Raise SettingsError, which begins with `whose`, for what is no periodic job, or one that is never due."""
    if not isinstance(given, PeriodicJob):
        raise SettingsError(f"{whose}: a schedule is a {type(given).__name__}; make each with PeriodicJob(...)")
    try:
        check_cron(str(given.cron))
    except InvalidInput as error:
        raise SettingsError(f"{whose}: schedule {given.name!r}: {error}") from None
