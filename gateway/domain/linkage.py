"""Linkage (联动) between carriers: its members, their keys, and why an event is refused."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

# How far a member's clock may be off before what it says is refused.
MAX_SKEW = timedelta(minutes=15)
# What waits for a member that is down may arrive so long after its key has expired.
KEY_GRACE = timedelta(days=14)
# Of ``carrier/province``, which names the owner of a case.
MAX_ORGANISATION_CHARS = 64
_SOURCE = "urn:smsward:member:"


def organisation_of(carrier: str, province: str) -> str:
    """Return what a node is called as the owner of a case."""
    return f"{carrier}/{province}"


class MemberRole(StrEnum):
    """What a member does: a carrier's node, or a hub that forwards between nodes."""

    NODE = "node"
    HUB = "hub"


class AcceptRule(StrEnum):
    """Which cases this node accepts by itself: those about a port of an SP here, or none."""

    PORTS = "ports"
    PERSON = "person"


class KeyState(StrEnum):
    """Whether a key may sign."""

    VALID = "valid"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class MemberKey:
    """The public key `kid`, of 32 octets: Ed25519 to sign with, X25519 to agree on a secret with.

    `revoked` is since when it counts for nothing.
    """

    kid: str
    public: bytes
    not_before: datetime
    not_after: datetime
    revoked: datetime | None = None

    def state_at(self, now: datetime) -> KeyState:
        """Return whether the key may sign now."""
        if self.revoked is not None and self.revoked <= now:
            return KeyState.REVOKED
        if now < self.not_before:
            return KeyState.NOT_YET_VALID
        return KeyState.VALID if now < self.not_after else KeyState.EXPIRED

    def state_of_event(self, at: datetime, now: datetime) -> KeyState:
        """Return whether the key may have signed an event of `at` that is read `now`.

        An event may wait for days. A revoked key counts for nothing, for an older event as well:
        who stole a key can write any time into an event.
        """
        state = self.state_at(now)
        if state is KeyState.EXPIRED and at < self.not_after and now < self.not_after + KEY_GRACE:
            state = KeyState.VALID
        return self.state_at(at) if state is KeyState.VALID else state


@dataclass(frozen=True, slots=True)
class Member:
    """One node or hub. `certificates` are SHA-256 digests of those that it shows over mTLS.

    `keys` sign its events; by `agreement_keys` it has a secret with each other member.
    """

    name: str
    carrier: str
    province: str
    role: MemberRole
    url: str
    keys: tuple[MemberKey, ...]
    certificates: tuple[bytes, ...] = ()
    agreement_keys: tuple[MemberKey, ...] = ()

    @property
    def source(self) -> str:
        """Return the `source` of its events."""
        return _SOURCE + self.name

    @property
    def organisation(self) -> str:
        """Return what it is called as the owner of a case."""
        return organisation_of(self.carrier, self.province)


@dataclass(frozen=True, slots=True)
class NumberRoute:
    """Numbers that begin like this are for a member: it goes before the number plan."""

    prefix: str
    member: str


@dataclass(frozen=True, slots=True)
class MemberRegistry:
    """All members; `own` is the name of this node."""

    own: str
    members: tuple[Member, ...]
    _by_name: dict[str, Member] = field(init=False, repr=False, compare=False)
    _by_kid: dict[str, tuple[Member, MemberKey]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {one.name: one for one in self.members})
        by_kid = {key.kid: (one, key) for one in self.members for key in one.keys}
        object.__setattr__(self, "_by_kid", by_kid)

    @property
    def own_member(self) -> Member:
        """Return this node."""
        return self._by_name[self.own]

    def find(self, name: str) -> Member | None:
        """Return the member of this name."""
        return self._by_name.get(name)

    def find_source(self, source: str) -> Member | None:
        """Return the member of this source of events."""
        member = self.find(source.removeprefix(_SOURCE))
        return member if member is not None and member.source == source else None

    def find_key(self, kid: str) -> tuple[Member, MemberKey] | None:
        """Return the key `kid` and the member that signs with it."""
        return self._by_kid.get(kid)

    def kid_in_use(self, public: bytes, now: datetime) -> str | None:
        """Return the id of this node's key `public`, None if it may not sign now."""
        usable = (one for one in self.own_member.keys if one.state_at(now) is KeyState.VALID)
        return next((one.kid for one in usable if one.public == public), None)

    def find_certificate(self, digest: bytes) -> Member | None:
        """Return the member that shows this certificate."""
        return next((one for one in self.members if digest in one.certificates), None)


class RefusalReason(StrEnum):
    """Why a message of the linkage is not taken; the names are part of the protocol."""

    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown_key"
    WRONG_SIGNATURE = "wrong_signature"
    WRONG_SOURCE = "wrong_source"
    KEY_NOT_YET_VALID = "key_not_yet_valid"
    KEY_EXPIRED = "key_expired"
    KEY_REVOKED = "key_revoked"
    CLOCK_SKEW = "clock_skew"
    UNKNOWN_PEER = "unknown_peer"
    WRONG_PEER = "wrong_peer"
    WRONG_RECIPIENT = "wrong_recipient"
    CONFLICT = "conflict"
    NEWER_SCHEMA = "newer_schema"
    UNKNOWN_TYPE = "unknown_type"
    INVALID_DATA = "invalid_data"
    WHOLE_NUMBER = "whole_number"
    TOO_MANY = "too_many"


# The receiver may take the same octets later: its list of members or a clock is behind.
PASSING_REASONS = frozenset(
    {
        RefusalReason.UNKNOWN_KEY,
        RefusalReason.KEY_NOT_YET_VALID,
        RefusalReason.CLOCK_SKEW,
        RefusalReason.UNKNOWN_PEER,
        RefusalReason.WRONG_PEER,
        RefusalReason.NEWER_SCHEMA,
        RefusalReason.UNKNOWN_TYPE,
        RefusalReason.TOO_MANY,
    }
)


class OutboxState(StrEnum):
    """What became of an event that is to be sent."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class EventRefusal:
    """Why an event was refused. `detail` names a place in it, never a value."""

    reason: RefusalReason
    detail: str = ""
