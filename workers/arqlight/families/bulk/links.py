"""Signed links to downloads: whoever has one may download, until it expires."""

import base64
import hashlib
import hmac
import time
from urllib.parse import urlencode

from arqlight.errors import Forbidden
from arqlight.key_ring import KeyRing


class LinkInvalid(Forbidden):
    """A download link that was changed, or that has expired."""


def sign_link(keys: KeyRing, export_id: str, expires_s: int) -> str:
    """The path and query of a download that works until `expires_s` (seconds since the epoch)."""
    query = urlencode({"expires": expires_s, "signature": _signature(keys, export_id, expires_s)})
    return f"/exports/{export_id}/download?{query}"


def check_link(keys: KeyRing, export_id: str, expires: str, signature: str) -> None:
    """Raises LinkInvalid."""
    good = expires.isascii() and expires.isdigit() and len(expires) < 12
    if not good or not hmac.compare_digest(_signature(keys, export_id, int(expires)).encode(), signature.encode()):
        raise LinkInvalid("the link is not valid; request a new one")
    if int(expires) < time.time():
        raise LinkInvalid("the link has expired; request a new one")


def _signature(keys: KeyRing, export_id: str, expires_s: int) -> str:
    text = f"{export_id}\n{expires_s}".encode()
    digest = hmac.new(keys.derive("download links"), text, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
