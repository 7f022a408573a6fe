"""Loads the Lua scripts: each file of `scripts/` is one transition, run whole by the server."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError, ResponseError

from arqlight.journal.dedicated_connection import Command, DedicatedConnection, for_now
from arqlight.journal.keys import KEYS
from arqlight.settings import Settings

_FOLDER = Path(__file__).parent / "scripts"
_VERBS = tuple(path.stem for path in _FOLDER.glob("*.lua") if path.stem != "prologue")
_PROLOGUE = (_FOLDER / "prologue.lua").read_text()
MOST_QUEUES = 500  # so many are looked at one by one; of more only those that are known to hold jobs
LEASE_MS = 10_000  # how long a worker lives without a sign of life; claims and heartbeats renew it
MOST_TOKENS = 16  # on one bell; a worker that comes away full wakes the next


def script_source(verb: str, settings: Settings) -> str:
    """The text of one script, with the key names and bounds it stands on."""
    limits = {
        "events": settings.keep_events,
        "succeeded": settings.keep_succeeded,
        "failed": settings.keep_failed,
        "history": settings.keep_attempts,
        "tokens": MOST_TOKENS,
        "lease": LEASE_MS,
        "queues": MOST_QUEUES,
        "logs": settings.keep_logs,
        "log": settings.keep_job_log,
    }
    return _source(verb, ", ".join(f"{name} = {bound}" for name, bound in limits.items()))


@functools.lru_cache(maxsize=1000)
def _source(verb: str, bounds: str) -> str:
    """Read once: who runs a script now and then makes all of them anew."""
    names = ", ".join(f"{name} = '{key}'" for name, key in KEYS.items())
    body = (_FOLDER / f"{verb}.lua").read_text()
    return f"local KEY = {{ {names} }}\nlocal LIMIT = {{ {bounds} }}\n{_PROLOGUE}\n{body}"


class Scripts:
    """Every script by its verb, sent by hash; a server that forgot it (SCRIPT FLUSH, restart) gets it again.

    :param line: where they are sent; without one, each takes a connection out of the pool.
    """

    def __init__(self, redis: Redis, settings: Settings, line: DedicatedConnection | None = None) -> None:
        self._line = line
        self._redis = redis
        self._scripts: dict[str, AsyncScript] = {
            verb: redis.register_script(script_source(verb, settings)) for verb in _VERBS
        }

    async def run(self, verb: str, *args: str | bytes | int | float) -> Any:
        """Run a script; its keys are found by the script itself, from the ids in `args`."""
        script = self._scripts[verb]
        if self._line is None:
            try:
                return await script(args=args)
            except ResponseError as error:
                raise for_now(error) from None
        try:
            return await self._line.call("EVALSHA", script.sha, 0, *args)
        except NoScriptError:
            await self._line.call("SCRIPT", "LOAD", str(script.script))
            return await self._line.call("EVALSHA", script.sha, 0, *args)

    async def ping(self) -> Any:
        """Ask whether the server is there."""
        return await (self._line.call("PING") if self._line else self._redis.ping())

    async def run_all(self, calls: Sequence[tuple[str, Command]]) -> None:
        """Run several scripts, each by itself, in one round trip where there is a line."""
        if self._line is None:
            for verb, args in calls:
                await self.run(verb, *args)
            return
        commands: list[Command] = [("EVALSHA", self._scripts[verb].sha, 0, *args) for verb, args in calls]
        try:
            await self._line.call_all(commands)
        except NoScriptError:
            for verb in dict.fromkeys(verb for verb, _ in calls):
                await self._line.call("SCRIPT", "LOAD", str(self._scripts[verb].script))
            await self._line.call_all(commands)
