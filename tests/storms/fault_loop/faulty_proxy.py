"""A proxy before a server that does one fault at one chosen command."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.storms.fault_loop.resp import read_answer, read_command
from tests.support.proxy import LARGEST, Proxy

REFUSALS = {
    "busy": "BUSY Valkey is busy running a script.",
    "out of memory": "OOM command not allowed when used memory > 'maxmemory'.",
    "read-only": "READONLY You can't write against a read only replica.",
    "loading": "LOADING Valkey is loading the dataset in memory",
    "cannot save": "MISCONF Valkey is configured to save RDB snapshots",
    "too few replicas": "NOREPLICAS Not enough good replicas to write.",
    "cluster down": "CLUSTERDOWN Hash slot not served",
    "script forgotten": "NOSCRIPT No matching script. Please use EVAL.",
    "wrong type": "WRONGTYPE Operation against a key holding the wrong kind of value",
}
FAULTS = (*REFUSALS, "cut before", "answer lost", "silent", "late", "cut off permanently", "cut off and back")


@dataclass(frozen=True)
class Position:
    """The `number`-th time (from 1) that a command or script, by its name, is sent."""

    command: str
    number: int

    def __str__(self) -> str:
        return f"{self.command} #{self.number}"


class FaultyProxy(Proxy):
    """`async with FaultyProxy(port, name_of, …) as proxy:` and connect to `proxy.port`.

    :param name_of: a command's name, from its parts: the script's verb for EVALSHA.
    :param at: where the fault is done; nowhere without one.
    :param late_s: how late an answer is; how long a worker that comes back is cut off.
    """

    def __init__(
        self, target: int, name_of: Callable[[list[bytes]], str], at: Position | None, fault: str, late_s: float
    ) -> None:
        super().__init__()
        self._target = target
        self._name_of = name_of
        self._at = at
        self.fault = fault
        self._late_s = late_s
        self._is_cut_off = False
        self.sent: Counter[str] = Counter()
        self.is_done = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut_off:
            writer.transport.abort()
            return
        there = await asyncio.open_connection("127.0.0.1", self._target, limit=LARGEST)
        self._writers |= {writer, there[1]}
        link = _Link(writer, there[1])
        works = (self._pass_commands(reader, link), self._pass_answers(there[0], link))
        self._run(*(_until_the_end(work, link) for work in works))

    async def _pass_answers(self, reader: asyncio.StreamReader, link: "_Link") -> None:
        while True:
            answer = await read_answer(reader)
            await link.may_answer.wait()
            if link.drops_answer:
                link.disconnect()
                return
            link.waiting -= 1
            link.client.write(answer)
            await link.client.drain()

    async def _pass_commands(self, reader: asyncio.StreamReader, link: "_Link") -> None:
        while True:
            sent, parts = await read_command(reader)
            name = self._name_of(parts)
            self.sent[name] += 1
            if self._at == Position(name, self.sent[name]) and not self.is_done.is_set():
                self.is_done.set()
                if not await self._do_fault(sent, link):
                    continue
            link.waiting += 1
            link.server.write(sent)
            await link.server.drain()

    async def _do_fault(self, sent: bytes, link: "_Link") -> bool:
        """Whether the command is passed on."""
        if self.fault in REFUSALS:
            while link.waiting > 0:  # answers come in the order of the commands
                await asyncio.sleep(0.001)
            link.client.write(f"-{REFUSALS[self.fault]}\r\n".encode())
            return False
        if self.fault == "cut before":
            link.disconnect()
            return False
        if self.fault == "answer lost":
            link.drops_answer = True
        elif self.fault == "silent":
            link.may_answer.clear()
        elif self.fault == "late":
            link.may_answer.clear()
            asyncio.get_running_loop().call_later(self._late_s, link.may_answer.set)
        else:
            self._is_cut_off = True
            self._disconnect()
            if self.fault == "cut off and back":
                asyncio.get_running_loop().call_later(self._late_s, self._come_back)
            return False
        return True

    def _come_back(self) -> None:
        self._is_cut_off = False


class _Link:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.waiting = 0
        self.drops_answer = False
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    def disconnect(self) -> None:
        self.client.transport.abort()
        self.server.transport.abort()


async def _until_the_end(work: Awaitable[None], link: _Link) -> None:
    try:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await work
    finally:
        link.disconnect()
