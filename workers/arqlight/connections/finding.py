"""What the doctor finds."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["trouble", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong (`trouble`), or worth knowing (`note`). `fault` names its kind, for programs."""

    fault: str
    level: Level
    text: str

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return asdict(self)


def trouble(fault: str, text: str) -> Finding:
    """Something that is wrong."""
    return Finding(fault, "trouble", text)


def note(fault: str, text: str) -> Finding:
    """Something worth knowing."""
    return Finding(fault, "note", text)
