"""Which names say that their value is a secret, in whatever style they are written: `api_key`, `apiKey`, `Api-Key`."""

import re
import unicodedata
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

from arqlight.jobs.name_words import name_words

LONGEST_NAME = 200
# A name that has one of these anywhere: `password_hash`, `newPassword2`, `client-secret-value`.
_ANYWHERE = frozenset({
    "password", "passwords", "passwd", "passphrase", "secret", "secrets", "credential", "credentials", "passwort",
    "kennwort", "contraseña", "contrasena", "senha", "wachtwoord", "пароль", "密码", "密碼", "パスワード", "비밀번호",
})  # fmt: skip
_LAST = frozenset({
    "token", "tokens", "pwd", "pass", "passcode", "otp", "totp", "pin", "cvv", "cvc", "jwt", "jwe", "bearer",
    "authorization", "cookie", "cookies", "auth", "cred", "creds", "dsn", "signature", "sig", "hmac",
    "mnemonic", "mdp",
})  # fmt: skip
_ENDS = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "signature",
    "sessionid",
    "sessid",
)  # `sslpassword`, `csrftoken`
_FLAT = re.compile(
    r"(?:api|secret|private|access|signing|encryption|licen[cs]e|master|session|auth|ssh|hmac|shared|account)keys?"
    r"|(?:db|database|user|admin|root|smtp|imap|ftp|mail|email|redis|pg|postgres|mysql|ssh|login|auth|http|ldap|proxy"
    r"|key|keystore|truststore|store|basic)pass|conn(?:ection)?str(?:ing)?"
)
_TWO = frozenset({("session", "id"), ("connection", "string"), ("conn", "str"), ("conn", "string"), ("seed", "phrase")})
_HEADERS = frozenset({"authorization", "cookie"})
# `api_key`, but neither `key` nor `sort_key`.
_OF_A_KEY = frozenset({
    "api", "secret", "private", "access", "signing", "signature", "encryption", "license", "licence", "master",
    "session", "auth", "service", "ssh", "pgp", "gpg", "deploy", "account", "webhook", "hmac", "storage", "shared",
})  # fmt: skip
_NO_SECRET_CODE = frozenset({
    "status", "exit", "error", "return", "response", "http", "reason", "source", "country", "currency", "zip", "postal",
    "post", "language", "lang", "locale", "product", "area", "region", "state", "city", "tax", "color", "colour", "bar",
    "qr", "dialing", "airport", "promo", "coupon", "discount", "event", "type",
})  # fmt: skip
_NO_SECRET_TOKENS = frozenset(
    {"max", "min", "total", "prompt", "completion", "input", "output", "num", "number", "used"}
)
_AMBIGUOUS = frozenset({"code", "codes", "pin", "pass", "auth", "cookie", "cookies", "key", "keys", "sig"})
_also: tuple[str, ...] = ()


def mask_also(patterns: Sequence[str]) -> None:
    """Names whose values are not shown either, in this process, from now on; `*` stands for anything."""
    global _also
    _also = tuple(pattern.lower() for pattern in patterns)
    is_secret_text.cache_clear()


def has_names_of_its_own() -> bool:
    """Whether there are such names in this process."""
    return bool(_also)


def is_secret(name: object) -> bool:
    """Whether a value under this name is never shown."""
    if isinstance(name, bytes):
        name = name.decode("utf-8", "replace")
    return isinstance(name, str) and is_secret_text(name[:LONGEST_NAME])


@lru_cache(maxsize=4096)
def is_secret_text(name: str) -> bool:
    """The same, of a text."""
    name = unicodedata.normalize("NFKC", name)
    if any(fnmatchcase(name.lower(), pattern) for pattern in _also):
        return True
    words = name_words(name)
    if not words:
        return False
    if not _ANYWHERE.isdisjoint(words) or not _ANYWHERE.isdisjoint(name.lower().split("_")):
        return True
    while len(words) > 1 and words[-1].isdigit():  # `token2`
        words.pop()
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last in ("key", "keys"):
        return before in _OF_A_KEY
    if last in ("code", "codes"):
        return before not in _NO_SECRET_CODE
    if (before, last) in _TWO or _FLAT.fullmatch(last):
        return True
    if last.endswith(_ENDS):
        return True
    return last in _LAST and not (last == "tokens" and before in _NO_SECRET_TOKENS)


def is_header(name: str) -> bool:
    """Whether a name is written as headers are: `X-Api-Key`."""
    return "-" in name.strip("-") or name.lower() in _HEADERS


def is_ambiguous(name: str) -> bool:
    """Whether a name means a secret as one of a value, and often something else in running text (`exit code: 1`)."""
    words = name_words(name)
    return bool(words) and words[-1] in _AMBIGUOUS
