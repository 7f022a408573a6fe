"""What the API answers of e-mail templates."""

from typing import Any, Literal

from arqlight_service.api.shapes.answer import Answer, Moment


class Template(Answer):
    """A version of an e-mail template."""

    name: str
    version: int
    """0 is the one that comes with arqlight."""
    subject: str
    text: str
    html: str
    sender: str
    """The From address, where it is not the setting's."""
    reply_to: str
    transactional: bool
    """Whether it is sent to those who want no more mail, and carries no link to unsubscribe."""
    language: str | None
    variables: list[str]
    """The names that its parts use."""
    note: str
    created_by: str
    created_at: Moment | None


class TemplateDetail(Template):
    """The version that is sent, with all there are."""

    versions: list[Template]
    """The newest first."""


class ListedAddress(Answer):
    """An address that gets no mail, and why."""

    address: str
    reason: Literal["refused", "bounced", "complained", "unsubscribed", "manual"]
    detail: str
    added_by: str
    at: Moment


class RefusedLine(Answer):
    """A line of a file that holds no address."""

    line: int
    reason: str


class Added(Answer):
    """What was put on the suppression list."""

    added: int
    """Addresses that were not on it yet."""
    refused: list[RefusedLine]
    """The first hundred."""
    refused_count: int


class RenderedTemplate(Answer):
    """A template, filled in."""

    subject: str
    text: str
    html: str
    names: list[str]
    """The names that its parts use."""
    variables: dict[str, Any]
    """What they were filled with."""
