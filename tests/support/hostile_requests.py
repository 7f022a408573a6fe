"""Requests that no client of good will sends, at every route that an application has: a new one needs no word here."""

import asyncio
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from pydantic import BaseModel

from arqlight_service.api.call import call_of
from arqlight_service.api.requests import Strict

LONG = b"x" * 5_000
# As they stand in a request line: percent-encoded and not, whole and broken.
ENCODED = (
    b"%00", b"a%00b", b"%0a", b"%0d%0aX-Evil:%201", b"%1b", b"%7f", b"%ff", b"a%c3", b"%2f", b"..", b"%2e%2e", b".",
    b"%2e;", b"%ed%a0%80", b"a%20b", b"%20", b"%5cx00", b"%5cxff", b"%", b"%zz", b"%F0%9F%98%80", b"\xff\xfe",
    b"caf\xc3\xa9", b"{id}", b"%7b0.__class__%7d", b"-1", b"9" * 30, b"1e999", b"nan", b"'%22%3e", b"%e2%80%ae",
    b"arq:queue:a%20b", b"%ef%bf%bf", b"%25s%25n", b"default", LONG,
)  # fmt: skip
IN_QUERY = (*ENCODED, b"", b"0", b"1", b"2026-01-01T00:00:00Z", b"0001-01-01T00:00:00-23:59", b"9999-12-31T23:59:59Z")
IN_HEADERS = (
    b"", b"\xff\xfe\x80", b"caf\xc3\xa9", b"\xed\xa0\x80", b"\x80=\xff", b"[", b"http://[::1", b"http://[v1.x]/",
    b"//\\", b",;=,\"", b"9" * 400, b"-1", b"a=b; \xc3=\x01", b"Bearer \xff", b"bearer.\xe9", b"Basic =", b"0x10",
    b"*/*;q=\xc2\xb2", b"text/html;q=nan", b"text/html", b"bytes=9-1", b"W/\"\xff\"", b"00-\xff-0-0", b"x" * 5_000,
    b"http://127.0.0.1:99999/", b"localhost:99999", b"\xe2\x84\xaa", b"xn--\xff", b"1.2.3.4%", b"websocket", b"gzip",
    b"application/x-www-form-urlencoded; charset=\xff", b"application/json; charset=rot13", b"multipart/form-data",
    b"arqlight=\xff\x80; arqlight-signing-in=\xe9", b"arqlight=\xed\xa0\x80", b'arqlight-signing-in="\\351\\377"',
)  # fmt: skip
HEADERS = (
    "Accept", "Accept-Encoding", "Accept-Language", "Access-Control-Request-Headers", "Authorization", "Connection",
    "Content-Encoding", "Content-Type", "Cookie", "Expect", "Host", "Idempotency-Key", "If-Match",
    "If-Modified-Since", "If-None-Match", "If-Range", "Last-Event-ID", "Origin", "Range", "Referer", "Sec-Fetch-Site",
    "Sec-WebSocket-Key", "Sec-WebSocket-Protocol", "Sec-WebSocket-Version", "Transfer-Encoding", "Upgrade",
    "User-Agent", "X-CSRF-Token", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-User",
    "X-Request-ID", "traceparent", "tracestate",
)  # fmt: skip
TEXTS = ("\x00", "a\x00b", "\ud800", "\n", "\x1b", "a b", "..", "", "x" * 5_000, "\uffff", "\\x00", "{0.__class__}")
ANSWERED_IN_S = 30.0
_NAMED = re.compile(r"\{(\w+)(?::([^{}]+))?\}")
_ASKED_FOR = re.compile(r"""\.query(?:\.get(?:all)?\(|\[)"(\w+)\"""")
_CHOICE = re.compile(r"\(\?P<(\w+)>(\w+(?:\|\w+)*)\)")


