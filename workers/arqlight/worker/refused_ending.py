"""How a job ended, when the server does not take how it ended, or nobody can tell it: a small failure in its place."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from arq.jobs import SerializationError, serialize_result
from arq.utils import timestamp_ms

from arqlight.jobs.failure import clean, describe_failure
from arqlight.journal.journal import Ending

LONGEST_REASON = 500


class EndingRefused(SerializationError):
    """The server refused what an attempt left: its result, or its failure."""


class EndingUntold(Exception):
    """What the attempt raised, or left, cannot be told: its own code raises as it is looked at."""


Serializer = Callable[[dict[str, Any]], bytes] | None


def failed_untold(ending: Ending, worker: str, serializer: Serializer) -> Ending:
    """A failed ending in the place of one that cannot be made."""
    untold = EndingUntold("the attempt ended; what it raised, or left, raises itself as it is looked at")
    return _failed_with(untold, ending, worker, serializer)


def failed_instead(ending: Ending, refusal: BaseException, worker: str, serializer: Serializer) -> Ending:
    """A failed ending that says why the real one could not be written, and is small."""
    size = f", {len(ending.result):,} bytes of result," if ending.result else ""
    error = EndingRefused(
        f"the attempt {_HOW[ending.kind]}, and the server refused to store that{size} with: "
        f"{clean(str(refusal) or type(refusal).__name__, LONGEST_REASON)}; return less, or keep no result"
    )
    return _failed_with(error, ending, worker, serializer)


def _failed_with(error: Exception, ending: Ending, worker: str, serializer: Serializer) -> Ending:
    task = clean(ending.task, LONGEST_REASON)
    failure = describe_failure(error, task=task, attempt=ending.attempt, worker=worker, started_ms=timestamp_ms())
    now = timestamp_ms()
    result = serialize_result(
        task, (), {}, ending.attempt, ending.created_ms, False, error, now, now, f"{ending.claim.id}:{task}",
        ending.claim.queue, ending.claim.id, serializer=serializer or pickle.dumps,
    )  # fmt: skip
    return replace(
        ending, kind="failed", task=task, result=result or b"", failure=failure, delay_ms=0, most_uncounted=0
    )


_HOW = {
    "succeeded": "succeeded", "failed": "failed", "cancelled": "was cancelled", "rescheduled": "is to run again",
}  # fmt: skip
