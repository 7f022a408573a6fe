"""Sessions of people who signed in: a random cookie, kept as a hash, for some hours."""

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass

from arq.utils import timestamp_ms

from arqlight.connections.parts.expiring_texts import ExpiringTexts
from arqlight_service.auth.hashing import hashed


@dataclass(frozen=True, slots=True)
class Session:
    """Whose it is, as the user was when it began, and when it ends."""

    key: str
    user: str
    stamp: str
    until_ms: int
    by: str = "users"


@dataclass(frozen=True, slots=True)
class NewSession:
    """What its cookie holds, and for how long."""

    cookie: str
    life_s: int


class Sessions:
    """Begins, finds and ends sessions."""

    def __init__(self, texts: ExpiringTexts, hours: float) -> None:
        self._texts = texts
        self._life_ms = int(hours * 3_600_000)

    async def begin(self, name: str, stamp: str, by: str = "users", until_ms: int | None = None) -> NewSession:
        """A new session. `by`: who says that it is this person, and until when, at the latest."""
        cookie, now = secrets.token_urlsafe(32), timestamp_ms()
        life_ms = self._life_ms if until_ms is None else max(1, min(self._life_ms, until_ms - now))
        entry = {"user": name, "stamp": stamp, "until_ms": now + life_ms, "by": by}
        await self._texts.set(hashed(cookie), json.dumps(entry), life_ms)
        return NewSession(cookie, max(1, life_ms // 1000))

    async def find(self, key: str) -> Session | None:
        """The session behind a key, while it lives."""
        text = await self._texts.get(key)
        if text is None:
            return None
        entry = json.loads(text)
        session = Session(key, entry["user"], entry["stamp"], entry["until_ms"], entry["by"])
        return session if session.until_ms > timestamp_ms() else None

    async def end(self, key: str) -> None:
        """End it."""
        await self._texts.delete(key)


def csrf_of(secret: bytes | str) -> str:
    """What pages of a session send along with changes (OWASP: HMAC-based token pattern)."""
    key = secret.encode("utf-8", "replace") if isinstance(secret, str) else secret
    return hmac.new(key, b"arqlight csrf", hashlib.sha256).hexdigest()[:32]
