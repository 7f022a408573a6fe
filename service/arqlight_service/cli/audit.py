"""`arqlight audit export`: the audit list as lines of JSON. It reads the servers, so no service need run."""

import asyncio
import json

import click

from arqlight.connections.named import open_connections
from arqlight.errors import SettingsError
from arqlight.extras import require
from arqlight.journal.audit_entry import KINDS, Kind
from arqlight.settings import load_settings
from arqlight_service.audit.trail import Trail
from arqlight_service.cli.answers import from_server_of
from arqlight_service.cli.flags import to_environment


@click.group()
def audit() -> None:
    """Who did what: the audit list."""


@audit.command()
@click.option("--kind", type=click.Choice(KINDS), help="Only this kind.")
@click.option("--data-dir", callback=to_environment, expose_value=False, help="[env: ARQLIGHT_DATA_DIR]")
@click.option("--redis-url", callback=to_environment, expose_value=False, help="[env: ARQLIGHT_REDIS_URL]")
@click.option("--database-url", callback=to_environment, expose_value=False, help="[env: ARQLIGHT_DATABASE_URL]")
def export(kind: Kind | None) -> None:
    """Print every entry, the newest first, one JSON object a line."""
    asyncio.run(_export(KINDS if kind is None else (kind,)))


async def _export(kinds: tuple[Kind, ...]) -> None:
    settings = load_settings()
    if settings.resolved_database_url():
        require("the audit list is kept in PostgreSQL (ARQLIGHT_DATABASE_URL); to read it", "sqlalchemy", "psycopg")
    connections = open_connections(settings)
    trail = Trail(settings, connections.home)
    try:
        if connections.home is None:
            raise SettingsError("the audit list is kept in Redis or Valkey first, and no connection to one is set")
        with from_server_of(connections.home):
            async for entry in trail.all(kinds):
                click.echo(json.dumps(entry.to_json()))
    finally:
        await trail.close()
        await connections.close()
