"""Hostile input by the thousand, the same for each seed."""

import json
import os
import pickle
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Places in a queue that nobody should have written; None is now.
SCORES = (None, None, None, 0, -1, 0.5, -1e300, float("-inf"), 1e-300)


class _Reduced:
    def __init__(self, call: Any, *args: Any) -> None:
        self._made = (call, args)

    def __reduce__(self) -> tuple[Any, ...]:
        return self._made


def hostile_bodies(dice: random.Random, count: int, sign: Path) -> Iterator[bytes]:
    """Bytes for `arq:job:…`: noise, cut and bent pickles, layouts that are not arq's, calls that would make `sign`."""
    bombs = [_Reduced(os.system, f"touch {sign}"), _Reduced(eval, f"open({str(sign)!r}, 'w')"),
             _Reduced(__import__, "antigravity")]  # fmt: skip
    for _ in range(count):
        good = {"t": None, "f": "work", "a": _values(dice, 3), "k": {"x": _values(dice, 2)}, "et": 1}
        kind = dice.randrange(9)
        if kind == 0:
            yield dice.randbytes(dice.randrange(0, 200))
        elif kind == 1:
            raw = pickle.dumps(good)
            yield raw[: dice.randrange(len(raw))]
        elif kind == 2:
            bent = bytearray(pickle.dumps(good))
            for _ in range(dice.randrange(1, 6)):
                bent[dice.randrange(len(bent))] = dice.randrange(256)
            yield bytes(bent)
        elif kind == 3:
            yield pickle.dumps(good | {"a": (dice.choice(bombs),)})
        elif kind == 4:
            yield pickle.dumps(dice.choice([None, 1, [], "x", {"f": 1}, good | {"f": b"\xff"}, good | {"a": 3}]))
        elif kind == 5:
            yield pickle.dumps(good | {dice.choice(["t", "et", "k", "f"]): dice.choice(["x", -1, [], None, 2**70])})
        elif kind == 6:
            yield json.dumps(
                {
                    "t": None,
                    "f": "work",
                    "k": {},
                    "et": 1,
                    "a": [{"$type": dice.choice(["date", "uuid", "set", "x", 3]), "value": "?"}],
                }
            ).encode()
        elif kind == 7:
            yield b"\x80\x04" + dice.choice([b"}", b"]", b"("]) * dice.randrange(1, 5_000) + b"."
        else:
            yield b'{"t":null,"f":"work","a":' + b"[" * dice.randrange(1, 20_000)


def _values(dice: random.Random, depth: int) -> Any:
    if depth == 0:
        return dice.choice([None, True, dice.random(), "x" * dice.randrange(50), "\ud800", b"\x00", -(2**64)])
    inner = [_values(dice, depth - 1) for _ in range(dice.randrange(4))]
    return dice.choice([tuple(inner), inner, {str(place): value for place, value in enumerate(inner)}])


def hostile_names() -> list[str]:
    """Queues that arq's clients may have made: any bytes (as `names.read_name` has them), those first that worked."""
    odd = ("a b", "a\nb", "a\x00b", "..", ".", "ä/ö", "%00", "a:b", "?x=1#y", "<b>", "'", '"', "x" * 300, " ")
    return ["arq:queue", *(f"arq:queue:{name}" for name in odd), *odd[:4]]
