"""What can be set for bulk operations."""

from pathlib import Path

from pydantic import Field

from arqlight.settings import FamilySettings


class BulkSettings(FamilySettings):
    """Exports, and the key that signs licences."""

    storage_url: str | None = Field(
        None, description="Where exports go: file:///folder or s3://bucket/prefix. Default: the data directory."
    )
    export_keep_h: float = Field(72, gt=0, description="Hours an export can be downloaded.")
    licence_key_file: Path | None = Field(
        None, description="Ed25519 private key (PEM) that signs licence keys. Default: derived from the secret key."
    )
