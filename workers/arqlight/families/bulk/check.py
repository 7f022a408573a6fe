"""What bulk operations cannot work with, said before anything starts."""

from arqlight.extras import require
from arqlight.families.bulk.licence_key import signing_key
from arqlight.families.bulk.settings import BulkSettings
from arqlight.key_ring import KeyRing
from arqlight.settings import Settings


def check(settings: Settings) -> None:
    """Raise SettingsError for a key file that holds no key, MissingExtra for a store whose packages are not there."""
    bulk = settings.of(BulkSettings)
    if bulk.licence_key_file is not None:
        signing_key(settings, KeyRing(settings))
    if (bulk.storage_url or "").startswith("s3://"):
        require(f"ARQLIGHT_STORAGE_URL={bulk.storage_url!r}", "obstore")
