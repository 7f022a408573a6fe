"""Which devices and usage a request means, and which device or person."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from arqlight.families.telemetry.intake import LONGEST, Hasher
from arqlight.families.telemetry.reading import Which
from arqlight.families.telemetry.subjects import Subject
from arqlight_service.api.requests import AwareDatetime, Strict


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it holds control characters or text that is not valid Unicode")
    return text


Product = Annotated[str, Field(min_length=1, max_length=LONGEST["product"]), AfterValidator(_printable)]
Version = Annotated[str, Field(min_length=1, max_length=LONGEST["version"]), AfterValidator(_printable)]
Counter = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_printable)]
Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class WhichQuery(Strict):
    """Which devices or usage."""

    product: Product | None = None
    version: Version | None = None
    since: AwareDatetime | None = None
    """Devices that were seen from then on; usage of that day and later ones."""
    until: AwareDatetime | None = None
    """Devices that were last seen before then; usage of that day and earlier ones."""

    def which(self) -> Which:
        """The same, for the database."""
        return Which(self.product, self.version, self.since, self.until)


class ListQuery(WhichQuery):
    """A page of devices or products."""

    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = Field(None, max_length=2_000)
    """`next` of the page before."""


class UsageQuery(ListQuery):
    """A page of usage; without `since`, of the last 90 days."""

    counter: Counter | None = None


class ExportQuery(WhichQuery):
    """What to export, and how it is written."""

    format: Literal["csv", "jsonl"] = "csv"


class SubjectRequest(Strict):
    """One device or person."""

    by: Literal["device", "person", "fingerprint"]
    """Whether `value` is what SDKs send as `device` or as `person`, or a device's fingerprint as lists show it."""
    value: Annotated[str, Field(min_length=1, max_length=LONGEST["device"]), AfterValidator(_printable)]

    def subject(self, hasher: Hasher) -> Subject:
        """As it is kept."""
        if self.by == "person":
            return Subject(person=hasher.person(self.value))
        return Subject(self.value if self.by == "fingerprint" else hasher(self.value))


class MergeRequest(Strict):
    """Two devices that are one, by their fingerprints."""

    fingerprint: Fingerprint
    """The one that goes."""
    into: Fingerprint
    """The one that stays."""
