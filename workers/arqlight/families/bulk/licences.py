"""Makes licence keys in batches: in chunks, with progress, and resumed where a crash or a cancel left off.

A key follows from its batch's random id and its number alone, and a chunk and the count of what is made are written in
one transaction: what was committed is never made again, what was not is made the same.
"""

import asyncio
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, select, update

from arqlight.errors import InvalidInput, NotFound, PermanentFailure
from arqlight.families.bulk import states
from arqlight.families.bulk.licence_key import make_key, random_batch, signing_key, tag_of
from arqlight.families.bulk.made_marks import mark_made, marked_made
from arqlight.families.bulk.origin import DatabaseCopied, origin_of
from arqlight.families.bulk.tables import licence_batches as batches
from arqlight.families.bulk.tables import licences
from arqlight.families.database import Database
from arqlight.tasks import Backoff, task

MOST_KEYS = 1_000_000
CHUNK = 1_000
LONGEST_PRODUCT = 100
TRIES = 20
LARGEST_ID = 2**63 - 1


class BatchMissing(PermanentFailure):
    """The batch of a job is not in the database."""


def check_batch(product: str, count: int) -> None:
    """Raises InvalidInput."""
    if not product.strip():
        raise InvalidInput("product", "Product is required")
    if not (len(product) <= LONGEST_PRODUCT and product.isprintable() and product == product.strip()):
        raise InvalidInput(
            "product", f"{product[:100]!r} is no product; write 1 to {LONGEST_PRODUCT} printable characters"
        )
    if not 1 <= count <= MOST_KEYS:
        raise InvalidInput("count", f"{str(count)[:50]} is not between 1 and {MOST_KEYS:,}")


async def request_batch(
    database: Database, product: str, count: int, *, key: str | None = None, job_id: str | None = None
) -> tuple[int, bool]:
    """Note that a batch is wanted: its id, for `generate_licence_keys`, and whether it is new.

    :param key: under the same one it is the same batch.
    :param job_id: of the job that will make it.

    Raises InvalidInput.
    """
    check_batch(product, count)
    async with database.begin() as connection:
        made_in = await origin_of(connection)
    new = {"id": random_batch(), "product": product, "count": count, "made_in": made_in, "job_id": job_id}
    row, is_new = await states.request(database, batches, new, key, ("product", "count"))
    return int(row.id), is_new


async def new_batch(database: Database, product: str, count: int) -> int:
    """Note that a batch is wanted; its id, for `generate_licence_keys`. Raises InvalidInput."""
    return (await request_batch(database, product, count))[0]


async def find_batch(database: Database, batch_id: int) -> dict[str, Any]:
    """One batch: `{"id", "product", "count", "made", "state", "reason", "job_id", "created_at"}`. Raises NotFound."""
    is_id = isinstance(batch_id, int) and not isinstance(batch_id, bool) and 0 <= batch_id <= LARGEST_ID
    try:
        if not is_id:
            raise NotFound
        return _batch(await states.find(database, batches, batch_id))
    except NotFound:
        raise NotFound(f"no batch {str(batch_id)[:50]} of licence keys") from None


async def list_batches(
    database: Database, limit: int = 50, cursor: int | None = None
) -> tuple[list[dict[str, Any]], int | None]:
    """The newest batches behind `cursor`, and the next cursor. Raises CursorInvalid."""
    rows, following = await states.page(database, batches, limit, cursor)
    return [_batch(row) for row in rows], None if following is None else int(following)


@task(queue="bulk", tries=TRIES, timeout_s=6 * 3600, backoff=Backoff(first_s=2, longest_s=300))
async def generate_licence_keys(ctx: dict[str, Any], batch_id: int) -> dict[str, Any]:
    """Make the keys of a batch that are not made yet. Returns `{"batch", "made"}`.

    Raises BatchMissing, and DatabaseCopied where the same keys may be made, or were, in another copy of the database.
    """
    try:
        batch = await find_batch(ctx["database"], batch_id)
    except NotFound as error:
        raise BatchMissing(str(error)) from error
    try:
        return await _generate(ctx, batch)
    except BaseException as error:
        await states.note_end(ctx, batches, batch_id, error, TRIES)
        raise


async def _generate(ctx: dict[str, Any], batch: dict[str, Any]) -> dict[str, Any]:
    database: Database = ctx["database"]
    batch_id, made, count = batch["id"], batch["made"], batch["count"]
    if made < count:
        await _check_origin(database, batch_id, await marked_made(ctx.get("redis"), batch_id))
    signer = signing_key(ctx["settings"], ctx["keys"])
    await states.note(database, batches, batch_id, state="running", reason=None, job_id=ctx["job_id"])
    ctx["log"](f"{count:,} keys for {batch['product']}" + (f", {made:,} of them made before" if made else ""))
    ctx["progress"](made, count, "licence keys")
    while made < count:
        numbers = range(made + 1, min(made + CHUNK, count) + 1)
        rows = await asyncio.to_thread(_make_rows, signer, batch_id, batch["product"], numbers)
        made = await _write_chunk(database, batch_id, made, rows)
        await mark_made(ctx.get("redis"), batch_id, made)
        ctx["progress"](made, count, "licence keys")
    await states.note(database, batches, batch_id, state="done", reason=None)
    return {"batch": batch_id, "made": made}


async def _check_origin(database: Database, batch_id: int, marked: int) -> None:
    """Raises DatabaseCopied for a batch that was requested in another database, or of which this one knows too little.

    A batch from before this was noted, and one that a person retried knowing that, is of this database from now on.
    """
    async with database.begin() as connection:
        here = await origin_of(connection)
        row = (await connection.execute(select(batches).where(batches.c.id == batch_id).with_for_update())).one()
        is_another = here is not None and row.made_in != here
        if row.made_in is not None and (is_another or row.made < marked):
            raise DatabaseCopied(batch_id, row.made)
        await connection.execute(update(batches).where(batches.c.id == batch_id).values(made_in=here))


def _make_rows(signer: Ed25519PrivateKey, batch_id: int, product: str, numbers: range) -> list[dict[str, Any]]:
    tag = tag_of(product)
    return [
        {"batch_id": batch_id, "number": number, "product": product, "key": make_key(signer, tag, batch_id, number)}
        for number in numbers
    ]


async def _write_chunk(database: Database, batch_id: int, made: int, rows: list[dict[str, Any]]) -> int:
    """Write rows and count together; how many are made now: somebody else's count, when two run by mistake."""
    async with database.begin() as connection:
        counted = update(batches).where(batches.c.id == batch_id, batches.c.made == made).values(made=made + len(rows))
        if not (await connection.execute(counted)).rowcount:
            return int((await connection.execute(select(batches.c.made).where(batches.c.id == batch_id))).scalar_one())
        await connection.execute(insert(licences), rows)
    return made + len(rows)


def _batch(row: Any) -> dict[str, Any]:
    told = ("id", "product", "count", "made")
    return {**{name: row._mapping[name] for name in told}, **states.told(row)}
