"""The audit list."""

from typing import Any

from pydantic import Field

from arqlight_service.api.shapes.answer import Answer, Moment


class AuditEntry(Answer):
    """A change that somebody made."""

    at: Moment
    who: str
    what: str
    before: Any = Field(alias="from")
    after: Any = Field(alias="to")
