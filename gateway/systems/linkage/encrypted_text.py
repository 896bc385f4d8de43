"""The text of a complaint in a case, encrypted to the member that must act (JWE, RFC 7516).

Neither the outbox here nor a hub has it in clear. It names its case: in another it is refused.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

import orjson
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from gateway.domain.linkage import MemberKey
from gateway.systems.linkage.model import whole_number_in, without_numbers
from gateway.systems.linkage.pair_keys import PairKeys

# Of a longer text, its beginning. An event has 64 KiB, and this is coded twice in base64.
MAX_TEXT_CHARS = 4_000
_AGREEMENT, _CIPHER = "ECDH-ES+A256KW", "A256GCM"
_ALGORITHMS = (_AGREEMENT, _CIPHER)
# No others: a compressed text could be of any length.
_HEADER = frozenset({"alg", "enc", "kid", "epk"})
_TRIES = 5


def encrypt_text(text: str, subject: str, key: MemberKey) -> str | None:
    """Return the text for the case `subject`, for the owner of `key` alone to read.

    Mobile numbers in it are left out. None for a text without words, or a weak key.
    """
    words = without_numbers(text, MAX_TEXT_CHARS)
    public = OKPKey.import_key({"kty": "OKP", "crv": "X25519", "x": _coded(key.public)})
    header = {"alg": _AGREEMENT, "enc": _CIPHER, "kid": key.kid}
    payload = orjson.dumps({"subject": subject, "text": words})
    # Once in some thousand years the letters of one look like a number, which no member takes.
    for _ in range(_TRIES if words else 0):
        try:
            sealed = jwe.encrypt_compact(header, payload, public, algorithms=_ALGORITHMS)
        except (JoseError, ValueError):
            return None
        if whole_number_in(sealed) is None:
            return sealed
    return None


def decrypt_text(sealed: str, subject: str, keys: PairKeys) -> str | None:
    """Return the text for the case `subject`; None if it is not for this node."""
    try:
        header = json.loads(_decoded(sealed.partition(".")[0]))
        private = keys.private_of(str(header["kid"])) if set(header) == _HEADER else None
        if private is None:
            return None
        opened = jwe.decrypt_compact(sealed, _private(private), algorithms=_ALGORITHMS)
        found = orjson.loads(opened.plaintext or b"")
    except (JoseError, ValueError, KeyError, TypeError, RecursionError):
        return None
    match found:
        case {"subject": str(named), "text": str(text)} if named == subject:
            return text
        case _:
            return None


def _private(key: X25519PrivateKey) -> OKPKey:
    return OKPKey.import_key(
        {
            "kty": "OKP",
            "crv": "X25519",
            "d": _coded(key.private_bytes_raw()),
            "x": _coded(key.public_key().public_bytes_raw()),
        }
    )


def _coded(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
