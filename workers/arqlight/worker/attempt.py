"""One attempt at one job: decode, hooks, run within its timeout, and say how it ended.

The rules are arq's (`arq.worker.Worker.run_job`, 0.28): what retries, what fails, what the context holds, when a
result is kept. Where arq lets an error of a hook end the worker, the job fails instead.
"""

import asyncio
import inspect
import logging
import pickle
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

from arq.constants import keep_cronjob_progress
from arq.cron import CronJob
from arq.jobs import DeserializationError, SerializationError, deserialize_job_raw, serialize_result
from arq.utils import ms_to_datetime, timestamp_ms, to_ms, truncate
from arq.worker import Function, JobExecutionFailed, Retry, RetryJob

from arqlight.errors import NotYet, WorkerLost, WorkerStopped
from arqlight.jobs.display import LAST_MS
from arqlight.jobs.failure import clean, describe_failure
from arqlight.jobs.job import Failure
from arqlight.jobs.masking import secrets_in
from arqlight.jobs.overrides import Override
from arqlight.jobs.queues import queue_name
from arqlight.journal import tracing
from arqlight.journal.journal import KEEP_FOREVER, KEEP_NO_RESULT, Claim, Ending
from arqlight.runtime.current_attempt import ATTEMPT
from arqlight.tasks import Task
from arqlight.worker import sentry
from arqlight.worker.call_text import call_text
from arqlight.worker.cancellation import let_pass, take_back_cancels
from arqlight.worker.host import AttemptHost

logger = logging.getLogger("arqlight.worker")
failures = logging.getLogger(sentry.FAILURES_LOGGER)


# How often in a row an attempt may end uncounted: for a shutdown, and while it waits its turn (`NotYet`).
MOST_SHUTDOWNS = 1
MOST_WAITS = 1000
# A task that swallowed the cancellation of its timeout is cancelled again.
CANCEL_AGAIN_S = 10.0
HOOK_S = 300.0
LONGEST_TASK = 500
_NO_SCOPE = nullcontext()


class Aborted(asyncio.CancelledError):
    """The job was aborted through arq's abort set."""


