"""Arguments edited by a person: what was not changed is what it was, whatever the page could show of it."""

import datetime
import decimal
import json
import pickle
import uuid
from typing import Any

import pytest

from arqlight.errors import InvalidInput
from arqlight.jobs.display import as_json
from arqlight.jobs.editing import edited_arguments
from arqlight.jobs.secret_texts import MASK

LONG = "a" * 30_000
DEEP: Any = 1
for _ in range(40):
    DEEP = [DEEP]
NOT_EXACT = [
    b"abc", LONG, DEEP, (1, (2,)), {1, 2}, frozenset({"a"}),
    {1: "int", "1": "text"}, {(1, 2): b"x"}, 2**80, float("inf"), "\ud800", {"token": {"a": b"x"}}, 1.0, True,
    datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), datetime.timedelta(hours=1), decimal.Decimal("0.10"), uuid.UUID(int=7),
]  # fmt: skip


def edit(args: list[Any], kwargs: dict[str, Any], change: Any = None) -> tuple[list[Any], dict[str, Any]]:
    """What becomes of arguments that go over a page and are changed there."""
    shown = json.loads(json.dumps({"args": as_json(args), "kwargs": as_json(kwargs)}))
    if change:
        change(shown)
    payload = pickle.dumps({"t": None, "f": "work", "a": tuple(args), "k": kwargs, "et": 1})
    return edited_arguments(payload, shown["args"], shown["kwargs"])


def put(place: Any, value: Any) -> Any:
    return lambda shown: shown["args"].__setitem__(place, value)


@pytest.mark.parametrize("value", NOT_EXACT, ids=lambda value: f"{type(value).__name__}")
def test_an_argument_that_is_left_alone_is_exactly_what_it_was(value: Any) -> None:
    args, kwargs = edit([value, 1], {"a": value, "n": 1})
    assert (args, kwargs) == ([value, 1], {"a": value, "n": 1})
    args, kwargs = edit([value, 1], {"a": value, "n": 1}, lambda shown: (put(1, 2)(shown), shown["kwargs"].update(n=2)))
    assert (args, kwargs) == ([value, 2], {"a": value, "n": 2})
    assert (type(args[0]), type(kwargs["a"])) == (type(value), type(value))


@pytest.mark.parametrize("value", NOT_EXACT, ids=lambda value: f"{type(value).__name__}")
def test_what_stands_beside_a_change_within_an_argument_is_what_it_was(value: Any) -> None:
    [kept], _ = edit([{"a": value, "n": (1, value)}], {}, lambda shown: shown["args"][0]["n"].__setitem__(0, 2))
    assert kept == {"a": value, "n": (2, value)}


def test_a_changed_value_keeps_the_type_that_its_text_has() -> None:
    was = [datetime.date(2026, 1, 2), decimal.Decimal("0.1"), 2**80, b"abc", 1]
    change = ["2026-02-03", "0.2", str(2**80 + 1), "text", True]
    args, _ = edit(was, {}, lambda shown: shown.update(args=change))
    assert args == [datetime.date(2026, 2, 3), decimal.Decimal("0.2"), 2**80 + 1, "text", True]
    assert args[4] is True


@pytest.mark.parametrize("value", NOT_EXACT, ids=lambda value: f"{type(value).__name__}")
def test_a_value_that_is_moved_or_renamed_is_what_it_was_or_is_refused(value: Any) -> None:
    def move(shown: Any) -> None:
        shown["args"].reverse()
        if shown["kwargs"]:
            shown["kwargs"]["renamed"] = shown["kwargs"].pop("named")

    for args, kwargs in (([value, "other"], {}), ([], {"named": value})):
        try:
            moved = edit(args, kwargs, move)
        except InvalidInput:
            continue
        assert json.dumps(moved) == json.dumps((args[::-1], {"renamed": value} if kwargs else {}))


