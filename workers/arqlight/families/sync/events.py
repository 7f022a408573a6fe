"""What a marketplace tells by itself (a webhook): checked, and written as if it had been read."""

from collections.abc import Mapping

from arqlight.errors import Forbidden, InvalidInput, NotFound
from arqlight.families.database import Database
from arqlight.families.sync.marketplace import Event, Marketplace, marketplaces
from arqlight.families.sync.sale import Refund, Sale
from arqlight.families.sync.writing import write_sales
from arqlight.settings import Settings


def read_event(settings: Settings, name: str, body: bytes, headers: Mapping[str, str]) -> Event:
    """What a signed body says; None for an event that is about no sale.

    Raises NotFound for a marketplace that tells nothing or whose secret is not set, Forbidden for a signature that
    does not fit, InvalidInput for a body that cannot be used.
    """
    marketplace: Marketplace | None = marketplaces().get(name)
    webhook = marketplace.webhook if marketplace else None
    if webhook is None:
        raise NotFound(f"marketplace {name[:50]!r} sends no webhooks that are taken here")
    secret = webhook.secret(settings)
    if secret is None:
        raise NotFound(f"webhooks of {name} are not taken: no secret for them is set")
    if not webhook.check(secret.get_secret_value(), body, headers):
        raise Forbidden("the signature does not fit the body; is the secret the one that was set at the marketplace?")
    try:
        return webhook.read(body)
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise InvalidInput("body", f"it cannot be used: {type(error).__name__}: {str(error)[:200]}") from error


async def write_event(database: Database, marketplace: str, event: Sale | Refund) -> str:
    """Write it; the same event again changes nothing. What it did: `new`, `changed` or `unchanged`."""
    sales, refunds = ([event], []) if isinstance(event, Sale) else ([], [event])
    async with database.begin() as connection:
        written = await write_sales(connection, marketplace, sales, refunds, None)
    return "new" if written.new else "changed" if written.changed else "unchanged"
