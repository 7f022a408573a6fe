"""What arq keeps of a job that ended: a result, for a while, with the exception and without its stack trace."""

import hashlib
from dataclasses import dataclass
from typing import Any

from arq.utils import timestamp_ms

from arqlight.jobs.display import as_json, iso
from arqlight.jobs.job import Arguments, Failure, read_arguments, read_text, read_whole
from arqlight.jobs.opaque import Opaque
from arqlight.jobs.serialization import look_into
from arqlight.journal.groups import SPARK_STEP_MS, SPARK_STEPS

NO_TRACE = "arq keeps no stack trace. Run the job's worker with `arqlight worker` to have it kept."


@dataclass(frozen=True, slots=True)
class Result:
    """How a job ended, as arq tells. Times in ms."""

    success: bool
    queue: str
    task: str
    attempts: int
    enqueued_ms: int
    started_ms: int
    finished_ms: int
    arguments: Arguments
    returned: Any
    error: str = ""
    message: str = ""

    @property
    def fingerprint(self) -> str:
        """Task and error class are all that arq keeps of a cause."""
        return hashlib.sha256(f"{self.task}\n{self.error}".encode()).hexdigest()[:12]


def read_result(raw: bytes | None) -> Result | None:
    """arq's result (`arq.jobs.serialize_result`), read without running it; None for another serializer's bytes."""
    if raw is None:
        return None
    try:
        data = look_into(raw)
        success, returned = bool(data["s"]), data["r"]
        error, message = ("", "") if success else _error_of(returned)
        return Result(
            success, read_text(data["q"]), read_text(data["f"]), read_whole(data["t"]), read_whole(data["et"]),
            read_whole(data["st"]), read_whole(data["ft"]), read_arguments(raw),
            as_json(returned) if success else None, error, message,
        )  # fmt: skip
    except Exception:  # whatever is wrong with bytes of anybody's: they are no result that can be told of
        return None


def _error_of(raised: Any) -> tuple[str, str]:
    """Class and text of an exception that was pickled by somebody."""
    if isinstance(raised, Opaque):
        told = [part for part in map(as_json, raised.made_of) if part is not None]
        return raised.name.rpartition(".")[2], ", ".join(map(str, told))
    return "Error", str(as_json(raised))


def failure_of(result: Result) -> Failure:
    """The failed attempt that a result tells of."""
    return Failure(
        result.attempts, result.error, result.message, NO_TRACE, result.fingerprint, "a plain arq worker",
        result.finished_ms, result.started_ms,
    )  # fmt: skip


def group_of(fingerprint: str, results: list[Result]) -> dict[str, Any]:
    """Results of one cause, as `groups.read_groups` shows one."""
    last = max(results, key=lambda result: result.finished_ms)
    spark = [0] * SPARK_STEPS
    for result in results:
        hours = (timestamp_ms() - result.finished_ms) // SPARK_STEP_MS
        if 0 <= hours < SPARK_STEPS:
            spark[SPARK_STEPS - 1 - hours] += 1
    return {
        "fingerprint": fingerprint, "task": last.task, "error": last.error, "message": last.message,
        "count": len(results), "first_seen": iso(min(result.finished_ms for result in results)),
        "last_seen": iso(last.finished_ms), "spark": spark,
    }  # fmt: skip