def test_a_whole_number_may_become_a_float() -> None:
    args, _ = edit([1, 0, 3.0], {}, lambda shown: shown.update(args=[1.0, -0.0, 3]))
    assert list(map(repr, args)) == ["1.0", "-0.0", "3.0"]  # a page that shows 3.0 gives back 3


def test_what_was_not_shown_of_a_long_list_or_object_stays() -> None:
    many = list(range(6_000))
    [kept], _ = edit([many], {}, lambda shown: shown["args"][0].__setitem__(0, -1))
    assert kept == [-1, *many[1:]]
    _, kwargs = edit(
        [], {"of": {str(n): n for n in many[:4_000]}}, lambda shown: shown["kwargs"]["of"].update({"0": -1})
    )
    assert kwargs == {"of": {str(n): n or -1 for n in many[:4_000]}}


def test_a_set_that_another_process_shows_in_another_order_is_the_same_set() -> None:
    [kept], _ = edit([{b"a", b"bc", 1, 2}], {}, lambda shown: shown["args"][0].reverse())
    assert kept == {b"a", b"bc", 1, 2}
    [kept], _ = edit([{1, 2}], {}, lambda shown: shown["args"][0].append(3))
    assert kept == {1, 2, 3}


def test_elements_come_and_go_where_all_is_shown_exactly() -> None:
    [kept], _ = edit([[1, 2, 3]], {}, lambda shown: shown["args"][0].pop(0))
    assert kept == [2, 3]
    [kept], _ = edit([[b"a", 2]], {}, lambda shown: shown["args"][0].append(3))
    assert kept == [b"a", 2, 3]


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ([[b"a", b"b"]], [["<1 bytes>"]], "leave as many elements"),
        ([[b"a", b"b"]], [["x", "<1 bytes>", "<1 bytes>"]], "leave as many elements"),
        ([[{"token": "x"}, {"token": "y"}]], [[{"token": MASK}]], "leave as many elements"),
        ([LONG], ["b" * 10_000 + "…"], "was cut for the page"),
        ([1], [MASK], "stands where no secret was"),
        ([1], [{"x": [MASK]}], "stands where no secret was"),
        ([datetime.date(2026, 1, 1)], ["yesterday"], "is a date"),
        ([uuid.UUID(int=1)], ["1"], "is a UUID"),
        ([{1, 2}], [[1, []]], "is a set"),
    ],
)
def test_a_change_that_leaves_open_what_is_meant_is_refused(was: list[Any], becomes: list[Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        edit(was, {}, lambda shown: shown.update(args=becomes))


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/x", "eve@evil.example", "evil.example", "evil.example:8080/x", "10.0.0.7", "[::1]:80"],
)
@pytest.mark.parametrize("place", ["url", "new"])
def test_a_masked_value_goes_to_no_address_that_was_not_there(address: str, place: str) -> None:
    kwargs = {"url": "https://good.example/hook", "token": "sent-along", "n": 1}
    with pytest.raises(InvalidInput, match="would be sent to it"):
        edit([], kwargs, lambda shown: shown["kwargs"].update({place: address}))
    with pytest.raises(InvalidInput, match="would be sent to it"):
        edit([kwargs], {}, lambda shown: shown["args"].append(address))
    _, changed = edit([], kwargs, lambda shown: shown["kwargs"].update({place: address, "token": "written anew"}))
    assert (changed[place], changed["token"]) == (address, "written anew")
    _, changed = edit([], kwargs, lambda shown: shown["kwargs"].update(n=2, note="some other text, 1.5 of it"))
    assert (changed["n"], changed["token"]) == (2, "sent-along")


class Special:
    """A class that the service does not build."""


@pytest.mark.parametrize("value", [Special(), [[Special()]], {"password": Special()}, {Special()}])
def test_an_object_that_is_not_built_here_is_refused_wherever_it_stands(value: Any) -> None:
    with pytest.raises(InvalidInput, match="Special"):
        edit([value], {})
