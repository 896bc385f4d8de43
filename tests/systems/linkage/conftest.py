"""Two members of the linkage and a hub, with keys of their own."""

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.domain.linkage import Member, MemberKey, MemberRegistry, MemberRole
from gateway.systems.linkage.envelope import EventSigner
from gateway.systems.linkage.model import EventType, LinkageEvent

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
YEAR = timedelta(days=365)
DATA: dict[str, object] = {
    "port": "10690001",
    "category": "fraud",
    "complaints": 3,
    "first_at": "2026-11-29T08:00:00+08:00",
    "last_at": "2026-11-30T08:00:00+08:00",
    "feedback_due": "2026-12-21T00:00:00+08:00",
}


class Node:
    """A member with its private key."""

    def __init__(self, name: str, role: MemberRole = MemberRole.NODE) -> None:
        self.name = name
        self.private = Ed25519PrivateKey.generate()
        self.signer = EventSigner(f"{name}-1", self.private)
        public = self.private.public_key().public_bytes_raw()
        self.key = MemberKey(f"{name}-1", public, NOW - YEAR, NOW + YEAR)
        self.agreements: list[X25519PrivateKey] = []
        url, certificate = f"https://{name}.example/", name.encode().ljust(32, b"-")
        self.member = Member(name, name, "广东", role, url, (self.key,), (certificate,))

    def agree(self, kid: str = "", **changes: object) -> MemberKey:
        """Give this member one more agreement key."""
        private = X25519PrivateKey.generate()
        self.agreements.append(private)
        public = private.public_key().public_bytes_raw()
        key = MemberKey(kid or f"{self.name}-a", public, NOW - YEAR, NOW + YEAR)
        key = replace(key, **changes)  # type: ignore[arg-type]
        self.member = replace(self.member, agreement_keys=(*self.member.agreement_keys, key))
        return key


def dispatched(**changes: object) -> LinkageEvent:
    fields: dict[str, object] = {
        "id": "e-1",
        "source": "urn:smsward:member:a",
        "type": EventType.DISPATCHED,
        "time": NOW,
        "subject": "case-7",
        "recipient": "b",
        "sequence": 1,
        "data": DATA,
    }
    return LinkageEvent(**fields | changes)  # type: ignore[arg-type]


PEM = Encoding.PEM, PrivateFormat.PKCS8
LINKAGE = """\
version: 1
own: b
key: b.pem
agreement_keys: [b-agrees.pem]
members:
"""
MEMBER = """\
  - name: {name}
    carrier: {name}
    province: 广东
    role: {role}
    url: {url}
    keys:
      - {{kid: {kid}, public: "{public}", not_before: "{before}", not_after: "{after}"}}
    agreement_keys:
      - {{kid: {name}-a, public: "{agrees}", not_before: "{before}", not_after: "{after}"}}
"""


@pytest.fixture
def config(deployment: Path, nodes: dict[str, Node]) -> Path:
    """Return the configuration of a deployment that is the member b."""
    pem = nodes["b"].private.private_bytes(*PEM, NoEncryption())
    text = LINKAGE
    for one in nodes.values():
        text += MEMBER.format(
            name=one.name,
            role=one.member.role,
            url=one.member.url,
            kid=one.key.kid,
            public=b64encode(one.key.public).decode(),
            agrees=b64encode(one.member.agreement_keys[0].public).decode(),
            before=one.key.not_before.isoformat(),
            after=one.key.not_after.isoformat(),
        )
    (deployment / "config/b.pem").write_bytes(pem)
    pem = nodes["b"].agreements[0].private_bytes(*PEM, NoEncryption())
    (deployment / "config/b-agrees.pem").write_bytes(pem)
    (deployment / "config/linkage.yaml").write_text(text, encoding="utf-8")
    return deployment / "config"


@pytest.fixture
def nodes() -> dict[str, Node]:
    found = {"a": Node("a"), "b": Node("b"), "hub": Node("hub", MemberRole.HUB)}
    for one in found.values():
        one.agree()
    return found


@pytest.fixture
def registry(nodes: dict[str, Node]) -> MemberRegistry:
    return MemberRegistry("b", tuple(one.member for one in nodes.values()))
