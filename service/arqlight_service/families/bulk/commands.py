"""`arqlight licence …`: licence keys, verified offline."""

import sys
from typing import BinaryIO

import click

from arqlight.families.bulk.licence_key import InvalidLicence, public_pem, read_public_key, signing_key, verify_key
from arqlight.key_ring import KeyRing
from arqlight.settings import load_settings
from arqlight_service.cli.flags import to_environment

EXIT_FAILED = 1


@click.group()
def licence() -> None:
    """Licence keys: verify one offline, show the public key."""


@licence.command()
@click.argument("key")
@click.option("--public-key", "public_key", type=click.File("rb"), required=True, help="The public key, as PEM.")
@click.option("--product", help="The product it has to be for.")
def verify(key: str, public_key: BinaryIO, product: str | None) -> None:
    """Whether KEY was made with the private half of a public key. Needs no server. Exit code 0 or 1."""

    try:
        found = verify_key(key, read_public_key(public_key.read()))
        if product is not None and not found.is_for(product):
            raise InvalidLicence(f"it is for another product than {product!r}")
    except InvalidLicence as error:
        click.echo(f"arqlight: not valid: {error}", err=True)
        sys.exit(EXIT_FAILED)
    click.echo(f"valid: batch {found.batch}, number {found.number}" + (f", for {product}" if product else ""))


@licence.command("public-key")
@click.option("--data-dir", callback=to_environment, expose_value=False, help="[env: ARQLIGHT_DATA_DIR]")
@click.option(
    "--licence-key-file", callback=to_environment, expose_value=False, help="[env: ARQLIGHT_LICENCE_KEY_FILE]"
)
def public_key() -> None:
    """The public key that verifies what this installation makes, as PEM."""

    settings = load_settings()
    click.echo(public_pem(signing_key(settings, KeyRing(settings, may_make=False))), nl=False)
