"""Loads the Lua scripts: each file of `scripts/` is one transition, run whole by the server."""

from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from workers.keys import KEYS
from workers.settings import Settings

_FOLDER = Path(__file__).parent / "scripts"
_PROLOGUE = (_FOLDER / "prologue.lua").read_text()
KEPT_FAILURES = 25


def script_source(verb: str, settings: Settings) -> str:
    """The text of one script, with the key names and bounds it stands on."""
    limits = {
        "events": settings.keep_events,
        "succeeded": settings.keep_succeeded,
        "failed": settings.keep_failed,
        "history": KEPT_FAILURES,
    }
    names = ", ".join(f"{name} = '{key}'" for name, key in KEYS.items())
    bounds = ", ".join(f"{name} = {bound}" for name, bound in limits.items())
    body = (_FOLDER / f"{verb}.lua").read_text()
    return f"local KEY = {{ {names} }}\nlocal LIMIT = {{ {bounds} }}\n{_PROLOGUE}\n{body}"


class Scripts:
    """Every script by its verb, sent by hash; a server that forgot it (SCRIPT FLUSH, restart) gets it again."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        verbs = (path.stem for path in _FOLDER.glob("*.lua") if path.stem != "prologue")
        self._scripts: dict[str, AsyncScript] = {
            verb: redis.register_script(script_source(verb, settings)) for verb in verbs
        }

    async def run(self, verb: str, *args: str | bytes | int | float) -> Any:
        """Run a script; its keys are found by the script itself, from the ids in `args`."""
        return await self._scripts[verb](args=args)
