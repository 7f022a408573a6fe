"""Dataclasses whose fields have bounds and a description, filled from what the environment, a flag or JSON says.

A worker reads its settings with this and not with pydantic, which the service has for its requests: pydantic takes
10 MB of a process, a third of what a plain arq worker holds.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

Kind = TypeVar("Kind")
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class Secret:
    """A text that is not shown by accident: its repr and str are masked."""

    def __init__(self, text: str) -> None:
        self._text = text

    def get_secret_value(self) -> str:
        """The text."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret('**********')" if self._text else "Secret('')"

    __str__ = __repr__


class WrongFields(ValueError):
    """Some fields cannot have the values that were given. `wrong` has (name, value, reason) of each."""

    def __init__(self, wrong: list[tuple[str, Any, str]]) -> None:
        self.wrong = wrong
        super().__init__("; ".join(f"{name}: {reason}" for name, _, reason in wrong))


def option(
    default: Any,
    about: str,
    *,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
    check: Callable[[Any], object] | None = None,
) -> Any:
    """A field of a dataclass.

    :param about: what it is, for `--help` and the documents.
    :param above, least, most: bounds of a number.
    :param check: called with the value; raises ValueError for one that will not do.
    """
    bounds = {"above": above, "least": least, "most": most}
    return dataclasses.field(default=default, metadata={"about": about, "check": check, **bounds})


def checked(kind: type[Kind], values: Mapping[str, Any]) -> Kind:
    """A `kind` (a dataclass) of `values`, those that are missing or None left at their defaults.

    A text is taken for a number, a yes or no, a path or a secret, as the field wants. Raises WrongFields.
    """
    hints = typing.get_type_hints(kind)
    wrong: list[tuple[str, Any, str]] = []
    taken: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        given = values.get(field.name)
        if given is None:
            continue
        try:
            taken[field.name] = value = _converted(given, hints[field.name])
            _check_bounds(value, field.metadata)
            if (check := field.metadata.get("check")) is not None:
                check(value)
        except ValueError as error:
            wrong.append((field.name, given, str(error)))
    if wrong:
        raise WrongFields(wrong)
    return kind(**taken)


def is_secret_field(kind: type[Any], name: str) -> bool:
    """Whether a field holds a secret."""
    return Secret in _choices(typing.get_type_hints(kind)[name])


def _converted(given: Any, hint: Any) -> Any:
    choices = [choice for choice in _choices(hint) if choice is not type(None)]
    wanted = choices[0]
    if typing.get_origin(wanted) is Literal:
        known = typing.get_args(wanted)
        if given not in known:
            raise ValueError(f"it is none of {', '.join(map(str, known))}")
        return given
    return _CONVERTERS[wanted](given)


def _choices(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in (Union, types.UnionType) else (hint,)


def _check_bounds(value: Any, bounds: Mapping[str, Any]) -> None:
    above, least, most = (bounds.get(name) for name in ("above", "least", "most"))
    if above is not None and value <= above:
        raise ValueError(f"it must be above {above:,}")
    if least is not None and value < least:
        raise ValueError(f"it must be at least {least:,}")
    if most is not None and value > most:
        raise ValueError(f"it must be at most {most:,}")


def _to_text(given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError("it is not a text")
    return given


def _to_int(given: Any) -> int:
    text = str(given).strip()
    if isinstance(given, bool) or not (text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()):
        raise ValueError("it is not a whole number")
    return int(text) if len(text) < 20 else int(text[:20])  # beyond every bound; Python would refuse to read more


def _to_float(given: Any) -> float:
    try:
        number = float(given)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(given, bool) or not math.isfinite(number):
        raise ValueError("it is not a number")
    return number


def _to_bool(given: Any) -> bool:
    if isinstance(given, bool):
        return given
    word = str(given).strip().lower()
    if word not in (*_YES, *_NO):
        raise ValueError("it is neither true nor false")
    return word in _YES


def _to_path(given: Any) -> Path:
    return given if isinstance(given, Path) else Path(_to_text(given))


def _to_secret(given: Any) -> Secret:
    return given if isinstance(given, Secret) else Secret(_to_text(given))


_CONVERTERS: dict[Any, Callable[[Any], Any]] = {
    str: _to_text,
    int: _to_int,
    float: _to_float,
    bool: _to_bool,
    Path: _to_path,
    Secret: _to_secret,
}
