"""A call as one short line of the log, as arq writes it, whatever the arguments are."""

import reprlib
from collections.abc import Iterable
from typing import Any

from arq.utils import truncate

from arqlight.jobs.display import LONGEST_TEXT
from arqlight.jobs.secret_places import parts_of
from arqlight.jobs.secret_texts import MASK, hide

LARGEST_BITS = 4_096  # Python prints no whole number that is much larger


class _Short(reprlib.Repr):
    """`repr` that looks at a few values only: of arguments that hold themselves, or one value 2^n times, too."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxtuple = self.maxlist = self.maxdict = self.maxset = self.maxfrozenset = 10
        self.maxstring = self.maxlong = self.maxother = 80

    def repr_str(self, x: str, level: int) -> str:
        # Before it is shortened: half a secret, or an address without its @, does not look like one.
        return super().repr_str(hide(x[:LONGEST_TEXT]), level)

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        return super().repr_dict({name: MASK if masked else value for name, value, masked in parts_of(x)}, level)

    def repr_list(self, x: list[Any], level: int) -> str:
        return super().repr_list(_shown(x), level)

    def repr_tuple(self, x: tuple[Any, ...], level: int) -> str:
        return super().repr_tuple(tuple(_shown(x)), level)

    def repr_int(self, x: int, level: int) -> str:
        return "<a huge int>" if x.bit_length() > LARGEST_BITS else super().repr_int(x, level)


def _shown(values: list[Any] | tuple[Any, ...]) -> list[Any]:
    first = values[: _SHORT.maxlist + 1]  # and one more, which shows that some are left out
    return [MASK if masked else value for _, value, masked in parts_of(first)]


_SHORT = _Short()


def call_text(args: Iterable[Any], kwargs: dict[str, Any]) -> str:
    """The arguments, in at most 80 characters, secrets masked."""
    shown = {name: MASK if masked else value for name, value, masked in parts_of(kwargs)}
    named = (f"{name}={_SHORT.repr(value)}" for name, value in sorted(shown.items()))
    return truncate(", ".join([*map(_SHORT.repr, args), *named]))
