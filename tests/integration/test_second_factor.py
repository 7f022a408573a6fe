"""A sign-in with a second factor, as a person has it, and as somebody who knows the password only."""

import asyncio
import re
import time

from arq.connections import ArqRedis
from pyotp import TOTP

from arqlight.settings import Settings
from tests.integration.test_auth import _arqlight
from tests.support.access import PASSWORD, guarded, sign_in


async def test_a_password_alone_is_not_enough_and_each_code_counts_once(pool: ArqRedis, settings: Settings) -> None:
    async def run(*command: str, stdin: str = "") -> str:
        done = await asyncio.to_thread(_arqlight, settings, *command, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

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
    done = await asyncio.to_thread(_arqlight, settings, "user", "add", "ada", "--password-stdin", stdin=PASSWORD + "\n")
    assert done.returncode == 0
    done = await asyncio.to_thread(_arqlight, settings, "user", "second-factor", "ada", stdin="000000\n")
    assert done.returncode == 2
    assert "nothing is changed" in done.stderr
    missing = await asyncio.to_thread(_arqlight, settings, "user", "second-factor", "eve", stdin="000000\n")
    assert (missing.returncode, missing.stdout) == (2, "")
    async with guarded(settings) as client:
        assert (await sign_in(client, "ada")).status == 303
