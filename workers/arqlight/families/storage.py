"""Where files are kept, exports and attachments: a local folder, or S3 and its like, by address."""

import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from arqlight.errors import SettingsError
from arqlight.extras import needed_for
from arqlight.private_files import close, make_folder, open_file
from arqlight.setting_values import check_folder

logger = logging.getLogger("arqlight.bulk")
CHUNK_BYTES = 256 * 1024


class StoredFile(Protocol):
    """A file on its way into a store, which shows it when it is closed."""

    def write(self, data: bytes) -> object:
        """Add to it."""

    def close(self) -> object:
        """It is whole."""

    def discard(self) -> None:
        """It will not be: nothing of it stays."""


class Store(Protocol):
    """Files by name."""

    def create(self, name: str) -> StoredFile:
        """A new file; one of that name is replaced."""
        ...

    def read(self, name: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """What a file holds from byte `start` to before `end`, in parts. Raises FileNotFoundError with the first."""
        ...

    def remove(self, name: str) -> None:
        """Delete a file; it is no error that it is gone."""


class Folder:
    """A local folder."""

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        if closed := sum(map(close, folder.glob("*-ex_*"))):  # an earlier version made them as the umask had it
            logger.warning("closed %d exports in %r to other users of this machine", closed, str(folder))
        self._folder = folder

    def create(self, name: str) -> "FileOfFolder":
        """A new file."""
        return FileOfFolder(self._folder / name)

    async def read(self, name: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """What a file holds. A part of a local file is read in less time than a thread takes to be asked."""
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder.resolve()):  # by a link, or by ".."
            raise FileNotFoundError(name)
        with path.open("rb") as file:
            left = (os.fstat(file.fileno()).st_size if end is None else end) - file.seek(start)
            while left > 0 and (chunk := file.read(min(CHUNK_BYTES, left))):
                left -= len(chunk)
                yield chunk

    def remove(self, name: str) -> None:
        """Delete a file."""
        (self._folder / name).unlink(missing_ok=True)


class FileOfFolder:
    """Written beside its place, and put there when it is whole."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._draft = place.with_name(f".{place.name}.{os.getpid()}.part")
        self._file = open_file(self._draft, "wb")

    def write(self, data: bytes) -> int:
        """Add to it."""
        return self._file.write(data)

    def close(self) -> None:
        """It is whole, and on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._draft.replace(self._place)

    def discard(self) -> None:
        """Nothing of it stays."""
        self._file.close()
        self._draft.unlink(missing_ok=True)


def check_address(url: str) -> None:
    """Raises ValueError for an address that is no store's."""
    parts = urlsplit(url)
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        check_folder(Path(parts.path))
    elif url and not (parts.scheme == "s3" and parts.netloc):
        raise ValueError("only file:///folder and s3://bucket/prefix are known")


def open_store(url: str, setting: str) -> Store:
    """The store at an address, which `setting` names; a folder is made when it is missing.

    S3's keys, region and endpoint are read from the usual AWS_… variables. Raises SettingsError, MissingExtra.
    """
    try:
        if url.startswith("file://"):
            return Folder(Path(url.removeprefix("file://")))
        if url.startswith("s3://"):
            with needed_for(f"{setting}={url!r}"):
                from arqlight.families.s3 import Bucket

            return Bucket(url)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{setting}={url!r} cannot be used: {error}; write file:///folder or s3://bucket/prefix"
        ) from None
    raise SettingsError(f"{setting}={url!r}: only file:// and s3:// are known")
