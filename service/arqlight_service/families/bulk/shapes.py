"""What the API answers of bulk operations."""

from typing import Literal

from arqlight_service.api.shapes.answer import Answer, Moment


class Batch(Answer):
    """A batch of licence keys."""

    id: int
    product: str
    count: int
    made: int
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    reason: str | None
    """Why it waits, failed or was cancelled."""
    job_id: str | None
    created_at: Moment


class NewBatch(Answer):
    """A batch that was asked for, and the job that makes it."""

    batch: int
    id: str
    """The job's."""


class Export(Answer):
    """An export of a table."""

    id: str
    table: str
    format: str
    batch: int | None
    """The batch of licence keys it is of; null for the whole table."""
    state: Literal["waiting", "running", "done", "failed", "cancelled", "expired"]
    reason: str | None
    """Why it waits, failed or was cancelled."""
    path: str | None
    rows: int
    size_bytes: int | None
    sha256: str | None
    job_id: str | None
    created_at: Moment
    expires_at: Moment | None
    download: str | None
    """A signed link, while there is something to download."""


class NewExport(Answer):
    """An export that was asked for, and the job that makes it."""

    export: str
    id: str
    """The job's."""
