"""Tells Sentry of failures, where an application has switched on its arq integration.

That integration patches `arq.worker.create_worker` and `arq.worker.Worker.run_job`, and an attempt of ours goes through
neither. What it would tell is told here (sentry-sdk 2, `sentry_sdk.integrations.arq`): each failure as an event with
the exception, the task as transaction, and the job's id and attempt as tags. Beyond it, a failure that a `@task` will
be tried again for and a timeout are told too.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import NoneType
from typing import Any

from arq.worker import JobExecutionFailed, Retry, RetryJob

from arqlight.jobs.display import as_json
from arqlight.runtime.current_attempt import CurrentAttempt

# What a task raises to steer its job, and arq for a job that cannot begin: no failure of the application's code.
_CONTROL_FLOW = (Retry, RetryJob, JobExecutionFailed, asyncio.CancelledError)
_FILTERED = "[Filtered]"  # what Sentry itself writes where personal data is not to be sent
# The line in the log that says the same as an event would.
FAILURES_LOGGER = "arqlight.worker.failures"


def is_on() -> bool:
    """Whether this process has Sentry with its arq integration."""
    sdk = sys.modules.get("sentry_sdk")
    # Version 1 has no `get_client`.
    return sdk is not None and hasattr(sdk, "get_client") and sdk.get_client().get_integration("arq") is not None


@contextmanager
def attempt_scope(attempt: CurrentAttempt) -> Iterator[None]:
    """A scope and a transaction for one attempt; for a process in which it `is_on`."""
    import sentry_sdk
    from sentry_sdk.integrations.logging import ignore_logger

    ignore_logger(FAILURES_LOGGER)
    with sentry_sdk.isolation_scope() as scope:
        scope.clear_breadcrumbs()
        scope.add_event_processor(lambda event, hint: _describe(event, attempt))
        with sentry_sdk.start_transaction(
            op="queue.task.arq", name=attempt.task, source="task", origin="auto.queue.arq"
        ) as transaction:
            transaction.set_status("ok")
            transaction.set_data("messaging.destination.name", attempt.claim.queue)
            yield


def tell(error: BaseException) -> None:
    """An attempt ended with `error`, within its `attempt_scope`."""
    from sentry_sdk.utils import capture_internal_exceptions

    with capture_internal_exceptions():  # an error that Sentry cannot tell changes nothing for the job
        _tell(error)


def _tell(error: BaseException) -> None:
    import sentry_sdk
    from sentry_sdk.utils import event_from_exception

    cause = error.__cause__ if isinstance(error, Retry) else error
    transaction = sentry_sdk.get_current_scope().transaction
    is_failure = not isinstance(cause, (*_CONTROL_FLOW, NoneType))
    if transaction is not None:
        transaction.set_status("internal_error" if is_failure else "aborted")
    if cause is not None and is_failure:
        options, mechanism = sentry_sdk.get_client().options, {"type": "arq", "handled": False}
        event, hint = event_from_exception(cause, client_options=options, mechanism=mechanism)
        sentry_sdk.capture_event(event, hint=hint)


def _describe(event: Any, attempt: CurrentAttempt) -> Any:
    from sentry_sdk.scope import should_send_default_pii

    event["transaction"] = attempt.task
    event.setdefault("tags", {}).update(arq_task_id=attempt.claim.id, arq_task_retry=attempt.number > 1)
    is_open = should_send_default_pii()
    event.setdefault("extra", {})["arq-job"] = {
        "task": attempt.task,
        "retry": attempt.number,
        # As a page shows them: the SDK prints what lies deeper than it looks, however much that is.
        "args": as_json(attempt.args) if is_open else _FILTERED,
        "kwargs": as_json(attempt.kwargs) if is_open else _FILTERED,
    }
    return event
