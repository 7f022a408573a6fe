"""Tables and the plot of a run."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Table:
    """A part of the results. Cells are text, or the figures of several rounds (shown as median and spread)."""

    title: str
    columns: Sequence[str]
    about: str = ""
    rows: list[Sequence[object]] = field(default_factory=list)

    def add(self, *cells: object) -> None:
        """Add a row and print it."""
        self.rows.append(cells)
        print(" | ".join(map(shown, cells)), flush=True)

    def markdown(self) -> str:
        """The table as the results file has it."""
        lines = [f"## {self.title}", ""]
        if self.about:
            lines += [self.about, ""]
        lines += ["| " + " | ".join(self.columns) + " |", "|" + " --- |" * len(self.columns)]
        lines += ["| " + " | ".join(map(shown, row)) + " |" for row in self.rows]
        return "\n".join(lines) + "\n"


def shown(cell: object) -> str:
    """A cell as text."""
    if isinstance(cell, list):
        middle = number(median(cell))
        return middle if len(cell) == 1 else f"{middle} ({number(min(cell))} to {number(max(cell))})"
    return number(cell) if isinstance(cell, int | float) else str(cell)


def number(value: float) -> str:
    """Three digits or so."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def percentile(values: Sequence[float], part: float) -> float:
    """The value that `part` (0 to 1) of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
