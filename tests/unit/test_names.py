"""Names of any bytes, as people and programs see them."""

from hypothesis import given
from hypothesis import strategies as st

from arqlight.jobs.names import name_shown_as, raw_name, read_name, shown_name

NAMES = st.one_of(st.binary(), st.text().map(lambda text: text.encode("utf-8", "replace")), st.just(rb"\x41\xff"))


@given(NAMES)
def test_what_is_shown_of_a_name_means_that_name_and_can_be_shown_everywhere(raw: bytes) -> None:
    name = read_name(raw)
    shown = shown_name(name)
    assert raw_name(name_shown_as(shown)) == raw
    assert shown.encode().decode() == shown
    assert not any(character < " " for character in shown)


@given(NAMES, NAMES)
def test_no_two_names_are_shown_alike(one: bytes, other: bytes) -> None:
    assert (shown_name(read_name(one)) == shown_name(read_name(other))) == (one == other)
