"""`arqlight doctor`: one line for each thing that is wrong. Exit code 1 when there is trouble."""

import asyncio
import json
import sys

import click

from arqlight.connections.finding import Finding
from arqlight.connections.named import open_connections
from arqlight.family import check_families, check_settings
from arqlight.settings import load_settings
from arqlight_service.cli.flags import to_environment
from arqlight_service.operations.diagnosis import diagnose


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@click.option("--data-dir", callback=to_environment, expose_value=False, help="[env: ARQLIGHT_DATA_DIR]")
@click.option("--redis-url", callback=to_environment, expose_value=False, help="[env: ARQLIGHT_REDIS_URL]")
@click.option("--database-url", callback=to_environment, expose_value=False, help="[env: ARQLIGHT_DATABASE_URL]")
def doctor(as_json: bool) -> None:
    """Report problems, one per line: servers, workers, queues, failures, clocks, disks, mail."""
    found = asyncio.run(_diagnose())
    for finding in found:
        click.echo(json.dumps(finding.to_json()) if as_json else f"{finding.level}: {finding.text}")
    if not found and not as_json:
        click.echo("all is well")
    sys.exit(any(finding.level == "trouble" for finding in found))


async def _diagnose() -> list[Finding]:
    settings = load_settings()
    check_settings(settings)
    check_families(settings)
    connections = open_connections(settings)
    try:
        return await diagnose(settings, connections)
    finally:
        await connections.close()
