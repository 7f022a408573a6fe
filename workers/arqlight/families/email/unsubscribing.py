"""Leaving a list with one click (RFC 8058): the link in a mail's header, which needs no sign-in."""

import hashlib
import hmac
from urllib.parse import urlencode

from arqlight.errors import Forbidden, InvalidInput
from arqlight.key_ring import KeyRing
from arqlight.settings import Settings


class UnsubscribeLinkInvalid(Forbidden):
    """A link that was changed on its way."""


def unsubscribe_url(settings: Settings, keys: KeyRing, address: str) -> str:
    """The link for one address, as the suppression list writes it. It does not expire: old mails are left, too.

    Raises InvalidInput where no public address with https is set, which RFC 8058 (3.1) asks for.
    """
    base = (settings.public_url or "").rstrip("/")
    if not base.startswith("https://"):
        why = "a mail that is not transactional needs a link to unsubscribe; set ARQLIGHT_PUBLIC_URL to https://…"
        raise InvalidInput("public_url", why)
    return f"{base}/unsubscribe?{urlencode({'address': address, 'signature': _signature(keys, address)})}"


def check_unsubscribe(keys: KeyRing, address: str, signature: str) -> None:
    """Raises UnsubscribeLinkInvalid."""
    if not hmac.compare_digest(_signature(keys, address).encode(), signature.encode("utf-8", "replace")):
        raise UnsubscribeLinkInvalid("this link to unsubscribe is not whole; open it from the mail again")


def _signature(keys: KeyRing, address: str) -> str:
    said = address.encode("utf-8", "replace")
    return hmac.new(keys.derive("unsubscribe links"), said, hashlib.sha256).hexdigest()[:40]
