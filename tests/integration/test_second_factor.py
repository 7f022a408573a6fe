"""A sign-in with a second factor, as a person has it, and as somebody who knows the password only."""

import asyncio
import re
import time

import pytest
from arq.connections import ArqRedis
from pyotp import TOTP

from arqlight.settings import Settings
from arqlight_service.auth.access import ACCESS
from arqlight_service.auth.roles import Role
from arqlight_service.auth.second_factor import new_factor
from arqlight_service.auth.users import User
from tests.support import commands
from tests.support.access import PASSWORD, add_user, guarded, sign_in
from tests.support.commands import Ended


async def _arqlight(settings: Settings, *command: str, stdin: str = "") -> Ended:
    server = {"ARQLIGHT_REDIS_URL": str(settings.redis_url)}
    return await asyncio.to_thread(commands.run, *command, environment=server, stdin=stdin)


async def test_a_password_alone_is_not_enough_and_each_code_counts_once(pool: ArqRedis, settings: Settings) -> None:
    async def run(*command: str, stdin: str = "") -> str:
        ended = await _arqlight(settings, *command, stdin=stdin)
        assert ended.code == 0, ended.told
        return ended.printed

    async with guarded(settings) as client:
        await run("user", "add", "ada", "--password-stdin", stdin=PASSWORD + "\n")
        assert (await sign_in(client, "ada")).status == 303
        said = await run("user", "second-factor", "ada", "--no-check")
        assert "password and code" in await run("user", "list")
        assert (await client.get("/api/v1/me")).status == 401, "the session from before ended"

        [key] = re.findall(r"key in the app: (\w+)", said)
        recovery = re.findall(r"^[0-9a-f]{5}-[0-9a-f]{5}$", said, re.MULTILINE)
        code = TOTP(key).at(time.time())
        for wrong in ("", "000000", "not a code"):
            assert (await sign_in(client, "ada", form={"code": wrong})).status == 401
        refused = await sign_in(client, "ada", "wrong password 1", form={"code": code})
        assert refused.status == 401, "a wrong password uses up no code"
        assert (await sign_in(client, "ada", form={"code": code})).status == 303
        assert (await sign_in(client, "ada", form={"code": code})).status == 401
        assert (await sign_in(client, "ada", form={"code": recovery[0]})).status == 303
        assert (await client.get("/api/v1/me")).status == 200, "a recovery code that is used up ends no session"
        assert (await sign_in(client, "ada", form={"code": recovery[0]})).status == 401
        assert (await sign_in(client, "ada", form={"code": recovery[1]})).status == 303

        await run("user", "second-factor", "ada", "--off")
        assert (await sign_in(client, "ada")).status == 303


async def test_a_wrong_code_at_the_set_up_changes_nothing(pool: ArqRedis, settings: Settings) -> None:
    done = await _arqlight(settings, "user", "add", "ada", "--password-stdin", stdin=PASSWORD + "\n")
    assert done.code == 0
    done = await _arqlight(settings, "user", "second-factor", "ada", stdin="000000\n")
    assert done.code == 2
    assert "nothing is changed" in done.told
    missing = await _arqlight(settings, "user", "second-factor", "eve", stdin="000000\n")
    assert (missing.code, missing.printed) == (2, "")
    async with guarded(settings) as client:
        assert (await sign_in(client, "ada")).status == 303


async def test_what_changed_while_a_recovery_code_is_looked_at_stays_changed(
    pool: ArqRedis, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with guarded(settings) as client:
        await add_user(client, "ada", "admin")
        users = client.app[ACCESS].users if client.app else None
        assert users is not None
        factor, codes = new_factor()
        await users.set_factor("ada", factor)
        verified = users.find

        async def demoted_meanwhile(name: str) -> User | None:
            found: User | None = await verified(name)
            monkeypatch.undo()
            await users.change(name, role="viewer")
            return found

        monkeypatch.setattr(users, "find", demoted_meanwhile)
        assert await users.verify("ada", PASSWORD, codes[0]) is not None
        now = await users.existing("ada")
        assert now.role is Role.VIEWER
        assert now.factor is not None
        assert len(now.factor.recovery) == len(codes) - 1
