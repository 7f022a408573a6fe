"""The audit list."""

from typing import Any

from pydantic import Field

from arqlight.journal.audit_entry import Kind
from arqlight_service.api.shapes.answer import Answer, Moment


class AuditEntry(Answer):
    """What somebody did, or was refused."""

    id: str
    at: Moment
    kind: Kind
    """`change`; `routine`: jobs, events, telemetry, tests; `sign-in`; `secret`: one was handed out; `refused`."""
    who: str
    address: str
    """Where the request came from; "" where that is not known."""
    what: str
    before: Any = Field(alias="from")
    after: Any = Field(alias="to")
    result: str
    """`done`, or `refused` or `failed` with the status of the answer."""
