"""Makes licence keys in batches: in chunks, with progress, and resumed where a crash or a cancel left off.

A key follows from its batch and number alone, and a chunk and the count of what is made are written in one
transaction: what was committed is never made again, what was not is made the same.
"""

import asyncio
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, select, update

from arqlight.errors import InvalidInput, NotFound, PermanentFailure
from arqlight.families.bulk.licence_key import make_key, signing_key, tag_of
from arqlight.families.bulk.tables import licence_batches as batches
from arqlight.families.bulk.tables import licences
from arqlight.families.database import Database
from arqlight.tasks import Backoff, task

MOST_KEYS = 1_000_000
CHUNK = 1_000
LONGEST_PRODUCT = 100


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
        raise InvalidInput("count", f"{count:,} is not between 1 and {MOST_KEYS:,}")


async def new_batch(database: Database, product: str, count: int) -> int:
    """Note that a batch is wanted; its id, for `generate_licence_keys`. Raises InvalidInput."""
    check_batch(product, count)
    async with database.begin() as connection:
        made = insert(batches).values(product=product, count=count).returning(batches.c.id)
        return int((await connection.execute(made)).scalar_one())


async def find_batch(database: Database, batch_id: int) -> dict[str, Any]:
    """One batch: `{"id", "product", "count", "made", "state", "job_id", "created_at"}`. Raises NotFound."""
    async with database.begin() as connection:
        row = (await connection.execute(select(batches).where(batches.c.id == batch_id))).first()
    if row is None:
        raise NotFound(f"no batch {batch_id} of licence keys")
    return _batch(row)


async def list_batches(database: Database, limit: int = 50) -> list[dict[str, Any]]:
    """The newest batches."""
    async with database.begin() as connection:
        return [
            _batch(row) for row in await connection.execute(select(batches).order_by(batches.c.id.desc()).limit(limit))
        ]


@task(queue="bulk", tries=20, timeout_s=6 * 3600, backoff=Backoff(first_s=2, longest_s=300))
async def generate_licence_keys(ctx: dict[str, Any], batch_id: int) -> dict[str, Any]:
    """Make the keys of a batch that are not made yet. Returns `{"batch", "made"}`."""
    database: Database = ctx["database"]
    try:
        batch = await find_batch(database, batch_id)
    except NotFound as error:
        raise BatchMissing(str(error)) from error
    signer = signing_key(ctx["settings"], ctx["keys"])
    await _note(database, batch_id, state="running", job_id=ctx["job_id"])
    made, count = batch["made"], batch["count"]
    ctx["log"](f"{count:,} keys for {batch['product']}" + (f", {made:,} of them made before" if made else ""))
    ctx["progress"](made, count, "licence keys")
    try:
        while made < count:
            numbers = range(made + 1, min(made + CHUNK, count) + 1)
            rows = await asyncio.to_thread(_make_rows, signer, batch_id, batch["product"], numbers)
            made = await _write_chunk(database, batch_id, made, rows)
            ctx["progress"](made, count, "licence keys")
    except asyncio.CancelledError:
        # By hand or by a shutdown: the next run goes on from here either way.
        await asyncio.shield(_note(database, batch_id, state="cancelled"))
        raise
    await _note(database, batch_id, state="done")
    return {"batch": batch_id, "made": made}


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


async def _note(database: Database, batch_id: int, **values: Any) -> None:
    async with database.begin() as connection:
        await connection.execute(update(batches).where(batches.c.id == batch_id).values(values))


def _batch(row: Any) -> dict[str, Any]:
    return {**row._mapping, "created_at": row.created_at.isoformat(timespec="milliseconds")}
