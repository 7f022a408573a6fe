"""Hears what PostgreSQL notifies, on a connection of its own that is made again whenever it is lost."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from arqlight.connections.database.pool import Pool
from arqlight.connections.database.schema import names
from arqlight.connections.database.server_errors import REFUSED
from arqlight.errors import ArqlightError

logger = logging.getLogger("arqlight.database")
PAUSE_S = 1.0
PING_EVERY_S = 5.0  # a connection can go silent: it stays open, and nothing ever comes
PING_S = 5.0


async def listen(pool: Pool, tell: Callable[[str], None]) -> None:
    """Call `tell(payload)` for each notification of PgQueuer's until cancelled.

    After each connect it is called with "": anything may have been missed.
    """
    while True:
        try:
            await _listen_once(pool, tell)
        except (*REFUSED, ArqlightError) as error:
            logger.warning("notifications of connection %r cannot be heard, connecting again: %s", pool.name, error)
        await asyncio.sleep(PAUSE_S)


async def _listen_once(pool: Pool, tell: Callable[[str], None]) -> None:
    connection = await pool.connect_alone()
    lost = asyncio.Event()

    def hear(_: Any, __: int, ___: str, payload: Any) -> None:
        tell(str(payload))

    try:
        connection.add_termination_listener(lambda _: lost.set())
        async with asyncio.timeout(PING_S):
            await connection.add_listener(names().channel, hear)
        tell("")
        while not lost.is_set():
            try:
                async with asyncio.timeout(PING_EVERY_S):
                    await lost.wait()
            except TimeoutError:
                await connection.execute("SELECT 1", timeout=PING_S)
        logger.warning("the connection of %r that notifications come over was lost, connecting again", pool.name)
    finally:
        connection.terminate()
