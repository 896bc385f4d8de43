from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from gateway.runtime.sealing import KeyFileError, signing_key, trusted_key

OURS = Ed25519PrivateKey.from_private_bytes(bytes(32))
OTHER = generate_private_key(SECP256R1())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "key.pem"


def test_a_private_key_is_read(path: Path) -> None:
    path.write_bytes(OURS.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    assert signing_key(path).private_bytes_raw() == bytes(32)


def test_a_public_key_is_read(path: Path) -> None:
    public = OURS.public_key()
    path.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    assert trusted_key(path).public_bytes_raw() == public.public_bytes_raw()


def test_keys_of_another_kind_are_refused(path: Path) -> None:
    path.write_bytes(OTHER.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(KeyFileError, match="none of Ed25519"):
        signing_key(path)

    public = OTHER.public_key()
    path.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(KeyFileError, match="none of Ed25519"):
        trusted_key(path)


def test_what_is_no_key_is_refused(path: Path) -> None:
    path.write_bytes(b"-----BEGIN NOTHING-----\n")

    with pytest.raises(KeyFileError, match="no private key"):
        signing_key(path)
    with pytest.raises(KeyFileError, match="no public key"):
        trusted_key(path)
