"""What a process logs, to standard error: lines for people, or JSON with job ids for machines; secrets masked."""

import logging
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from arqlight.jobs.masking import redact, secrets_of
from arqlight.runtime.current_attempt import ATTEMPT
from arqlight.settings import Settings

TEXT = "%(asctime)s %(name)s %(message)s"


class _Lines(logging.Formatter):
    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__(TEXT, datefmt="%H:%M:%S")
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record), (*self._secrets, *_of_the_job()))


class _Json(JsonFormatter):
    """One object a line: `at`, `level`, `logger`, `message`, and in a job `job_id`, `task`, `attempt`, `queue`."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__(timestamp="at", json_ensure_ascii=False)
        self._secrets = secrets

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        secrets = (*self._secrets, *_of_the_job())
        return {
            name: redact(value, secrets) if isinstance(value, str) else value
            for name, value in super().process_log_record(log_data).items()
        }

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        super().add_fields(log_data, record, message_dict)
        log_data["level"], log_data["logger"] = record.levelname.lower(), record.name
        if (attempt := ATTEMPT.get()) is not None:
            log_data["job_id"], log_data["task"] = attempt.claim.id, attempt.task
            log_data["attempt"], log_data["queue"] = attempt.number, attempt.claim.queue


def _of_the_job() -> list[str]:
    attempt = ATTEMPT.get()
    return attempt.secrets() if attempt is not None else []


def log_to_stderr(settings: Settings) -> None:
    """Log to standard error from now on, as the settings say."""
    secrets = secrets_of(settings)
    handler = logging.StreamHandler()
    handler.setFormatter(_Json(secrets) if settings.log_format == "json" else _Lines(secrets))
    logging.basicConfig(level=settings.log_level, handlers=[handler])
