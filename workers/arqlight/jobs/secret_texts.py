"""Secrets within texts: by their shape, by the name before them, and those that are set for this process."""

import base64
import html
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from arqlight.jobs.secret_names import has_names_of_its_own, is_secret
from arqlight.jobs.secret_places import parts_of
from arqlight.jobs.secret_values import secret_spans

MASK = "••••••"
# Shorter values stand in texts by chance, and masking them would make the text unreadable.
SHORTEST = 4
SHORTEST_IN_TEXT = 6  # of those that a text says are some, and may not mean it
_ONE_OF = r"[A-Za-z0-9._~+/=-]"
# What is a secret whatever stands before it.
_SHAPES = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"
    r"|\beyJ[\w-]{6,}(?:\.[\w-]*){2,4}"  # JWT, and JWE of five parts
    r"|\b(?:whsec|arql|ghp|gho|ghu|ghs|ghr|github_pat|glpat|dop_v1|shpat|shpss|shpca|sq0atp|sq0csp|dckr_pat|lin_api|glsa"
    r"|sntrys|sntryu|figd|PMAK|GOCSPX)[_-][\w+/=-]{8,}"
    r"|\b(?:hf|npm|gsk|r8)_[A-Za-z0-9]{20,}|\b(?:pypi-|xapp-|ATATT3x)[\w=-]{16,}"
    r"|\b[spr]k_(?:live|test)_\w{8,}"
    r"|\bsk-[\w-]{20,}"
    r"|\bxox[abeprs]-[\w-]{8,}"
    r"|\bA(?:KIA|SIA)[0-9A-Z]{16}\b"
    r"|\bAIza[\w-]{30,}"
    r"|\bya29\.[\w-]{16,}"
    r"|\bhv[sb]\.[\w-]{16,}"
    r"|\bSG\.[\w-]{16,}\.[\w-]{16,}"
    r"|\b\d{6,12}:AA[\w-]{30,}|(?<=/bot)\d{6,12}:[\w-]{30,}"  # a Telegram bot's
    r"|\bAGE-SECRET-KEY-1[0-9A-Z]{16,}"
    r"|\bdapi[0-9a-f]{32}\b|\bkey-[0-9a-f]{32}\b|\b[0-9a-f]{32}-us\d{1,2}\b"  # Databricks, Mailgun, Mailchimp
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
_PLAIN_USER = re.compile(r"[A-Za-z]{1,16}(?:[._-][A-Za-z]{1,16})?")
# Most texts have none of these, and are told apart by that alone, quickly.
_HINTS = (
    "pass", "secret", "token", "key", "code", "auth", "bearer", "basic", "otp", "pin", "cookie", "jw", "cred", "pwd",
    "cv", "sess", "sig", "hmac", "dsn", "conn", "phrase", "mnemonic", "mdp", "kennwort", "contrase", "senha",
    "wachtwoord", "://", "/bot", ":aa", "eyj", "ya29", "hv", "hooks", "whsec", "akia", "asia", "aiza", "sg.", "atatt",
    "dapi", "-us", "arql", "dop_v1", "gl", "gh", "shp", "sq0", "hf_", "npm_", "dckr", "gsk_", "r8_", "lin_", "sntry",
    "figd", "pmak", "gocspx", "xapp", "pypi", "xox", "sk-", "_live_", "_test_",
)  # fmt: skip
_ALL_HINTS = (*_HINTS, "пароль", "密", "パスワード", "비밀번호")
_known: tuple[str, ...] = ()
_known_written: tuple[str, ...] = ()  # in all the ways in which they are looked for


def passwords_in(address: str) -> list[str]:
    """The passwords in an address, or in several: before the host, and under a secret's name behind it."""
    before = [found[3][1:] for found in _USERS.finditer(address) if found[3]]
    behind = [value for name, value in re.findall(r"[?&]([\w-]+)=([^&#\s]+)", address) if is_secret(name)]
    return [way for password in (*before, *behind) for way in dict.fromkeys((password, unquote(password)))]


def values_in(text: str) -> list[str]:
    """The secrets in a text that a name before them says are some, and the passwords of its addresses."""
    if not _may_hold_one(text):
        return []
    values = [text[begin:end] for begin, end in secret_spans(text)]
    return [value for value in (*values, *passwords_in(text)) if len(value) >= SHORTEST_IN_TEXT and MASK not in value]


def hide_always(secrets: Iterable[str]) -> None:
    """Values that are masked in every text of this process from now on: what is set for it."""
    global _known, _known_written
    _known = tuple(dict.fromkeys((*_known, *secrets)))
    _known_written = _written(())


def hide(text: str, secrets: Sequence[str] = ()) -> str:
    """`text` as people may see it: without `secrets`, those of this process, and what looks like one."""
    text = hide_known(text, secrets)
    if not _may_hold_one(text):
        return text
    text = _SHAPES.sub(MASK, text)
    text = _SCHEMES.sub(rf"\1\2{MASK}", text)
    text = _USERS.sub(_without_password, text)
    return _without_values(text)


def _may_hold_one(text: str) -> bool:
    if has_names_of_its_own():
        return True
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text)
    folded = text.lower()
    for hint in _HINTS if folded.isascii() else _ALL_HINTS:  # noqa: SIM110 -- for each line of the log: twice as fast
        if hint in folded:
            return True
    return False


def hide_within(value: Any, secrets: Sequence[str] = ()) -> Any:
    """A value of JSON, as `hide` leaves its texts; a number that is one of `secrets` is none any more."""
    if isinstance(value, str):
        return hide(value, secrets)
    if isinstance(value, list):
        return [MASK if masked else hide_within(inner, secrets) for _, inner, masked in parts_of(value)]
    if isinstance(value, dict):
        return {name: MASK if masked else hide_within(inner, secrets) for name, inner, masked in parts_of(value)}
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
    quoted = _quoted(secret)
    ways = (
        secret, *quoted, *(way for each in quoted for way in _quoted(each)), quote(secret, safe=""), quote(secret),
        quote_plus(secret), html.escape(secret), quote(quote(secret, safe=""), safe=""),
        base64.b64encode(secret.encode("utf-8", "replace")).decode().rstrip("="),
    )  # fmt: skip
    return tuple(sorted(dict.fromkeys(ways), key=len, reverse=True))


def _quoted(text: str) -> tuple[str, ...]:
    """As it stands between the quotes of a literal, of Python and of JSON."""
    return (
        repr(text)[1:-1], json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1],
        repr(text.encode("utf-8", "replace"))[2:-1],
    )  # fmt: skip


def _without_password(found: re.Match[str]) -> str:
    scheme, user, password = found.groups()
    if password is not None:
        return f"{scheme}{user}:{MASK}@"
    # A user without a password is often a token: `https://ghp_…@github.com`, but not `ssh://git@github.com`.
    return found[0] if _PLAIN_USER.fullmatch(user) else f"{scheme}{MASK}@"


def _without_values(text: str) -> str:
    """The values behind names of secrets masked: `"token": "x"`, `token='x'`, `?token=x`, `password: x`."""
    parts: list[str] = []
    place = 0
    for begin, end in secret_spans(text):
        if MASK not in text[begin:end]:
            parts += (text[place:begin], MASK)
            place = end
    return "".join((*parts, text[place:]))
