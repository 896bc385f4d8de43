"""The shape of `linkage.yaml`: the members of the linkage (联动), their keys, and which is ours."""

from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, Strict

from gateway.domain.linkage import (
    AcceptRule,
    Member,
    MemberKey,
    MemberRegistry,
    MemberRole,
    NumberRoute,
)
from gateway.runtime.sealing import KeyFileError, agreement_key, signing_key
from gateway.settings import yaml
from gateway.settings.credentials import TokenDigest
from gateway.settings.schema import (
    Address,
    ListenAddress,
    ReadAs,
    Section,
    Shape,
    Text,
    Version,
    matching,
    owner_names,
    repeated,
    unique,
    url_problem,
    validate,
    without,
)
from gateway.settings.smscs import ReadableFile
from gateway.settings.yaml import Document, Fault

_METRICS_ADDRESS = Address("127.0.0.1", 9465)
_USUAL_ADDRESS = Address("127.0.0.1", 8443)
_KEY_OCTETS = 32
_MAX_KEYS = 16
_MAX_CERTIFICATES = 4
_MAX_MEMBERS = 1_000
_MAX_ROUTES = 100_000
_MAX_CATEGORIES = 100


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError("must be a time with its offset, as 2026-01-01T00:00:00+08:00")
    return at


def _public_key(text: str) -> bytes:
    try:
        key = b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != _KEY_OCTETS:
        raise ValueError("must be the 32 octets of a public key in base64")
    return key


def _signs(path: Path) -> Path:
    try:
        signing_key(path)
    except KeyFileError as error:
        raise ValueError("holds no private Ed25519 key in PEM without a password") from error
    return path


def _agrees(path: Path) -> Path:
    try:
        agreement_key(path)
    except KeyFileError as error:
        raise ValueError("holds no private X25519 key in PEM without a password") from error
    return path


_Name = Annotated[
    str, matching("[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?", "must be 1 to 32 of a-z, 0-9 and -")
]
_Kid = Annotated[str, matching("[A-Za-z0-9._-]{1,64}", "must be 1 to 64 of A-Z a-z 0-9 . _ -")]
_Moment = Annotated[datetime, ReadAs(Text, _moment)]
_Certificate = Annotated[
    bytes,
    ReadAs(
        Annotated[str, matching("sha256:[0-9a-f]{64}", 'must be "sha256:" and 64 of 0-9a-f')],
        lambda text: bytes.fromhex(text.removeprefix("sha256:")),
    ),
]


class MemberKeyShape(Shape):
    """`members[].keys[]` and `members[].agreement_keys[]`."""

    kid: _Kid
    public: Annotated[bytes, ReadAs(Text, _public_key)]
    not_before: _Moment
    not_after: _Moment
    revoked: _Moment | None = None


def _key(shape: MemberKeyShape) -> MemberKey:
    if shape.not_after <= shape.not_before:
        raise ValueError("not_after is not after not_before")
    return MemberKey(**dict(shape))


_Keys = Annotated[
    list[Annotated[MemberKey, ReadAs(MemberKeyShape, _key)]], Field(max_length=_MAX_KEYS)
]


class MemberShape(Shape):
    """`members[]`."""

    name: _Name
    carrier: Text
    province: Text
    role: Annotated[MemberRole, Strict(False)] = MemberRole.NODE
    url: Annotated[str, without(url_problem)]
    certificates: list[_Certificate] = Field(default_factory=list, max_length=_MAX_CERTIFICATES)
    keys: _Keys
    agreement_keys: _Keys = Field(default_factory=list)


def _member(shape: MemberShape) -> Member:
    return Member(
        shape.name,
        shape.carrier,
        shape.province,
        shape.role,
        shape.url,
        tuple(shape.keys),
        tuple(shape.certificates),
        tuple(shape.agreement_keys),
    )


class NumberRouteShape(Shape):
    """`routes[]`."""

    prefix: Annotated[str, matching("[0-9]{3,20}", "must be 3 to 20 digits")]
    member: _Name


def _route(shape: NumberRouteShape) -> NumberRoute:
    return NumberRoute(shape.prefix, shape.member)


@dataclass(frozen=True, slots=True)
class LinkageTls(Section):
    """`tls`: what members are shown, and the CA of what they must show."""

    certificate: ReadableFile
    key: ReadableFile
    ca: ReadableFile


