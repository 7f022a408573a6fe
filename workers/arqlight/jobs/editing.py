"""Arguments that a person edited: what was masked on the page is what it was."""

from typing import Any

from arqlight.errors import InvalidInput
from arqlight.jobs.masking import MASK
from arqlight.jobs.pickle_reader import Opaque
from arqlight.jobs.serialization import look_into


def original_arguments(payload: bytes | None) -> tuple[list[Any], dict[str, Any]]:
    """A job's arguments with their secrets, to be enqueued again. Raises InvalidInput when they cannot be read."""
    try:
        data = look_into(payload or b"")
        return list(data["a"]), dict(data["k"])
    except Exception as error:  # the bytes are anyone's
        raise InvalidInput(
            "id", f"the job's arguments cannot be read: {error}; enqueue it from the application"
        ) from None


def fill_in(edited: Any, original: Any, field: str) -> Any:
    """`edited` with each masked value taken from the same place of `original`.

    Raises InvalidInput for a mask that stands where nothing was masked, and for values that JSON cannot carry.
    """
    if edited == MASK:
        if original is None or isinstance(original, dict | list):
            raise InvalidInput(field, f"{MASK} stands where no secret was; write the value")
        return original
    if isinstance(original, Opaque):
        raise InvalidInput(field, f"{field} holds a {original.name}, which cannot be edited here")
    if isinstance(edited, dict):
        known = original if isinstance(original, dict) else {}
        return {name: fill_in(value, known.get(name), f"{field}.{name}") for name, value in edited.items()}
    if isinstance(edited, list):
        before = list(original) if isinstance(original, list | tuple) else []
        return [
            fill_in(value, before[place] if place < len(before) else None, f"{field}[{place}]")
            for place, value in enumerate(edited)
        ]
    return edited
