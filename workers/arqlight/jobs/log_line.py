"""A line of the log on its way to where it is kept."""

from typing import NamedTuple


class LogLine(NamedTuple):
    """One line. `job` and `task` are empty where no job said it; `entry` is the line of the job's own log, as JSON."""

    job: bytes
    task: bytes
    level: str
    logger: str
    message: str
    source: str
    entry: str
