"""One round of a database's runner: what is claimed, what goes back, what is called off, and when to look again."""

import time

from arqlight.connections.database import DatabaseConnection
from arqlight.connections.database.claims import Claims
from arqlight.jobs.queues import queue_name
from arqlight.worker.ack_buffer import AckBuffer
from arqlight.worker.attempts import Attempts
from arqlight.worker.host import RunnerHost

# A notification is lost with its connection: the queues are looked at now and then all the same.
SAFETY_POLL_S = 2.5
# A due job that nobody got was locked by the claim of another worker, which takes it or leaves it to the next. In a
# burst it may be the slots that others have asked for.
LOOK_AGAIN_S = 0.05


class DatabaseRound:
    """Looks into the queues of a database for one worker; each call raises Unusable."""

    def __init__(
        self,
        worker: RunnerHost,
        connection: DatabaseConnection,
        claims: Claims,
        attempts: Attempts,
        endings: AckBuffer,
    ) -> None:
        self._worker = worker
        self._connection = connection
        self._claims = claims
        self._attempts = attempts
        self._endings = endings
        self._looked_around_s = 0.0
        self._lost_an_answer = False
        self._looks_again = False
        self.asking = 0  # for how many jobs a claim is on its way
        self.recalls = True  # whether a job may have been called off
        self.is_limited = False

    async def announce(self) -> None:
        """Make known what the worker takes from and what it can run."""
        await self._connection.journal.announce_queues(self._worker.queues)
        await self._connection.journal.announce_tasks(self._worker.tasks_to_announce())

    async def go(self) -> float | None:
        """Claim what fits, and see to what was called off; for how long to wait then, None when a burst is over."""
        if self._lost_an_answer or time.monotonic() - self._looked_around_s > SAFETY_POLL_S:
            await self._look_around()
        wants_more = await self._claim()
        if self.recalls:
            self.recalls = False
            tokens = await self._claims.recalled()
            self._attempts.call_off(lambda claim: claim.token in tokens)
        return await self._next_look_s() if wants_more else SAFETY_POLL_S

    async def _look_around(self) -> None:
        """After a claim whose answer never came the server may have given jobs that nobody here knows of."""
        known = [attempt.claim for attempt in self._attempts.running.values()]
        await self._claims.give_back([*known, *self._endings.unwritten()])
        self._lost_an_answer = False
        self.is_limited = await self._claims.are_limited(self._names())
        self._looked_around_s = time.monotonic()
        self.recalls = True

    async def _claim(self) -> bool:
        """Fill the free slots, half of all at a time: the server works on one half while the tasks of the other run.

        Whether there are slots left.
        """
        while (slots := self._free_slots()) > 0:
            asked = min(slots, (self._worker.max_jobs + 1) // 2)
            keys, shares = self._worker.queue_order.turns(asked)
            chosen = {queue_name(key): self._worker.overrides.get("queue", key).concurrency for key in keys}
            is_limited = self.is_limited or any(chosen.values()) or bool(self._worker.limits)
            self.asking, self._lost_an_answer = asked, True
            try:
                names = [queue_name(key) for key in keys]
                claims = await self._claims.take(names, shares, asked, chosen, is_limited)
            finally:
                self.asking = 0
            self._lost_an_answer = False
            self._attempts.start(claims)
            if len(claims) < asked:
                return True
        return self._worker.burst and not self._attempts.running

    def _free_slots(self) -> int:
        worker = self._worker
        if self._endings.is_behind:
            return 0
        slots = worker.max_jobs - len(self._attempts.running)
        if worker.burst and worker.max_burst_jobs >= 0:
            slots = min(slots, worker.max_burst_jobs - worker.jobs_begun(and_asked_for=True))
        return slots

    async def _next_look_s(self) -> float | None:
        worker = self._worker
        is_burst_full = worker.burst and 0 <= worker.max_burst_jobs <= worker.jobs_begun(and_asked_for=False)
        if is_burst_full:
            return None
        due_s = await self._claims.due_in_s(self._names())
        if worker.burst and due_s is None and not self._attempts.running:
            if not self._endings.unwritten():
                return None
            await self._endings.drain()  # it may be that a job runs again
            return 0
        if due_s is None or due_s > 0:
            self._looks_again = False
            return SAFETY_POLL_S if due_s is None else min(due_s, SAFETY_POLL_S)
        self._looks_again = not self._looks_again
        return LOOK_AGAIN_S if self._looks_again or worker.burst else SAFETY_POLL_S

    def _names(self) -> list[str]:
        return [queue_name(key) for key in self._worker.queues]
