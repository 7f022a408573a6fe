"""The parts of a connection besides its jobs, a protocol each. A driver has all of a part, or nothing of it."""

from typing import Literal, get_args

Part = Literal["log", "schedules", "overrides", "counters", "audit", "maintenance", "store"]
PARTS: tuple[Part, ...] = get_args(Part)
