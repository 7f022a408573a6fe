"""What e-mail cannot work with, said before anything starts."""

from arqlight.extras import require
from arqlight.families.email.settings import EmailSettings
from arqlight.settings import Settings


def check(settings: Settings) -> None:
    """Raise MissingExtra for a store of attachments whose packages are not there."""
    url = settings.of(EmailSettings).attachments_url or ""
    if url.startswith("s3://"):
        require(f"ARQLIGHT_ATTACHMENTS_URL={url!r}", "obstore")
