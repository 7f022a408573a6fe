"""What a reader of foreign bytes spends: shared and cyclic structures, chosen hashes, texts that grow as they are read."""

import asyncio
import base64
import datetime
import decimal
import json
import pickle
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from arqlight.errors import ArqlightError, CursorInvalid, InvalidInput, OverBudget
from arqlight.jobs.bounded_json import read_bounded
from arqlight.jobs.budget import TOLD, Budget
from arqlight.jobs.display import MOST_CHARACTERS, as_json
from arqlight.jobs.editing import edited_arguments
from arqlight.jobs.job import read_arguments
from arqlight.jobs.masking import secrets_in
from arqlight.jobs.page_cursors import read_cursor
from arqlight.jobs.serialization import look_into, read_json, read_plain
from arqlight.worker.call_text import call_text
from arqlight_service.api import requests
from arqlight_service.feed.routes import BadSubscription, parse_frame

MOST_S = 3.0
DEEP = 40  # 2^40 steps take hours
# What makes a value twice as large as a tree with two bytes more.
DOUBLES = (b"2\x86", b"22\x87", b"(K\x00h\x00h\x00t0", b"(22t", b"\x94h\x00\x86")


def shared_lists(depth: int = DEEP) -> Any:
    value: Any = [1]
    for _ in range(depth):
        value = [value, value]
    return value


def text(raw: str) -> bytes:
    return b"\x8c" + bytes([len(raw)]) + raw.encode()


