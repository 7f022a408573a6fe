"""Clients of a Redis or Valkey server, by its address: the one place that reads an address, for service and workers."""

import asyncio
import logging
from typing import Any, TypeVar
from urllib.parse import urlsplit

from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, RedisError

from arqlight.addresses import is_sentinel, parse_sentinel
from arqlight.connections.cancellable import make_cancellable

logger = logging.getLogger("arqlight.connections")
CONNECT_TIMEOUT_S = 3.0
ANSWER_TIMEOUT_S = 10.0  # `?socket_timeout=` in the address sets another
CONNECT_TRIES, CONNECT_PAUSE_S = 6, 1.0
Client = TypeVar("Client", bound=Redis)


def open_redis(url: str, *, quiet: bool = False) -> Redis:
    """A client of the server behind an address; it connects at its first use. A `quiet` one tells nothing of itself.

    A server that does not answer in time is an error of each call: it is not asked again by itself, which would take
    as long again. A connection that was cut off is made anew, once.
    """
    said: dict[str, Any] = {"lib_name": None, "lib_version": None} if quiet else {}
    return _open(
        Redis, url, socket_timeout=ANSWER_TIMEOUT_S, retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
        encoding_errors="surrogateescape",  # names are of any bytes: see jobs/names.py
        **said,
    )  # fmt: skip


async def connect_arq(url: str, **options: Any) -> ArqRedis:
    """arq's client of the server behind an address, connected; `options` are attributes of it.

    It is `ctx["redis"]` of an application's tasks, whose commands may wait as long as they like: what the address says
    apart, nothing has a deadline. Raises redis's errors when no server answers within several tries.
    """
    client = _open(ArqRedis, url)
    for name, value in options.items():
        setattr(client, name, value)
    for left in reversed(range(CONNECT_TRIES)):
        try:
            await client.ping()
            break
        except (RedisError, OSError) as error:
            if not left:
                raise
            logger.warning("no Redis or Valkey answers yet: %s; %d more tries", error, left)
            await asyncio.sleep(CONNECT_PAUSE_S)
    return client


def _open(kind: type[Client], url: str, **ours: Any) -> Client:
    ours = {"socket_connect_timeout": CONNECT_TIMEOUT_S, **ours}
    if not is_sentinel(url):
        client: Client = kind.from_pool(make_cancellable(ConnectionPool.from_url(url, **ours)))  # type: ignore[assignment]
        return client
    at = parse_sentinel("redis", url)
    asked = {"socket_connect_timeout": CONNECT_TIMEOUT_S, "socket_timeout": ANSWER_TIMEOUT_S}
    sentinel = Sentinel(list(at.hosts), **asked)  # type: ignore[no-untyped-call]
    said: dict[str, Any] = {"username": at.username, "password": at.password}
    said |= {**parse_url(f"redis://master?{urlsplit(url).query}")}
    del said["host"]
    master: Client = sentinel.master_for(at.master, redis_class=kind, ssl=at.tls, **{**ours, "db": at.database, **said})
    make_cancellable(master.connection_pool)
    return master
