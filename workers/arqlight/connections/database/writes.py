"""What running jobs tell, written to PostgreSQL: by the verbs and with the values of the scripts of the same names."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from arqlight.connections.database.pool import Pool
from arqlight.connections.database.tokens import read_token
from arqlight.jobs.log_line import LogLine
from arqlight.jobs.names import read_name
from arqlight.journal.deadline import CALL_S
from arqlight.journal.journal import Claim

MOST_ENDED = 5_000  # claims that are over, whose last lines may still be on their way


class Writes:
    """Takes what `Progress` and `Logbook` send, which know jobs by id, and writes it to the claim that runs."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._running: dict[str, Claim] = {}
        self._ended: dict[str, Claim] = {}

    def began(self, claim: Claim) -> None:
        """From here on its id means this claim."""
        self._running[claim.id] = claim

    def ended(self, claim: Claim) -> None:
        """What it still says may come until many others have ended."""
        if self._running.get(claim.id) is claim:
            del self._running[claim.id]
        self._ended[claim.id] = claim
        if len(self._ended) > MOST_ENDED:
            del self._ended[next(iter(self._ended))]

    async def run(self, verb: str, *args: Any) -> Any:
        """`report`, the only verb there is here."""
        async with self._pool.within(CALL_S):
            return await self._report(args[::2], args[1::2])

    async def write(self, lines: Sequence[LogLine]) -> None:
        """Keep a group of lines, each in the log of its job."""
        placed = [(place[0], line.entry) for line in lines if (place := self._place(line.job))]
        if placed:
            async with self._pool.within(CALL_S):
                await self._pool.rows("log", [number for number, _ in placed], [entry for _, entry in placed])

    async def _report(self, jobs: Sequence[bytes], steps: Sequence[str]) -> int:
        """1 when somebody looks, and the steps were written."""
        if not await self._pool.value("is_watched"):
            return 0
        told = [(*place, step) for job, step in zip(jobs, steps, strict=True) if (place := self._place(job))]
        await self._pool.rows("report", *([each[part] for each in told] for part in range(3)))
        return 1

    def _place(self, job: bytes) -> tuple[int, datetime] | None:
        job_id = read_name(job)
        claim = self._running.get(job_id) or self._ended.get(job_id)
        return read_token(claim.token) if claim else None
