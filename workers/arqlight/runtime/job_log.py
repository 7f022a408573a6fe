"""Log lines for people who look at the page: what a task says, and what the worker or the service says of itself.

`ctx["log"]` and the standard `logging` inside a task both go to the job's page; everything goes to the Logs page.
"""

import asyncio
import contextlib
import json
import logging
from collections import deque
from collections.abc import Iterator, Sequence

from arq.utils import timestamp_ms

from arqlight.background import end, keep_running
from arqlight.connections.connection_errors import SERVER_ERRORS
from arqlight.connections.parts.log import TakesLines
from arqlight.jobs.display import iso
from arqlight.jobs.failure import clean, clean_and_hidden
from arqlight.jobs.log_line import LogLine
from arqlight.jobs.names import raw_name
from arqlight.runtime.current_attempt import ATTEMPT

WRITE_EVERY_S = 0.1


MOST_WAITING = 5_000  # lines; beyond it the newest are dropped, and their number is said


LARGEST_GROUP = 500


LONGEST_MESSAGE = 4_000
LONGEST_NAME = 200


# Two lines a job at INFO, which its timeline tells better; and the audit list, which has a place of its own.
_OWN_NOISE = ("arqlight.worker", "arq.worker", "arqlight.audit")


class JobLog(logging.LoggerAdapter[logging.Logger]):
    """`ctx["log"]`: call it for a line at INFO, or use it as any logger."""

    def __call__(self, message: object, *args: object) -> None:
        """A line at INFO."""
        self.info(message, *args)


def job_log() -> JobLog:
    """The logger that tasks are given; its lines at DEBUG are kept as well."""
    logger = logging.getLogger("arqlight.job")
    logger.setLevel(logging.DEBUG)
    return JobLog(logger)


class Logbook(logging.Handler):
    """Takes records of the process's logging, and writes them to the server in groups.

    :param log: where they are written to.
    :param worker: whose lines these are; lines of jobs that another worker of this process runs are left to it.
    :param only_jobs: take what jobs say, and leave the rest to another logbook.
    """

    is_arqlights = True  # see log_output

    def __init__(self, log: TakesLines, worker: str, *, only_jobs: bool = False) -> None:
        super().__init__(logging.DEBUG)
        self._log = log
        self._worker = worker
        self._only_jobs = only_jobs
        self._lines: deque[LogLine] = deque()
        self._dropped = 0
        self._writing: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    @contextlib.contextmanager
    def attached(self) -> Iterator["Logbook"]:
        """Take what the process logs while the body runs."""
        logging.getLogger().addHandler(self)
        try:
            yield self
        finally:
            logging.getLogger().removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record, from any thread."""
        if record.name.startswith(_OWN_NOISE) and record.levelno < logging.WARNING:
            return
        attempt = ATTEMPT.get()
        if attempt is not None and attempt.worker.id != self._worker:
            return
        if attempt is None and (self._only_jobs or not record.name.startswith("arqlight")):
            return
        if len(self._lines) >= MOST_WAITING:
            self._dropped += 1
            return
        secrets = attempt.secrets() if attempt else ()
        job_id, task = (attempt.claim.id, attempt.task) if attempt else ("", "")
        self._lines.append(self._line(record, job_id, task, secrets))
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._start)

    async def close_book(self) -> None:
        """Write what waits, and stop."""
        await end(self._writing)
        with contextlib.suppress(*SERVER_ERRORS):
            await self._write_group()

    def _line(self, record: logging.LogRecord, job_id: str, task: str, secrets: Sequence[str]) -> LogLine:
        try:
            text = record.getMessage()
            if record.exc_info and record.exc_info[0]:
                text += "\n" + logging.Formatter().formatException(record.exc_info)
        except Exception as error:  # the arguments do not fit the format: what was meant is said all the same
            text = f"{record.msg!r} with arguments that do not fit: {error}"
        message = clean_and_hidden(text, secrets, LONGEST_MESSAGE, keep_end=True)
        level = logging.getLevelName(min(record.levelno // 10 * 10, logging.ERROR)).lower()
        name = clean(record.name, LONGEST_NAME)
        shown = {"at": iso(record.created * 1000), "level": level, "logger": name, "message": message}
        return LogLine(raw_name(job_id), raw_name(task), level, name, message, self._worker, json.dumps(shown))

    def _start(self) -> None:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(keep_running("writing of log lines", self._write, may_return=True))

    async def _write(self) -> None:
        while self._lines:
            await asyncio.sleep(WRITE_EVERY_S)
            try:
                await self._write_group()
            except SERVER_ERRORS:
                await asyncio.sleep(1)  # not logged: that line would come back here

    async def _write_group(self) -> None:
        if self._dropped:
            said = f"{self._dropped} lines were dropped: more came than could be written"
            shown = {"at": iso(timestamp_ms()), "level": "warning", "logger": "arqlight.log", "message": said}
            self._lines.append(LogLine(b"", b"", "warning", "arqlight.log", said, self._worker, json.dumps(shown)))
            self._dropped = 0
        group = [self._lines.popleft() for _ in range(min(len(self._lines), LARGEST_GROUP))]
        if not group:
            return
        try:
            await self._log.write(group)
        except BaseException:
            self._lines.extendleft(reversed(group))
            raise
