"""An exception as a failure: its class, message, whole stack trace and fingerprint."""

import hashlib
import sysconfig
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from arq.utils import timestamp_ms
from arq.worker import Retry

from arqlight.jobs.job import Failure
from arqlight.jobs.secret_texts import hide

LONGEST_TRACE = 64 * 1024
LONGEST_MESSAGE = 2_000
FINGERPRINT_FRAMES = 3

_PACKAGE = Path(__file__).parents[1]
_LIBRARIES = tuple(str(Path(sysconfig.get_path(kind))) for kind in ("stdlib", "purelib", "platlib"))


def describe_failure(
    error: BaseException, *, task: str, attempt: int, worker: str, started_ms: int, message: str | None = None,
    secrets: Sequence[str] = (),
) -> Failure:  # fmt: skip
    """What the journal keeps of a failed attempt.

    A `Retry` raised from another error stands for that error. `message` replaces the exception's own text;
    `secrets` are masked in text and trace.
    """
    cause = error.__cause__ or error.__context__ if isinstance(error, Retry) else None
    shown = cause or error
    told = traceback.TracebackException.from_exception(error)
    # Frames of the machinery that called the task say nothing about the failure.
    told.stack = traceback.StackSummary.from_list(_users_frames(error.__traceback__))
    return Failure(
        attempt=attempt,
        error=clean(type(shown).__name__, LONGEST_MESSAGE),
        message=clean_and_hidden(message if message is not None else _text_of(shown), secrets, LONGEST_MESSAGE),
        trace=clean_and_hidden("".join(told.format()), secrets, LONGEST_TRACE, keep_end=True),
        fingerprint=fingerprint(task, shown),
        worker=worker,
        at_ms=timestamp_ms(),
        started_ms=started_ms,
    )


def fingerprint(task: str, error: BaseException) -> str:
    """What makes two failures the same: task, error class and the innermost frames of the users' own code.

    Line numbers stay out, so that an edit elsewhere in a file does not make an old failure look new.
    """
    frames = _users_frames(error.__traceback__)
    theirs = [frame for frame in frames if not frame.filename.startswith((*_LIBRARIES, "<"))] or frames
    places = [f"{Path(frame.filename).name}:{frame.name}" for frame in theirs[-FINGERPRINT_FRAMES:]]
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    return hashlib.sha256("\n".join([task, kind, *places]).encode("utf-8", "replace")).hexdigest()[:12]


def clean(text: str, longest: int, keep_end: bool = False) -> str:
    """Text that every server can store and every reader decode, cut to a length; a trace keeps its end, with the error.

    PostgreSQL has no NUL in a text, and nobody has half a surrogate pair.
    """
    text = text.replace("\0", "\\x00").encode("utf-8", "replace").decode()
    if len(text) <= longest:
        return text
    if not keep_end:
        return text[: longest - 1] + "…"
    half = longest // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def clean_and_hidden(text: str, secrets: Sequence[str], longest: int, keep_end: bool = False) -> str:
    """The same, without secrets. Of a text that is far too long no more is looked through than may be shown of it."""
    if len(text) <= 4 * longest:
        return clean(hide(text, secrets), longest, keep_end)
    if not keep_end:
        return clean(hide(text[: 2 * longest], secrets), longest)
    begin, end = hide(text[:longest], secrets), hide(text[-longest:], secrets)
    return clean(f"{begin}{'…' * (len(text) - 2 * longest)}{end}", longest, keep_end)


def _users_frames(tb: TracebackType | None) -> list[traceback.FrameSummary]:
    frames = list(traceback.extract_tb(tb))
    machinery = (f"{_PACKAGE}/worker/attempt.py", f"{_PACKAGE}/tasks.py")
    inner = [frame for frame in frames if frame.filename not in machinery]
    return inner or frames


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as broken:  # an exception's own __str__ may raise anything
        return f"<the error's text cannot be made: {type(broken).__name__}>"
