"""A proxy before PostgreSQL that does one fault at one chosen statement."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass

from tests.storms.database_fault_loop.wire import READY, Statements, read_message, read_startup, refusal
from tests.storms.fault_loop.faulty_proxy import Position
from tests.support.proxy import Proxy

REFUSALS = {
    "serialization failure": "40001",
    "deadlock": "40P01",
    "too many connections": "53300",
    "disk full": "53100",
    "query cancelled": "57014",
    "read-only": "25006",
    "data error": "22P05",
}
FATAL = {"shutdown": "57P01"}
FAULTS = (*REFUSALS, *FATAL, "cut before", "answer lost", "silent", "cut off permanently", "cut off and back")


@dataclass(eq=False)
class _Link:
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    statements: Statements
    status: bytes = b"I"
    is_silent: bool = False
    loses_answer: bool = False
    refuses: str | None = None

    def disconnect(self) -> None:
        self.client.transport.abort()
        self.server.transport.abort()


class FaultyProxy(Proxy):
    """`async with FaultyProxy(socket, verbs, …) as proxy:` and connect to `proxy.port`, without TLS.

    :param at: where the fault is done; nowhere without one.
    """

    def __init__(self, socket: str, verbs: dict[str, str], at: Position | None, fault: str, late_s: float) -> None:
        super().__init__()
        self._socket = socket
        self._verbs = verbs
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
        from_server, to_server = await asyncio.open_unix_connection(self._socket)
        link = _Link(writer, to_server, Statements(self._verbs))
        self._writers |= {writer, to_server}
        to_server.write(await read_startup(reader))
        works = (self._pass_statements(reader, link), self._pass_answers(from_server, link))
        self._run(*(_until_the_end(work, link) for work in works))

    async def _pass_statements(self, reader: asyncio.StreamReader, link: _Link) -> None:
        while True:
            message, kind, body = await read_message(reader)
            name = link.statements.name(kind, body)
            if name is not None:
                self.sent[name] += 1
                if Position(name, self.sent[name]) == self._at and not self.is_done.is_set():
                    self.is_done.set()
                    self._do(link)
            if link.is_silent:
                continue
            if link.refuses is None:
                link.server.write(message)
                await link.server.drain()
            elif kind in (b"S", b"Q"):  # the client waits for the answer from here on
                self._refuse(link, link.refuses)

    def _do(self, link: _Link) -> None:
        if self.fault in (*REFUSALS, *FATAL):
            link.refuses = self.fault
        elif self.fault == "cut before":
            link.disconnect()
        elif self.fault == "answer lost":
            link.loses_answer = True
        elif self.fault == "silent":
            link.is_silent = True
        else:
            self._is_cut_off = True
            self._disconnect()
            if self.fault == "cut off and back":
                asyncio.get_running_loop().call_later(self._late_s, self._come_back)

    @staticmethod
    def _refuse(link: _Link, fault: str) -> None:
        link.refuses = None
        if fault in FATAL:
            link.client.write(refusal(FATAL[fault], "FATAL", b""))
            link.client.close()
            link.server.transport.abort()
        else:
            link.client.write(refusal(REFUSALS[fault], "ERROR", b"I" if link.status == b"I" else b"E"))

    async def _pass_answers(self, reader: asyncio.StreamReader, link: _Link) -> None:
        if link.client.transport.is_closing():
            return
        while True:
            message, kind, body = await read_message(reader)
            if kind == READY:
                link.status = body
            if link.loses_answer:
                if kind == READY:
                    link.disconnect()
                continue
            if not link.is_silent:
                link.client.write(message)
                await link.client.drain()

    def _come_back(self) -> None:
        self._is_cut_off = False


async def _until_the_end(work: Awaitable[None], link: _Link) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        await work
    if not link.is_silent:
        link.disconnect()
