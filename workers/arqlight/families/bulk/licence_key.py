"""Licence keys: signed, so that they verify offline; readable, so that a person can type one.

A key is 128 characters of Crockford's base 32 (https://www.crockford.com/base32.html: no I, L, O, U; upper and lower
case mean the same) in 16 groups of 8: 15 bytes of what it says, 64 of Ed25519 signature (RFC 8032), and a check
character, modulo 37, that finds a typing error before anything is verified.

What it says is its form, the product, the batch and the number in it. A batch's id is random: a database that was
restored or copied repeats what it would count, and two copies would make the same keys. Keys of form 1 are of the time
when ids were counted; batches of that time go on in that form.
"""

import hashlib
import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from arqlight.errors import ArqlightError, SettingsError
from arqlight.families.bulk.settings import BulkSettings
from arqlight.key_ring import KeyRing
from arqlight.settings import Settings

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CHECKS = ALPHABET + "*~$=U"
COUNTED, RANDOM = 1, 2  # forms
FIRST_RANDOM, BEYOND_RANDOM = 2**32, 2**40
_BATCH_BYTES = {COUNTED: 4, RANDOM: 5}
SAID_BYTES, SIGNATURE_BYTES = 15, 64
CHARACTERS, GROUP = 127, 8
_DECODED = {character: value for value, character in enumerate(ALPHABET)} | {"O": 0, "I": 1, "L": 1}


class InvalidLicence(ArqlightError):
    """A licence key that is not one of ours, and why."""


@dataclass(frozen=True, slots=True)
class Licence:
    """What a key says: the batch it was made in, its number there, and which product it is for."""

    batch: int
    number: int
    product_tag: bytes

    def is_for(self, product: str) -> bool:
        """Whether the key is for the product of this name."""
        return self.product_tag == tag_of(product)


def tag_of(product: str) -> bytes:
    """How a key names its product: six bytes of a hash."""
    return hashlib.sha256(product.encode()).digest()[:6]


def random_batch() -> int:
    """An id for a new batch."""
    return FIRST_RANDOM + secrets.randbelow(BEYOND_RANDOM - FIRST_RANDOM)


def make_key(signer: Ed25519PrivateKey, product_tag: bytes, batch: int, number: int) -> str:
    """The key of one licence: always the same for the same signer, batch and number."""
    form = COUNTED if batch < FIRST_RANDOM else RANDOM
    size = _BATCH_BYTES[form]
    said = bytes([form]) + product_tag + batch.to_bytes(size, "big") + number.to_bytes(8 - size, "big")
    return _write(said + signer.sign(said))


def verify_key(key: str, public: Ed25519PublicKey) -> Licence:
    """What a key says, when its signature is right. Raises InvalidLicence."""
    signed = _read(key)
    said, signature = signed[:SAID_BYTES], signed[SAID_BYTES:]
    try:
        public.verify(signature, said)
    except InvalidSignature:
        raise InvalidLicence(
            "its signature is not of this public key: it was forged, or made by somebody else"
        ) from None
    if (size := _BATCH_BYTES.get(said[0])) is None:
        raise InvalidLicence(f"it is of form {said[0]}, which this version does not know")
    return Licence(int.from_bytes(said[7 : 7 + size], "big"), int.from_bytes(said[7 + size :], "big"), said[1:7])


def signing_key(settings: Settings, keys: KeyRing) -> Ed25519PrivateKey:
    """The key that signs: ARQLIGHT_LICENCE_KEY_FILE, else one derived from the secret key. Raises SettingsError."""
    key_file = settings.of(BulkSettings).licence_key_file
    if key_file is None:
        return Ed25519PrivateKey.from_private_bytes(keys.derive("licence keys"))
    where = f"ARQLIGHT_LICENCE_KEY_FILE={str(key_file)!r}"
    try:
        loaded = load_pem_private_key(key_file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(f"{where} is no private key in PEM without a password: {error}") from None
    if not isinstance(loaded, Ed25519PrivateKey):
        raise SettingsError(f"{where} is no Ed25519 key; make one with: openssl genpkey -algorithm ed25519")
    return loaded


def public_pem(signer: Ed25519PrivateKey) -> str:
    """The public key that verifies, as PEM."""
    return signer.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def read_public_key(pem: bytes) -> Ed25519PublicKey:
    """A public key out of PEM. Raises SettingsError."""
    try:
        loaded = load_pem_public_key(pem)
    except ValueError as error:
        raise SettingsError(f"that is no public key in PEM: {error}") from None
    if not isinstance(loaded, Ed25519PublicKey):
        raise SettingsError("that is no Ed25519 public key; `arqlight licence public-key` prints the one that verifies")
    return loaded


def _write(signed: bytes) -> str:
    number = int.from_bytes(signed, "big")
    # 79 bytes are 632 bits, 127 characters hold 635.
    characters = [ALPHABET[number >> 5 * place & 31] for place in range(CHARACTERS - 1, -1, -1)]
    text = "".join(characters) + CHECKS[number % 37]
    return "-".join(text[at : at + GROUP] for at in range(0, len(text), GROUP))


def _read(key: str) -> bytes:
    text = "".join(key.upper().replace("-", "").split())
    if len(text) != CHARACTERS + 1:
        raise InvalidLicence(f"it has {len(text)} characters without dashes; a key has {CHARACTERS + 1}")
    number = 0
    for place, character in enumerate(text[:-1]):
        value = _DECODED.get(character)
        if value is None:
            raise InvalidLicence(f"character {place + 1} is {character!r}, which no key has")
        number = number << 5 | value
    if number >> 8 * (SAID_BYTES + SIGNATURE_BYTES) or CHECKS[number % 37] != text[-1]:
        raise InvalidLicence("its check character does not fit: there is a typing error in it")
    return number.to_bytes(SAID_BYTES + SIGNATURE_BYTES, "big")
