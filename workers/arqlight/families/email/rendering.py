"""Renders templates, in a process of its own that is ended when a template does not."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from arqlight.child_environment import plain_environment
from arqlight.errors import InvalidInput
from arqlight.jobs.bounded_json import read_bounded
from arqlight.jobs.budget import Budget, Limits
from arqlight.jobs.display import as_json

MOST_SECONDS = 2.0
LONGEST_START_S = 20.0
_ANSWER = Limits(16 * 1024 * 1024, 2_000_000)  # three parts, of which each character may be a comma


class Rendered(NamedTuple):
    """A mail's parts."""

    subject: str
    text: str
    html: str


class Renderer:
    """One render process, started at its first use; one template at a time."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def render(
        self, template: Mapping[str, str], variables: Mapping[str, Any], layout: Mapping[str, str] | None = None
    ) -> Rendered:
        """The parts (`subject`, `text`, `html`) filled in. Raises InvalidInput, which names the part and the reason.

        :param layout: what the HTML part is given besides: `language`, `reply_to`, `unsubscribe_url`.
        """
        answer = await self._ask(
            {"template": dict(template), "variables": _plain(variables), "layout": dict(layout or {})}
        )
        return Rendered(answer["subject"], answer["text"], answer["html"])

    async def variables_of(self, template: Mapping[str, str]) -> list[str]:
        """The names that the parts use. Raises InvalidInput for one that cannot be read."""
        names: list[str] = (await self._ask({"template": dict(template)}))["names"]
        return names

    async def close(self) -> None:
        """End the process."""
        async with self._turn:
            await self._end()

    async def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        async with self._turn:
            line = b""
            try:
                reader, writer = await self._running()
                async with asyncio.timeout(MOST_SECONDS):
                    writer.write(json.dumps(asked).encode() + b"\n")
                    await writer.drain()
                    line = await reader.readline()
            except TimeoutError:
                await self._end()
                raise InvalidInput(
                    "template", f"it takes longer than {MOST_SECONDS:g} s; does it loop forever?"
                ) from None
            except (ConnectionError, ValueError):
                line = b""  # it ended, or wrote a line without end: said below
            except asyncio.CancelledError:
                await self._end()  # its answer would be taken for the next one's
                raise
            if not line:
                await self._end()
                raise InvalidInput("template", "it needs more than a template gets: the process that rendered it ended")
        try:
            answer: dict[str, Any] = read_bounded(line, Budget(_ANSWER))
        except ValueError as error:  # OverBudget is one
            raise InvalidInput("template", f"what it makes cannot be read: {error}") from error
        if "reason" in answer:
            raise InvalidInput(answer["field"], answer["reason"])
        return answer

    async def _running(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "arqlight.families.email.render_process",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
                limit=_ANSWER.size, start_new_session=True, env=plain_environment(),
            )  # fmt: skip
            # Its own start is not the template's time.
            reader, writer = _pipes(self._process)
            writer.write(b'{"template": {"subject": "", "text": "", "html": ""}}\n')
            async with asyncio.timeout(LONGEST_START_S):
                await reader.readline()
        return _pipes(self._process)

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        # Read to the end, so that the pipes close.
        await asyncio.shield(process.communicate())


def _pipes(process: asyncio.subprocess.Process) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if process.stdout is None or process.stdin is None:
        raise RuntimeError("a process was started without the pipes that were asked for")
    return process.stdout, process.stdin


def _plain(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Variables as JSON; unlike on a page, nothing is masked here, for the mail is what they are for."""
    return {
        name: value if isinstance(value, str) else as_json(value, secrets=None) for name, value in variables.items()
    }
