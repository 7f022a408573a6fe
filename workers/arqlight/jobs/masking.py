"""Keeps secrets out of what people see: by the name of a value, and in texts such as messages, traces and log lines."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any

from arqlight.checked_fields import Secret, is_secret_field
from arqlight.settings import OWN_NAMES, FamilySettings, Settings

MASK = "••••••"
# Shorter values stand in texts by chance, and masking them would make the text unreadable.
SHORTEST = 4
DEEPEST = 5
MOST_LOOKED_AT = 100_000  # values; what lies deeper than these is looked at last
LONGEST_NAME = 1_000  # characters; of a longer one the first and the last are looked at
LARGEST_SECRET_BITS = 4_096  # of a number: Python prints none that is much larger

_SECRET = re.compile(
    r"(?i)(^|[_-])(password|passwd|passphrase|secret|token|code|otp|api_?key|licen[cs]e_?key|authorization)$"
)
_also: tuple[str, ...] = ()


def mask_also(patterns: Sequence[str]) -> None:
    """Names whose values are not shown either, in this process, from now on; `*` stands for anything."""
    global _also
    _also = tuple(pattern.lower() for pattern in patterns)


def is_secret(name: object) -> bool:
    """Whether a value under this name is never shown."""
    if not isinstance(name, str):
        return False
    if len(name) > LONGEST_NAME:
        name = name[: LONGEST_NAME // 2] + name[-LONGEST_NAME // 2 :]
    return _SECRET.search(name) is not None or any(fnmatchcase(name.lower(), pattern) for pattern in _also)


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Every secret that is set; what is set for task families is one by its name, or where a family declares it so."""
    own = [value for name in OWN_NAMES if isinstance(value := getattr(settings, name), Secret)]
    kept = [value for name, value in settings.for_families.items() if is_secret(name) or _is_declared_secret(name)]
    texts = (value.get_secret_value() if isinstance(value, Secret) else str(value) for value in (*own, *kept))
    return tuple(text for text in texts if text and text != "None")


def _is_declared_secret(name: str) -> bool:
    return any(
        each.name == name and is_secret_field(kind, name)
        for kind in FamilySettings.__subclasses__()
        for each in fields(kind)
    )


def secrets_in(value: Mapping[Any, Any]) -> list[str]:
    """The values under names that say they are secret (`is_secret`), in arguments nested up to 5 deep.

    Each container is looked at once, where it stands least deep, however many hold it.
    """
    found: list[str] = []
    level: list[Any] = [value]
    seen, left = {id(value)}, MOST_LOOKED_AT
    for _ in range(DEEPEST + 1):
        inside: list[Any] = []
        for each in level:
            named = each.items() if isinstance(each, Mapping) else ((None, inner) for inner in each)
            for name, inner in islice(named, left):
                left -= 1
                if is_secret(name) and (text := _text_of(inner)):
                    found.append(text)
                if isinstance(inner, Mapping | list | tuple) and id(inner) not in seen:
                    seen.add(id(inner))
                    inside.append(inner)
        level = inside
    return found


def _text_of(value: Any) -> str | None:
    if isinstance(value, int) and value.bit_length() > LARGEST_SECRET_BITS:
        return None
    return str(value) if isinstance(value, str | int) else None


def mask_secrets(text: str, secrets: Iterable[str]) -> str:
    """`text` with each secret masked; the longest first, so that none is left in part."""
    for secret in sorted({secret.strip() for secret in secrets}, key=len, reverse=True):
        if len(secret) >= SHORTEST and secret in text:
            text = text.replace(secret, MASK)
    return text
