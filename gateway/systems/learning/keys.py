"""The Ed25519 keys by which models are signed and trusted, from PEM files."""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

_MAX_OCTETS = 64 * 1024  # a key takes a few hundred


class KeyFileError(Exception):
    """A file holds no key of the kind that is needed."""


def signing_key(path: Path) -> Ed25519PrivateKey:
    """Return the private key in the PEM file `path`. Raises KeyFileError, OSError."""
    octets = _octets_of(path)
    try:
        key = load_pem_private_key(octets, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{path}: no private key in PEM without a password") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path}: a private key, but none of Ed25519")
    return key


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
