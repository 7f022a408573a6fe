"""Reads the log that `runtime/job_log.py` writes: the newest lines first, by level, job, task and text."""

import re
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from arqlight.errors import CursorInvalid
from arqlight.jobs.display import iso
from arqlight.jobs.names import read_name, shown_name
from arqlight.jobs.reading import Reading
from arqlight.journal.keys import KEYS

BATCH = 500
LEVELS = ("debug", "info", "warning", "error")
_PLACE = re.compile(r"\d{1,20}-\d{1,20}")


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines are meant; None leaves a thing open. `level` means this one and worse ones."""

    level: str | None = None
    job: str | None = None
    task: str | None = None
    text: str | None = None

    def matches(self, line: dict[str, Any]) -> bool:
        """Whether a line is meant."""
        if self.level and LEVELS.index(line["level"]) < LEVELS.index(self.level):
            return False
        if (self.job and line["job"] != self.job) or (self.task and line["task"] != self.task):
            return False
        return not self.text or self.text.casefold() in line["message"].casefold()


async def read_log(
    redis: Redis, where: LogFilter, *, limit: int = 100, before: str | None = None, after: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """Lines, the newest first, between the ids `after` and `before`, and the id to go on before; None at the end.

    Raises CursorInvalid.
    """
    for place in (before, after):
        if place is not None and not _PLACE.fullmatch(place):
            raise CursorInvalid(place)
    newest, oldest = f"({before}" if before else "+", f"({after}" if after else "-"
    found: list[dict[str, Any]] = []
    reading = Reading()
    while True:
        entries = await redis.xrevrange(KEYS["logs"], max=newest, min=oldest, count=BATCH)
        reading.begin()
        for entry_id, fields in entries:
            if reading.is_over:
                return found, newest.removeprefix("(")
            line = read_line(fields, entry_id)
            newest = f"({line['id']}"
            if where.matches(line):
                found.append(line)
                if len(found) == limit:
                    return found, line["id"]
            await reading.spend()
        if len(entries) < BATCH:
            return found, None


async def newest_line(redis: Redis) -> str | None:
    """The id of the newest line."""
    entries = await redis.xrevrange(KEYS["logs"], count=1)
    return entries[0][0].decode() if entries else None


def read_line(fields: dict[bytes, bytes], entry_id: bytes) -> dict[str, Any]:
    """A line of the one log, as the API shows it."""
    line: dict[str, Any] = {name.decode(): value.decode("utf-8", "replace") for name, value in fields.items()}
    line["job"] = shown_name(read_name(fields.get(b"job", b"")))
    return {"id": entry_id.decode(), "at": iso(int(entry_id.split(b"-")[0])), **line}
