"""What strangers, thieves of keys and broken members send: each is refused by its name."""

import json
import random
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias

from gateway.domain.linkage import MAX_SKEW, Member, MemberKey, RefusalReason
from gateway.systems.linkage.envelope import EventSigner, event_in
from gateway.systems.linkage.model import LinkageEvent
from tests.systems.linkage.conftest import NOW, YEAR, Node

FORGED_ID = "forged"
_EXPIRED, _REVOKED = RefusalReason.KEY_EXPIRED, RefusalReason.KEY_REVOKED
_STRANGER = Node("stranger")
_NO_SIGNATURE = "A" * 86  # 64 octets of zeros


@dataclass(frozen=True, slots=True)
class Forgery:
    """What is sent, over whose certificate, by which clock, and why it is refused."""

    envelope: bytes
    by: Member | None
    sent_at: datetime
    reason: RefusalReason


def give_bad_keys(node: Node) -> None:
    """Give a member an expired and a revoked key beside the one in use."""
    public = node.key.public
    keys = (
        node.key,
        MemberKey(f"{node.name}-{_EXPIRED}", public, NOW - 2 * YEAR, NOW - YEAR),
        MemberKey(f"{node.name}-{_REVOKED}", public, NOW - YEAR, NOW + YEAR, NOW - YEAR),
    )
    node.member = replace(node.member, keys=keys)


@dataclass(frozen=True, slots=True)
class Original:
    """An event that `peer` has taken `now` from `by`; `maker` has made it."""

    envelope: bytes
    maker: Node
    peer: Node
    by: Member
    now: datetime

    @property
    def event(self) -> LinkageEvent:
        event = event_in(self.envelope)
        assert isinstance(event, LinkageEvent)
        return event


def forged(chance: random.Random, nodes: Sequence[Node], original: Original) -> Forgery:
    """Return a forgery of an event, by chance one of those of this page."""
    reason = chance.choice(list(_FORGERIES))
    usual = Forgery(original.envelope, original.by, original.now, reason)
    return replace(usual, **_FORGERIES[reason](original, chance, nodes))


Forge: TypeAlias = Callable[[Original, random.Random, Sequence[Node]], dict[str, Any]]


def _unsigned(original: Original, *_: object) -> dict[str, Any]:
    changed = json.loads(original.envelope) | {"signature": _NO_SIGNATURE}
    return {"envelope": json.dumps(changed).encode()}


def _over_another_certificate(
    original: Original, chance: random.Random, nodes: Sequence[Node]
) -> dict[str, Any]:
    known = (original.maker.name, original.peer.name, "hub")
    return {"by": chance.choice([one.member for one in nodes if one.name not in known])}


def _over_no_certificate(*_: object) -> dict[str, Any]:
    return {"by": None}


def _by_a_stranger(original: Original, *_: object) -> dict[str, Any]:
    return {"envelope": _STRANGER.signer.sign_event(replace(original.event, id=FORGED_ID))}


def _with_another_body(original: Original, chance: random.Random, *_: object) -> dict[str, Any]:
    data = {**original.event.data, "later": chance.random()}
    return {"envelope": original.maker.signer.sign_event(replace(original.event, data=data))}


def _with_a_bad_key(reason: RefusalReason) -> Forge:
    def forge(original: Original, *_: object) -> dict[str, Any]:
        signer = EventSigner(f"{original.maker.name}-{reason}", original.maker.private)
        event = replace(original.event, id=FORGED_ID, time=original.now)
        return {"envelope": signer.sign_event(event)}

    return forge


def _by_a_wrong_clock(original: Original, chance: random.Random, *_: object) -> dict[str, Any]:
    return {"sent_at": original.now + MAX_SKEW * chance.choice((1, -1))}


def _with(**changes: str) -> Forge:
    def forge(original: Original, *_: object) -> dict[str, Any]:
        payload = json.loads(original.envelope)["payload"]
        document = json.loads(urlsafe_b64decode(payload + "==")) | changes
        signer = original.maker.signer
        return {"envelope": signer._sign(json.dumps(document).encode(), "linkage-event+jws")}

    return forge


_FORGERIES: Mapping[RefusalReason, Forge] = {
    RefusalReason.WRONG_SIGNATURE: _unsigned,
    RefusalReason.WRONG_PEER: _over_another_certificate,
    RefusalReason.UNKNOWN_PEER: _over_no_certificate,
    RefusalReason.UNKNOWN_KEY: _by_a_stranger,
    RefusalReason.CONFLICT: _with_another_body,
    _EXPIRED: _with_a_bad_key(_EXPIRED),
    _REVOKED: _with_a_bad_key(_REVOKED),
    RefusalReason.CLOCK_SKEW: _by_a_wrong_clock,
    RefusalReason.UNKNOWN_TYPE: _with(type="smsward.case.later"),
    RefusalReason.NEWER_SCHEMA: _with(dataschema="urn:smsward:schema:linkage-event:2"),
}
