"""A lock of PostgreSQL's, so that no event is folded into a device that is merged or erased at that moment."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

LOCK = 4_207_849_601


async def while_devices_stay(connection: AsyncConnection) -> None:
    """Until this transaction ends no device is merged or erased; others may fold meanwhile."""
    await connection.execute(select(func.pg_advisory_xact_lock_shared(LOCK)))


async def while_nothing_is_folded(connection: AsyncConnection) -> None:
    """Until this transaction ends no event is folded, and no other device merged or erased."""
    await connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
