"""One secret, from which every key is derived (HKDF, RFC 5869): a leak of one key tells nothing of the others."""

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Any

from arqlight.errors import SettingsError
from arqlight.extras import needed_for
from arqlight.private_files import make_folder, open_file
from arqlight.settings import KEY_FILE, Settings


class KeyRing:
    """Keys by what they are for. The secret is read, or made, when the first key is asked for.

    :param may_make: whether a secret may be made where there is none; who only reads must not answer with a new one.
    """

    def __init__(self, settings: Settings, *, may_make: bool = True) -> None:
        self._settings = settings
        self._may_make = may_make
        self._master: bytes | None = None

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose. Raises SettingsError when there is no secret and none can be made."""
        if self._master is None:
            set_key, kept = self._settings.secret_key, self._settings.data_dir / KEY_FILE
            if not (set_key or self._may_make or kept.exists()):
                raise SettingsError(
                    f"no secret key is set, and none is kept at {str(kept)!r}; name the data directory of the "
                    "installation (--data-dir, ARQLIGHT_DATA_DIR), or set its ARQLIGHT_SECRET_KEY"
                )
            self._master = set_key.get_secret_value().encode() if set_key else _kept_key(self._settings.data_dir)
        return _hkdf(self._master, f"arqlight:{purpose}".encode())

    def encrypt(self, text: str) -> bytes:
        """`text` for the database (Fernet). Raises MissingExtra."""
        return bytes(self._box().encrypt(text.encode()))

    def decrypt(self, sealed: bytes) -> str:
        """What `encrypt` was given. Raises SettingsError when the secret key has changed since."""
        from cryptography.fernet import InvalidToken

        try:
            return str(self._box().decrypt(sealed).decode())
        except InvalidToken:
            raise SettingsError(
                "a stored secret does not open with this ARQLIGHT_SECRET_KEY; set the one it was stored with"
            ) from None

    def _box(self) -> Any:
        with needed_for("a stored secret"):
            from cryptography.fernet import Fernet
        return Fernet(base64.urlsafe_b64encode(self.derive("stored secrets")))


def _hkdf(secret: bytes, info: bytes) -> bytes:
    """32 bytes of HKDF with SHA-256 and no salt (RFC 5869, 2.2 and 2.3): one block is all that 32 bytes need."""
    extracted = hmac.digest(bytes(hashlib.sha256().digest_size), secret, hashlib.sha256)
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)


def _kept_key(data_dir: Path) -> bytes:
    path = data_dir / KEY_FILE
    try:
        make_folder(data_dir)
        # Whole or not at all: of two processes that start at once, one makes it and both read it.
        draft = path.with_name(f"{KEY_FILE}.{os.getpid()}.{secrets.token_hex(4)}")
        if not path.exists():
            with open_file(draft, "x") as file:
                file.write(secrets.token_hex(32) + "\n")
            try:
                os.link(draft, path)
            except FileExistsError:
                pass  # the other one was first
            finally:
                draft.unlink()
        return path.read_text().strip().encode()
    except OSError as error:
        raise SettingsError(
            f"no secret key can be kept at {str(path)!r} ({error.strerror}); set ARQLIGHT_SECRET_KEY, for example to "
            "what `openssl rand -hex 32` prints"
        ) from error
