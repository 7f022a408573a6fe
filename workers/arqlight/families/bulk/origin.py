"""Which database this is: a copy, and one restored elsewhere or from a dump, is another with the same rows."""

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from arqlight.errors import PermanentFailure

# The cluster; its timeline, which a restore to a point in time and a promoted standby begin anew; the database in it;
# the table, which a restored dump makes anew.
_ORIGIN = text(
    "SELECT (pg_control_system()).system_identifier || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) || '/' || "
    "(SELECT oid FROM pg_database WHERE datname = current_database()) || '/' || "
    "'arqlight.licence_batches'::regclass::oid"
)


class DatabaseCopied(PermanentFailure):
    """A batch was requested in another database than the one it is in now."""

    def __init__(self, batch_id: int, made: int) -> None:
        super().__init__(
            f"the database was restored or copied since batch {batch_id} was requested: its keys from number "
            f"{made + 1:,} on may exist elsewhere and be sold. Request a new batch for the rest; or, where none of "
            "those was handed out, retry this one, which makes exactly those keys"
        )


async def origin_of(connection: AsyncConnection) -> str | None:
    """What tells this database from its copies; None where the server does not say."""
    try:
        async with connection.begin_nested():
            return str((await connection.execute(_ORIGIN)).scalar_one())
    except DBAPIError:  # not every managed server lets everybody ask
        return None
