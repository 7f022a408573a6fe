"""What the API answers of e-mail templates."""

from typing import Any

from arqlight_service.api.shapes.answer import Answer, Moment


class Template(Answer):
    """A version of an e-mail template."""

    name: str
    version: int
    """0 is the one that comes with arqlight."""
    subject: str
    text: str
    html: str
    variables: list[str]
    """The names that its parts use."""
    note: str
    created_by: str
    created_at: Moment | None


class TemplateDetail(Template):
    """The version that is sent, with all there are."""

    versions: list[Template]
    """The newest first."""


class RenderedTemplate(Answer):
    """A template, filled in."""

    subject: str
    text: str
    html: str
    names: list[str]
    """The names that its parts use."""
    variables: dict[str, Any]
    """What they were filled with."""