def named(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


# Where a value may stand that is written as `chain`, all that comes before it and after it.
SINKS = {
    "a key of a dict": (b"}", b"K\x01s"),
    "one of the keys": (b"}(", b"K\x01u"),
    "a key of an old dict": (b"(", b"K\x01d"),
    "a member of a set": (b"\x8f(", b"\x90"),
    "a member of a frozenset": (b"(", b"\x91"),
    "an argument of set": (named("builtins", "set") + b"]", b"a\x85R"),
    "an argument of frozenset": (named("builtins", "frozenset") + b"(", b"t\x85R"),
    "a new set": (named("builtins", "set") + b"]", b"a\x85\x81"),
    "an old object": (b"(" + named("builtins", "set") + b"]", b"ao"),
    "a pair": (named("collections", "OrderedDict") + b"](", b"K\x01ta\x85R"),
    "the number of a UUID": (named("uuid", "UUID") + b")\x81}" + text("int"), b"sb"),
    "an argument of a Decimal": (named("decimal", "Decimal"), b"\x85R"),
    "an argument of a date": (named("datetime", "date"), b"\x85R"),
    "an argument of what is not built": (named("app", "Thing"), b"\x85R"),
    "the state of what is not built": (named("app", "Thing") + b")\x81", b"b"),
    "a value": (b"", b""),
}


def job(**changed: bytes) -> bytes:
    """A job of arq's whose parts are opcodes."""
    parts = {"t": b"N", "f": text("work"), "a": b")", "k": b"}", "et": b"K\x01"} | changed
    return b"\x80\x04}(" + b"".join(text(name) + value for name, value in parts.items()) + b"u."


@contextmanager
def quickly() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < MOST_S


def use(value: Any) -> None:
    """What is done with a value later on, by us or by a task."""
    repr(value)
    _ = value == pickle.loads(pickle.dumps(value)) if is_plain(value) else None
    json.dumps(as_json(value))


def is_plain(value: Any) -> bool:
    return "<" not in repr(value)


def read_everywhere(raw: bytes) -> None:
    with quickly():
        for read in (look_into, read_plain):
            try:
                value = read(raw)
            except ValueError:
                continue
            use(value)
        shown = read_arguments(raw)
        shown.summary()
        json.dumps([shown.args, shown.kwargs])
        with pytest.raises(InvalidInput):
            edited_arguments(raw, ["other"], {"x": MASKED})


MASKED = "••••••"


@pytest.mark.parametrize("sink", SINKS)
@pytest.mark.parametrize("double", DOUBLES[:2])
def test_a_hundred_bytes_of_shared_tuples_are_over_the_budget_wherever_they_stand(sink: str, double: bytes) -> None:
    before, after = SINKS[sink]
    chain = before + b"K\x01" + double * 30 + after
    for raw in (
        job(a=chain + b"\x85"),
        job(k=b"}" + text("x") + chain + b"s"),
        job(f=chain),
        job(et=chain),
        job(t=chain),
    ):
        assert len(raw) < 250
        read_everywhere(raw)


@settings(max_examples=150, deadline=None)
@given(some.data())
def test_no_program_of_the_pickle_machine_leaves_the_budget(data: some.DataObject) -> None:
    atoms = some.sampled_from([b"K\x01", b"N", b")", b"]", b"}", text("x" * 40), b"G" + b"\x7f" * 8])
    steps = some.sampled_from(
        [*DOUBLES, b"2", b"\x85", b"]\x94", b"a", b"(e", b"}\x94", b"s", b"(u", b"\x8f", b"(\x90", b"(\x91", b"\x94", b"h\x00", b"h\x01",
         b"0", b"1", b"(", b"l", b"d", b"R", b"\x81", b"b", *(before for before, _ in SINKS.values()), *(after for _, after in SINKS.values())]
    )  # fmt: skip
    body = data.draw(atoms) + b"\x94" + b"".join(data.draw(some.lists(some.tuples(steps, some.integers(1, 40)), max_size=12).map(
        lambda drawn: [step * count for step, count in drawn]
    )))  # fmt: skip
    for raw in (b"\x80\x04" + body + b".", job(a=body + b"\x85")):
        with quickly():
            for read in (look_into, read_plain):
                try:
                    use(read(raw))
                except ValueError:
                    continue
            json.dumps(read_arguments(raw).args)


PLAIN = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text() | some.binary()
    | some.dates() | some.datetimes(timezones=some.just(datetime.UTC) | some.none()) | some.timedeltas() | some.times()
    | some.decimals(allow_nan=False) | some.uuids() | some.complex_numbers(allow_nan=False)
    | some.frozensets(some.integers() | some.text() | some.tuples(some.text(), some.decimals(allow_nan=False))),
    lambda inner: some.lists(inner, max_size=5) | some.tuples(inner, inner) | some.dictionaries(some.text() | some.integers(), inner, max_size=5)
    | some.sets(some.integers() | some.text()) | some.lists(inner, max_size=3).map(lambda each: [each, each, (each, each)])
    | some.dictionaries(some.text(), inner, max_size=3).map(OrderedDict),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(PLAIN, some.integers(3, pickle.HIGHEST_PROTOCOL))
def test_what_python_pickled_is_read_as_python_reads_it(value: Any, protocol: int) -> None:
    raw = pickle.dumps(value, protocol)
    for read in (look_into, read_plain):
        assert repr(read(raw)) == repr(pickle.loads(raw))


def test_what_holds_itself_is_refused_with_a_sentence() -> None:
    circle: list[Any] = []
    circle.append(circle)
    around: dict[str, Any] = {}
    around["x"] = ({"y": around},)
    for value in (circle, around, shared_lists()):
        raw = pickle.dumps({"t": None, "f": "work", "a": (value,), "k": {}, "et": 1})
        read_everywhere(raw)
        problem = read_arguments(raw).problem
        assert problem
        assert "steps" in problem
        with pytest.raises(OverBudget, match="steps"):
            read_plain(raw)


def test_keys_whose_hashes_are_the_same_are_over_the_budget() -> None:
    same = 2**61 - 1
    for keys in ([place * same for place in range(6_000)], [float(place * 2.0**61) for place in range(6_000)]):
        packed = (
            b"\x80\x04}(" + b"".join(pickle.dumps(key)[2:-1].replace(b"\x95", b"\x95") + b"N" for key in keys) + b"u."
        )
        listed = json.dumps({"$type": "set", "value": keys}).encode()
        with quickly():
            for raw in (packed, listed):
                with pytest.raises(ValueError):  # noqa: PT011 - a budget, whichever
                    look_into(raw)
    many = [place * same for place in range(60_000)]
    with quickly(), pytest.raises(OverBudget):
        read_json(json.dumps({"$type": "set", "value": many}).encode())
    with quickly(), pytest.raises(OverBudget):
        read_plain(
            pickle.dumps([1, 2], 4)[:2] + b"\x8f(" + b"".join(pickle.dumps(key, 2)[2:-1] for key in many) + b"\x90."
        )


def test_a_text_that_is_held_thousands_of_times_is_shown_once_and_a_while() -> None:
    raw = job(a=b"(" + b"X" + (20_000).to_bytes(4, "little") + b"x" * 20_000 + b"\x94" + b"h\x00" * 9_000 + b"t")
    with quickly():
        assert len(json.dumps(read_arguments(raw).args)) < 2 * MOST_CHARACTERS
    assert len(json.dumps(as_json(["x" * 20_000] * 4_000))) < 2 * MOST_CHARACTERS
    raw = job(a=b"(" + b"X" + (9_000).to_bytes(4, "little") + b"x" * 9_000 + b"\x94" + b"}h\x00Ns" * 4_000 + b"t")
    with quickly():
        read_arguments(raw)


def test_an_exception_within_an_exception_is_not_quoted_again_and_again() -> None:
    raw: Any = "x\\'"
    for _ in range(DEEP):
        raw = {"$type": "exception", "value": [raw, raw] if isinstance(raw, str) else [[raw], "x"]}
    written = json.dumps({"s": False, "r": raw}).encode()
    with quickly():
        for read in (look_into, read_json):
            with pytest.raises(ValueError, match="two texts"):
                read(written)


def test_a_number_that_is_short_to_write_and_endless_to_build_is_none() -> None:
    huge = decimal.Decimal("1E+999999999999")
    raw = pickle.dumps({"t": None, "f": "work", "a": (huge,), "k": {}, "et": huge})
    read_everywhere(raw)
    assert read_arguments(raw).problem
    fine = read_arguments(pickle.dumps({"t": None, "f": "work", "a": (huge, 10**5_000), "k": {}, "et": 1}))
    assert fine.args == ["1E+999999999999", "<a huge int>"]
    with pytest.raises(ValueError, match="too large"):
        look_into(
            pickle.dumps(datetime.timedelta(1)).replace(
                b"K\x01", b"\x8b" + (1_000).to_bytes(4, "little") + b"\x01" * 1_000
            )
        )


def test_the_secrets_of_arguments_that_share_are_found_once_each() -> None:
    wide: Any = [{"password": "hunter2"}]
    for _ in range(4):
        wide = [wide] * 1_000
    deep = {"a": {"b": {"token": "shallow-too"}}, "first": [[[[[[{"token": "too-deep"}]]]]]]}
    with quickly():
        assert secrets_in({"wide": [{"password": "hunter2"}], "deep": deep, "lists": shared_lists(), "w": wide}) == [
            "hunter2", "shallow-too"
        ]  # fmt: skip
        assert secrets_in({"token": 10**5_000, "code": 123456, "x": (1, {"secret": "s3"})}) == ["123456", "s3"]
    inner = {"password": "held at several depths"}
    chain: Any = inner
    for _ in range(5):
        chain = [chain]
    assert secrets_in({"deep": chain, "shallow": inner}) == ["held at several depths"]


def test_the_line_of_a_call_is_short_whatever_its_arguments_are() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with quickly():
        for value in (shared_lists(), circle, 10**5_000, {"x": shared_lists()}, [list(range(10**6))] * 9):
            assert len(call_text([value], {"named": value})) <= 81
    assert (
        call_text([1, "a", (2,), [None]], {"b": {"c": 1.5}, "a": True}) == "1, 'a', (2,), [None], a=True, b={'c': 1.5}"
    )


def test_the_line_of_a_call_hides_secrets_before_it_is_shortened() -> None:
    for value in (
        "x" * 60 + " sk_live_51HqLyjWDarjtT1zdp7dc" + "y" * 100,
        "https://ada:" + "hush" * 20 + "@example.org/",
        {"password": "hush-" * 3},
        [{"apiKey": b"hush"}],
    ):
        said = call_text([value], {"named": value}) + call_text([], {"named": value})
        assert "sk_live_51" not in said
        assert "hush" not in said


NESTED = "[" * 100_000
WIDE = "[" + "0," * 3_000_000 + "0]"


def test_json_of_a_request_a_frame_and_a_cursor_is_read_within_a_budget() -> None:
    twice = "{" + ",".join(f'"k{place}":1' for place in range(60_000)) + ',"k59999":2}'
    with quickly():
        for body in (NESTED, WIDE, twice, "9" * 100_000, '{"a":' * 50_000):
            with pytest.raises(ValueError):  # noqa: PT011 - OverBudget, or what Python says of the number
                requests.loads(body)
            with pytest.raises(BadSubscription):
                parse_frame(body)
            with pytest.raises(ValueError):  # noqa: PT011
                read_bounded(body, Budget(TOLD))


@pytest.mark.parametrize(
    "place",
    [NESTED[:5_000], "[0,1" + "0" * 400 + ',"x"]', '[0,NaN,"x"]', '[0,1e999,"x"]', '[0,1,"\\ud800"]', '[true,1,"x",1]', "[0,[],{}]", "7", "{}"],
)  # fmt: skip
def test_a_cursor_that_is_none_of_ours_is_refused(place: str) -> None:
    with pytest.raises(CursorInvalid):
        read_cursor(base64.urlsafe_b64encode(place.encode()).decode().rstrip("="), 6)


def test_the_error_is_one_of_ours_and_is_a_value_error() -> None:
    assert issubclass(OverBudget, ArqlightError)
    assert issubclass(OverBudget, ValueError)


async def test_an_edit_of_many_alike_values_takes_no_longer_than_a_page() -> None:
    values = {f"member {place}" for place in range(2_000)}
    raw = pickle.dumps({"t": None, "f": "work", "a": (values,), "k": {}, "et": 1})
    shown = as_json([values])[0]
    with quickly():
        [edited], _ = await asyncio.to_thread(edited_arguments, raw, [[*shown[:-1], "new"]], {})
    assert edited == {*shown[:-1], "new"}
    with quickly(), pytest.raises(InvalidInput, match="cannot hold that"):
        edited_arguments(raw, [[place * (2**61 - 1) for place in range(1, 60_000)]], {})


def test_a_uuid_is_what_its_state_says() -> None:
    value = uuid.UUID(int=7)
    assert read_plain(pickle.dumps({value: [value, value]})) == {value: [value, value]}
