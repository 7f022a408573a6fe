"""PostgreSQL by its address: as drivers take it, as people are shown it, and its schema brought up to date."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import column, create_engine, select, table, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from arqlight.errors import DatabaseUnreachable, SettingsError

# pg_advisory_lock's key: whoever starts first migrates, the others wait for it.
MIGRATION_LOCK = 4_207_849_484


CONNECT_TIMEOUT_S = 5
SILENCE_S = 30  # how long what was sent may stay without a sign from the other host
START_TIMEOUT_S = 2  # what a start waits for a database, which may as well come later


def database_url(address: str) -> URL:
    """The address as the driver takes it. Raises SettingsError for one that is no PostgreSQL address."""
    try:
        url = make_url(address)
        is_ours = url.drivername in ("postgresql", "postgres", "postgresql+psycopg")
    except (ArgumentError, ValueError):
        is_ours = False
    if not is_ours:
        raise SettingsError(
            "ARQLIGHT_DATABASE_URL must be postgresql://user:password@host:5432/name; what is set is something else"
        )
    return url.set(drivername="postgresql+psycopg")


def migrate(url: URL, migrations: Path, schema: str) -> None:
    """Bring a schema to this version's, under a lock of the server's.

    Raises DatabaseUnreachable when nothing answers, SettingsError for a schema that a newer version made.
    """
    engine = create_engine(url, connect_args=connect_args())
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
            connection.commit()
            config = Config()
            config.set_main_option("script_location", str(migrations).replace("%", "%%"))
            config.attributes["connection"] = connection
            config.attributes["schema"] = schema
            command.upgrade(config, "head")
            connection.commit()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
            connection.commit()
    except CommandError as error:
        raise _of_another_version(url, migrations, str(error)) from error
    except SQLAlchemyError as error:
        raise DatabaseUnreachable(shown(url), _reason(error)) from error
    finally:
        engine.dispose()


def check_schema(url: URL, migrations: Path, schema: str) -> None:
    """Raise SettingsError for a schema that a newer version made.

    Nothing is written, and a database that is away is no error here: its first use waits for it, or says so.
    """
    engine = create_engine(url, connect_args=connect_args() | {"connect_timeout": START_TIMEOUT_S})
    try:
        with engine.connect() as connection:
            versions = table("alembic_version", column("version_num"), schema=schema)
            made = connection.execute(select(versions.c.version_num)).scalars().all()
    except SQLAlchemyError:
        return
    finally:
        engine.dispose()
    known = {each.revision for each in ScriptDirectory(str(migrations)).walk_revisions()}
    if unknown := [version for version in made if version not in known]:
        raise _of_another_version(url, migrations, f"its schema {schema} is at {unknown[0]!r}")


def _of_another_version(url: URL, migrations: Path, why: str) -> SettingsError:
    newest = ScriptDirectory(str(migrations)).get_current_head()
    return SettingsError(
        f"the database at {shown(url)} was made by another version of arqlight ({why}); this one knows up to "
        f"{newest}: update arqlight, or name another database"
    )


def shown(url: URL) -> str:
    """The address without its password, and without options, which may be one, but for those that say where it is."""
    where = {name: value for name, value in url.query.items() if name in ("host", "port")}
    return url.set(drivername="postgresql", query=where).render_as_string(hide_password=True)


def _reason(error: SQLAlchemyError) -> str:
    cause: Any = getattr(error, "orig", None) or error
    return " ".join(str(cause).split())[:300]


def connect_args() -> dict[str, Any]:
    """How libpq connects: a host that is frozen is given up, with its connection."""
    silence = {
        "tcp_user_timeout": SILENCE_S * 1000,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    return {"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "arqlight", **silence}
