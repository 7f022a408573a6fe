"""What reading something foreign may cost. Every reader of bytes that anybody may have written spends from a `Budget`.

A few bytes can stand for far more work than they look: a tuple that holds one tuple twice, which holds one twice, and
so on, is a hundred bytes long, and takes 2^n steps to hash, compare, print or walk. So the reader counts what it does,
and what it hands on is no larger as a tree than its budget: whoever walks it afterwards needs no count of their own.
"""

from dataclasses import dataclass
from typing import Any

from arqlight.errors import OverBudget
from arqlight.jobs.opaque import Opaque

# What a few bytes may cost is in proportion to them: else a thousand small jobs would take as long as large ones.
FIRST_STEPS, STEPS_A_BYTE = 1_000, 32
TEXT_A_STEP = 64  # characters or bytes that cost as much as one value
# A key is hashed in C, by recursion and without a way to stop it: what is larger is not hashed at all.
LARGEST_KEY = 1_000
LONGEST_SCALAR = 1_000  # characters of a number, a date and the like
LARGEST_SCALAR_BITS = 3_000
_SMALL = 2**31
# Numbers and tuples can be chosen so that their hashes are the same, and each is then compared with all before it.
_COMPARED_A_STEP = 16


@dataclass(frozen=True, slots=True)
class Limits:
    """What one reading may take: bytes at once, and steps (values built, hashed or walked)."""

    size: int
    steps: int


SHOWN = Limits(64 * 1024, 60_000)  # a job on a page, one of hundreds: less than a tenth of a second
RUN = Limits(64 * 1024 * 1024, 1_000_000)  # a job that a worker runs
ASKED = Limits(128 * 1024 * 1024, 2_000_000)  # the body of a request, which has a limit of bytes of its own
TOLD = Limits(64 * 1024, 10_000)  # a frame or a cursor
ANSWERED = Limits(16 * 1024 * 1024, 500_000)  # what another service answers


class Budget:
    """What is left for one reading. Every method raises OverBudget when it is used up."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = self._most = limits.steps
        self._odd_keys = 0

    def admit(self, raw: bytes | str) -> None:
        """Before anything is read."""
        if len(raw) > self._limits.size:
            raise OverBudget(f"{len(raw):,} bytes are too many to read (limit {self._limits.size:,})")
        self._left = self._most = min(self._limits.steps, FIRST_STEPS + STEPS_A_BYTE * len(raw))
        self.take(len(raw) // TEXT_A_STEP)

    def take(self, steps: int = 1) -> None:
        """Spend."""
        self._left -= steps
        if self._left < 0:
            raise OverBudget(
                f"reading it takes more than {self._most:,} steps: it holds too many values, or one value too often"
            )

    def hash(self, key: Any) -> None:
        """Before `key` is put into a dict or a set."""
        if type(key) is str or (type(key) is int and -_SMALL < key < _SMALL):
            self.take()
            return
        size, waiting = 0, [key]
        while waiting:
            each = waiting.pop()
            size += 1
            if isinstance(each, tuple | frozenset):
                size += len(each)
                waiting += each if size <= LARGEST_KEY else ()
            elif isinstance(each, int):
                size += each.bit_length() // TEXT_A_STEP
            if size > LARGEST_KEY:
                raise OverBudget(f"a key of a dict or a member of a set holds more than {LARGEST_KEY:,} values")
        self.take(size * (1 + self._odd_keys // _COMPARED_A_STEP))
        self._odd_keys += 1

    def walk(self, value: Any) -> None:
        """Before `value` is handed on: as a tree, where what it holds twice counts twice, and a circle has no end."""
        waiting = [value]
        while waiting:
            each = waiting.pop()
            if isinstance(each, str | bytes | bytearray):
                self.take(len(each) // TEXT_A_STEP)
            elif isinstance(each, int):
                self.take(each.bit_length() // TEXT_A_STEP)
            elif isinstance(each, dict):
                self.take(2 * len(each))  # before they are put there: the list of what waits has the same bound
                waiting += each
                waiting += each.values()
            elif isinstance(each, list | tuple | set | frozenset | Opaque):
                inner = each.made_of if isinstance(each, Opaque) else each
                self.take(len(inner))
                waiting += inner


def scalar(value: Any) -> Any:
    """What a number, date and the like is made of. Raises OverBudget for more than any of them needs."""
    if isinstance(value, str | bytes) and len(value) > LONGEST_SCALAR:
        raise OverBudget(f"{len(value):,} characters are too many for a number or a date (limit {LONGEST_SCALAR:,})")
    if isinstance(value, int) and value.bit_length() > LARGEST_SCALAR_BITS:
        raise OverBudget(f"a whole number of {value.bit_length():,} bits is too large (limit {LARGEST_SCALAR_BITS:,})")
    if isinstance(value, list | tuple | dict | set | frozenset):
        raise ValueError(f"a number or a date is not made of a {type(value).__name__}")
    return value
