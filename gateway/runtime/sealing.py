"""Sealing of numbers and texts at rest (AES-SIV), and the keys of models and of the linkage."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from gateway.domain import msisdn as numbers

KEY_OCTETS = frozenset({32, 48, 64})
KEY_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,15}")


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys by their id, 32, 48 or 64 octets each, and the id of the one to seal with."""

    by_id: Mapping[str, bytes] = field(repr=False)
    current: str


class SealError(Exception):
    """A sealed value cannot be opened: its key is not here, or somebody changed it."""


class Sealer:
    """Seals with the key `current`, opens with any of `keys` (id to 32, 48 or 64 octets).

    Sealing the same value with the same key gives the same token (RFC 5297, without a
    nonce): records can be searched for a number without opening them, and who has the
    files but no key learns only which values are equal.
    """

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        self._ciphers = {key_id: AESSIV(key) for key_id, key in keys.items()}
        self._current = self._ciphers[current]
        self._prefix = f"{current}:"

    def seal(self, value: bytes) -> str:
        """Return ``id:base64url`` of `value`."""
        return self._prefix + _coded(self._current, value)

    def open(self, token: str) -> bytes:
        """Return what was sealed. Raises SealError, which tells nothing of the value."""
        key_id, _, coded = token.partition(":")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            known = f" with the key {key_id}" if KEY_ID.fullmatch(key_id) else ""
            raise SealError(f"sealed{known}, which is not among the keys")
        try:
            sealed = urlsafe_b64decode(coded + "=" * (-len(coded) % 4))
            return cipher.decrypt(sealed, [b""])
        except (InvalidTag, ValueError) as error:
            raise SealError(f"not what was sealed with the key {key_id}") from error

    def has_key_of(self, token: str) -> bool:
        """Tell whether the key that `token` names is here."""
        return token.partition(":")[0] in self._ciphers

    def tokens_of(self, msisdn: int) -> frozenset[str]:
        """Return every token `msisdn` may stand under: all keys, all spellings of SPs."""
        spellings = spellings_of(msisdn)
        return frozenset(
            f"{key_id}:{_coded(cipher, spelling)}"
            for key_id, cipher in self._ciphers.items()
            for spelling in spellings
        )


def spellings_of(msisdn: int) -> frozenset[bytes]:
    """Return every address that domain.msisdn.msisdn_of takes for `msisdn`."""
    return frozenset(one.encode() for one in numbers.spellings_of(msisdn))


def _coded(cipher: AESSIV, value: bytes) -> str:
    # An empty associated datum: without any, this library refuses an empty value.
    return urlsafe_b64encode(cipher.encrypt(value, [b""])).rstrip(b"=").decode()


_MAX_OCTETS = 64 * 1024  # a key takes a few hundred


class KeyFileError(Exception):
    """A file holds no key of the kind that is needed."""


def signing_key(path: Path) -> Ed25519PrivateKey:
    """Return the private key in the PEM file `path`. Raises KeyFileError, OSError."""
    key = _private_key(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path}: a private key, but none of Ed25519")
    return key


def agreement_key(path: Path) -> X25519PrivateKey:
    """Return the private key by which a secret is agreed. Raises KeyFileError, OSError."""
    key = _private_key(path)
    if not isinstance(key, X25519PrivateKey):
        raise KeyFileError(f"{path}: a private key, but none of X25519")
    return key


def _private_key(path: Path) -> PrivateKeyTypes:
    octets = _octets_of(path)
    try:
        return load_pem_private_key(octets, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{path}: no private key in PEM without a password") from error


def trusted_key(path: Path) -> Ed25519PublicKey:
    """Return the public key in the PEM file `path`. Raises KeyFileError, OSError."""
    octets = _octets_of(path)
    try:
        key = load_pem_public_key(octets)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{path}: no public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileError(f"{path}: a public key, but none of Ed25519")
    return key


def _octets_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_OCTETS)
