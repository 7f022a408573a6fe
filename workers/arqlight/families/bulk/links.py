"""Signed links to downloads: each is for who asked for it, until it expires."""

import base64
import hashlib
import hmac
import time
from urllib.parse import urlencode

from arqlight.errors import Forbidden
from arqlight.key_ring import KeyRing


class LinkInvalid(Forbidden):
    """A download link that was changed, or that has expired."""


def sign_link(keys: KeyRing, export_id: str, expires_s: int, who: str) -> str:
    """The path and query of a download that works for `who` until `expires_s` (seconds since the epoch)."""
    query = urlencode({"expires": expires_s, "signature": _signature(keys, export_id, expires_s, who)})
    return f"/exports/{export_id}/download?{query}"


def check_link(keys: KeyRing, export_id: str, expires: str, signature: str, who: str) -> None:
    """Raises LinkInvalid."""
    good = expires.isascii() and expires.isdigit() and len(expires) < 12
    wanted = _signature(keys, export_id, int(expires), who) if good else ""
    if not good or not hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace")):
        raise LinkInvalid(f"the link is not valid for {who}; request one of your own")
    if int(expires) < time.time():
        raise LinkInvalid("the link has expired; request a new one")


def _signature(keys: KeyRing, export_id: str, expires_s: int, who: str) -> str:
    text = f"{export_id}\n{expires_s}\n{who}".encode()
    digest = hmac.new(keys.derive("download links"), text, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
