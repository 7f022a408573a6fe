"""Keeps secrets out of texts that people see: error messages, stack traces, log lines."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import SecretStr

from workers.plain import MASK, is_secret
from workers.settings import Settings

# Shorter values stand in texts by chance, and masking them would make the text unreadable.
SHORTEST = 4
DEEPEST = 5


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Every secret that is set."""
    values = (getattr(settings, name) for name in Settings.model_fields)
    return tuple(value.get_secret_value() for value in values if isinstance(value, SecretStr) and value)


def secrets_in(value: Any, depth: int = 0) -> list[str]:
    """The values under names that say they are secret (`plain.is_secret`), in arguments nested up to 5 deep."""
    if depth > DEEPEST:
        return []
    if isinstance(value, Mapping):
        found = [str(inner) for name, inner in value.items() if is_secret(name) and isinstance(inner, str | int)]
        return found + [text for inner in value.values() for text in secrets_in(inner, depth + 1)]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in secrets_in(inner, depth + 1)]
    return []


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` with each secret masked; the longest first, so that none is left in part."""
    for secret in sorted({secret.strip() for secret in secrets}, key=len, reverse=True):
        if len(secret) >= SHORTEST and secret in text:
            text = text.replace(secret, MASK)
    return text