@dataclass(frozen=True, slots=True)
class LinkageMetrics(Section):
    """`metrics`: where /metrics answers, and the digest of the token that it asks for."""

    address: ListenAddress = _METRICS_ADDRESS
    token: TokenDigest | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkageSettings(Section):
    """One `linkage.yaml`. `key` signs what this node sends; a relative path counts from here.

    `agreement_keys` are files with the private keys of those that the own member has.
    """

    version: Version
    own: _Name
    key: Annotated[ReadableFile, AfterValidator(_signs)]
    members: Annotated[
        tuple[Member, ...],
        ReadAs(
            Annotated[
                list[Annotated[Member, ReadAs(MemberShape, _member)]],
                Field(min_length=1, max_length=_MAX_MEMBERS),
            ],
            tuple,
        ),
    ]

    address: ListenAddress = _USUAL_ADDRESS
    tls: LinkageTls | None = None
    metrics: LinkageMetrics | None = None
    agreement_keys: Annotated[
        tuple[Path, ...],
        ReadAs(
            Annotated[
                list[Annotated[ReadableFile, AfterValidator(_agrees)]],
                Field(max_length=_MAX_KEYS),
            ],
            tuple,
        ),
    ] = ()
    text_categories: Annotated[
        tuple[str, ...], ReadAs(Annotated[list[Text], Field(max_length=_MAX_CATEGORIES)], tuple)
    ] = ()
    hub: _Name | None = None
    accept: Annotated[AcceptRule, Strict(False)] = AcceptRule.PORTS
    routes: Annotated[
        tuple[NumberRoute, ...],
        ReadAs(
            Annotated[
                list[Annotated[NumberRoute, ReadAs(NumberRouteShape, _route)]],
                Field(max_length=_MAX_ROUTES),
            ],
            tuple,
        ),
    ] = ()

    @property
    def registry(self) -> MemberRegistry:
        """Return the members by name, key and certificate."""
        return MemberRegistry(self.own, self.members)


def load_linkage(path: Path) -> LinkageSettings:
    """Read `linkage.yaml`. Raises SettingsError with all its faults."""
    document = yaml.read(path)
    yaml.anchor(
        document,
        (
            ("key",),
            ("agreement_keys", "*"),
            *(("tls", one) for one in ("certificate", "key", "ca")),
        ),
    )
    return validate(
        document,
        LinkageSettings,
        unique("members", "*", "name"),
        unique("members", "*", "keys", "*", "kid"),
        unique("members", "*", "keys", "*", "public"),
        unique("members", "*", "agreement_keys", "*", "kid"),
        unique("members", "*", "agreement_keys", "*", "public"),
        unique("members", "*", "certificates", "*"),
        unique("routes", "*", "prefix"),
        owner_names("members", "*"),
        _organisations,
        _own_member,
        _known_hub,
        _known_routes,
    )


def _own_member(document: Document) -> Iterator[Fault]:
    names = {name for _, name in document.find("members", "*", "name")}
    for where, own in document.find("own"):
        if own not in names:
            yield document.fault(where, "own: no member of this name")


def _organisations(document: Document) -> Iterator[Fault]:
    """Find nodes that cannot be told apart as the owner of a case."""
    found = (
        (where, f"{one.get('carrier')}/{one.get('province')}")
        for where, one in document.find("members", "*")
        if isinstance(one, dict) and one.get("role") != MemberRole.HUB
    )
    for where, first in repeated(found):
        line = document.marks[first].line
        yield document.fault(where, f"the member of line {line} has this carrier and province")


def _known_hub(document: Document) -> Iterator[Fault]:
    names = {name for _, name in document.find("members", "*", "name")}
    own = {name for _, name in document.find("own")}
    for where, hub in document.find("hub"):
        if hub is not None and hub not in names:
            yield document.fault(where, "hub: no member of this name")
        elif hub in own:
            yield document.fault(where, "hub: this node is that member")


def _known_routes(document: Document) -> Iterator[Fault]:
    names = {name for _, name in document.find("members", "*", "name")}
    members = [one for _, one in document.find("members", "*") if isinstance(one, dict)]
    hubs = {str(one.get("name")) for one in members if one.get("role") == MemberRole.HUB}
    for where, member in document.find("routes", "*", "member"):
        if member not in names:
            yield document.fault(where, "member: no member of this name")
        elif member in hubs:
            yield document.fault(where, "member: a hub acts on no case")
