"""Codes of an authenticator app (TOTP, RFC 6238) and codes for when it is lost, beside the password of a user."""

import secrets
from dataclasses import dataclass
from typing import Any

from pyotp import TOTP, random_base32

from arqlight_service.auth.hashing import hashed

ISSUER = "arqlight"
STEP_S = 30
# A code counts for the step before and after its own as well: clocks differ, and people type slowly (RFC 6238, 5.2).
DRIFT = (0, -1, 1)
RECOVERY_CODES = 10
LONGEST_CODE = 40


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """What is kept of it: the app's key, and the hashes of the recovery codes that are left."""

    key: str
    recovery: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return {"key": self.key, "recovery": list(self.recovery)}

    def address(self, name: str) -> str:
        """What an app reads, as text or from a QR code (`otpauth://totp/…`)."""
        return TOTP(self.key, interval=STEP_S).provisioning_uri(name=name, issuer_name=ISSUER)

    def used_by(self, code: str, now_s: float) -> str | None:
        """What a code uses up: the step of the app's, or the hash of a recovery code. None for a wrong code."""
        given = "".join(code.split()).replace("-", "")
        if len(given) > LONGEST_CODE or not given.isascii():
            return None
        if len(given) == TOTP(self.key).digits:
            totp, step = TOTP(self.key, interval=STEP_S), int(now_s) // STEP_S
            for each in (step + drift for drift in DRIFT):
                if secrets.compare_digest(totp.generate_otp(each), given):
                    return str(each)
            return None
        kept = hashed(given.lower())
        return kept if kept in self.recovery else None

    def without(self, used: str) -> "SecondFactor":
        """The same, when a recovery code has been used."""
        return SecondFactor(self.key, tuple(each for each in self.recovery if each != used))


def new_factor() -> tuple[SecondFactor, list[str]]:
    """One, and its recovery codes, which nobody can read later (`abcde-12345`)."""
    codes = [f"{part[:5]}-{part[5:]}" for part in (secrets.token_hex(5) for _ in range(RECOVERY_CODES))]
    return SecondFactor(random_base32(), tuple(hashed(code.replace("-", "")) for code in codes)), codes


def read_factor(entry: dict[str, Any] | None) -> SecondFactor | None:
    """One as it is kept."""
    return SecondFactor(entry["key"], tuple(entry["recovery"])) if entry else None
