"""How values travel to PostgreSQL and back. Every text and every JSON value passes here before it is sent."""

import json
from typing import Any

from arqlight.jobs.failure import clean

# Longer than PostgreSQL takes: a text is cleaned here, and cut where it was made.
ANY_LENGTH = 1 << 30
# What JSON may hold and PostgreSQL refuses can only be written so.
_SUSPICIOUS = ("\\u", "NaN", "Infinity")


async def set_codecs(connection: Any) -> None:
    """Read and write JSON as Python values, and only texts that the server can hold."""
    await connection.set_type_codec("jsonb", encoder=encode, decoder=json.loads, schema="pg_catalog")
    await connection.set_type_codec("text", encoder=storable, decoder=str, schema="pg_catalog")


def storable(text: str) -> str:
    """The text without NUL and without halves of surrogate pairs."""
    return clean(text, ANY_LENGTH)


def encode(value: Any) -> str:
    """A value as JSON; a string is JSON already (PgQueuer encodes by itself)."""
    text = value if isinstance(value, str) else json.dumps(value)
    if not any(sign in text for sign in _SUSPICIOUS):
        return storable(text)
    return json.dumps(_clean(json.loads(text, parse_constant=lambda name: None)))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_clean(each) for each in value]
    if isinstance(value, dict):
        return {storable(name): _clean(each) for name, each in value.items()}
    return value
