"""Exports of whole tables, streamed: rows come from a cursor of the database's and go to the store in groups."""

import asyncio
import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

from sqlalchemy import Select, Table, delete, func, select

from arqlight.errors import InvalidInput, NotFound, PermanentFailure
from arqlight.families.bulk import states
from arqlight.families.bulk.formats import Writer, check_format, open_writer
from arqlight.families.bulk.licences import find_batch
from arqlight.families.bulk.settings import BulkSettings
from arqlight.families.bulk.tables import exports, licences
from arqlight.families.database import Database
from arqlight.families.storage import Store, StoredFile, open_store
from arqlight.family import installed
from arqlight.jobs.storable_text import check_text
from arqlight.settings import EXPORTS, Settings
from arqlight.tasks import Backoff, task

ROWS_A_GROUP = 2_000
TRIES = 5
LONGEST_ID = 40


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


def open_exports(settings: Settings) -> Store:
    """The store of exports. Raises SettingsError, MissingExtra."""
    url = settings.of(BulkSettings).storage_url or (settings.data_dir / EXPORTS).resolve().as_uri()
    return open_store(url, "ARQLIGHT_STORAGE_URL")


def tables() -> dict[str, Table]:
    """What can be exported: the tables that installed families offer, by the name people see."""
    return {name: table for family in installed().families for name, table in family.load_exports().items()}


async def request_export(
    database: Database,
    table: str,
    kind: str,
    *,
    batch: int | None = None,
    key: str | None = None,
    job_id: str | None = None,
) -> tuple[str, bool]:
    """Note that an export is wanted: its id, for `export_table`, and whether it is new.

    :param batch: whose licences it is of, alone.
    :param key: under the same one it is the same export.
    :param job_id: of the job that will write it.

    Raises InvalidInput.
    """
    if table not in tables():
        raise InvalidInput("table", f"no table {table[:100]!r}; there are {', '.join(tables())}")
    check_format(kind)
    if batch is not None:
        if table != licences.name:
            raise InvalidInput("batch", f"only the table {licences.name} has batches")
        try:
            await find_batch(database, batch)
        except NotFound as error:
            raise InvalidInput("batch", str(error)) from error
    new = {"id": f"ex_{secrets.token_hex(8)}", "table_name": table, "format": kind, "batch_id": batch,
           "job_id": job_id}  # fmt: skip
    row, is_new = await states.request(database, exports, new, key, ("table_name", "format", "batch_id"))
    return str(row.id), is_new


async def new_export(database: Database, table: str, kind: str, *, batch: int | None = None) -> str:
    """Note that an export is wanted; its id, for `export_table`. Raises InvalidInput."""
    return (await request_export(database, table, kind, batch=batch))[0]


async def find_export(database: Database, export_id: str) -> dict[str, Any]:
    """One export. Raises NotFound."""
    try:
        if not isinstance(export_id, str):
            raise NotFound
        check_text("id", export_id, LONGEST_ID)
        return _export(await states.find(database, exports, export_id))
    except (InvalidInput, NotFound):
        raise NotFound(f"no export {str(export_id)[:100]!r}; exports are removed some time after they expire") from None


async def list_exports(
    database: Database, limit: int = 50, cursor: str | None = None
) -> tuple[list[dict[str, Any]], str | None]:
    """The newest exports behind `cursor`, and the next cursor. Raises CursorInvalid."""
    rows, following = await states.page(database, exports, limit, cursor)
    return [_export(row) for row in rows], None if following is None else str(following)


@task(queue="bulk", tries=TRIES, timeout_s=6 * 3600, backoff=Backoff(first_s=2, longest_s=300))
async def export_table(ctx: dict[str, Any], export_id: str) -> dict[str, Any]:
    """Write a table into the store. Returns `{"path", "rows", "size_bytes", "sha256"}`.

    An export that is cut short begins anew; the store shows only whole ones. Raises ExportMissing.
    """
    try:
        export = await find_export(ctx["database"], export_id)
    except NotFound as error:
        raise ExportMissing(str(error)) from error
    try:
        return await _export_table(ctx, export)
    except BaseException as error:
        await states.note_end(ctx, exports, export_id, error, TRIES)
        raise


async def _export_table(ctx: dict[str, Any], export: dict[str, Any]) -> dict[str, Any]:
    database, settings = ctx["database"], ctx["settings"]
    export_id, kind = export["id"], export["format"]
    if export["table"] not in tables():
        raise ExportMissing(f"no table {export['table']!r} any more; is the family that offers it installed here?")
    table = tables()[export["table"]]
    of_batch = f"-{export['batch']}" if export["batch"] is not None else ""
    path = f"{export['table']}{of_batch}-{export_id}.{kind}"
    await states.note(database, exports, export_id, state="running", reason=None, job_id=ctx["job_id"])
    store = await asyncio.to_thread(open_exports, settings)
    target = await asyncio.to_thread(store.create, path)
    file = _Digest(target)
    query = select(table)
    if export["batch"] is not None:
        query = query.where(table.c.batch_id == export["batch"]).order_by(table.c.number)
    try:
        rows = await _copy(ctx, query, open_writer(kind, table, _as_file(file)))
    except BaseException:
        await asyncio.shield(asyncio.to_thread(target.discard))
        raise
    await asyncio.to_thread(target.close)
    expires_at = datetime.now(UTC) + timedelta(hours=settings.of(BulkSettings).export_keep_h)
    done = {"path": path, "rows": rows, "size_bytes": file.size, "sha256": file.sha256.hexdigest()}
    await states.note(database, exports, export_id, state="done", reason=None, expires_at=expires_at, **done)
    ctx["log"](f"{rows:,} rows, {file.size:,} bytes")
    return done


async def _copy(ctx: dict[str, Any], wanted: Select[Any], writer: Writer) -> int:
    async with ctx["database"].begin() as connection:
        total = (
            await connection.execute(select(func.count()).select_from(wanted.order_by(None).subquery()))
        ).scalar_one()
        ctx["progress"](0, total, "rows")
        rows = 0
        query = wanted.execution_options(yield_per=ROWS_A_GROUP)
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
        store = await asyncio.to_thread(open_exports, settings)
        for row in expired:
            await asyncio.to_thread(store.remove, row.path)
            await states.note(database, exports, row.id, state="expired", path=None)
    async with database.begin() as connection:
        await connection.execute(delete(exports).where(exports.c.created_at < func.now() - timedelta(days=30)))
    return len(expired)


async def tidy(ctx: dict[str, Any]) -> dict[str, int]:
    """What has had its time goes; how much went, by kind."""
    return {"exports": await remove_expired(ctx["database"], ctx["settings"])}


def _as_file(file: _Digest) -> BinaryIO:
    return file  # type: ignore[return-value]  # writers only write


def _export(row: Any) -> dict[str, Any]:
    told = ("id", "format", "path", "rows", "size_bytes", "sha256")
    return {
        **{name: row._mapping[name] for name in told},
        "table": row.table_name,
        "batch": row.batch_id,
        **states.told(row),
        "expires_at": states.iso(row.expires_at),
    }
