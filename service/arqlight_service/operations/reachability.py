"""Which connections answer now. Each is asked every two seconds, so that a page never waits for one that is down."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from arqlight.background import end, keep
from arqlight.connections.connection import Connection
from arqlight.connections.connection_errors import SERVER_ERRORS
from arqlight.connections.named import Connections
from arqlight.errors import ArqlightError, Unusable

logger = logging.getLogger("arqlight.connections")
EVERY_S = 2.0
LONGEST_S = 5.0


class Reachability:
    """What each connection said last; before the first answer it counts as there."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._details = {connection.name: "" for connection in connections}
        self._problems: dict[str, str] = {}
        self._warnings: dict[str, str] = {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ask while the body runs."""
        tasks = [
            keep("question whether a connection answers", partial(self._keep_asking, connection))
            for connection in self._connections
        ]
        try:
            yield
        finally:
            await end(*tasks)

    def problem(self, name: str) -> str | None:
        """Why a connection cannot be used, in one sentence; None when it can."""
        return self._problems.get(name)

    def to_json(self) -> list[dict[str, Any]]:
        """Every connection: `{"name", "driver", "address", "ok", "detail", "observed", "warning"}`."""
        return [
            {
                "name": connection.name,
                "driver": connection.driver,
                "address": connection.address,
                "ok": connection.name not in self._problems,
                "detail": self._problems.get(connection.name) or self._details[connection.name],
                "observed": not connection.can_write,
                "warning": "" if connection.name in self._problems else self._warnings.get(connection.name, ""),
            }
            for connection in self._connections
        ]

    async def ask(self, connection: Connection) -> bool:
        """Ask one now; whether it answers. `problem` says why not."""
        try:
            async with asyncio.timeout(LONGEST_S):
                self._details[connection.name] = f"{await connection.ping()} answers"
                self._warnings[connection.name] = await _warning(connection)
        except ArqlightError as error:
            self._note(connection.name, str(error))
        except TimeoutError:
            where = f"connection {connection.name!r} ({connection.address})"
            self._note(connection.name, f"{where} does not answer: nothing came within {LONGEST_S:g} s")
        else:
            if self._problems.pop(connection.name, None):
                logger.warning("connection %r answers again", connection.name)
            return True
        return False

    def _note(self, name: str, problem: str) -> None:
        if self._problems.get(name) != problem:
            logger.warning("%s", problem)
        self._problems[name] = problem

    async def _keep_asking(self, connection: Connection) -> None:
        while True:
            try:
                await self.ask(connection)
            except Exception as error:  # whatever a driver raises: the page says it, and the others go on
                logger.exception("connection %r cannot be asked", connection.name)
                self._note(connection.name, str(Unusable(f"connection {connection.name!r}: {type(error).__name__}")))
            await asyncio.sleep(EVERY_S)


async def _warning(connection: Connection) -> str:
    """What a server that answers has coming, in one sentence; "" for nothing."""
    if not connection.supports("maintenance"):
        return ""
    try:
        found = await connection.maintenance.warnings()
    except SERVER_ERRORS as error:  # it answered a moment ago; INFO may be forbidden to its user
        logger.debug("connection %r tells nothing of itself: %s", connection.name, error)
        return ""
    return f"connection {connection.name!r} ({connection.address}): {found[0]}" if found else ""
