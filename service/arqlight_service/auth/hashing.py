"""How cookies, tokens and names stand on the server: who reads its keys cannot make any of them of it."""

import hashlib


def hashed(text: str) -> str:
    """SHA-256, in hex. What is random already needs no slow hash: there is nothing to guess."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
