"""What can be set for bulk operations."""

from dataclasses import dataclass
from pathlib import Path

from arqlight.checked_fields import option
from arqlight.families.storage import check_address
from arqlight.setting_values import check_file
from arqlight.settings import FamilySettings


@dataclass(frozen=True)
class BulkSettings(FamilySettings):
    """Exports, and the key that signs licences."""

    storage_url: str | None = option(
        None,
        "Where exports go: file:///folder or s3://bucket/prefix. Default: the data directory.",
        check=check_address,
    )
    export_keep_h: float = option(72, above=0, most=100 * 366 * 24, about="Hours an export can be downloaded.")
    licence_key_file: Path | None = option(
        None,
        "Ed25519 private key (PEM) that signs licence keys. Default: derived from the secret key.",
        check=check_file,
    )
