"""The secrets that sign for an endpoint: the current one, and older ones until their overlap ends."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, LargeBinary, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from arqlight.errors import InvalidInput
from arqlight.families.webhooks.signing import new_secret
from arqlight.families.webhooks.tables import webhook_secrets as table
from arqlight.key_ring import KeyRing

LONGEST_OVERLAP_S = 7 * 24 * 3600
MOST_SECRETS = 10  # each is a signature more in a header


def check_overlap(overlap_s: float) -> None:
    """Raises InvalidInput."""
    if not 0 <= overlap_s <= LONGEST_OVERLAP_S:
        raise InvalidInput("overlap_s", f"{overlap_s:g} is not between 0 and {LONGEST_OVERLAP_S}")


async def add(connection: AsyncConnection, keys: KeyRing, endpoint_id: str) -> str:
    """A new current secret."""
    secret = new_secret()
    await connection.execute(insert(table).values(endpoint_id=endpoint_id, secret=keys.encrypt(secret)))
    return secret


async def rotate(
    connection: AsyncConnection, keys: KeyRing, endpoint_id: str, overlap_s: float, revoke_older: bool
) -> str:
    """A new current secret; how long the others sign is what `endpoints.rotate` says. Raises InvalidInput."""
    own, current = table.c.endpoint_id == endpoint_id, table.c.until.is_(None)
    over = ~current if revoke_older else table.c.until <= func.now()
    await connection.execute(delete(table).where(own, over))
    ends = func.now() + timedelta(seconds=overlap_s)
    await connection.execute(update(table).where(own, current).values(until=ends))
    secret = await add(connection, keys, endpoint_id)
    number = (await connection.execute(select(func.count()).where(own, _signs()))).scalar_one()
    if number > MOST_SECRETS:
        raise InvalidInput(
            "revoke_older", f"{number - 1} secrets sign already; wait until one ends, or revoke those before the last"
        )
    return secret


def signing(endpoint_id: ColumnElement[Any]) -> ColumnElement[Any]:
    """Those that sign now for an endpoint, encrypted, by the database's clock: a column, the newest first."""
    own = select(table.c.secret).where(table.c.endpoint_id == endpoint_id, _signs()).order_by(table.c.id.desc())
    return func.array(own.scalar_subquery(), type_=ARRAY(LargeBinary)).label("secrets")


def figures(endpoint_id: ColumnElement[Any]) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Of an endpoint, as columns: how many older secrets sign, `old_secrets`, and the last one's `old_secret_until`."""
    older = table.c.endpoint_id == endpoint_id, table.c.until > func.now()
    return (
        select(func.count()).where(*older).scalar_subquery().label("old_secrets"),
        select(func.max(table.c.until)).where(*older).scalar_subquery().label("old_secret_until"),
    )


def _signs() -> ColumnElement[bool]:
    return or_(table.c.until.is_(None), table.c.until > func.now())
