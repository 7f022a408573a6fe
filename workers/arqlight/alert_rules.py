"""Rules for alerts as they are written: `depth>1000,oldest_s>300,failure_rate>0.5,no_worker_s>60`."""

import math
from dataclasses import dataclass

MEASURES = ("depth", "oldest_s", "failure_rate", "no_worker_s")


@dataclass(frozen=True, slots=True)
class Rule:
    """Broken when the measure is above the limit."""

    measure: str
    limit: float

    @property
    def text(self) -> str:
        """As it is written."""
        return f"{self.measure}>{self.limit:g}"


def parse_rules(text: str) -> list[Rule]:
    """The rules. Raises ValueError, which names the one that is wrong."""
    found = []
    for entry in (part.strip() for part in text.split(",") if part.strip()):
        measure, _, limit = (part.strip() for part in entry.partition(">"))
        try:
            number = float(limit)
        except ValueError:
            number = math.nan
        if measure not in MEASURES or not (math.isfinite(number) and number >= 0):
            raise ValueError(f"{entry!r} is no rule; one is measure>number with one of {', '.join(MEASURES)}")
        found.append(Rule(measure, number))
    return found
