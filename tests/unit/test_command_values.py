"""How words of the command line are read as values."""

from typing import Any

import pytest

from arqlight_service.cli.enqueue import read_arguments


@pytest.mark.parametrize(
    ("word", "value"),
    [("123E45", "123E45"), ("1.10", "1.10"), ("-0", "-0"), ("1e5", "1e5"), ("NaN", "NaN"), ("1e999", "1e999"),
     ("007", "007"), ("123456", 123456), ("-5", -5), ("0.5", 0.5), ("true", True), ("null", None),
     ('"7"', "7"), ('{"seat": 7}', {"seat": 7}), ("Ada", "Ada"), ("12345678901234567890123", 12345678901234567890123)],
)  # fmt: skip
def test_a_word_is_a_number_only_where_nothing_of_its_spelling_is_lost(word: str, value: Any) -> None:
    read = read_arguments((f"code={word}", word))
    assert read == ([value], {"code": value})
    assert type(read[1]["code"]) is type(value)
