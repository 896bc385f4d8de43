"""The shape of `console.yaml`, and what it settles: where the HTTP API answers, and to whom."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, Strict, ValidationError

from gateway.domain.api_client import ApiClient, ApiRole, RefusalChannel
from gateway.domain.oidc_client import CLAIMED_ROLES, OidcClient
from gateway.domain.permissions import UserRole
from gateway.domain.sender import (
    BindLimits,
    Port,
    PortOwners,
    Rate,
    Sender,
    SenderKind,
    SenderState,
)
from gateway.settings import yaml
from gateway.settings.credentials import TokenDigest, mail_password_problem, secret_of
from gateway.settings.gateway import ListenerTls
from gateway.settings.schema import (
    Address,
    ListenAddress,
    ReadAs,
    Section,
    Shape,
    SystemId,
    Text,
    Version,
    is_loopback,
    parse_address,
    unique,
    validate,
    without,
)
from gateway.settings.senders import PortShape
from gateway.settings.smscs import ReadableFile
from gateway.settings.yaml import Document, Fault

MAX_CLIENTS = 1000
MAX_PROVINCE_CHARS = 32
_USUAL_ADDRESS = Address("127.0.0.1", 8080)

_NAME = re.compile(r"[^\W_](?:[\w .-]{0,30}[^\W_])?")


def client_name_problem(text: str) -> str | None:
    """Return what is wrong with the name of a client, or None."""
    if not _NAME.fullmatch(text):
        return "must be 1 to 32 letters, digits, spaces, dots, - and _"
    return None


def province_problem(text: str) -> str | None:
    """Return what is wrong with the province of a client, or None."""
    if not text or len(text) > MAX_PROVINCE_CHARS or not text.isprintable():
        return f"must be 1 to {MAX_PROVINCE_CHARS} characters that can be shown"
    return None


def _address_problem(address: str) -> str | None:
    """Return what is wrong with an address of a provider, or one that it leads back to."""
    try:
        parts = urlsplit(address)
        is_local = parts.hostname in ("127.0.0.1", "::1", "localhost")
    except ValueError:
        return "is no address"
    if parts.scheme == "https" or (parts.scheme == "http" and is_local):
        return None if parts.hostname and not parts.fragment else "is no address"
    return "must begin with https://, or with http:// on this machine"


class ApiTlsShape(Shape):
    """`tls`."""

    certificate: ReadableFile
    key: ReadableFile


class ApiClientShape(Shape):
    """`clients[]`."""

    name: Annotated[str, without(client_name_problem)]
    token: TokenDigest
    role: Annotated[ApiRole, Strict(False)]
    system_id: SystemId | None = None
    channels: list[Annotated[RefusalChannel, Strict(False)]] = Field(default_factory=list)
    province: Annotated[str, without(province_problem)] | None = None


def _tls(shape: ApiTlsShape) -> ListenerTls:
    return ListenerTls(shape.certificate, shape.key)


def _client(shape: ApiClientShape) -> ApiClient:
    if (shape.role is ApiRole.SP) != (shape.system_id is not None):
        raise ValueError("a client of the role sp has a system_id, no other has one")
    if (shape.role is ApiRole.CLERK) != bool(shape.channels):
        raise ValueError("a client of the role clerk has channels, no other has any")
    if (shape.role is ApiRole.REGULATOR) != (shape.province is not None):
        raise ValueError("a client of the role regulator has a province, no other has one")
    return ApiClient(
        shape.name,
        shape.role,
        shape.token,
        shape.system_id or "",
        tuple(shape.channels),
        shape.province or "",
    )


_Clients = Annotated[
    list[Annotated[ApiClient, ReadAs(ApiClientShape, _client)]],
    Field(max_length=MAX_CLIENTS),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings(Section):
    """`sessions`: how long one lasts without a request and at all, and how many a user has."""

    idle_minutes: Annotated[int, Field(ge=1, le=1440)] = 30
    absolute_hours: Annotated[int, Field(ge=1, le=168)] = 12
    per_user: Annotated[int, Field(ge=1, le=100)] = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoPersonSettings(Section):
    """`two_persons`: acts that a second person has to approve, and how long a request waits."""

    make_admin: bool = False
    release_campaign_above: Annotated[int, Field(ge=1)] | None = None
    switch_rule_off: bool = False
    unmask_in_bulk_above: Annotated[int, Field(ge=1, le=10_000)] | None = None
    expires_hours: Annotated[int, Field(ge=1, le=168)] = 24


class OidcShape(Shape):
    """`oidc`: a provider at which people may sign in, in the place of password and code."""

    issuer: Annotated[str, without(_address_problem)]
    client_id: Text
    client_secret: Annotated[str, without(mail_password_problem)]
    redirect_uri: Annotated[str, without(_address_problem)]
    label: Annotated[str, Field(min_length=1, max_length=32)] = "SSO"
    name_claim: Text = "preferred_username"
    role_claim: Text | None = None
    roles: dict[Text, Annotated[UserRole, Strict(False)]] = Field(default_factory=dict)
    make_users: bool = False
    default_role: Annotated[UserRole, Strict(False)] | None = None


def _oidc(shape: OidcShape) -> OidcClient:
    if bool(shape.roles) != (shape.role_claim is not None):
        raise ValueError("role_claim and roles go together")
    given = {*shape.roles.values(), *filter(None, [shape.default_role])}
    if given - CLAIMED_ROLES:
        raise ValueError("admin, sender and regulator are given by people, not by a claim")
    if shape.make_users and not given:
        raise ValueError("make_users needs a default_role, or role_claim with roles")
    if shape.default_role is not None and (not shape.make_users or shape.role_claim is not None):
        raise ValueError("default_role goes with make_users, and without role_claim")
    return OidcClient(
        shape.issuer,
        shape.client_id,
        secret_of(shape.client_secret).decode(),
        shape.redirect_uri,
        shape.label,
        shape.name_claim,
        shape.role_claim or "",
        shape.roles,
        shape.make_users,
        shape.default_role,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings(Section):
    """One `console.yaml`. Relative paths count from its directory."""

    version: Version
    address: ListenAddress = _USUAL_ADDRESS
    tls: Annotated[ListenerTls, ReadAs(ApiTlsShape, _tls)] | None = None
    behind_tls_proxy: bool = False
    sessions: SessionSettings = SessionSettings()
    two_persons: TwoPersonSettings = TwoPersonSettings()
    oidc: Annotated[OidcClient, ReadAs(OidcShape, _oidc)] | None = None
    clients: Annotated[tuple[ApiClient, ...], ReadAs(_Clients, tuple)] = ()


def load_console(path: Path, senders: Collection[str] | None) -> ConsoleSettings:
    """Read `console.yaml`. Its SPs must be in `senders`, if those are known.

    Raises SettingsError with all faults; none of them shows a token.
    """
    checks = [] if senders is None else [partial(_strangers, senders=senders)]
    document = yaml.read(path)
    yaml.anchor(document, (("tls", "certificate"), ("tls", "key")))
    return validate(
        document,
        ConsoleSettings,
        unique("clients", "*", "name"),
        unique("clients", "*", "token"),
        _open_to_all,
        *checks,
    )


def load_system_ids(path: Path) -> frozenset[str]:
    """Return the system_ids of `senders.yaml`, also if the file has faults.

    The passwords in it may be in the environment of the gateway alone. Raises SettingsError
    for what is no YAML.
    """
    found = yaml.read(path).find("senders", "*", "system_id")
    return frozenset(value for _, value in found if isinstance(value, str))


def load_ports(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the ports of each sender of `senders.yaml`, also if the file has faults.

    Raises SettingsError for what is no YAML.
    """
    document = yaml.read(path)
    numbers = list(document.find("senders", "*", "ports", "*", "number"))
    return {
        system_id: tuple(one for at, one in numbers if at[1] == where[1] and isinstance(one, str))
        for where, system_id in document.find("senders", "*", "system_id")
        if isinstance(system_id, str)
    }


