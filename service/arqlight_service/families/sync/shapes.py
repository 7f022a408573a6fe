"""What the API answers of the sync of marketplaces."""

from typing import Literal

from arqlight_service.api.shapes.answer import Answer, Moment


class RefusedEntry(Answer):
    """An entry of a marketplace that could not be read."""

    entry: str
    reason: str


class SyncRun(Answer):
    """One run, with its counts."""

    id: int
    marketplace: str
    kind: Literal["incremental", "full"]
    state: Literal["running", "waiting", "done", "failed"]
    reason: str | None
    """Why it waits or failed, or what was noticed."""
    job_id: str
    """The job that goes on with it."""
    pages: int
    """Pages read, those looked at twice included."""
    seen: int
    new: int
    changed: int
    vanished: int
    """Sales that the marketplace does not list any more."""
    refused_count: int
    refused: list[RefusedEntry]
    """The first hundred of them."""
    error: str | None
    """The reason, where it failed."""
    since: Moment | None
    """From when on sales were read; null for all."""
    started_at: Moment
    resume_at: Moment | None
    """When it goes on, where it waits."""
    finished_at: Moment | None


class SyncDifference(Answer):
    """A sale that was not as it had been known."""

    sale_id: str
    what: Literal["new", "changed", "vanished"]
    before: dict[str, str]
    """What differs, as it was; amounts with their currency."""
    after: dict[str, str]


class SyncReport(SyncRun):
    """One run with what it found."""

    differences: list[SyncDifference]
    """The first two hundred."""


class EventTaken(Answer):
    """What became of a marketplace's event."""

    result: Literal["new", "changed", "unchanged", "ignored"]
