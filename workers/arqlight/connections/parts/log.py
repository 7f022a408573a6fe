"""What workers, the service and jobs logged."""

from collections.abc import Sequence
from typing import Any, Protocol

from arqlight.jobs.log_line import LogLine
from arqlight.journal.log_reader import LogFilter


class TakesLines(Protocol):
    """Where a `Logbook` writes to."""

    async def write(self, lines: Sequence[LogLine]) -> None:
        """Keep a group of lines, in order."""
        ...


class Log(TakesLines, Protocol):
    """The lines that are kept, up to a bound."""

    async def lines(
        self, where: LogFilter, *, limit: int = 100, before: str | None = None, after: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Lines, the newest first, between the ids `after` and `before`, and the id to go on before; None at the end.

        A line is `{"id", "at", "level", "logger", "message", "job", "task", …}`. Raises CursorInvalid.
        """
        ...

    async def newest(self) -> str | None:
        """The id of the newest line; None without one."""
        ...
