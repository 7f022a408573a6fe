"""Where exports are kept: a local folder, or S3 and its like, by address."""

from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store, from_url

from arqlight.errors import SettingsError
from arqlight.settings import Settings


def open_store(settings: Settings) -> Any:
    """The store that is set; a folder is made when it is missing. Raises SettingsError.

    S3's keys, region and endpoint are read from the usual AWS_… variables.
    """
    url = settings.storage_url or (settings.data_dir / "exports").resolve().as_uri()
    try:
        if url.startswith("file://"):
            folder = Path(url.removeprefix("file://"))
            folder.mkdir(parents=True, exist_ok=True)
            return LocalStore(folder)
        store = from_url(url)
    except (OSError, ValueError, BaseError) as error:
        raise SettingsError(
            f"ARQLIGHT_STORAGE_URL={url!r} cannot be used: {error}; write file:///folder or s3://bucket/prefix"
        ) from None
    if not isinstance(store, S3Store):
        raise SettingsError(f"ARQLIGHT_STORAGE_URL={url!r}: only file:// and s3:// are known")
    return store


def remove(store: Any, path: str) -> None:
    """Delete one object; it is no error that it is gone."""
    try:
        obstore.delete(store, path)
    except FileNotFoundError:
        return
