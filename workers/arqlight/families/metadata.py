"""The PostgreSQL schema of the five families. Each has its tables in a file of its own; `migrations/` makes them."""

from sqlalchemy import Column, DateTime, MetaData, func

SCHEMA = "arqlight"
metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    },
)


def moment(name: str, *, nullable: bool = False) -> Column[object]:
    """A time with its zone; now, where nothing else is said."""
    if nullable:
        return Column(name, DateTime(timezone=True))
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())
