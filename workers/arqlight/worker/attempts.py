"""The attempts that run now, each as a task, from its claim until how it ended is handed on."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from arqlight.journal.journal import KEEP_NO_RESULT, Claim, Ending
from arqlight.worker.ack_buffer import AckBuffer
from arqlight.worker.attempt import CANCEL_AGAIN_S, MOST_WAITS, Attempt
from arqlight.worker.cancellation import let_pass
from arqlight.worker.host import RunnerHost
from arqlight.worker.refused_ending import failed_untold

MOST_CANCELS = 3  # a stop takes half a minute at most, where jobs do not end when they are cancelled

logger = logging.getLogger("arqlight.worker")


def _nothing(claim: Claim) -> None:
    pass


class Attempts:
    """Runs claims, of a server or of a database, by the same rules.

    All is kept by claim: a job of the same id may run again here while hooks of its last attempt still do.

    :param view: the worker as its attempts see it.
    :param endings: where it is handed on how each ended.
    :param count: called for each that is over, once.
    :param freed: called when a slot is free.
    :param tasks: where the tasks stand, by `Claim.key`; arq's own place for them, on Redis.
    :param began, over: called for each claim, where somebody keeps track of them.
    """

    def __init__(
        self, view: RunnerHost, endings: AckBuffer, count: Callable[[Ending], None], freed: Callable[[], None],
        tasks: dict[str, asyncio.Task[None]], began: Callable[[Claim], None] = _nothing,
        over: Callable[[Claim], None] = _nothing,
    ) -> None:  # fmt: skip
        self._view = view
        self._endings = endings
        self._count = count
        self._freed = freed
        self._tasks = tasks
        self._began = began
        self._over = over
        self.running: dict[str, Attempt] = {}

    def start(self, claims: Sequence[Claim]) -> None:
        """Run each in a task of its own."""
        loop, began = self._view.loop, []
        for claim in claims:
            key = claim.key
            self.running[key] = attempt = Attempt(self._view, claim, key)
            self._began(claim)
            self._tasks[key] = task = loop.create_task(self._run(attempt))
            task.add_done_callback(partial(self._settle, attempt))
            began.append((attempt, task))
        # Behind the first step of each: a task that never waits needs no timer.
        loop.call_soon(_set_timers, began)

    def call_off(self, is_meant: Callable[[Claim], bool]) -> None:
        """Stop those that run and are meant, each once, as arq's abort does."""
        for key, attempt in self.running.items():
            if attempt.ending is None and key not in self._view.aborting_tasks and is_meant(attempt.claim):
                self._view.aborting_tasks.add(key)
                self._tasks[key].cancel()

    def unended(self, claims: Sequence[Claim]) -> list[Claim]:
        """Those of `claims` whose task still runs."""
        found = ((claim, self.running.get(claim.key)) for claim in claims)
        return [claim for claim, attempt in found if attempt and attempt.ending is None]

    async def wait(self, longest_s: float | None = None) -> None:
        """Return when none runs any longer, or when the time is up."""
        if self._tasks:
            await asyncio.wait(set(self._tasks.values()), timeout=longest_s)

    def cancel(self) -> None:
        """Cut short what runs."""
        for task in self._tasks.values():
            task.cancel()

    async def end(self) -> None:
        """Return when all that were cut short have ended.

        What swallows its cancellation is cancelled again, and left to itself at last: the job goes back.
        """
        for _ in range(MOST_CANCELS):
            await self.wait(CANCEL_AGAIN_S)
            self.cancel()
        for attempt in list(self.running.values()):
            if attempt.ending is None:
                logger.error("job %s does not end when it is cancelled; it goes back", attempt.claim.id)
                self._endings.submit(
                    attempt.stopped("its worker was shut down, and it did not end when it was cancelled")
                )

    async def _run(self, attempt: Attempt) -> None:
        ending = await self._ending_of(attempt)
        self._view.progress.forget(attempt.claim.id)
        if self._view.after_job_end is None:
            self._endings.submit(ending)
            return
        # A shutdown must not cut a commit in two: the group is flushed, whatever cancels this task.
        await asyncio.shield(self._endings.submitted(ending))
        await attempt.hook(self._view.after_job_end, "after_job_end")

    async def _ending_of(self, attempt: Attempt) -> Ending:
        try:
            return await attempt.run()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # what it raised, or left, raises itself as it is looked at
            let_pass(error)
            logger.error("how job %s ended cannot be told; it is failed", attempt.claim.id)
            ending = Ending(attempt.claim, attempt.task, attempt.number, "failed", result_ttl_ms=KEEP_NO_RESULT)
            attempt.ending = failed_untold(ending, self._view.id, self._view.job_serializer)
            return attempt.ending

    def _settle(self, attempt: Attempt, done: asyncio.Task[None]) -> None:
        claim, key = attempt.claim, attempt.key
        was_called_off = key in self._view.aborting_tasks
        self.running.pop(key, None)
        self._tasks.pop(key, None)
        self._view.aborting_tasks.discard(key)
        self._over(claim)
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


def _set_timers(began: Sequence[tuple[Attempt, asyncio.Task[None]]]) -> None:
    for attempt, task in began:
        attempt.set_timer(task)
