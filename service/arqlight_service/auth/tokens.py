"""API tokens: shown once, kept as a hash, with a scope and an end. Made by `arqlight token add`."""

import json
import secrets
from dataclasses import dataclass
from typing import Any

from arq.utils import timestamp_ms

from arqlight.connections.parts.records import Records
from arqlight.errors import InvalidInput, NotFound
from arqlight.jobs.display import iso
from arqlight_service.auth.folded_names import is_stable
from arqlight_service.auth.hashing import hashed
from arqlight_service.auth.roles import PURPOSES, SCOPES, Role, role_named

PREFIX = "arql_"
LONGEST_DAYS = 366
LONGEST_NAME = 100
DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; the token itself is not."""

    id: str
    name: str
    scope: str
    expires_ms: int
    created_ms: int

    @property
    def role(self) -> Role:
        """What it may; a token for one purpose has no role."""
        return role_named(self.scope) or Role.PUBLIC

    @property
    def purpose(self) -> str:
        """The one thing it is for, or "" for a token with a role."""
        return self.scope if self.scope in PURPOSES else ""

    def to_json(self) -> dict[str, Any]:
        """As it is listed."""
        return {
            "id": self.id,
            "name": self.name,
            "scope": self.scope,
            "created_at": iso(self.created_ms),
            "expires_at": iso(self.expires_ms),
        }


class Tokens:
    """Reads and writes tokens. The id is the beginning of the hash: it names one, and opens nothing."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def add(self, name: str, scope: str, days: float) -> tuple[Token, str]:
        """A new token, and its text, which is never shown again. Raises InvalidInput."""
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise InvalidInput("name", f"{name[:50]!r} is not a name: 1 to {LONGEST_NAME} printable characters")
        if not is_stable(name):
            raise InvalidInput("name", f"{name!r} looks like another name (Unicode's NFKC changes it)")
        if scope not in SCOPES:
            raise InvalidInput("scope", f"no scope {scope!r}; there are {', '.join(SCOPES)}")
        if not 0 < days <= LONGEST_DAYS:
            raise InvalidInput(
                "days", f"{days:g} is not a time a token may live: more than 0 and {LONGEST_DAYS} at most"
            )
        text = PREFIX + secrets.token_urlsafe(32)
        now = timestamp_ms()
        token = Token(hashed(text)[:16], name, scope, now + int(days * DAY_MS), now)
        entry = {"name": name, "scope": scope, "expires_ms": token.expires_ms, "created_ms": now, "hash": hashed(text)}
        await self._records.set(token.id, json.dumps(entry))
        return token, text

    async def revoke(self, token_id: str) -> Token:
        """Revoke a token; its open feeds close within seconds. Raises NotFound."""
        token = await self.find(token_id)
        if token is None or not await self._records.delete(token_id):
            raise NotFound(f"no token {token_id!r}; `arqlight token list` names them")
        return token

    async def all(self) -> list[Token]:
        """Every token, the newest first."""
        found = [_read(token_id, entry)[0] for token_id, entry in (await self._records.all()).items()]
        return sorted(found, key=lambda token: token.created_ms, reverse=True)

    async def find(self, token_id: str) -> Token | None:
        """One by its id, when it is still good."""
        entry = await self._records.get(token_id)
        token = None if entry is None else _read(token_id, entry)[0]
        return token if token and token.expires_ms > timestamp_ms() else None

    async def verify(self, text: str) -> Token | None:
        """The token that somebody showed, when it is good."""
        shown = hashed(text)
        entry = await self._records.get(shown[:16])
        if entry is None:
            return None
        token, kept = _read(shown[:16], entry)
        is_good = secrets.compare_digest(kept, shown) and token.expires_ms > timestamp_ms()
        return token if is_good else None


def _read(token_id: str, text: str) -> tuple[Token, str]:
    entry = json.loads(text)
    return Token(token_id, entry["name"], entry["scope"], entry["expires_ms"], entry["created_ms"]), entry["hash"]
