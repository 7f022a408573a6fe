"""Work on many jobs at once, in the background: retry or delete failed jobs, empty a queue.

An operation is written down before it begins. The service that does it holds it for a few seconds at a time: when that
one stops, any other, or the same one when it is back, goes on where it was. A job is touched only when it failed before
the operation was asked for, so that doing a part of it twice changes nothing, and what fails meanwhile is left alone.
"""

import asyncio
import contextlib
import json
import logging
import secrets
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from arq.utils import timestamp_ms

from arqlight.background import end, keep
from arqlight.connections.connection import Connection
from arqlight.connections.connection_errors import SERVER_ERRORS, reason_of
from arqlight.connections.named import Connections
from arqlight.connections.parts.store import Store
from arqlight.errors import ArqlightError, JobNotFound, JobNotRetryable, NotFound, Unusable
from arqlight.jobs.display import iso
from arqlight.jobs.filters import JobFilter
from arqlight.jobs.queues import queue_name

logger = logging.getLogger("arqlight.operations")
Kind = Literal["retry", "delete", "empty"]
BATCH = 200
HELD_MS = 10_000
LOOK_EVERY_S = 5.0
AT_ONCE = 2
MOST_KEPT = 100
MOST_IDS = 5_000
KEPT_MS = 7 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `where` says which failed jobs (or `ids` names them); `queue` is the one to empty, by key."""

    id: str
    kind: Kind
    who: str
    asked_ms: int
    where: dict[str, Any] = field(default_factory=dict)
    ids: tuple[str, ...] = ()
    queue: str = ""
    total: int | None = None
    done: int = 0
    skipped: int = 0
    cursor: str | None = None
    state: Literal["running", "done", "cancelled"] = "running"
    ended_ms: int | None = None
    connection: str = "default"

    def to_json(self) -> dict[str, Any]:
        """As the API and the feed show it."""
        return {
            "id": self.id, "connection": self.connection, "kind": self.kind, "who": self.who, "state": self.state,
            "total": self.total,
            "done": self.done, "skipped": self.skipped, "where": self.where,
            "queue": queue_name(self.queue) if self.queue else None,
            "started_at": iso(self.asked_ms), "ended_at": iso(self.ended_ms) if self.ended_ms else None,
        }  # fmt: skip


class Operations:
    """Starts operations, and does those that nobody does."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._kept_in = connections.home  # None where all is only observed: nothing can be written down
        self._name = secrets.token_hex(4)
        self._room = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do operations while the body runs."""
        if self._kept_in is None:
            yield
            return
        look = keep("look for operations", self._look)
        try:
            yield
        finally:
            await end(look, *self._tasks.values())

    @property
    def _home(self) -> Connection:
        if self._kept_in is None:
            raise Unusable("work on many jobs at once is written down in a Redis or Valkey of ours, and none is set")
        return self._kept_in

    async def newest(self, limit: int = 20) -> list[Operation]:
        """The newest operations; none where nothing can be written down."""
        return await read_operations(self._kept_in.store, limit) if self._kept_in else []

    async def start(
        self,
        kind: Kind,
        who: str,
        *,
        connection: str = "default",
        where: JobFilter | None = None,
        ids: tuple[str, ...] = (),
        queue: str = "",
    ) -> Operation:
        """Begin an operation; it is written down when this returns."""
        now = timestamp_ms()
        until = JobFilter() if where is None else where
        until = replace(until, until_ms=min(now, until.until_ms or now))
        operation = Operation(
            f"op_{secrets.token_hex(8)}", kind, who, now, {} if ids or queue else until.to_json(), ids, queue,
            total=await self._total(connection, until, ids, queue), connection=connection,
        )  # fmt: skip
        await self._write(operation)
        await self._home.store.newest_operations.add(operation.id, now, MOST_KEPT)
        self._begin(operation.id)
        return operation

    async def cancel(self, operation_id: str) -> Operation:
        """Stop an operation after what it does now; what is done stays done. Raises NotFound."""
        operation = await self.find(operation_id)
        if operation.state == "running":
            operation = replace(operation, state="cancelled", ended_ms=timestamp_ms())
            await self._write(operation)
        return operation

    async def find(self, operation_id: str) -> Operation:
        """One. Raises NotFound."""
        text = await self._home.store.operations.get(operation_id)
        if text is None:
            raise NotFound(f"no operation {operation_id!r}")
        return _read(text)

    async def _look(self) -> None:
        while True:
            try:
                for operation in await read_operations(self._home.store):
                    if operation.state == "running" and operation.id not in self._tasks:
                        self._begin(operation.id)
            except SERVER_ERRORS as error:
                logger.warning("operations wait for the server: %s", reason_of(error))
            await asyncio.sleep(LOOK_EVERY_S)

    def _begin(self, operation_id: str) -> None:
        task = asyncio.create_task(self._do(operation_id))
        self._tasks[operation_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(operation_id, None))

    async def _do(self, operation_id: str) -> None:
        async with self._room:
            leases = self._home.store.operation_leases
            try:
                if not await leases.add(operation_id, self._name, HELD_MS):
                    return  # another service does it
                operation = await self.find(operation_id)
                while operation.state == "running":
                    operation = await self._step(operation)
                    cancelled = (await self.find(operation_id)).state == "cancelled"
                    if cancelled and operation.state == "running":
                        operation = replace(operation, state="cancelled", ended_ms=timestamp_ms())
                    await self._write(operation)
                    await leases.extend(operation_id, HELD_MS)
                await leases.delete(operation_id)
            except (*SERVER_ERRORS, ArqlightError) as error:
                logger.warning("operation %s waits: %s", operation_id, error)

    async def _step(self, operation: Operation) -> Operation:
        connection = self._connections.find(operation.connection)
        if operation.kind == "empty":
            left = BATCH if operation.total is None else min(BATCH, operation.total - operation.done)
            gone = await connection.journal.empty(operation.queue, left) if left > 0 else 0
            return _ended(replace(operation, done=operation.done + gone), gone < max(left, 1))
        if operation.ids:
            place = operation.done + operation.skipped
            ids, following = list(operation.ids[place : place + BATCH]), None
            is_last = place + BATCH >= len(operation.ids)
        else:
            where = JobFilter(**operation.where)
            jobs, following = await connection.reader.jobs(
                state="failed", where=where, limit=BATCH, cursor=operation.cursor
            )
            ids, is_last = [job.id for job in jobs], following is None
        done = skipped = 0
        act = connection.journal.retry if operation.kind == "retry" else connection.journal.delete
        for job_id in ids:
            try:
                await act(job_id, operation.asked_ms)
                done += 1
            except (JobNotFound, JobNotRetryable):
                skipped += 1  # gone meanwhile, failed again since, or without its arguments
        moved = replace(
            operation, done=operation.done + done, skipped=operation.skipped + skipped, cursor=following
        )  # fmt: skip
        return _ended(moved, is_last)

    async def _total(self, connection: str, where: JobFilter, ids: tuple[str, ...], queue: str) -> int | None:
        if ids:
            return len(ids)
        if queue:
            overview = await self._connections.find(connection).reader.overview()
            figures = next((each for each in overview.queues if each.key == queue), None)
            return figures.queued + figures.scheduled if figures else 0
        return await self._connections.find(connection).reader.count_failed(where)

    async def _write(self, operation: Operation) -> None:
        await self._home.store.operations.set(operation.id, json.dumps(asdict(operation)), KEPT_MS)


async def read_operations(store: Store, limit: int = 20) -> list[Operation]:
    """The newest operations."""
    texts = await store.operations.get_many(await store.newest_operations.newest(limit))
    return [_read(text) for text in texts if text is not None]


def _ended(operation: Operation, is_over: bool) -> Operation:
    return replace(operation, state="done", ended_ms=timestamp_ms()) if is_over else operation


def _read(text: str) -> Operation:
    told = json.loads(text)
    return Operation(**{**told, "ids": tuple(told["ids"])})
