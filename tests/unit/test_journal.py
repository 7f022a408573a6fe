"""Every transition changes job, indexes and events together, on arq's own keys."""

import os
import pickle
from typing import Any

import pytest

from arqlight.jobs.display import as_json
from arqlight.jobs.job import read_arguments
from arqlight.jobs.queues import queue_key, queue_name
from arqlight.jobs.secret_texts import MASK
from arqlight.jobs.serialization import look_into


class Hostile:
    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/arqlight-was-here",)


def test_reading_a_pickle_never_runs_it() -> None:
    assert as_json(look_into(pickle.dumps({"a": Hostile()}))) == {"a": "<posix.system>"}
    assert not os.path.exists("/tmp/arqlight-was-here")
    for raw in (
        b"",
        b"\x80",
        b"garbage",
        pickle.dumps(1)[:-1],
        b"\x80\x04" + b"(" * 1000,
        b"\x80\x05\x8e" + b"\xff" * 8,
    ):
        with pytest.raises(ValueError, match="not a pickle"):
            look_into(raw)


def test_arguments_of_unknown_classes_are_shown_by_their_names() -> None:
    from decimal import Decimal

    class_bytes = b"\x80\x04\x8c\x07missing\x8c\x05Thing\x93)\x81}\x8c\x01xK\x01sb."
    assert as_json(look_into(class_bytes)) == "<missing.Thing>"
    payload = pickle.dumps(
        {"f": "t", "a": (Decimal("1.5"), {1, 2}), "k": {"password": "x", "n": 2**70}, "t": None, "et": 1}
    )
    arguments = read_arguments(payload)
    assert arguments.args == ["1.5", [1, 2]]
    assert arguments.kwargs == {"password": MASK, "n": str(2**70)}


def test_a_value_that_explodes_when_shown_is_cut() -> None:
    bomb: Any = "x"
    for _ in range(40):
        bomb = [bomb] * 10
    assert as_json(bomb)
    nested: Any = []
    for _ in range(5000):
        nested = [nested]
    assert as_json(nested)
    assert as_json(float("nan")) == "nan"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("arq:queue", "default"),
        ("arq:queue:high", "high"),
        ("my:queue", "my:queue"),
        ("arq:queue:a:b", "arq:queue:a:b"),
    ],
)
def test_lanes_have_arqs_keys(key: str, name: str) -> None:
    assert queue_name(key) == name
    assert queue_key(name) == key
