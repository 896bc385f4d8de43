"""Secrets of two members, by which a number is named between them, for no other to compare.

Each member has X25519 keys in the list of members. Two of them give one secret at both ends, so
none is sent, and a new key of either gives another.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.domain.linkage import KeyState, Member, MemberKey, MemberRegistry

_SECRET_OCTETS = 32
_PURPOSE = b"smsward linkage: hashes of numbers, version 1"


class PairKey(NamedTuple):
    """The secret of two agreement keys, `kids`: that of the sender first."""

    kids: tuple[str, str]
    secret: bytes


class PairKeys:
    """The secrets of this node with each other member; `private` are its agreement keys."""

    def __init__(self, registry: MemberRegistry, private: Iterable[X25519PrivateKey] = ()) -> None:
        by_public = {one.public_key().public_bytes_raw(): one for one in private}
        self._own = [
            (key, by_public[key.public])
            for key in registry.own_member.agreement_keys
            if key.public in by_public
        ]

    def in_use(self, member: Member, now: datetime) -> PairKey | None:
        """Return the secret for what goes to a member now; None if either has no valid key."""
        own = [one for one in self._own if one[0].state_at(now) is KeyState.VALID]
        other = newest_key_of(member, now)
        if not own or other is None:
            return None
        key, private = max(own, key=lambda one: one[0].not_before)
        secret = _secret(key, private, other)
        return None if secret is None else PairKey((key.kid, other.kid), secret)

    def of_event(self, member: Member, kids: Sequence[str], now: datetime) -> bytes | None:
        """Return the secret by which a member has made a hash; None if it is not to be had.

        `kids` are as the event names them. A key that has expired since counts. A revoked one
        does not, nor one without its private half.
        """
        their_kid, own_kid = kids
        theirs = [one for one in member.agreement_keys if one.kid == their_kid]
        own = [one for one in self._own if one[0].kid == own_kid]
        if not theirs or not own or theirs[0].state_at(now) is KeyState.REVOKED:
            return None
        return _secret(*own[0], theirs[0])

    def private_of(self, kid: str) -> X25519PrivateKey | None:
        """Return the private half of an agreement key of this node, None if it is not here."""
        return next((private for key, private in self._own if key.kid == kid), None)


def newest_key_of(member: Member, now: datetime) -> MemberKey | None:
    """Return the newest valid agreement key of a member."""
    valid = (one for one in member.agreement_keys if one.state_at(now) is KeyState.VALID)
    return max(valid, key=lambda one: one.not_before, default=None)


def _secret(own: MemberKey, private: X25519PrivateKey, other: MemberKey) -> bytes | None:
    """Return the secret of two keys, the same at both ends; None for a key that gives none."""
    try:
        shared = private.exchange(X25519PublicKey.from_public_bytes(other.public))
    except ValueError:  # a point of low order: everybody would know the secret
        return None
    # Both keys are bound into it (RFC 7748, 6.1).
    keys = b"".join(sorted((own.public, other.public)))
    return HKDF(SHA256(), _SECRET_OCTETS, salt=keys, info=_PURPOSE).derive(shared)
