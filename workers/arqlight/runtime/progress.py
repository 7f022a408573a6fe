"""How far long jobs are: `ctx["progress"](done, total, "what")`.

A call writes into this process's memory, nothing more. As long as somebody looks (a page or a consumer of the feed),
what changed goes to the server ten times a second, once a job; while nobody does, it costs one question a second.
"""

import asyncio
import contextlib
import json
from typing import Any, Protocol

from arq.utils import timestamp_ms

from arqlight.background import end, keep_running
from arqlight.connections.connection_errors import SERVER_AWAY
from arqlight.errors import Unusable
from arqlight.jobs.names import raw_name
from arqlight.jobs.secret_texts import hide
from arqlight.runtime.current_attempt import ATTEMPT

WRITE_EVERY_S = 0.1
ASK_EVERY_S = 1.0
LONGEST_WHAT = 200


class Writes(Protocol):
    """What takes the steps to where they are kept: the scripts of a server, or a database."""

    async def run(self, verb: str, *args: Any) -> Any:
        """Carry out one verb."""
        ...


class Progress:
    """The steps of one worker's jobs, on their way to the server."""

    def __init__(self, scripts: Writes) -> None:
        self._scripts = scripts
        self._changed: dict[str, str] = {}
        self._steps: dict[str, tuple[float, float, str]] = {}
        self._sending: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    def __call__(self, done: float, total: float, what: str = "") -> None:
        """The running job has done `done` of `total`; `what` says of what. A job's `done` never goes back."""
        attempt = ATTEMPT.get()
        if attempt is None:
            return
        job_id = attempt.claim.id
        before = self._steps.get(job_id)
        done = max(done, before[0]) if before and before[1] == total else done
        self._steps[job_id] = (done, total, what)
        # A task may call from a thread of its own.
        self._loop.call_soon_threadsafe(self._note, job_id)

    def forget(self, job_id: str) -> None:
        """The job's attempt is over."""
        if self._steps:
            self._steps.pop(job_id, None)
            self._changed.pop(job_id, None)

    async def close(self) -> None:
        """Stop sending."""
        await end(self._sending)

    def _note(self, job_id: str) -> None:
        if job_id not in self._steps:
            return
        done, total, what = self._steps[job_id]
        step = {"done": done, "total": total, "what": self._shown(what), "at": timestamp_ms()}
        self._changed[job_id] = json.dumps(step)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(keep_running("report of progress", self._send, may_return=True))

    @staticmethod
    def _shown(what: str) -> str:
        attempt = ATTEMPT.get()  # of the task that called
        return hide(what[:LONGEST_WHAT], attempt.secrets() if attempt else ())

    async def _send(self) -> None:
        while self._changed:
            flat = [part for job_id, step in self._changed.items() for part in (raw_name(job_id), step)]
            is_watched = False
            with contextlib.suppress(*SERVER_AWAY, Unusable):
                is_watched = await self._scripts.run("report", *flat) == 1
            if is_watched:
                written = set(flat[1::2])  # each has its time: no two are the same
                self._changed = {job: step for job, step in self._changed.items() if step not in written}
            await asyncio.sleep(WRITE_EVERY_S if is_watched else ASK_EVERY_S)
