"""What every answer is made of."""

import datetime
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Item = TypeVar("Item")


class Answer(BaseModel):
    """An answer. More fields may come, none of these goes."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Items(Answer, Generic[Item]):
    """A list that is whole."""

    items: list[Item]


class Page(Answer, Generic[Item]):
    """A page of a list."""

    items: list[Item]
    next: str | None
    """The `cursor` of the next page; null on the last one."""
    cut: bool
    """Whether it is short because finding more would have taken too long: `next` goes on behind what was read."""


class Problem(Answer):
    """What was wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    """What was wrong, the value, and what to do."""
    instance: str
    """The path that was asked for."""
    field: str | None = None
    """The field or parameter that was wrong."""


Moment = Annotated[datetime.datetime, Field(examples=["2026-11-25T12:00:00.000Z"])]
"""ISO 8601 in UTC, with milliseconds."""
