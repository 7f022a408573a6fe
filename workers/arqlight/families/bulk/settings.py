"""What can be set for bulk operations."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from arqlight.checked_fields import option
from arqlight.setting_values import check_file, check_folder
from arqlight.settings import FamilySettings


def _check_storage(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        check_folder(Path(parts.path))
    elif url and not (parts.scheme == "s3" and parts.netloc):
        raise ValueError("only file:///folder and s3://bucket/prefix are known")


@dataclass(frozen=True)
class BulkSettings(FamilySettings):
    """Exports, and the key that signs licences."""

    storage_url: str | None = option(
        None,
        "Where exports go: file:///folder or s3://bucket/prefix. Default: the data directory.",
        check=_check_storage,
    )
    export_keep_h: float = option(72, above=0, most=100 * 366 * 24, about="Hours an export can be downloaded.")
    licence_key_file: Path | None = option(
        None,
        "Ed25519 private key (PEM) that signs licence keys. Default: derived from the secret key.",
        check=check_file,
    )