def load_port_owners(path: Path) -> PortOwners:
    """Return who owns which port of `senders.yaml`, also if the file has faults.

    Raises SettingsError for what is no YAML.
    """
    document = yaml.read(path)
    ports: defaultdict[object, list[Port]] = defaultdict(list)
    for where, port in document.find("senders", "*", "ports", "*"):
        with suppress(ValidationError):
            ports[where[1]].append(PortShape.model_validate(port).port())
    kinds = document.find("senders", "*", "kind")
    peers = {where[1] for where, kind in kinds if kind == SenderKind.PEER}
    return PortOwners(
        Sender(
            *(system_id, "", system_id, SenderState.ACTIVE, BindLimits(0, frozenset(), ())),
            *(tuple(ports[where[1]]), Rate(1, 1), 1),
            kind=SenderKind.PEER if where[1] in peers else SenderKind.SP,
        )
        for where, system_id in document.find("senders", "*", "system_id")
        if isinstance(system_id, str)
    )


def _open_to_all(document: Document) -> Iterator[Fault]:
    """Find an address that others can reach where nothing hides tokens and numbers from them.

    Behind a proxy with TLS the operator says that only the proxy reaches it.
    """
    if any(found is True for _, found in document.find("behind_tls_proxy")):
        return
    for where, value in document.find("address"):
        try:
            host = parse_address(value).host
        except ValueError:
            continue  # the shape finds this
        has_tls = any(tls is not None for _, tls in document.find("tls"))
        if not has_tls and not is_loopback(host):
            yield document.fault(where, "address: others reach it, so tls must be given")


def _strangers(document: Document, senders: Collection[str]) -> Iterator[Fault]:
    for where, system_id in document.find("clients", "*", "system_id"):
        if isinstance(system_id, str) and system_id not in senders:
            yield document.fault(where, "there is no such sender in senders.yaml")
