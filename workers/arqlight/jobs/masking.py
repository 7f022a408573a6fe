"""Keeps secrets out of what people see: by the name of a value, and in texts such as messages, traces and log lines."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from fnmatch import fnmatchcase
from typing import Any

from arqlight.checked_fields import Secret, is_secret_field
from arqlight.settings import OWN_NAMES, FamilySettings, Settings

MASK = "••••••"
# Shorter values stand in texts by chance, and masking them would make the text unreadable.
SHORTEST = 4
DEEPEST = 5


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


def secrets_in(value: Any, depth: int = 0) -> list[str]:
    """The values under names that say they are secret (`is_secret`), in arguments nested up to 5 deep."""
    if depth > DEEPEST:
        return []
    if isinstance(value, Mapping):
        found = [str(inner) for name, inner in value.items() if is_secret(name) and isinstance(inner, str | int)]
        return found + [text for inner in value.values() for text in secrets_in(inner, depth + 1)]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in secrets_in(inner, depth + 1)]
    return []


def mask_secrets(text: str, secrets: Iterable[str]) -> str:
    """`text` with each secret masked; the longest first, so that none is left in part."""
    for secret in sorted({secret.strip() for secret in secrets}, key=len, reverse=True):
        if len(secret) >= SHORTEST and secret in text:
            text = text.replace(secret, MASK)
    return text
