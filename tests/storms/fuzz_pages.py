"""`make fuzz`: every route of the service, pages and forms and files too, over raw sockets.

There is one rule: while the servers are there, nothing that a client sends is answered above 499, and nothing that nobody
expected is in the log.
"""

import asyncio
import logging
import os
import random
from collections import Counter
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.test_utils import TestServer
from arq.connections import ArqRedis

import arqlight_service
from arqlight.checked_fields import Secret
from arqlight.families.database import Database
from arqlight.journal.journal import Journal, NewJob
from arqlight.settings import Settings
from arqlight_service.app import create_app
from arqlight_service.auth.access import ACCESS
from arqlight_service.serve import GuardedSite
from arqlight_service.slow_clients import OpenConnections
from tests.storms.conftest import Say
from tests.storms.size import IS_SHORT
from tests.support.fuzzing import hostile_names
from tests.support.hostile_requests import Hostile, Sent, parameters, status_of, targets
from tests.support.on_any_driver import empty_schema
from tests.support.provider import CLIENT, SECRET, OpenIdProvider

EACH, CHANCE = (2, 0.12) if IS_SHORT else (8, 1.0)
SEED = int(os.environ.get("ARQLIGHT_SEED", "11"))
AT_ONCE = 4
KNOWN = {"id": b"job-1", "queue": b"default", "name": b"two_factor", "kind": b"queue", "action": b"retry"}
# What is logged here nobody expected: an exception that no handler answered for.
LOGGERS = ("arqlight.service", "aiohttp.server", "asyncio", "aiohttp.access")


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("auth", ["users", "oidc", "none"])
async def test_nothing_that_a_client_sends_is_answered_above_499(
    pool: ArqRedis, settings: Settings, journal: Journal, postgres: str, database: Database, data_dir: Path, say: Say,
    caplog: pytest.LogCaptureFixture, auth: str,
) -> None:  # fmt: skip
    await empty_schema(postgres)
    connections = f"db={postgres} seen=observe+{settings.resolved_redis_url()}"
    signs_in = OpenIdProvider()
    provider = TestServer(signs_in.application())
    await provider.start_server()
    signs_in.url = str(provider.make_url("")).rstrip("/")
    app = create_app(
        settings.changed(
            auth=auth, database_url=Secret(postgres), connections=Secret(connections), trusted_proxies="127.0.0.1/32",
            sockets_per_address=10_000, roles="*=admin", oidc_issuer=signs_in.url,
            oidc_client_id=CLIENT, oidc_client_secret=Secret(SECRET),
        )
    )  # fmt: skip
    await journal.announce_tasks({"work": {"queue": "arq:queue", "serializer": "pickle"}})
    await journal.enqueue([NewJob("work", queue, id=f"job-{place}") for place, queue in enumerate(hostile_names())])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = GuardedSite(runner, "127.0.0.1", 0, OpenConnections(10_000))
    await site.start()
    port = int(site.name.rpartition(":")[2])
    headers: dict[str, bytes] = {}
    if auth != "none" and (tokens := app[ACCESS].tokens):
        headers["Authorization"] = b"Bearer " + (await tokens.add("an admin", "admin", 1))[1].encode()
    names = parameters(Path(arqlight_service.__file__).parent)
    hostile = Hostile(names, headers, KNOWN, ["", "db", "seen"], random.Random(SEED), EACH, CHANCE)
    requests = hostile.requests(targets(app))
    bad: list[tuple[int, str]] = []
    answers: Counter[int] = Counter()

    async def send() -> None:
        for sent in requests:
            status = await _status(port, sent)
            answers[status] += 1
            if status > 499:
                bad.append((status, sent.what))

    with caplog.at_level(logging.ERROR):
        await asyncio.gather(*(send() for _ in range(AT_ONCE)))
    await runner.cleanup()
    await provider.close()
    logged = [f"{record.getMessage()}: {_error(record)!r}" for record in caplog.records
              if record.name in LOGGERS and not isinstance(_error(record), HttpProcessingError)]  # fmt: skip
    assert not bad, (len(bad), bad[:60])
    assert not logged, (len(logged), logged[:20])
    assert answers[200] > 50
    say(f"pages, {auth}", f"{answers.total():,} bad requests at {len(targets(app))} routes: none above 499")


def _error(record: logging.LogRecord) -> BaseException | None:
    """aiohttp logs what is no HTTP at all as an HttpProcessingError, and answers it with 400."""
    return record.exc_info[1] if record.exc_info else None


async def _status(port: int, sent: Sent) -> int:
    try:
        return await status_of("127.0.0.1", port, sent.raw)
    except TimeoutError:
        raise AssertionError(f"no answer: {sent.what}") from None
