"""Clients of a Redis or Valkey server, by its address."""

from typing import Any

from arq.connections import RedisSettings
from redis.asyncio import Redis
from redis.asyncio.sentinel import Sentinel

from arqlight.addresses import is_sentinel, parse_sentinel

CONNECT_TIMEOUT_S = 3


def open_redis(url: str, *, quiet: bool = False) -> Redis:
    """A client of the server behind an address; it connects at its first use. A `quiet` one tells nothing of itself."""
    said: dict[str, Any] = {"encoding_errors": "surrogateescape"}  # names are of any bytes: see jobs/names.py
    said |= {"lib_name": None, "lib_version": None} if quiet else {}
    if not is_sentinel(url):
        client: Redis = Redis.from_url(url, socket_connect_timeout=CONNECT_TIMEOUT_S, **said)
        return client
    at = parse_sentinel("redis", url)
    sentinel = Sentinel(list(at.hosts), socket_connect_timeout=CONNECT_TIMEOUT_S)  # type: ignore[no-untyped-call]
    master: Redis = sentinel.master_for(
        at.master, db=at.database, username=at.username, password=at.password, ssl=at.tls,
        socket_connect_timeout=CONNECT_TIMEOUT_S, **said,
    )  # fmt: skip
    return master


def arq_settings(url: str) -> RedisSettings:
    """The same address, as arq's workers and clients take it."""
    if not is_sentinel(url):
        return RedisSettings.from_dsn(url)
    at = parse_sentinel("redis", url)
    return RedisSettings(
        host=list(at.hosts), sentinel=True, sentinel_master=at.master, username=at.username, password=at.password,
        database=at.database, ssl=at.tls,
    )  # fmt: skip
