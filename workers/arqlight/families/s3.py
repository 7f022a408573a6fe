"""Files in S3 and its like. Loaded where such an address is set: it needs the extra `s3`."""

from collections.abc import AsyncIterator
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store, from_url

CHUNK_BYTES = 256 * 1024


class Bucket:
    """A bucket, or what stands under a prefix of one. Raises ValueError for an address that is none."""

    def __init__(self, url: str) -> None:
        try:
            store = from_url(url)
        except BaseError as error:
            raise ValueError(str(error)) from error
        if not isinstance(store, S3Store):
            raise ValueError("it is not the address of a bucket")
        self._store = store

    def create(self, name: str) -> "FileOfBucket":
        """A new object."""
        return FileOfBucket(self._store, name)

    async def read(self, name: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """What an object holds."""
        if start == end:
            return
        wanted: Any = None  # obstore's GetOptions, which is there for the type checker alone
        if end is not None:
            wanted = {"range": (start, end)}
        elif start:
            wanted = {"range": {"offset": start}}
        found = await obstore.get_async(self._store, name, options=wanted)
        async for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
            yield bytes(chunk)

    def remove(self, name: str) -> None:
        """Delete an object."""
        try:
            obstore.delete(self._store, name)
        except FileNotFoundError:
            return


class FileOfBucket:
    """An upload in parts; closing it is what makes the object appear."""

    def __init__(self, store: S3Store, name: str) -> None:
        self._file = obstore.open_writer(store, name)

    def write(self, data: bytes) -> int:
        """Add to it."""
        return self._file.write(data)

    def close(self) -> None:
        """It is whole."""
        self._file.close()

    def discard(self) -> None:
        """Not closed, so it never appears."""
        del self._file
