"""What a process logs, to standard error: lines for people, or JSON with job ids for machines; secrets masked."""

import json
import logging
from collections.abc import Callable
from typing import Any

from arqlight.jobs.display import iso
from arqlight.jobs.masking import hide_what_is_set
from arqlight.jobs.secret_texts import hide
from arqlight.runtime.current_attempt import ATTEMPT
from arqlight.runtime.repeated_lines import RepeatedLines
from arqlight.settings import Settings

_STANDARD = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"})
TEXT = "%(asctime)s %(name)s %(message)s"


class _Lines(logging.Formatter):
    def __init__(self) -> None:
        super().__init__(TEXT, datefmt="%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return hide(super().format(record), _of_the_job())


class _Json(logging.Formatter):
    """One object a line: `at`, `level`, `logger`, `message`, what the call gave as `extra`, the stack trace of an error
    as `exc_info`, and in a job `job_id`, `task`, `attempt`, `queue`.
    """

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "at": iso(record.created * 1000),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if record.exc_info:
            told["exc_info"] = self.formatException(record.exc_info)
        if (attempt := ATTEMPT.get()) is not None:
            told["job_id"], told["task"] = attempt.claim.id, attempt.task
            told["attempt"], told["queue"] = attempt.number, attempt.claim.queue
        secrets = _of_the_job()
        masked = {name: hide(value, secrets) if isinstance(value, str) else value for name, value in told.items()}
        return json.dumps(masked, ensure_ascii=False, default=str)


def _of_the_job() -> list[str]:
    attempt = ATTEMPT.get()
    return attempt.secrets() if attempt is not None else []


def log_to_stderr(settings: Settings, *, limits_repeats: bool = False) -> None:
    """Log to standard error from now on, as the settings say; of other libraries warnings only.

    :param limits_repeats: whether lines that anybody can cause as often as they like are left out (`RepeatedLines`).
    """
    handler = _handler(settings)
    handler.addFilter(_is_ours_or_warns)
    if limits_repeats:
        handler.addFilter(RepeatedLines())
    logging.basicConfig(level=settings.log_level, handlers=[handler])
    _set_levels(settings)


def log_for_an_application(settings: Settings) -> Callable[[], None]:
    """The same in the process of an application, whose logging stays its own; what to call when it has started.

    As in arq, nothing is done to the root logger: what the application sets up, before or in `on_startup`, gets our
    lines too, and then we print none. Where it sets up nothing, warnings are printed as Python prints them, masked.
    """
    handler = _handler(settings)
    handler.addFilter(lambda record: not _has_its_own(logging.getLogger()))
    own = logging.getLogger("arqlight")
    others = logging.getLogger("arq")
    if others.handlers and not own.handlers:  # set up as arq's documentation shows
        own.handlers = list(others.handlers)
    elif not own.handlers:
        own.addHandler(handler)
        others.addHandler(handler)
    for logger in (own, others):
        if logger.level == logging.NOTSET:
            logger.setLevel(settings.log_level)
    last_resort = _handler(settings)
    last_resort.setLevel(logging.WARNING)
    logging.lastResort = last_resort
    _set_levels(settings)

    def started() -> None:
        root = logging.getLogger()
        if _has_its_own(root):
            return
        # The job's page has what a task logs at INFO, where the application does not say otherwise.
        if root.level == logging.WARNING:
            root.setLevel(settings.log_level)
        last_resort.addFilter(lambda record: not record.name.startswith(_OURS) and not _has_its_own(root))
        root.addHandler(_marked(last_resort))

    return started


_OURS = ("arqlight", "arq.")


def _is_ours_or_warns(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.name.startswith(_OURS)


def _handler(settings: Settings) -> logging.Handler:
    hide_what_is_set(settings)
    handler = logging.StreamHandler()
    handler.setFormatter(_Json() if settings.log_format == "json" else _Lines())
    return handler


def _marked(handler: logging.Handler) -> logging.Handler:
    """A handler that is not the application's."""
    handler.is_arqlights = True  # type: ignore[attr-defined]
    return handler


def _has_its_own(root: logging.Logger) -> bool:
    return any(not getattr(handler, "is_arqlights", False) for handler in root.handlers)


def _set_levels(settings: Settings) -> None:
    logging.getLogger("arqlight.audit").setLevel(logging.INFO)  # whatever else is left out
    # Alembic tells of each step, and of its parts as it is imported; nobody who starts a worker has a use for that.
    logging.getLogger("alembic").setLevel(logging.WARNING)
