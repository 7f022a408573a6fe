"""Where exports are kept: a local folder, or S3 and its like, by address."""

import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from arqlight.errors import SettingsError
from arqlight.extras import needed_for
from arqlight.families.bulk.settings import BulkSettings
from arqlight.private_files import close, make_folder, open_file
from arqlight.settings import EXPORTS, Settings

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
        with (self._folder / name).open("rb") as file:
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


def open_store(settings: Settings) -> Store:
    """The store that is set; a folder is made when it is missing. Raises SettingsError, MissingExtra.

    S3's keys, region and endpoint are read from the usual AWS_… variables.
    """
    url = settings.of(BulkSettings).storage_url or (settings.data_dir / EXPORTS).resolve().as_uri()
    try:
        if url.startswith("file://"):
            return Folder(Path(url.removeprefix("file://")))
        if url.startswith("s3://"):
            with needed_for(f"ARQLIGHT_STORAGE_URL={url!r}"):
                from arqlight.families.bulk.s3 import Bucket

            return Bucket(url)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"ARQLIGHT_STORAGE_URL={url!r} cannot be used: {error}; write file:///folder or s3://bucket/prefix"
        ) from None
    raise _unknown(url)


def _unknown(url: str) -> SettingsError:
    return SettingsError(f"ARQLIGHT_STORAGE_URL={url!r}: only file:// and s3:// are known")
