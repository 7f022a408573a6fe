"""What the API answers of the sync of marketplaces."""

from arqlight_service.api.shapes.answer import Answer, Moment


class RefusedEntry(Answer):
    """An entry of a marketplace that could not be read."""

    entry: str
    reason: str


class SyncRun(Answer):
    """One run, with its report."""

    id: int
    marketplace: str
    job_id: str
    seen: int
    new: int
    changed: int
    refused: list[RefusedEntry]
    error: str | None
    started_at: Moment
    finished_at: Moment | None
