"""What running jobs tell, written to PostgreSQL: by the verbs and with the values of the scripts of the same names."""

from typing import Any

from arqlight.connections.database.pool import Pool


class Writes:
    """Takes what `Progress` and `Logbook` send."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def run(self, verb: str, *args: Any) -> Any:
        """`report` or `log`."""
        if verb == "report":
            return await self._report(args[::2], args[1::2])
        return await self._log(args[::7], args[6::7])

    async def _report(self, jobs: tuple[bytes, ...], steps: tuple[str, ...]) -> int:
        """1 when somebody looks, and the steps were written."""
        if not await self._pool.value("is_watched"):
            return 0
        await self._pool.rows("report", [_text(job) for job in jobs], list(steps))
        return 1

    async def _log(self, jobs: tuple[str | bytes, ...], lines: tuple[str, ...]) -> None:
        await self._pool.rows("log", [_text(job) for job in jobs], list(lines))


def _text(job: str | bytes) -> str:
    return job if isinstance(job, str) else job.decode("utf-8", "replace")