@dataclass(frozen=True, slots=True)
class Target:
    """A route: its path with `{names}`, those of its parts that are one of a few words, and what it takes."""

    method: str
    path: str
    choices: dict[str, str]
    fields: tuple[str, ...]

    @property
    def parts(self) -> list[str]:
        """The parts of its path that may be any text."""
        return [name for name, _ in _NAMED.findall(self.path) if name not in self.choices]

    def address(self, known: dict[str, bytes]) -> bytes:
        """Its path, with those values for its parts."""

        def part(found: re.Match[str]) -> str:
            given = known.get(found[1], self.choices.get(found[1], "x").encode())
            return given.decode("latin-1")

        return _NAMED.sub(part, self.path).encode("latin-1")


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as bytes, and which place of which route it tries."""

    what: str
    raw: bytes


def targets(app: web.Application) -> list[Target]:
    """Every route of an application."""
    found = []
    for route in app.router.routes():
        resource = route.resource
        if resource is None or route.method == "HEAD":  # the same handler as GET
            continue
        about = resource.get_info()
        pattern = about["pattern"].pattern if "pattern" in about else ""
        path = resource.canonical
        if "prefix" in about:  # static files
            path = about["prefix"] + "/{filename}"
        stated = call_of(route.handler)
        bodies = stated.body if stated and isinstance(stated.body, tuple) else (stated.body if stated else None,)
        fields = {name for body in bodies if isinstance(body, type) and issubclass(body, BaseModel)
                  for name in _names(body)}  # fmt: skip
        choices = {name: words.split("|")[0] for name, words in _CHOICE.findall(pattern)}
        found.append(Target("GET" if route.method == "*" else route.method, path, choices, tuple(sorted(fields))))
    return found


def parameters(sources: Path) -> list[str]:
    """Every name that some route reads from a query or a form: of the models, and of the code."""
    names = {name for model in _below(Strict) for name in _names(model)}
    for file in sources.rglob("*.py"):
        names |= set(_ASKED_FOR.findall(file.read_text()))
    return sorted(names)


class Hostile:
    """Bad values at the places of routes: some of them, by chance.

    :param names: of parameters, as `parameters` finds them.
    :param signed_in: headers of somebody who may do anything.
    :param known: values for parts of paths and for fields that lead somewhere.
    :param connections: "" and the names of others, to ask each driver.
    :param each: how many values a place is tried with.
    :param chance: of each place but the parts of paths, to be tried at all.
    """

    def __init__(
        self, names: list[str], signed_in: dict[str, bytes], known: dict[str, bytes], connections: list[str],
        dice: random.Random, each: int, chance: float,
    ) -> None:  # fmt: skip
        self._names = names
        self._signed_in = signed_in
        self._known = known
        self._connections = connections
        self._dice = dice
        self._each = each
        self._chance = chance

    def requests(self, found: list[Target]) -> Iterator[Sent]:
        """All of them, a route at a time."""
        for target in found:
            yield from self._in_path(target)
            yield from self._in_query(target)
            yield from self._in_headers(target)
            if target.method not in ("GET", "HEAD", "OPTIONS"):
                yield from self._in_form(target)
                yield from self._in_json(target)

    def _in_path(self, target: Target) -> Iterator[Sent]:
        for part in target.parts:
            for value in self._some(ENCODED):
                address = target.address({**self._known, part: value}) + self._connection(b"?")
                for accept in (b"text/html", b"application/json"):
                    yield self._request(target, f"{{{part}}}={value[:40]!r}", address, {"Accept": accept})

    def _in_query(self, target: Target) -> Iterator[Sent]:
        good = target.address(self._known)
        yield self._request(target, "an odd parameter", good + b"?" + self._dice.choice(ENCODED) + b"=1")
        for name in self._places(self._names):
            for value in self._some(IN_QUERY):
                given = name.encode() + b"=" + value
                twice = b"&" + name.encode() + b"=" + self._dice.choice(IN_QUERY) if self._dice.random() < 0.2 else b""
                connection = b"" if name == "connection" else self._connection(b"&")
                address = good + b"?" + given + twice + connection
                yield self._request(target, f"?{name}={value[:40]!r}", address, {"Accept": b"text/html"})

    def _in_headers(self, target: Target) -> Iterator[Sent]:
        for header in self._places(HEADERS):
            for value in self._some(IN_HEADERS):
                accept = self._dice.choice((b"text/html", b"application/json"))
                headers = {"Accept": accept, header: value}
                yield self._request(target, f"{header}: {value[:40]!r}", target.address(self._known), headers)

    def _in_form(self, target: Target) -> Iterator[Sent]:
        headers = {"Content-Type": b"application/x-www-form-urlencoded", "Accept": b"text/html"}
        good = target.address(self._known)
        yield self._request(target, "a form of noise", good, headers, b"\xff=\x00&%=%")
        for field in target.fields or self._places(self._names):
            for value in self._some(IN_QUERY):
                given = {**{name: self._known.get(name, b"x") for name in target.fields}, field: value}
                body = b"&".join(name.encode() + b"=" + each for name, each in given.items())
                address = good + self._connection(b"?")
                yield self._request(target, f"form {field}={value[:40]!r}", address, headers, body)

    def _in_json(self, target: Target) -> Iterator[Sent]:
        for field in target.fields:
            for text in self._dice.sample(TEXTS, min(self._each, len(TEXTS))):
                given = {**{name: self._known.get(name, b"x").decode() for name in target.fields}, field: text}
                address, body = target.address(self._known) + self._connection(b"?"), json.dumps(given).encode()
                headers = {"Content-Type": b"application/json"}
                yield self._request(target, f"JSON {field}={text[:40]!r}", address, headers, body)

    def _request(
        self, target: Target, what: str, address: bytes, headers: dict[str, bytes] | None = None, body: bytes = b""
    ) -> Sent:
        told = {"Host": b"localhost", "Connection": b"close", **self._signed_in, **(headers or {})}
        if body or target.method not in ("GET", "HEAD", "OPTIONS"):
            told.setdefault("Content-Length", str(len(body)).encode())
        lines = b"".join(b"%s: %s\r\n" % (name.encode(), value) for name, value in told.items())
        raw = b"%s %s HTTP/1.1\r\n%s\r\n%s" % (target.method.encode(), address, lines, body)
        return Sent(f"{target.method} {target.path} {what}", raw)

    def _some(self, values: tuple[bytes, ...]) -> list[bytes]:
        return self._dice.sample(values, min(self._each, len(values)))

    def _places(self, places: Sequence[str]) -> list[str]:
        return [place for place in places if self._dice.random() < self._chance]

    def _connection(self, mark: bytes) -> bytes:
        name = self._dice.choice(self._connections)
        return mark + b"connection=" + name.encode() if name else b""


async def status_of(host: str, port: int, raw: bytes) -> int:
    """What a request is answered with; 0 when the connection is just closed, which is no answer above 499."""
    async with asyncio.timeout(ANSWERED_IN_S):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(raw)
            line = await reader.readline()
            return int(line.split(b" ", 2)[1]) if line.startswith(b"HTTP/1.1 ") else 0
        except ConnectionError:
            return 0
        finally:
            writer.close()


def _names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in model.__subclasses__():
        yield each
        yield from _below(each)
