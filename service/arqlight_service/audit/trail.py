"""Takes entries, logs each, and keeps them: in the families' PostgreSQL where there is one, else in Redis or Valkey.

An entry is written to Redis first, so no request waits for PostgreSQL, and none is lost while it is away; `keep_up`
moves it on, and holds each kind to its bounds.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence

from aiohttp import web
from arq.utils import timestamp_ms

from arqlight.connections.connection import Connection
from arqlight.connections.connection_errors import SERVER_ERRORS
from arqlight.errors import ArqlightError
from arqlight.journal.audit_entry import KINDS, AuditEntry, Kind, id_at
from arqlight.settings import Settings
from arqlight_service.audit.archive import ARCHIVE_ERRORS, Archive, archive_of

logger = logging.getLogger("arqlight.audit")
DAY_MS = 24 * 3600 * 1000
MOVED_AT_ONCE = 500
NOTE_S = 5.0
TRIM_EVERY_MS = 10 * 60 * 1000
PAGE = 500


class Trail:
    """The audit list of an installation. `home`: the connection it is kept in; None on a service that only observes."""

    def __init__(self, settings: Settings, home: Connection | None) -> None:
        self._bounds = _bounds(settings)
        self._home = home
        self._archive: Archive | None = archive_of(settings)
        self._trimmed_ms = 0

    async def note(self, entry: AuditEntry, within_s: float = NOTE_S) -> None:
        """Log it, and write it down. It is done already: what cannot be written down is said, and changes no answer.

        :param within_s: how long the answer may wait for that.
        """
        logger.info("%s", _line(entry), extra={"audit": entry.to_json()})
        try:
            async with asyncio.timeout(within_s):
                if self._home is not None:
                    await self._home.audit.add(entry)
                elif self._archive is not None:
                    await self._archive.keep([entry])
        except (TimeoutError, *SERVER_ERRORS, *ARCHIVE_ERRORS, ArqlightError) as error:
            logger.error("the audit list does not have %s: %s", json.dumps(entry.to_json()), error)

    async def newest(
        self, kinds: Sequence[Kind] = KINDS, before: str = "", since: str = "", limit: int = 50
    ) -> list[AuditEntry]:
        """The newest of these kinds, those before the id `before` and not before the id `since`.

        Raises DatabaseUnreachable where they are kept in a PostgreSQL that is away.
        """
        found = {entry.id: entry for entry in await self.waiting(kinds, before, since, limit)}
        if self._archive is not None:
            found |= {entry.id: entry for entry in await self._archive.newest(kinds, before, since, limit)}
        return [found[each] for each in sorted(found, reverse=True)][:limit]

    async def waiting(
        self, kinds: Sequence[Kind] = KINDS, before: str = "", since: str = "", limit: int = 50
    ) -> list[AuditEntry]:
        """Of those, what is in Redis: all of them where there is no PostgreSQL."""
        return await self._home.audit.newest(kinds, before, since, limit) if self._home is not None else []

    async def all(self, kinds: Sequence[Kind] = KINDS, before: str = "", since: str = "") -> AsyncIterator[AuditEntry]:
        """Every entry, the newest first, a page at a time."""
        while page := await self.newest(kinds, before, since, PAGE):
            for entry in page:
                yield entry
            before = page[-1].id

    async def keep_up(self) -> None:
        """Move what waits to PostgreSQL, and drop what is too old or too much. Raises what servers raise."""
        now = timestamp_ms()
        try:
            if self._archive is not None and self._home is not None:
                await self._move(self._archive, self._home)
        finally:  # what waits is bounded too
            for kind, (most, days) in self._bounds.items():
                since = id_at(now - int(days * DAY_MS))
                if self._home is not None:
                    await self._home.audit.trim(kind, most, since)
        if self._archive is not None and now - self._trimmed_ms >= TRIM_EVERY_MS:
            for kind, (most, days) in self._bounds.items():
                await self._archive.trim(kind, most, id_at(now - int(days * DAY_MS)))
            self._trimmed_ms = now

    async def close(self) -> None:
        """Give up what is open."""
        if self._archive is not None:
            await self._archive.close()

    async def _move(self, archive: Archive, home: Connection) -> None:
        for kind in KINDS:
            while entries := await home.audit.oldest(kind, MOVED_AT_ONCE):
                await archive.keep(entries)
                await home.audit.remove(entries)


TRAIL = web.AppKey("trail", Trail)


def _bounds(settings: Settings) -> dict[Kind, tuple[int, float]]:
    return {
        "change": (settings.keep_audit, settings.keep_audit_days),
        "routine": (settings.keep_audit_routine, settings.keep_audit_routine_days),
        "sign-in": (settings.keep_audit_sign_ins, settings.keep_audit_sign_ins_days),
        "secret": (settings.keep_audit_secrets, settings.keep_audit_secrets_days),
        "refused": (settings.keep_audit_refused, settings.keep_audit_refused_days),
    }


def _line(entry: AuditEntry) -> str:
    """One line for people, whatever stands in the names."""
    who, what, address = (json.dumps(text, ensure_ascii=False)[1:-1] for text in (entry.who, entry.what, entry.address))
    change = "" if entry.before is None and entry.after is None else json.dumps([entry.before, entry.after])
    return " ".join(filter(None, [who, f"({address})" if address else "", f"{what}:", entry.result, change]))
