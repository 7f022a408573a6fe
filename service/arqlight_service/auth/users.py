"""Users with a password, in the service's store: name -> JSON. Made by `arqlight user add`."""

import asyncio
import functools
import json
import re
import secrets
from dataclasses import dataclass, replace
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from arq.utils import timestamp_ms

from arqlight.connections.parts.expiring_texts import ExpiringTexts
from arqlight.connections.parts.records import Records
from arqlight.errors import InvalidInput, NotFound
from arqlight.jobs.display import iso
from arqlight_service.auth.folded_names import folded, is_stable
from arqlight_service.auth.roles import Role, role_named
from arqlight_service.auth.second_factor import SecondFactor, read_factor

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1_024
USED_MS = 10 * 60 * 1000  # longer than any code of an app counts
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$")
_hasher = PasswordHasher()  # Argon2id with the parameters of RFC 9106 for little memory, 64 MiB
_verifying = asyncio.Semaphore(2)  # each takes 64 MiB and a core: a flood of tries must not take them all


@functools.cache
def _nobody() -> str:
    """What is verified for somebody who does not exist: it takes as long as for somebody who does."""
    return _hasher.hash(secrets.token_urlsafe(16))


@dataclass(frozen=True, slots=True)
class User:
    """`stamp` changes with password and role, and with it every session ends."""

    name: str
    role: Role
    stamp: str
    created_ms: int
    password: str = ""
    factor: SecondFactor | None = None

    def to_json(self) -> dict[str, Any]:
        """Without the password."""
        return {
            "name": self.name, "role": self.role.shown, "created_at": iso(self.created_ms),
            "second_factor": self.factor is not None,
        }  # fmt: skip


class Users:
    """Reads and writes users. `used_codes`: those of second factors that have been used, for as long as they count."""

    def __init__(self, records: Records, used_codes: ExpiringTexts) -> None:
        self._records = records
        self._used_codes = used_codes

    async def add(self, name: str, password: str, role: str) -> User:
        """Create a user, under the name folded. Raises InvalidInput for a name that is taken or none, a weak password,
        an unknown role.
        """
        if not is_stable(name):
            raise InvalidInput("name", f"{name!r} looks like another name (Unicode's NFKC changes it)")
        if not _NAME.fullmatch(name):
            raise InvalidInput("name", f"{name!r} is not a name: letters, digits and . _ @ + - , 100 at most")
        kept = folded(name)
        user = User(kept, _role(role), secrets.token_hex(8), timestamp_ms(), await _hashed(password, name))
        # Earlier versions kept names as they were typed.
        is_taken = any(folded(each) == kept for each in await self._records.all())
        if is_taken or not await self._records.add(kept, _written(user)):
            raise InvalidInput("name", f"{name!r} is a user already; change it with `arqlight user change`")
        return user

    async def change(self, name: str, *, password: str | None = None, role: str | None = None) -> User:
        """A new password or role; every session of the user ends. Raises NotFound, InvalidInput."""
        user = await self.existing(name)
        return await self._write(
            replace(
                user,
                role=user.role if role is None else _role(role),
                password=user.password if password is None else await _hashed(password, name),
            )
        )

    async def set_factor(self, name: str, factor: SecondFactor | None) -> User:
        """From now on this second factor is asked for, or none; every session of the user ends. Raises NotFound."""
        return await self._write(replace(await self.existing(name), factor=factor))

    async def existing(self, name: str) -> User:
        """One that is there. Raises NotFound."""
        user = await self.find(name)
        if user is None:
            raise NotFound(f"no user {name!r}")
        return user

    async def _write(self, user: User) -> User:
        changed = replace(user, stamp=secrets.token_hex(8))
        await self._records.set(user.name, _written(changed))
        return changed

    async def remove(self, name: str) -> None:
        """Gone, with every session. Raises NotFound."""
        user = await self.find(name)
        if user is None or not await self._records.delete(user.name):
            raise NotFound(f"no user {name!r}")

    async def find(self, name: str) -> User | None:
        """One user, however the name is written."""
        for kept in (name, folded(name)):
            if (entry := await self._records.get(kept)) is not None:
                return _read(kept, entry)
        return None

    async def all(self) -> list[User]:
        """Every user, by name."""
        entries = await self._records.all()
        return sorted((_read(name, entry) for name, entry in entries.items()), key=lambda user: user.name)

    async def verify(self, name: str, password: str, code: str = "") -> User | None:
        """The user, when password and code are right; it takes as long when there is none of that name.

        :param code: of the second factor, where the user has one; each counts once (RFC 6238, 5.2).
        """
        user = await self.find(name) if len(name) <= 100 else None
        async with _verifying:
            is_right = await asyncio.to_thread(_matches, user.password if user else _nobody(), password)
        if user is None or not is_right:
            return None
        return user if user.factor is None or await self._takes(user, user.factor, code) else None

    async def _takes(self, user: User, factor: SecondFactor, code: str) -> bool:
        used = factor.used_by(code, timestamp_ms() / 1000)
        if used is None or not await self._used_codes.add(f"{user.name}:{used}", "used", USED_MS):
            return False
        if used in factor.recovery:
            now = await self.existing(user.name)  # what changed while the password was verified stays changed
            if now.factor is not None:
                await self._records.set(user.name, _written(replace(now, factor=now.factor.without(used))))
        return True


def _matches(hashed: str, password: str) -> bool:
    try:
        return len(password) <= LONGEST_PASSWORD and _hasher.verify(hashed, password.encode("utf-8", "replace"))
    except (VerificationError, InvalidHashError):
        return False


async def _hashed(password: str, name: str) -> str:
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidInput("password", f"it has {len(password)} characters; {SHORTEST_PASSWORD} at least")
    if len(password) > LONGEST_PASSWORD:
        raise InvalidInput("password", f"it has {len(password)} characters; {LONGEST_PASSWORD} at most")
    if name.lower() in password.lower() or len(set(password)) < 5:
        raise InvalidInput("password", "it is easy to guess (the name, or few different characters); choose another")
    return await asyncio.to_thread(_hasher.hash, password)


def _role(name: str) -> Role:
    role = role_named(name)
    if role is None:
        raise InvalidInput("role", f"no role {name!r}; there are viewer, operator, admin")
    return role


def _written(user: User) -> str:
    entry = {
        "role": user.role.shown, "stamp": user.stamp, "created_ms": user.created_ms, "password": user.password,
        "factor": user.factor.to_json() if user.factor else None,
    }  # fmt: skip
    return json.dumps(entry)


def _read(name: str, text: str) -> User:
    entry = json.loads(text)
    return User(name, _role(entry["role"]), entry["stamp"], entry["created_ms"], entry["password"],
                read_factor(entry.get("factor")))  # fmt: skip
