"""The attempts at jobs of a database that run now, each as a task, from its claim until how it ended is handed on."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from arqlight.connections.database.writes import Writes
from arqlight.journal.journal import Claim, Ending
from arqlight.worker.ack_buffer import AckBuffer
from arqlight.worker.attempt import MOST_WAITS, Attempt
from arqlight.worker.host import RunnerHost

logger = logging.getLogger("arqlight.database")


class DatabaseAttempts:
    """Runs claims by the same rules as on Redis.

    :param view: the worker as its attempts see it.
    :param count: called for each that is over, once.
    :param freed: called when a slot is free.
    """

    def __init__(
        self, view: RunnerHost, writes: Writes, endings: AckBuffer, count: Callable[[Ending], None],
        freed: Callable[[], None],
    ) -> None:  # fmt: skip
        self._view = view
        self._writes = writes
        self._endings = endings
        self._count = count
        self._freed = freed
        self.running: dict[str, Attempt] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, claims: Sequence[Claim]) -> None:
        """Run each in a task of its own."""
        for claim in claims:
            attempt = Attempt(self._view, claim)
            self.running[claim.key] = attempt
            self._writes.began(claim)
            self._tasks[claim.key] = task = asyncio.create_task(self._run(attempt))
            task.add_done_callback(partial(self._settle, attempt))
        # Behind the first step of each: a task that never waits needs no timer.
        asyncio.get_running_loop().call_soon(self._set_timers, claims)

    def call_off(self, tokens: set[str]) -> None:
        """Stop those of these claims that run, each once, as arq's abort does."""
        for key, attempt in self.running.items():
            if attempt.claim.token in tokens and attempt.ending is None and key not in self._view.aborting_tasks:
                self._view.aborting_tasks.add(key)
                self._tasks[key].cancel()

    async def wait(self, longest_s: float | None = None) -> None:
        """Return when none runs any longer, or when the time is up."""
        if self._tasks:
            await asyncio.wait(set(self._tasks.values()), timeout=longest_s)

    def cancel(self) -> None:
        """Cut short what runs."""
        for task in self._tasks.values():
            task.cancel()

    async def _run(self, attempt: Attempt) -> None:
        ending = await attempt.run()
        self._view.progress.forget(attempt.claim.id)
        if self._view.after_job_end is None:
            self._endings.submit(ending)
            return
        # A shutdown must not cut a commit in two: the group is flushed, whatever cancels this task.
        await asyncio.shield(self._endings.submitted(ending))
        await attempt.hook(self._view.after_job_end, "after_job_end")

    def _settle(self, attempt: Attempt, done: asyncio.Task[None]) -> None:
        claim, was_called_off = attempt.claim, attempt.claim.key in self._view.aborting_tasks
        self.running.pop(claim.key, None)
        self._tasks.pop(claim.key, None)
        self._view.aborting_tasks.discard(claim.key)
        self._writes.ended(claim)
        if attempt.ending is not None:
            self._count(attempt.ending)
        elif done.cancelled() and was_called_off:
            self._endings.submit(Ending(claim, "", claim.attempt, "cancelled"))
        elif done.cancelled():
            # Cancelled before its first step: nothing ran, so it goes back uncounted.
            self._endings.submit(Ending(claim, "", claim.attempt, "rescheduled", most_uncounted=MOST_WAITS))
        if not done.cancelled() and (error := done.exception()):
            logger.error("job %s could not be settled; it is run again when this worker ends", claim.id, exc_info=error)
        self._freed()

    def _set_timers(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            if (task := self._tasks.get(claim.key)) and (attempt := self.running.get(claim.key)):
                attempt.set_timer(task)
