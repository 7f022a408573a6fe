"""What running jobs tell, written to PostgreSQL: by the verbs and with the values of the scripts of the same names."""

from collections.abc import Sequence
from typing import Any

from arqlight.connections.database.pool import Pool
from arqlight.jobs.log_line import LogLine


class Writes:
    """Takes what `Progress` and `Logbook` send."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def run(self, verb: str, *args: Any) -> Any:
        """`report`, the only verb there is here."""
        return await self._report(args[::2], args[1::2])

    async def write(self, lines: Sequence[LogLine]) -> None:
        """Keep a group of lines, each in the log of its job."""
        jobs = [line.job.decode("utf-8", "replace") for line in lines]
        await self._pool.rows("log", jobs, [line.entry for line in lines])

    async def _report(self, jobs: tuple[bytes, ...], steps: tuple[str, ...]) -> int:
        """1 when somebody looks, and the steps were written."""
        if not await self._pool.value("is_watched"):
            return 0
        await self._pool.rows("report", [job.decode("utf-8", "replace") for job in jobs], list(steps))
        return 1
