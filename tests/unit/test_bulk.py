"""Decisions of bulk operations: forms of keys, how an operation stands after an error, parts of a file."""

import asyncio

import pytest
from arq.worker import Retry
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from arqlight.errors import NotYet, PermanentFailure
from arqlight.families.bulk.licence_key import FIRST_RANDOM, make_key, random_batch, tag_of, verify_key
from arqlight.families.bulk.states import CUT_OFF, state_after
from arqlight_service.api.problems import Problem
from arqlight_service.families.bulk.ranges import wanted_part

SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
# Made by the version whose ids were counted.
OLD_KEY = (
    "00RXBBT4-NKX40000-03G0000F-DHSK7S51-WKXHDKA4-GYJVJS8V-5N9413MH-ZGYR8R2H-"
    "WSAX2KJJ-D3AARXKE-0VD2WBJ1-K22YHH41-5RT8RACA-7XYE5XFP-YY3HJFTJ-28P6E0DN"
)


def test_a_key_of_a_counted_batch_still_verifies_and_is_still_made_the_same() -> None:
    licence = verify_key(OLD_KEY, SIGNER.public_key())
    assert (licence.batch, licence.number, licence.is_for("Quill")) == (7, 123, True)
    assert make_key(SIGNER, tag_of("Quill"), 7, 123) == OLD_KEY


@pytest.mark.parametrize("batch", [1, 7, FIRST_RANDOM - 1, FIRST_RANDOM, 2**40 - 1])
@pytest.mark.parametrize("number", [1, 1_000_000])
def test_keys_of_counted_and_of_random_batches_say_what_they_are_of(batch: int, number: int) -> None:
    key = make_key(SIGNER, tag_of("Quill"), batch, number)
    licence = verify_key(key, SIGNER.public_key())
    assert (licence.batch, licence.number, licence.is_for("Quill")) == (batch, number, True)
    assert key == make_key(SIGNER, tag_of("Quill"), batch, number), "so that a batch goes on after a crash"


def test_batches_are_not_counted() -> None:
    ids = {random_batch() for _ in range(100)}
    assert len(ids) == 100
    assert all(FIRST_RANDOM <= each < 2**40 for each in ids)


@pytest.mark.parametrize(
    ("error", "is_last", "state", "reason"),
    [
        (ValueError("x"), False, "waiting", "to be tried again after ValueError: x"),
        (ValueError("x"), True, "failed", "ValueError: x"),
        (PermanentFailure("gone"), False, "failed", "PermanentFailure: gone"),
        (Retry(5), True, "waiting", "Retry"),
        (NotYet(5, "full"), True, "waiting", "NotYet"),
        (asyncio.CancelledError(), False, "cancelled", CUT_OFF),
    ],
)
def test_an_operation_says_how_its_attempt_ended(error: BaseException, is_last: bool, state: str, reason: str) -> None:
    found = state_after(error, is_last=is_last)
    assert (found[0], found[1].startswith(reason)) == (state, True)


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, None), ("bytes=0-", range(100)), ("bytes=10-19", range(10, 20)), ("bytes=90-200", range(90, 100)),
        ("bytes=-5", range(95, 100)), ("bytes=-500", range(100)), ("Bytes=99-99", range(99, 100)),
        ("bytes=5-4", None), ("bytes=-", None), ("bytes=0-1,5-6", None), ("lines=1-2", None), ("bytes=a-b", None),
        ("bytes=0-" + "9" * 30, None),
    ],
)  # fmt: skip
def test_a_range_names_the_bytes_it_is_for_and_what_is_none_is_ignored(header: str | None, part: range | None) -> None:
    assert wanted_part(header, None, '"a"', 100) == part


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=-0", "bytes=500-600", "bytes=9999999999999999999-"])
def test_a_range_outside_of_the_file_is_416_with_its_size(header: str) -> None:
    with pytest.raises(Problem) as refused:
        wanted_part(header, None, '"a"', 100)
    assert (refused.value.status, refused.value.headers["Content-Range"]) == (416, "bytes */100")


@pytest.mark.parametrize("if_range", ['"b"', 'W/"a"', "Sat, 28 Nov 2026 14:00:00 GMT"])
def test_a_part_of_another_file_is_not_sent(if_range: str) -> None:
    assert wanted_part("bytes=5-", if_range, '"a"', 100) is None
    assert wanted_part("bytes=5-", '"a"', '"a"', 100) == range(5, 100)
