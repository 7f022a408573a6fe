"""The circuit breaker of an endpoint: one that does not answer is left alone for a while, then asked by one."""

from dataclasses import dataclass
from datetime import datetime, timedelta

OPENS_AFTER = 5
FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 900.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """`unanswered`: attempts in a row that got no answer (timeouts, refused connections). While `paused_until` is to
    come, deliveries wait and spend no try."""

    unanswered: int = 0
    paused_until: datetime | None = None

    def wait_s(self, now: datetime) -> float:
        """Seconds until a delivery may be tried; 0 where it may now."""
        return max(0.0, (self.paused_until - now).total_seconds()) if self.paused_until else 0.0

    @property
    def probes(self) -> bool:
        """Whether the next attempt is a probe: the others wait for what comes of it."""
        return self.unanswered >= OPENS_AFTER

    def probed(self, now: datetime, probe_s: float) -> "Breaker":
        """While a probe is under way, `probe_s` seconds at most."""
        return Breaker(self.unanswered, now + timedelta(seconds=probe_s))

    def after(self, now: datetime, *, is_answered: bool, is_probe: bool) -> "Breaker":
        """After an attempt: any answer closes it. What began before it opened does not keep it open for longer."""
        if is_answered:
            return Breaker()
        if self.probes and not is_probe:
            return self
        unanswered = self.unanswered + 1
        if unanswered < OPENS_AFTER:
            return Breaker(unanswered)
        return Breaker(unanswered, now + timedelta(seconds=pause_s(unanswered)))


def pause_s(unanswered: int) -> float:
    """How long to leave alone an endpoint that gave no answer so often: 30 s, doubled each time, 15 minutes at most."""
    return min(FIRST_PAUSE_S * 2.0 ** min(max(unanswered - OPENS_AFTER, 0), 20), LONGEST_PAUSE_S)
