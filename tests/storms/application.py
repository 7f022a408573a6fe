"""The arq application of the storms: each job notes that it ran."""

import os
from typing import Any, ClassVar

_notes = os.open(os.environ["STORM_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


async def note(ctx: dict[str, Any]) -> None:
    """One line for each run, whole also when the process is killed in between."""
    os.write(_notes, f"{ctx['job_id']}\n".encode())


class WorkerSettings:
    """At full speed."""

    functions: ClassVar[list[Any]] = [note]
    max_jobs = 100
    keep_result = 60
