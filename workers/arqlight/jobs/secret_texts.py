"""Secrets within texts: by their shape, by the name before them, and those that are set for this process."""

import html
import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from arqlight.jobs.secret_names import has_names_of_its_own, is_ambiguous, is_secret

MASK = "••••••"
# Shorter values stand in texts by chance, and masking them would make the text unreadable.
SHORTEST = 4
_ONE_OF = r"[A-Za-z0-9._~+/=-]"
# What is a secret whatever stands before it.
_SHAPES = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"
    r"|\beyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]*"
    r"|\b(?:whsec|arql|ghp|gho|ghu|ghs|ghr|github_pat|glpat|dop_v1|shpat|sq0atp)[_-][\w+/=-]{8,}"
    r"|\b[spr]k_(?:live|test)_\w{8,}"
    r"|\bsk-[\w-]{20,}"
    r"|\bxox[abeprs]-[\w-]{8,}"
    r"|\bA(?:KIA|SIA)[0-9A-Z]{16}\b"
    r"|\bAIza[\w-]{30,}"
    r"|\bSG\.[\w-]{16,}\.[\w-]{16,}"
    # An address that is a secret as a whole: of a chat that takes messages from whoever knows it.
    r"|(?<=hooks\.slack\.com/)[\w/-]{8,}|(?<=/api/webhooks/)[\w/-]{8,}",
    re.DOTALL,
)
# `Bearer abc123`: a word behind it is no token.
_SCHEMES = re.compile(rf"(?i)\b(bearer|basic)(\s+)(?={_ONE_OF}*[\d=_~+/]){_ONE_OF}{{8,}}")
# `scheme://user:password@host`: up to the last @ of what stands together, for a password may hold one.
_USERS = re.compile(
    r"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]{0,30}://)([^\s/@:'\"<>?#]{0,300})(:[^\s'\"<>]{0,500})?@"
)
_NAMES = re.compile(
    r"""(?<![\w-])(?P<open>\\?["'])?(?P<name>[A-Za-z][\w-]{0,60})(?P<close>\\?["'])?(?P<between>\s*[=:]\s*)"""
)
_VALUE = re.compile(
    r"""\\"(?:[^"\\]|\\[^"])*\\"|"(?:[^"\\]|\\.)*"|b?'(?:[^'\\]|\\.)*'|[^\s,;&"'()\[\]{}<>\\]+""", re.DOTALL
)
# Most texts have none of these, and are told apart by that alone, quickly.
_HINTS = (
    "pass", "secret", "token", "key", "code", "auth", "bearer", "basic", "otp", "pin", "cookie", "jwt", "cred", "pwd",
    "cvv", "cvc", "sessionid", "://", "eyj", "whsec", "arql_", "arql-",
    "gho_", "ghp_", "ghu_", "ghs_", "ghr_", "github_",
    "glpat", "_live_", "_test_", "sk-", "xox", "akia", "asia", "aiza", "sg.", "shpat", "dop_v1", "sq0", "hooks",
)  # fmt: skip
_known: tuple[str, ...] = ()
_known_written: tuple[str, ...] = ()  # in all the ways in which they are looked for


def passwords_in(address: str) -> list[str]:
    """The passwords in an address, or in several: before the host, and under a secret's name behind it."""
    before = [found[3][1:] for found in _USERS.finditer(address) if found[3]]
    behind = [value for name, value in re.findall(r"[?&]([\w-]+)=([^&#\s]+)", address) if is_secret(name)]
    return [way for password in (*before, *behind) for way in dict.fromkeys((password, unquote(password)))]


def hide_always(secrets: Iterable[str]) -> None:
    """Values that are masked in every text of this process from now on: what is set for it."""
    global _known, _known_written
    _known = tuple(dict.fromkeys((*_known, *secrets)))
    _known_written = _written(())


def hide(text: str, secrets: Sequence[str] = ()) -> str:
    """`text` as people may see it: without `secrets`, those of this process, and what looks like one."""
    text = hide_known(text, secrets)
    folded = text.lower()
    if not has_names_of_its_own() and not any(hint in folded for hint in _HINTS):
        return text
    text = _SHAPES.sub(MASK, text)
    text = _SCHEMES.sub(rf"\1\2{MASK}", text)
    text = _USERS.sub(_without_password, text)
    return _without_values(text)


def hide_within(value: Any, secrets: Sequence[str] = ()) -> Any:
    """A value of JSON, as `hide` leaves its texts; a number that is one of `secrets` is none any more."""
    if isinstance(value, str):
        return hide(value, secrets)
    if isinstance(value, list):
        return [hide_within(inner, secrets) for inner in value]
    if isinstance(value, dict):
        return {name: MASK if is_secret(name) else hide_within(inner, secrets) for name, inner in value.items()}
    is_one = isinstance(value, int | float) and len(str(value)) >= SHORTEST and str(value) in secrets
    return MASK if is_one else value


def hide_known(text: str, secrets: Sequence[str] = ()) -> str:
    """`text` without these values and those of this process, as they are or as other formats write them."""
    for written in _written(secrets) if secrets else _known_written:
        text = text.replace(written, MASK)
    return text


def _written(secrets: Sequence[str]) -> tuple[str, ...]:
    """These and those of this process, as texts may hold them; the longest first, so that none is left in part."""
    values = sorted({secret.strip() for secret in (*secrets, *_known)}, key=len, reverse=True)
    return tuple(written for value in values if len(value) >= SHORTEST for written in _ways_to_write(value))


@lru_cache(maxsize=512)
def _ways_to_write(secret: str) -> tuple[str, ...]:
    ways = (
        secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret.encode("utf-8", "replace"))[2:-1], quote(secret, safe=""), quote(secret), quote_plus(secret),
        html.escape(secret),
    )  # fmt: skip
    return tuple(sorted(dict.fromkeys(ways), key=len, reverse=True))


def _without_password(found: re.Match[str]) -> str:
    scheme, user, password = found.groups()
    # A user without a password is often a token: `https://ghp_…@github.com`.
    return f"{scheme}{user}:{MASK}@" if password is not None else f"{scheme}{MASK}@"


def _without_values(text: str) -> str:
    """The values behind names of secrets masked: `"token": "x"`, `token='x'`, `?token=x`, `password: x`."""
    parts: list[str] = []
    place = 0
    for found in _NAMES.finditer(text):
        if found.start() < place or not is_secret(found["name"]):
            continue
        value = _VALUE.match(text, found.end())
        if value is None or MASK in value[0] or not _means_its_value(found, value[0]):
            continue
        quote_ = next((mark for mark in ('\\"', '"', "'") if value[0].removeprefix("b").startswith(mark)), "")
        parts += (text[place : value.start()], quote_, MASK, quote_)
        place = value.end()
    return "".join((*parts, text[place:]))


def _means_its_value(found: re.Match[str], value: str) -> bool:
    """`token = read()` is a line of a stack trace, `exit code: 1` and `the key: this` are running text."""
    if (found["open"] and found["close"]) or value[0] in "\"'\\" or value[:2] == "b'":
        return True
    between = found["between"]
    return between == "=" if "=" in between else not is_ambiguous(found["name"]) and between != ":"
