"""Exports of whole tables, streamed: rows come from a cursor of the database's and go to the store in groups."""

import asyncio
import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

from sqlalchemy import Table, delete, func, insert, select, update

from arqlight.errors import InvalidInput, NotFound, PermanentFailure
from arqlight.families.bulk.formats import Writer, check_format, open_writer
from arqlight.families.bulk.settings import BulkSettings
from arqlight.families.bulk.storage import StoredFile, open_store
from arqlight.families.bulk.tables import exports
from arqlight.families.database import Database
from arqlight.family import installed
from arqlight.settings import Settings
from arqlight.tasks import Backoff, task

ROWS_A_GROUP = 2_000


class ExportMissing(PermanentFailure):
    """The export of a job is not in the database."""


class _Digest:
    """A file that also computes size and SHA-256 of what goes through it."""

    closed = False

    def __init__(self, file: StoredFile) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: Any) -> int:
        self._file.write(bytes(data))
        self.sha256.update(data)
        self.size += len(data)
        return len(data)

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        """The store flushes when it is closed."""


def tables() -> dict[str, Table]:
    """What can be exported: the tables that installed families offer, by the name people see."""
    return {name: table for family in installed().families for name, table in family.load_exports().items()}


async def new_export(database: Database, table: str, kind: str) -> str:
    """Note that an export is wanted; its id, for `export_table`. Raises InvalidInput."""
    if table not in tables():
        raise InvalidInput("table", f"no table {table[:100]!r}; there are {', '.join(tables())}")
    check_format(kind)
    export_id = f"ex_{secrets.token_hex(8)}"
    async with database.begin() as connection:
        await connection.execute(insert(exports).values(id=export_id, table_name=table, format=kind))
    return export_id


async def find_export(database: Database, export_id: str) -> dict[str, Any]:
    """One export. Raises NotFound."""
    async with database.begin() as connection:
        row = (await connection.execute(select(exports).where(exports.c.id == export_id))).first()
    if row is None:
        raise NotFound(f"no export {export_id!r}; exports are removed some time after they expire")
    return _export(row)


async def list_exports(database: Database, limit: int = 50) -> list[dict[str, Any]]:
    """The newest exports."""
    query = select(exports).order_by(exports.c.created_at.desc()).limit(limit)
    async with database.begin() as connection:
        return [_export(row) for row in await connection.execute(query)]


@task(queue="bulk", tries=5, timeout_s=6 * 3600, backoff=Backoff(first_s=2, longest_s=300))
async def export_table(ctx: dict[str, Any], export_id: str) -> dict[str, Any]:
    """Write a table into the store. Returns `{"path", "rows", "size_bytes", "sha256"}`.

    An export that is cut short begins anew; the store shows only whole ones.
    """
    database, settings = ctx["database"], ctx["settings"]
    try:
        export = await find_export(database, export_id)
    except NotFound as error:
        raise ExportMissing(str(error)) from error
    table, kind = tables()[export["table"]], export["format"]
    path = f"{export['table']}-{export_id}.{kind}"
    await _note(database, export_id, state="running", job_id=ctx["job_id"])
    store = await asyncio.to_thread(open_store, settings)
    target = await asyncio.to_thread(store.create, path)
    file = _Digest(target)
    rows = 0
    try:
        rows = await _copy(ctx, table, open_writer(kind, table, _as_file(file)))
    except BaseException:
        await asyncio.shield(asyncio.to_thread(target.discard))
        await asyncio.shield(_note(database, export_id, state="waiting"))
        raise
    await asyncio.to_thread(target.close)
    expires_at = datetime.now(UTC) + timedelta(hours=settings.of(BulkSettings).export_keep_h)
    done = {"path": path, "rows": rows, "size_bytes": file.size, "sha256": file.sha256.hexdigest()}
    await _note(database, export_id, state="done", expires_at=expires_at, **done)
    ctx["log"](f"{rows:,} rows, {file.size:,} bytes")
    return done


async def _copy(ctx: dict[str, Any], table: Table, writer: Writer) -> int:
    async with ctx["database"].begin() as connection:
        total = (await connection.execute(select(func.count()).select_from(table))).scalar_one()
        ctx["progress"](0, total, "rows")
        rows = 0
        query = select(table).execution_options(yield_per=ROWS_A_GROUP)
        async with connection.stream(query) as result:
            async for group in result.partitions(ROWS_A_GROUP):
                await asyncio.to_thread(writer.write, group)
                rows += len(group)
                ctx["progress"](rows, max(total, rows), "rows")
    await asyncio.to_thread(writer.finish)
    return rows


async def remove_expired(database: Database, settings: Settings) -> int:
    """Remove what has expired from the store, and from the list a month later; how many files went."""
    old = select(exports).where(exports.c.state == "done", exports.c.expires_at < func.now()).limit(1000)
    async with database.begin() as connection:
        expired = (await connection.execute(old)).all()
    if expired:
        store = await asyncio.to_thread(open_store, settings)
        for row in expired:
            await asyncio.to_thread(store.remove, row.path)
            await _note(database, row.id, state="expired", path=None)
    async with database.begin() as connection:
        await connection.execute(delete(exports).where(exports.c.created_at < func.now() - timedelta(days=30)))
    return len(expired)


async def tidy(ctx: dict[str, Any]) -> dict[str, int]:
    """What has had its time goes; how much went, by kind."""
    return {"exports": await remove_expired(ctx["database"], ctx["settings"])}


async def _note(database: Database, export_id: str, **values: Any) -> None:
    async with database.begin() as connection:
        await connection.execute(update(exports).where(exports.c.id == export_id).values(values))


def _as_file(file: _Digest) -> BinaryIO:
    return file  # type: ignore[return-value]  # writers only write


def _export(row: Any) -> dict[str, Any]:
    at = {name: moment.isoformat(timespec="milliseconds") if moment else None
          for name, moment in (("created_at", row.created_at), ("expires_at", row.expires_at))}  # fmt: skip
    told = {
        name: row._mapping[name] for name in ("id", "format", "state", "path", "rows", "size_bytes", "sha256", "job_id")
    }
    return {**told, "table": row.table_name, **at}
