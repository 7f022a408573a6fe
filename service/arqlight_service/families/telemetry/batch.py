"""A batch of events as it is read: one that is no JSON, or cannot be written again, costs none of the others."""

import re
from typing import Any

from aiohttp import web
from pydantic import Field

from arqlight.families.telemetry.intake import MOST_EVENTS, Unreadable
from arqlight.jobs.budget import ASKED, Budget
from arqlight_service.api.problems import Problem, is_form
from arqlight_service.api.requests import AwareDatetime, Strict, loads, parse_input, read_body, read_text, validate

# A text that does not end is one up to the end: nothing is looked at twice.
_SIGN = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\Z)|[\[\]{},:]', re.DOTALL)
LONGEST_REASON = 200


class TelemetryBatch(Strict):
    """A batch of an SDK; each event is checked by itself."""

    events: list[Any] = Field(min_length=1, max_length=MOST_EVENTS)
    sent_at: AwareDatetime | None = None


async def read_batch(request: web.Request) -> TelemetryBatch:
    """What an SDK sent, `Unreadable` in the place of an event that is no JSON. Raises Problem, as `parse_input`."""
    if is_form(request):
        return await parse_input(request, TelemetryBatch)
    text = await read_text(request)
    try:
        return validate(TelemetryBatch, read_body(text))
    except Problem as problem:
        batch = _read_apart(text)
        if batch is None:
            raise problem from None
        return batch


def _read_apart(text: str) -> TelemetryBatch | None:
    """Each event read by itself; None for a body that has none, or is wrong around them."""
    try:
        Budget(ASKED).admit(text)
        split = split_events(text)
        if split is None:
            return None
        around, events = split
        batch = validate(TelemetryBatch, loads(around))
    except (ValueError, Problem):  # OverBudget is a ValueError
        return None
    batch.events = [_read(event) for event in events]
    return batch


def split_events(text: str) -> tuple[str, list[str]] | None:
    """The body with a 0 for each of its events, and the events as they are written. None where no list of events is."""
    budget = Budget(ASKED)
    budget.admit(text)
    depth, name, is_value = 0, "", False
    begins: int | None = None
    events: list[str] = []
    place = 0
    for found in _SIGN.finditer(text):
        budget.take()
        sign = found.group()
        if sign in "[{":
            depth += 1
            if begins is None and depth == 2 and sign == "[" and is_value and name == '"events"':
                begins = place = found.end()
        elif sign in "]}":
            depth -= 1
            if begins is not None and depth == 1:
                events.append(text[place : found.start()])
                break
        elif begins is not None:
            if sign == "," and depth == 2:
                events.append(text[place : found.start()])
                place = found.end()
        elif depth == 1:
            name = name if sign in ":," or is_value else sign
            is_value = sign != "," and (is_value or sign == ":")
    else:
        return None
    if len(events) == 1 and not events[0].strip():
        events = []
    return f"{text[:begins]}{','.join('0' * len(events))}{text[found.start() :]}", events


def _read(event: str) -> Any:
    try:
        return loads(event)
    except ValueError as error:
        return Unreadable(str(error)[:LONGEST_REASON])
