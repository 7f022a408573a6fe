"""Codes of an authenticator app and recovery codes: which count, and for how long."""

import base64

import pytest

from arqlight_service.auth.second_factor import RECOVERY_CODES, SecondFactor, new_factor, read_factor

KEY = base64.b32encode(b"12345678901234567890").decode()  # of RFC 6238, appendix B
FACTOR = SecondFactor(KEY)


@pytest.mark.parametrize(("now_s", "code"), [(59, "287082"), (1111111109, "081804"), (20000000000, "353130")])
def test_codes_are_those_of_rfc_6238(now_s: int, code: str) -> None:
    assert FACTOR.used_by(code, now_s) == str(now_s // 30)


@pytest.mark.parametrize(("late_s", "counts"), [(0, True), (30, True), (-30, True), (60, False), (-60, False)])
def test_a_code_counts_for_the_step_before_and_after_its_own(late_s: int, counts: bool) -> None:
    assert (FACTOR.used_by("081804", 1111111109 + late_s) is not None) is counts


@pytest.mark.parametrize("code", ["", "287083", "28708", "2870822", "२८७०८२", "\x00", "9" * 10_000, "287 083"])
def test_other_codes_count_for_nothing(code: str) -> None:
    assert FACTOR.used_by(code, 59) is None


def test_spaces_within_a_code_do_not_matter() -> None:
    assert FACTOR.used_by(" 287 082 ", 59) == "1"


def test_a_recovery_code_counts_until_it_is_taken_out_and_is_kept_as_its_hash() -> None:
    factor, codes = new_factor()
    assert len(set(codes)) == RECOVERY_CODES
    factor = read_factor(factor.to_json()) or FACTOR
    assert not any(code in str(factor.to_json()) for code in codes)
    used = factor.used_by(codes[0].upper().replace("-", " "), 0)
    assert used is not None
    assert factor.without(used).used_by(codes[0], 0) is None
    assert factor.without(used).used_by(codes[1], 0) is not None


def test_an_app_is_given_key_name_and_issuer() -> None:
    assert (
        FACTOR.address("ada@example.org") == f"otpauth://totp/arqlight:ada%40example.org?secret={KEY}&issuer=arqlight"
    )