@dataclass(slots=True)
class Attempt:
    """A claimed job on its way through a worker."""

    worker: AttemptHost
    claim: Claim
    key: str  # `Claim.key`
    task: str = "<unknown>"
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    enqueued_ms: int = 0
    number: int = 0
    started_ms: int = field(default_factory=timestamp_ms)
    renewed_ms: int = field(default_factory=timestamp_ms)
    context: dict[Any, Any] = field(default_factory=dict)
    function: Function | CronJob | None = None
    called_s: float | None = None
    timer: asyncio.TimerHandle | None = None
    timer_cancels: int = 0
    ending: Ending | None = None
    override: Override | None = None

    async def run(self) -> Ending:
        """Run the job once. Never raises but for a cancellation that comes before the job began.

        How it ended is decided before `on_job_end` runs: no hook, and no cancellation of one, changes that.
        """
        self.number = self.claim.attempt
        ATTEMPT.set(self)
        try:
            self.function = self._prepare()
        except BaseException as refusal:
            let_pass(refusal)
            self.ending = self._refused(refusal)
            return self.ending
        self.context = {
            **self.worker.ctx,
            "job_id": self.claim.id,
            "job_try": self.number,
            "enqueue_time": ms_to_datetime(self.enqueued_ms),
            "score": self.claim.score,
        }
        if self.override is not None:
            self.context["override"] = self.override
        with sentry.attempt_scope(self) if sentry.is_on() else _NO_SCOPE:
            try:
                if self.worker.on_job_start:
                    await self._in_time(self.worker.on_job_start, "on_job_start")
                self.ending = await (self._traced() if tracing.is_on() else self._run(self.function))
            except BaseException as error:
                let_pass(error)
                self.ending = self._ended_by(error)
        await self.hook(self.worker.on_job_end, "on_job_end")
        return self.ending

    async def _traced(self) -> Ending:
        """The call and its end, as a span in the trace that enqueued the job."""
        assert self.function is not None  # noqa: S101 - it was prepared
        about = {"arq.attempt": self.number, "messaging.destination.name": self.claim.queue}
        async with tracing.job_span(self.worker.pool, self.claim.id, self.task, about) as span:
            try:
                return await self._run(self.function)
            except BaseException as error:
                let_pass(error)
                ending = self._ended_by(error)
                if ending.failure is not None:
                    tracing.note_failure(span, f"{ending.failure.error}: {ending.failure.message}")
                return ending

    async def hook(self, hook: Any, name: str) -> None:
        """Run a hook that comes after the job; what it raises is logged, for the job's end is settled by then."""
        if hook and self.context:
            try:
                await self._in_time(hook, name)
            except asyncio.CancelledError:
                take_back_cancels()
                logger.warning("%s of job %s was cancelled", name, self.claim.id)
            except BaseException as error:
                let_pass(error)
                logger.exception("%s of job %s failed", name, self.claim.id)

    async def _in_time(self, hook: Any, name: str) -> None:
        """Each hook has five minutes, or as long as its job: a slot that waits for one is lost. Raises what it does."""
        longest_s = max(self.timeout_s or 0, HOOK_S)
        try:
            async with asyncio.timeout(longest_s) as limit:
                await hook(self.context)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TimeoutError(f"{name} ran longer than {longest_s:g} s") from error

    def _prepare(self) -> Function | CronJob:
        """The function to run. Raises what arq would put into the result of a job that cannot start."""
        if self.claim.payload is None:
            raise JobExecutionFailed("job expired")
        wished_try = self._decode(self.claim.payload)
        if self.claim.aborted:
            raise Aborted
        self.override = self.worker.overrides.find(self.task, self.claim.queue)
        function = self.worker.functions.get(self.task)
        if function is None:
            raise JobExecutionFailed(f"function {self.task!r} not found")
        self.number = max(self.number, wished_try)
        tries = self._tries(function)
        if self.number > tries:
            if self.claim.lost not in ("-", "0"):
                raise WorkerLost(f"its worker died while it held it, {self.claim.lost} times; it is not run again")
            raise JobExecutionFailed(f"max {tries} retries exceeded")
        return function

    def _decode(self, payload: bytes) -> int:
        """Take over what arq's bytes say; the attempt they wish for. Raises DeserializationError for another layout."""
        task, args, kwargs, wished_try, enqueued_ms = deserialize_job_raw(
            payload, deserializer=self.worker.job_deserializer
        )
        is_call = isinstance(task, str) and isinstance(args, tuple | list) and isinstance(kwargs, dict)
        is_timed = isinstance(enqueued_ms, int) and 0 <= enqueued_ms <= LAST_MS and isinstance(wished_try, int | None)
        if not (is_call and is_timed):
            raise DeserializationError from ValueError("they hold something else than a job of arq's")
        if task not in self.worker.functions:
            task = clean(task, LONGEST_TASK)  # it is only shown
        self.task, self.args, self.kwargs, self.enqueued_ms = task, tuple(args), kwargs, enqueued_ms
        return wished_try or 0

    def set_timer(self, task: asyncio.Task[Any]) -> None:
        """Start the clock of a job that runs in `task`, as of the moment its function was called, if it was yet."""
        if self.function is None or self.called_s is None or self.timer is not None or self.ending is not None:
            return
        timeout_s = self._timeout_s(self.function)
        if timeout_s is not None:
            self.timer = self.worker.loop.call_at(self.called_s + timeout_s, self._time_out, task)

    def _time_out(self, task: asyncio.Task[Any]) -> None:
        self.timer_cancels += 1
        task.cancel()
        self.timer = self.worker.loop.call_later(CANCEL_AGAIN_S, self._time_out, task)

    async def _run(self, function: Function | CronJob) -> Ending:
        return self._succeeded(await self._call(function))

    async def _call(self, function: Function | CronJob) -> Any:
        if logger.isEnabledFor(logging.INFO):
            waited_s = (self.started_ms - self.enqueued_ms) / 1000
            again = f" try={self.number}" if self.number > 1 else ""
            called = call_text(self.args, self.kwargs)
            logger.info("%6.2fs → %s(%s)%s", waited_s, self._ref, called, again)
        self.called_s = self.worker.loop.time()
        # A start hook may have waited: then the worker has gone through the timers of its group already.
        if self.worker.on_job_start and (task := asyncio.current_task()):
            self.set_timer(task)
        try:
            return await function.coroutine(self.context, *self.args, **self.kwargs)
        except asyncio.CancelledError as cancelled:
            task = asyncio.current_task()
            if self.timer_cancels and task and task.cancelling() <= self.timer_cancels:  # else a shutdown or an abort
                take_back_cancels()
                raise TimeoutError(f"ran longer than its timeout of {self._timeout_s(function):g} s") from cancelled
            raise
        finally:
            if self.timer:
                self.timer.cancel()

    def _succeeded(self, result: Any) -> Ending:
        # A repr that raises fails the job, as in arq.
        shown = "" if result is None or not self.worker.log_results else truncate(repr(result))
        data, problem = self._serialize(result, success=True)
        if problem is not None:
            raise SerializationError(
                f"the task ended well, but its result, a {type(result).__name__}, cannot be serialized: {problem}; "
                "return a plain value, or keep no result"
            )
        if logger.isEnabledFor(logging.INFO):
            logger.info("%6.2fs ← %s ● %s", self._spent_s, self._ref, shown)
        return self._ending("succeeded", data)

    def _ended_by(self, error: BaseException) -> Ending:
        worker = self.worker
        if isinstance(error, asyncio.CancelledError):
            was_cancelled = take_back_cancels()
            if self.key in worker.aborting_tasks:
                return self._aborted()
            if worker.retry_jobs and was_cancelled and worker.is_stopping:
                logger.info("%6.2fs ↻ %s cancelled, will be run again", self._spent_s, self._ref)
                return self.stopped("its worker was shut down; once in a row that does not count")
        if isinstance(error, NotYet):
            logger.info("%6.2fs ↻ %s waits its turn: %s", self._spent_s, self._ref, error.why)
            return self._ending("rescheduled", most_uncounted=MOST_WAITS, delay_ms=error.defer_score or 0)
        if isinstance(self.function, Task) and isinstance(error, TimeoutError | asyncio.CancelledError):
            error = self.function.again(self.context, error)
        if sentry.is_on():
            sentry.tell(error)
        # A cancellation that nobody here asked for (an inner task was cancelled, a library's scope) counts, as in arq.
        if worker.retry_jobs and isinstance(error, Retry | RetryJob | asyncio.CancelledError):
            return self._asked_again(error)
        return self._failed(error, error)

    def stopped(self, why: str) -> Ending:
        """How it ends when its worker stops."""
        failure = self._describe(WorkerStopped(why))
        return self._ending("rescheduled", failure=failure, most_uncounted=MOST_SHUTDOWNS)

    def _asked_again(self, error: BaseException) -> Ending:
        assert self.function is not None  # noqa: S101 - it ran
        tries = self._tries(self.function)
        if self.number >= tries:
            # arq finds this out at the next pick-up; the journal says it now, with the failure that used up the tries.
            logger.warning("%6.2fs ! %s max retries %d exceeded", self._spent_s, self._ref, tries)
            return self._failed(error, JobExecutionFailed(f"max {tries} retries exceeded"))
        failure = self._describe(error)
        delay_ms = getattr(error, "defer_score", None) or 0
        logger.info("%6.2fs ↻ %s retrying job in %0.2fs", self._spent_s, self._ref, delay_ms / 1000)
        return self._ending("rescheduled", failure=failure, delay_ms=delay_ms)

    def _aborted(self) -> Ending:
        logger.info("%6.2fs ⊘ %s aborted", self._spent_s, self._ref)
        return self._ending("cancelled", self._serialize(asyncio.CancelledError(), success=False)[0])

    def _refused(self, refusal: BaseException) -> Ending:
        if isinstance(refusal, Aborted):
            return self._aborted()
        message = str(refusal)
        if isinstance(refusal, DeserializationError):
            cause = refusal.__cause__
            message = f"the job's bytes do not decode: {type(cause).__name__}: {cause}"
        elif self.claim.payload is None:
            message = "it waited longer than its expiry, and its arguments are gone"
        elif self.task not in self.worker.functions:
            message = (
                f"no living worker of queue {queue_name(self.claim.queue)!r} has a task named {self.task!r}; "
                f"this one has {', '.join(sorted(self.worker.functions))}"
            )
        elif isinstance(refusal, JobExecutionFailed | WorkerLost):
            self.number = self.claim.attempt - 1  # this run never began
        return self._failed(refusal, refusal, message)

    def _failed(self, error: BaseException, result: BaseException, message: str | None = None) -> Ending:
        failure = self._describe(error, message)
        extra = getattr(error, "extra", None)
        # The bounded text, not exc_info: an exception's own __str__ may raise, or print a megabyte.
        failures.error(
            "%6.2fs ! %s failed, %s: %s\n%s", self._spent_s, self._ref, failure.error, failure.message, failure.trace,
            extra={"extra": extra() if callable(extra) else extra},
        )  # fmt: skip
        return self._ending("failed", self._serialize(result, success=False)[0], failure=failure)

    def _describe(self, error: BaseException, message: str | None = None) -> Failure:
        worker, started_ms = self.worker.id, self.started_ms
        return describe_failure(
            error, task=self.task, attempt=self.number, worker=worker, started_ms=started_ms, message=message,
            secrets=self.secrets(),
        )  # fmt: skip

    def secrets(self) -> list[str]:
        """The values of this job's arguments that are never shown."""
        named = dict(self.kwargs)
        if self.args and self.function is not None:
            parameters = list(inspect.signature(self.function.coroutine).parameters)[1:]
            named |= dict(zip(parameters, self.args, strict=False))
        return secrets_in(named)

    def _serialize(self, result: Any, *, success: bool) -> tuple[bytes, Exception | None]:
        """arq's bytes for the result, and what kept it from being written as it is; nothing when none is kept."""
        if self._result_ttl_ms() == KEEP_NO_RESULT:
            return b"", None
        problems: list[Exception] = []
        serializer = self.worker.job_serializer or pickle.dumps

        def noting(data: dict[str, Any]) -> bytes:
            try:
                return serializer(data)
            except Exception as problem:
                problems.append(problem)
                raise

        data = serialize_result(
            self.task, self.args, self.kwargs, self.number, self.enqueued_ms, success, result, self.started_ms,
            timestamp_ms(), self._ref, self.claim.queue, self.claim.id, serializer=noting,
        )  # fmt: skip
        return data or b"", problems[0] if problems else None

    def _ending(
        self, kind: Literal["succeeded", "failed", "cancelled", "rescheduled"], result: bytes = b"", **rest: Any
    ) -> Ending:
        is_cron = isinstance(self.function, CronJob)
        return Ending(
            claim=self.claim,
            task=self.task,
            attempt=self.number,
            kind=kind,
            created_ms=self.enqueued_ms,
            result=result,
            result_ttl_ms=self._result_ttl_ms() if result else KEEP_NO_RESULT,
            in_progress_ms=keep_cronjob_progress * 1000 if is_cron else 0,
            **rest,
        )

    def _result_ttl_ms(self) -> int:
        """How long the result is kept, as the journal takes it; looked up once a task where nothing is set over it."""
        if self.override is not None:
            return self._find_result_ttl_ms()
        ttl_ms = self.worker.result_ttls_ms.get(self.task)
        if ttl_ms is None:
            ttl_ms = self.worker.result_ttls_ms[self.task] = self._find_result_ttl_ms()
        return ttl_ms

    def _find_result_ttl_ms(self) -> int:
        function, worker = self.worker.functions.get(self.task), self.worker
        if self.override is not None and self.override.keep_result_s is not None:
            return to_ms(self.override.keep_result_s) or KEEP_NO_RESULT
        forever = function.keep_result_forever if function else None
        if worker.keep_result_forever if forever is None else forever:
            return KEEP_FOREVER
        keep_s = function.keep_result_s if function and function.keep_result_s is not None else worker.keep_result_s
        return to_ms(keep_s) or KEEP_NO_RESULT

    @property
    def timeout_s(self) -> float | None:
        """How long its function may run; None for no bound, and while there is no function."""
        return None if self.function is None else self._timeout_s(self.function)

    def _timeout_s(self, function: Function | CronJob) -> float | None:
        if self.override is not None and self.override.timeout_s is not None:
            return self.override.timeout_s
        return self.worker.job_timeout_s if function.timeout_s is None else function.timeout_s

    def _tries(self, function: Function | CronJob) -> int:
        if self.override is not None and self.override.tries is not None:
            return self.override.tries
        return self.worker.max_tries if function.max_tries is None else function.max_tries

    @property
    def _ref(self) -> str:
        return self.task if isinstance(self.function, CronJob) else f"{self.claim.id}:{self.task}"

    @property
    def _spent_s(self) -> float:
        return (timestamp_ms() - self.started_ms) / 1000
