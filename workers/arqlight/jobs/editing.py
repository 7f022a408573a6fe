"""Arguments that a person edited: only what was changed is replaced, all else is what it was.

A page shows less than there is: secrets are masked, bytes are counted, long texts and lists are cut, a tuple looks like
a list. So what comes back is held against what was shown, and where the two are the same the original value stays.
"""

import datetime
import decimal
import json
import uuid
from collections.abc import Callable
from typing import Any

from arqlight.errors import InvalidInput, OverBudget
from arqlight.jobs.budget import SHOWN, Budget
from arqlight.jobs.destinations import new_destination
from arqlight.jobs.display import CUT, as_json
from arqlight.jobs.job import read_call
from arqlight.jobs.masking import secrets_in_call
from arqlight.jobs.opaque import Opaque
from arqlight.jobs.secret_texts import MASK

# Types that are shown as text, and are read from it again.
_READ: dict[type, Callable[[str], Any]] = {
    datetime.datetime: datetime.datetime.fromisoformat,
    datetime.date: datetime.date.fromisoformat,
    datetime.time: datetime.time.fromisoformat,
    decimal.Decimal: decimal.Decimal,
    uuid.UUID: uuid.UUID,
    int: int,
}


def edited_arguments(
    payload: bytes | None, args: list[Any], kwargs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """A job's arguments as a person edited what `read_arguments` shows of `payload`.

    Raises InvalidInput when they cannot be read or not be enqueued from here, and for a change that leaves open what
    becomes of a value that was not shown.
    """
    try:
        _, was_args, was_kwargs, _ = read_call(payload or b"")
    except Exception as error:  # the bytes are anyone's
        raise InvalidInput(
            "id", f"the job's arguments cannot be read: {error}; enqueue it from the application"
        ) from None
    was = {"args": was_args, "kwargs": was_kwargs}
    secrets = secrets_in_call(was_args, was_kwargs)
    shown = {part: as_json(value, secrets) for part, value in was.items()}
    merged = (
        _merge(args, shown["args"], was_args, "args"),
        _merge(kwargs, shown["kwargs"], was_kwargs, "kwargs"),
    )
    _check_moved(merged, was)
    _check_destination({"args": args, "kwargs": kwargs}, shown)
    return merged


def _merge(edited: Any, shown: Any, original: Any, field: str) -> Any:
    if _same(edited, shown):
        return _kept(original, field)
    if isinstance(original, Opaque):
        raise InvalidInput(field, f"{field} holds a {original.name}, which cannot be edited here")
    if isinstance(edited, dict) and isinstance(original, dict):
        return _merge_dict(edited, shown, original, field)
    if isinstance(edited, list) and isinstance(original, list | tuple):
        return _merge_list(edited, shown, original, field)
    if isinstance(edited, list) and isinstance(original, set | frozenset):
        return _merge_set(edited, shown, original, field)
    if isinstance(edited, str) and isinstance(shown, str) and MASK not in edited:
        return _read_text(edited, shown, original, field)
    return _new(edited, field)


def _merge_dict(edited: dict[str, Any], shown: Any, original: dict[Any, Any], field: str) -> dict[Any, Any]:
    keys: dict[str, list[Any]] = {}
    for key in original:  # several may look alike, as 1 and "1" do: the last one is shown
        keys.setdefault(str(as_json(key)), []).append(key)
    merged: dict[Any, Any] = {}
    for name, value in edited.items():
        inner = f"{field}.{name}"
        if name in keys and name in shown:
            *hidden, key = keys[name]
            merged |= {each: _kept(original[each], inner) for each in hidden}
            merged[key] = _merge(value, shown[name], original[key], inner)
        elif name not in shown:  # else it is the mark of a cut
            merged[name] = _new(value, inner)
    for name, unseen in keys.items():
        if name not in shown:
            merged |= {key: _kept(original[key], field) for key in unseen}
    return type(original)(merged)


def _merge_list(edited: list[Any], shown: Any, original: Any, field: str) -> Any:
    # Which elements went or came cannot be told of what is not shown exactly; what came behind all of them can.
    added = len(shown) == len(original) and _same(edited[: len(shown)], shown)
    if len(edited) != len(shown) and not added and not _is_exact(shown, original):
        raise InvalidInput(
            field, f"{field} holds what cannot be shown exactly: leave as many elements, or add new ones at its end"
        )
    merged = [
        _merge(value, shown[place], original[place], f"{field}[{place}]")
        if place < len(shown)
        else _new(value, f"{field}[{place}]")
        for place, value in enumerate(edited)
    ]
    return type(original)([*merged, *(_kept(each, field) for each in original[len(shown) :])])


def _merge_set(edited: list[Any], shown: Any, original: Any, field: str) -> Any:
    """A set has no places, and another process shows it in another order: its members are found by how they look."""
    if len(shown) < len(original):
        raise InvalidInput(field, f"{field} is a set too large to be edited here")
    looks: dict[str, list[Any]] = {}
    for each in original:
        looks.setdefault(_text(each), []).append(each)
    merged, budget = [], Budget(SHOWN)
    try:
        for value in edited:
            like = looks.get(_text_of(value)) or (looks.get(_text_of(float(value))) if type(value) is int else None)
            merged.append(_kept(like.pop(), field) if like else _new(value, field))
            budget.hash(merged[-1])
        return type(original)(merged)
    except (OverBudget, OverflowError) as error:
        raise InvalidInput(field, f"{field} is a set, and cannot hold that: {error}") from None
    except TypeError:
        raise InvalidInput(field, f"{field} is a set, which holds no lists and objects") from None


def _read_text(edited: str, shown: str, original: Any, field: str) -> Any:
    if isinstance(original, str) and len(original) > len(shown) - 1 and shown.endswith("…") and edited.endswith("…"):
        raise InvalidInput(field, f"{field} was cut for the page: write it whole, or leave it as it is")
    read = _READ.get(type(original))
    try:
        return read(edited) if read else edited
    except (ValueError, ArithmeticError):
        raise InvalidInput(field, f"{field} is a {type(original).__name__}: {edited[:100]!r} is none") from None


def _new(value: Any, field: str) -> Any:
    """A value that stands where nothing was."""
    for each in _parts(value):
        if isinstance(each, str) and MASK in each:
            raise InvalidInput(field, f"{MASK} stands where no secret was; write the value")
    return value


def _kept(original: Any, field: str) -> Any:
    for each in _parts(original):
        if isinstance(each, Opaque):
            raise InvalidInput(field, f"{field} holds a {each.name}, which cannot be enqueued from here")
    return original


def _check_moved(merged: Any, original: Any) -> None:
    """What only stands for a value (`<3 bytes>`, a cut text, a set as a list) means nothing in another place."""
    parts = _parts(original)
    kept = {id(part) for part in parts}
    stand_ins = {_text(CUT), *(_text(part) for part in parts if _looks_like_another(part))}
    stand_ins -= {_text(part) for part in parts if isinstance(part, str) and not _looks_like_another(part)}
    for part in _parts(merged):
        if id(part) not in kept and not _looks_like_another(part) and (text := _text(part)) in stand_ins:
            raise InvalidInput(
                "args", f"{text[:100]} only stands for a value that a page cannot show, and was moved: write the value"
            )


def _text(part: Any) -> str:
    return _text_of(as_json(part))


def _text_of(shown: Any) -> str:
    return json.dumps(shown, sort_keys=True)


def _check_destination(edited: Any, shown: Any) -> None:
    """What nobody was shown goes only where it went before: a new address needs the secrets written anew."""
    if not any(MASK in part for part in _parts(edited) if isinstance(part, str)):
        return
    address = new_destination(edited, shown)
    if address is not None:
        raise InvalidInput(
            "args", f"{str(address)[:100]!r} is a new address, and {MASK} would be sent to it: write the secret anew"
        )


def _looks_like_another(part: Any) -> bool:
    if isinstance(part, dict):
        return not all(isinstance(key, str) for key in part)
    return isinstance(part, set | frozenset) or (isinstance(shown := as_json(part), str) and shown != part)


def _parts(value: Any) -> list[Any]:
    """`value` and all within it; a pickle may nest as deep as it likes."""
    found, seen = [value], {id(value)}
    for each in found:
        inner = [*each, *each.values()] if isinstance(each, dict) else each
        if isinstance(inner, list | tuple | set | frozenset):
            fresh = [part for part in inner if id(part) not in seen]
            seen |= {id(part) for part in fresh}
            found += fresh
    return found


def _same(one: Any, other: Any) -> bool:
    """Whether a value is the same JSON as what was shown: 1 is not true. What JavaScript wrote again has 1 for 1.0."""
    if type(one) is int and type(other) is float:
        return one == other
    return _text_of(one) == _text_of(other)


def _is_exact(shown: Any, original: Any) -> bool:
    try:
        return _text_of(shown) == _text_of(original)
    except (TypeError, ValueError, RecursionError):  # bytes, huge ints, what holds itself
        return False
