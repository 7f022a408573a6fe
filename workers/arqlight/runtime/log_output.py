"""What a process logs, to standard error: lines for people, or JSON with job ids for machines; secrets masked."""

import json
import logging
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
    """Log to standard error from now on, as the settings say.

    :param limits_repeats: whether lines that anybody can cause as often as they like are left out (`RepeatedLines`).
    """
    hide_what_is_set(settings)
    handler = logging.StreamHandler()
    if limits_repeats:
        handler.addFilter(RepeatedLines())
    handler.setFormatter(_Json() if settings.log_format == "json" else _Lines())
    logging.basicConfig(level=settings.log_level, handlers=[handler])
    logging.getLogger("arqlight.audit").setLevel(logging.INFO)  # whatever else is left out
    # Alembic tells of each step, and of its parts as it is imported; nobody who starts a worker has a use for that.
    logging.getLogger("alembic").setLevel(logging.WARNING)
