"""Files that go with a mail: by name, out of one store, and bounded."""

import asyncio
import mimetypes
from pathlib import PurePosixPath
from typing import NamedTuple

from arqlight.errors import InvalidInput
from arqlight.families.email.settings import EmailSettings
from arqlight.families.storage import Store, open_store
from arqlight.jobs.storable_text import check_text

MOST_FILES = 10
LONGEST_NAME = 200
# RFC 2046 allows no base64 around these; as bytes they go through whole.
_NOT_ENCODED = ("message", "multipart")


class Attachment(NamedTuple):
    """A file as it goes with a mail."""

    name: str
    media_type: str
    data: bytes


def check_names(names: object) -> list[str]:
    """The names of files in the store, `invoices/2026-7.pdf`. Raises InvalidInput."""
    if not isinstance(names, list | tuple) or not all(isinstance(each, str) for each in names):
        raise InvalidInput("attachments", 'it is no list of names; give ["invoices/2026-7.pdf"]')
    if len(names) > MOST_FILES:
        raise InvalidInput("attachments", f"there are {len(names):,}; a mail has at most {MOST_FILES}")
    for name in names:
        check_text("attachments", name, LONGEST_NAME, shortest=1)
        parts = PurePosixPath(name).parts
        if name.startswith("/") or "\\" in name or ".." in parts or not parts or name.endswith("/"):
            raise InvalidInput("attachments", f"{name!r} is no name of a file in the store; write invoices/2026-7.pdf")
    return list(names)


async def read_attachments(settings: EmailSettings, names: list[str]) -> list[Attachment]:
    """The files. Raises InvalidInput for one that is missing and for too much, SettingsError, MissingExtra."""
    if not names:
        return []
    if not settings.attachments_url:
        raise InvalidInput("attachments", "no store of attachments is set; set ARQLIGHT_ATTACHMENTS_URL")
    store = await asyncio.to_thread(open_store, settings.attachments_url, "ARQLIGHT_ATTACHMENTS_URL")
    left = int(settings.attachments_most_mb * 1_000_000)
    found = []
    for name in names:
        data = await _read(store, name, left + 1)
        left -= len(data)
        if left < 0:
            most = f"{settings.attachments_most_mb:g} MB (ARQLIGHT_ATTACHMENTS_MOST_MB)"
            raise InvalidInput("attachments", f"with {name!r} they are larger than {most} together")
        found.append(Attachment(PurePosixPath(name).name, _media_type(name), data))
    return found


async def _read(store: Store, name: str, most: int) -> bytes:
    pieces, size = [], 0
    try:
        async for piece in store.read(name):
            pieces.append(piece)
            size += len(piece)
            if size >= most:
                break
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise InvalidInput("attachments", f"the store has no file {name!r}") from None
    return b"".join(pieces)


def _media_type(name: str) -> str:
    kind, encoding = mimetypes.guess_type(name)
    if kind is None or encoding is not None or kind.split("/")[0] in _NOT_ENCODED:
        return "application/octet-stream"
    return kind
