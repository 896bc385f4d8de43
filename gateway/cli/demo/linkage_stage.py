"""The files of the demo of the linkage: two carriers and a hub, their keys and certificates."""

import tempfile
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway.cli.demo.cast import LOOPBACK, PASSWORD, usable_port
from gateway.runtime.clock import utcnow
from gateway.settings.schema import Address

SENDER, PORT, REPORT_CODE, OWN_BIND = "homes", "10690077", "10086999", "smsward"
_VALID = timedelta(days=1)

_GATEWAY = """\
version: 1
node: {{carrier: {carrier}, province: {province}}}
listeners:
  - {{name: plain, address: "{esme_side}"}}
smscs:
  - name: simulator
    address: "{smsc}"
    own_bind: {{system_id: {own}, password: "plain:{password}"}}
complaints: {{codes: {{"{code}": star}}}}
timers: {{drain_s: 5}}
store: {{url: "sqlite:///{directory}/smsward.db"}}
records: {{directory: "{directory}/cdr"}}
metrics: {{address: "{metrics}"}}
"""
_SENDERS = """\
version: 1
allow_plain_passwords: true
senders:
  - system_id: {sender}
    password: "plain:{password}"
    name: 江畔置业
    ports: [{{number: "{port}", purpose: marketing}}]
"""
_NO_SENDERS = "version: 1\nsenders: []\n"
_MEMBER = """\
  - name: {name}
    carrier: {carrier}
    province: {province}
    role: {role}
    url: https://{address}/
    certificates: ["sha256:{certificate}"]
    keys:
      - {{kid: {name}-1, public: {public}, not_before: {since}, not_after: {until}}}
"""
_LINKAGE = """\
version: 1
own: {name}
key: sign.pem
address: "{address}"
tls: {{certificate: node.pem, key: node.key, ca: ../ca.pem}}
{hub}{routes}members:
{members}"""


@dataclass(frozen=True, slots=True)
class DemoMember:
    """A carrier of the demo, or its hub."""

    name: str
    carrier: str
    province: str
    role: str = "node"

    @property
    def organisation(self) -> str:
        """Return how cases name it."""
        return f"{self.carrier}/{self.province}"


EAST = DemoMember("east", "东方移动", "江苏")
WEST = DemoMember("west", "西部联通", "广东")
HUB = DemoMember("hub", "联动中心", "北京", "hub")
MEMBERS = (EAST, WEST, HUB)


@dataclass(frozen=True, slots=True)
class LinkageStage:
    """The directory of the demo, with one of each member in it, and where SPs bind."""

    directory: Path
    esme_sides: Mapping[DemoMember, Address]

    @property
    def log(self) -> Path:
        """Return the file that all members log to."""
        return self.directory / "linkage.log"

    def of(self, member: DemoMember) -> Path:
        """Return the directory of a member: gateway.yaml, senders.yaml, linkage.yaml, its keys."""
        return self.directory / member.name


def build_linkage_stage(smscs: Mapping[DemoMember, Address]) -> LinkageStage:
    """Write all files into a new temporary directory; raise OSError where that fails."""
    directory = Path(tempfile.mkdtemp(prefix="smsward-linkage-"))
    addresses = {one.name: Address(LOOPBACK, usable_port(0)) for one in MEMBERS}
    authority = _Authority()
    (directory / "ca.pem").write_bytes(authority.pem)
    entries = []
    for one in MEMBERS:
        place = directory / one.name
        place.mkdir(mode=0o700)
        entries.append(_with_papers(one, place, addresses[one.name], authority))
    for one in MEMBERS:
        text = _LINKAGE.format(
            name=one.name,
            address=addresses[one.name],
            hub="" if one is HUB else "hub: hub\n",
            routes=f'routes: [{{prefix: "{PORT}", member: {WEST.name}}}]\n',
            members="".join(entries),
        )
        (directory / one.name / "linkage.yaml").write_text(text, encoding="utf-8")
    esme_sides = {one: _write_gateway(directory, one, smscs[one]) for one in smscs}
    return LinkageStage(directory, esme_sides)


def _write_gateway(directory: Path, member: DemoMember, smsc: Address) -> Address:
    place, esme_side = directory / member.name, Address(LOOPBACK, usable_port(0))
    text = _GATEWAY.format(
        carrier=member.carrier,
        province=member.province,
        esme_side=esme_side,
        smsc=smsc,
        own=OWN_BIND,
        password=PASSWORD,
        code=REPORT_CODE,
        directory=place,
        metrics=Address(LOOPBACK, usable_port(0)),
    )
    (place / "gateway.yaml").write_text(text, encoding="utf-8")
    senders = _SENDERS.format(sender=SENDER, password=PASSWORD, port=PORT)
    is_west = member is WEST
    (place / "senders.yaml").write_text(senders if is_west else _NO_SENDERS, encoding="utf-8")
    return esme_side


class _Authority:
    """A CA of this demo alone: its key is never written."""

    def __init__(self) -> None:
        self._key = generate_private_key(SECP256R1())
        self._name = _named("smsward demo CA")
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        builder = _built(self._name, self._name, self._key).add_extension(constraints, True)
        self.pem = builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM)

    def certify(self, name: str, key: EllipticCurvePrivateKey) -> x509.Certificate:
        """Return a certificate of a node on loopback."""
        host = x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))])
        builder = _built(_named(name), self._name, key).add_extension(host, False)
        return builder.sign(self._key, SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _built(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = utcnow()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _VALID)
        .not_valid_after(now + _VALID)
    )


def _with_papers(one: DemoMember, place: Path, address: Address, authority: _Authority) -> str:
    """Write the keys and the certificate of a member; return its entry in the list of members."""
    key, signing = generate_private_key(SECP256R1()), Ed25519PrivateKey.generate()
    certificate = authority.certify(one.name, key)
    (place / "node.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    for file, private in (("node.key", key), ("sign.pem", signing)):
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (place / file).touch(mode=0o600)
        (place / file).write_bytes(pem)
    now = utcnow().replace(microsecond=0)
    return _MEMBER.format(
        name=one.name,
        carrier=one.carrier,
        province=one.province,
        role=one.role,
        address=address,
        certificate=sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
        public=b64encode(signing.public_key().public_bytes_raw()).decode(),
        since=(now - _VALID).isoformat(),
        until=(now + _VALID).isoformat(),
    )
