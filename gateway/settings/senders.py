"""`senders.yaml`: the SPs by system_id, and other networks (R63)."""

import math
import stat
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, Strict

from gateway.domain.msisdn import is_mobile
from gateway.domain.sender import (
    PEERS,
    BindLimits,
    BindType,
    Port,
    Purpose,
    Rate,
    RouteTable,
    Sender,
    SenderKind,
    SenderState,
    Webhook,
)
from gateway.settings import yaml
from gateway.settings.credentials import (
    is_samples_own,
    password_problem,
    webhook_key_problem,
)
from gateway.settings.gateway import GatewaySettings, NodeRole
from gateway.settings.schema import (
    MAX_PORT_DIGITS,
    Count,
    Id,
    MailAddress,
    Network,
    PortNumber,
    Shape,
    SystemId,
    Text,
    Version,
    parse_network,
    unique,
    url_problem,
    validate,
    without,
)
from gateway.settings.smscs import SmscGroups
from gateway.settings.status_maps import shipped_maps, status_faults
from gateway.settings.yaml import Document, Fault, Where


class BindsShape(Shape):
    """`senders[].binds`. Unless addresses are named, only this machine may bind."""

    max: Count = 10
    types: Annotated[list[Annotated[BindType, Strict(False)]], Field(min_length=1)] = Field(
        default_factory=lambda: list(BindType)
    )
    addresses: list[Network] = Field(
        default_factory=lambda: [parse_network("127.0.0.0/8"), parse_network("::1/128")]
    )


_PurposeName = Annotated[Purpose, Strict(False)]


def _listed(purposes: object) -> object:
    return purposes if isinstance(purposes, list) else [purposes]


class PortShape(Shape):
    """`senders[].ports[]`. The purpose has no default: it decides which law applies."""

    number: PortNumber
    extension_digits: Annotated[int, Field(ge=0, lt=MAX_PORT_DIGITS)] = 0
    shared: bool = False
    purpose: Annotated[
        list[_PurposeName], BeforeValidator(_listed), Field(min_length=1, max_length=len(Purpose))
    ]

    def port(self) -> Port:
        """Return the port; a purpose that is named twice counts once."""
        first, *others = dict.fromkeys(self.purpose)
        return Port(self.number, self.extension_digits, first, tuple(others), self.shared)


class RateShape(Shape):
    """`senders[].rate`. Without a burst, one second's worth."""

    per_s: Annotated[float, Field(gt=0, le=1_000_000)] = 100
    burst: Count | None = None


class WebhookShape(Shape):
    """`senders[].webhook`. `key` has no default: what is not signed proves nothing."""

    url: Annotated[str, without(url_problem)]
    key: Annotated[str, without(webhook_key_problem)]
    deliveries: bool = False


class SenderShape(Shape):
    """`senders[]`. A peer is another carrier, with numbers of its own (R63): it names no ports."""

    system_id: SystemId
    kind: Annotated[SenderKind, Strict(False)] = SenderKind.SP
    password: Annotated[str, without(password_problem)]
    name: Text | None = None
    owner: Annotated[Text, Field(max_length=64)] | None = None
    state: Annotated[SenderState, Strict(False)] = SenderState.ACTIVE
    binds: BindsShape = BindsShape()
    ports: list[PortShape] = Field(default_factory=list)
    rate: RateShape = RateShape()
    window: Count = 100
    status_map: Id | None = None
    statuses: dict[str, str] = Field(default_factory=dict)
    refusal_tlvs: bool = False
    accept: list[str] = Field(default_factory=list)
    webhook: WebhookShape | None = None
    mail: MailAddress | None = None
    group: Id = "main"


class SendersFile(Shape):
    """The whole file."""

    version: Version
    allow_plain_passwords: bool = False
    status_maps: dict[Id, dict[str, str]] = Field(default_factory=dict)
    senders: list[SenderShape]


def load_senders(
    path: Path,
    groups: SmscGroups = SmscGroups(),  # noqa: B008 - frozen
    report_codes: Collection[str] = (),
    *,
    takes_peers: bool = True,
) -> dict[str, Sender]:
    """Read `senders.yaml`. Raises SettingsError with all its faults.

    Unless the node `takes_peers` no sender may be one.

    The group of a sender is that of all its ports, if a route of `groups` names one. No port may
    own one of `report_codes`.
    """
    file = validate(
        yaml.read(path),
        SendersFile,
        unique("senders", "*", "system_id"),
        _plain_passwords,
        _long_ports,
        _extended_people,
        _shared_ports,
        status_faults,
        partial(_groups, groups=groups.names),
        partial(_routed_ports, groups=groups),
        partial(_report_codes, codes=report_codes),
        partial(_peers, takes_peers=takes_peers),
    )
    routes = RouteTable(groups.routes)
    maps = file.status_maps
    return {shape.system_id: _sender(shape, _map_of(shape, maps), routes) for shape in file.senders}


def _map_of(shape: SenderShape, maps: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    """Return the map of statuses that an SP names: one of the file comes before a shipped one."""
    name = shape.status_map
    if name is None:
        return {}
    return maps[name] if name in maps else shipped_maps()[name]


def takes_peers(settings: GatewaySettings | None) -> bool:
    """Tell whether senders.yaml may name other networks (R63); yes where that cannot be known."""
    return settings is None or settings.node.role is NodeRole.TERMINATING


def are_secrets_readable(path: Path, senders: Iterable[Sender]) -> bool:
    """Tell whether every account of this machine can read secrets in `senders.yaml`.

    A hash is one, for it can be tried at leisure. What stands in the environment is not in the
    file, and the sample's password is no secret.
    """
    if not stat.S_IMODE(path.stat().st_mode) & stat.S_IROTH:
        return False
    return any(
        _is_secret(one.password) or (one.webhook is not None and _is_secret(one.webhook.key))
        for one in senders
    )


def _is_secret(stored: str) -> bool:
    return not stored.startswith("env:") and not is_samples_own(stored)


def _sender(shape: SenderShape, statuses: Mapping[str, str], routes: RouteTable) -> Sender:
    binds, rate, webhook = shape.binds, shape.rate, shape.webhook
    groups = _groups_of(shape.group, (port.number for port in shape.ports), routes)
    return Sender(
        system_id=shape.system_id,
        kind=shape.kind,
        password=shape.password,
        name=shape.name or shape.system_id,
        state=shape.state,
        binds=BindLimits(binds.max, frozenset(binds.types), tuple(binds.addresses)),
        ports=tuple(port.port() for port in shape.ports),
        rate=Rate(rate.per_s, rate.burst or math.ceil(rate.per_s)),
        window=shape.window,
        statuses={**statuses, **shape.statuses},
        webhook=None if webhook is None else Webhook(webhook.url, webhook.key, webhook.deliveries),
        mail=shape.mail or "",
        owner=shape.owner or "",
        group=groups.pop() if len(groups) == 1 else shape.group,
        refusal_tlvs=shape.refusal_tlvs,
        accept=frozenset(shape.accept),
    )


def _plain_passwords(document: Document) -> Iterator[Fault]:
    if any(value is True for _, value in document.find("allow_plain_passwords")):
        return
    for way in (("password",), ("webhook", "key")):
        for where, secret in document.find("senders", "*", *way):
            if isinstance(secret, str) and secret.startswith("plain:"):
                yield document.fault(
                    where,
                    f"plain: {way[-1]}s need allow_plain_passwords: true (demo and tests only)",
                )


def _ports(document: Document) -> Iterator[tuple[Where, str, int]]:
    """Yield the way to its number, number and extension digits of each port of sound shape."""
    for where, port in document.find("senders", "*", "ports", "*"):
        if isinstance(port, dict):
            number, extension = port.get("number"), port.get("extension_digits", 0)
            if isinstance(number, str) and isinstance(extension, int):
                yield (*where, "number"), number, extension


def _report_codes(document: Document, codes: Collection[str]) -> Iterator[Fault]:
    """Find ports that subscribers could not write to, for what they write is a complaint (R80)."""
    for where, number, extension in _ports(document):
        port = Port(number, extension)
        for code in filter(port.owns, codes):
            yield document.fault(
                where, f"{code} is a report code in gateway.yaml: no SP gets what is written there"
            )


def _peers(document: Document, *, takes_peers: bool) -> Iterator[Fault]:
    """Find other networks where none may be, and those with ports of SPs here (R63)."""
    for where, sender in document.find("senders", "*"):
        if not isinstance(sender, dict):
            continue
        if sender.get("system_id") == PEERS:
            yield document.fault((*where, "system_id"), f"{PEERS} stands for all other networks")
        if sender.get("kind") != SenderKind.PEER:
            continue
        if not takes_peers:
            problem = "peer needs node.role: terminating in gateway.yaml"
            yield document.fault((*where, "kind"), problem)
        if sender.get("ports"):
            yield document.fault((*where, "ports"), "a peer sends from any number but ours")


def _long_ports(document: Document) -> Iterator[Fault]:
    for where, number, extension in _ports(document):
        if extension and not number.isdigit():
            yield document.fault(
                (*where[:-1], "extension_digits"), "no digits follow a port that is a name"
            )
        elif len(number) <= MAX_PORT_DIGITS < len(number) + extension:
            yield document.fault(
                where, f"number and extension together exceed {MAX_PORT_DIGITS} digits"
            )


def _extended_people(document: Document) -> Iterator[Fault]:
    """Find ports that people's mobile numbers with digits behind them would be sources of.

    A person writes from the number alone, and is judged as one; longer, as a port.
    """
    for where, number, extension in _ports(document):
        for digits in range(min(extension, MAX_PORT_DIGITS)):
            if is_mobile(number.encode("utf-8", "replace") + b"0" * digits):
                yield document.fault(
                    (*where[:-1], "extension_digits"),
                    "digits behind a person's mobile number would make it a port:"
                    f" {digits} at most here",
                )


def _shared_ports(document: Document) -> Iterator[Fault]:
    """Find source addresses that two SPs would own, and numbers that one SP lists twice.

    Of names that differ in upper and lower case alone, one would be taken for the other. SPs share
    a number if all of them say so.
    """
    owners: dict[str, tuple[Where, int]] = {}
    for where, number, extension in _ports(document):
        owners.setdefault(number.upper(), (where, extension))
    ports = dict(document.find("senders", "*", "ports", "*"))
    sharing: set[tuple[Where, str]] = set()
    for where, number, _ in _ports(document):
        first = _other_owner(owners, where, number.upper())
        if first is not None and _share(ports, where, first) and (where[:2], number) not in sharing:
            sharing.add((where[:2], number))
        elif first is not None:
            line = document.marks[first].line
            yield document.fault(where, f"overlaps the port in line {line}")


def _share(ports: Mapping[Where, object], one: Where, other: Where) -> bool:
    """Tell whether two SPs say the same of a number, and both that they share it."""
    said = [
        (port.get("number"), port.get("extension_digits", 0), port.get("shared"))
        for port in (ports[one[:-1]], ports[other[:-1]])
        if isinstance(port, dict)
    ]
    return said[0] == said[1] and said[0][2] is True and one[:2] != other[:2]


def _other_owner(
    owners: Mapping[str, tuple[Where, int]], where: Where, number: str
) -> Where | None:
    """Return the first port that owns `number` too, or None.

    An SP may register a longer number of its own for another purpose: the longest decides.
    """
    for length in range(1, min(len(number), MAX_PORT_DIGITS) + 1):
        other, extension = owners.get(number[:length], (where, 0))
        is_same_number = length == len(number)
        if (
            other != where
            and len(number) - length <= extension
            and (is_same_number or other[:2] != where[:2])
        ):
            return other
    return None


def _groups(document: Document, groups: Collection[str]) -> Iterator[Fault]:
    """Find senders that name a group without an SMSC."""
    for where, sender in document.find("senders", "*"):
        if not groups or not isinstance(sender, dict):
            continue
        group = sender.get("group", "main")
        if isinstance(group, str) and group not in groups:
            is_named = "group" in sender
            yield document.fault(
                (*where, "group" if is_named else "system_id"),
                f"no SMSC in gateway.yaml is of the group {group}",
            )


def _groups_of(own: str, numbers: Iterable[str], routes: RouteTable) -> set[str]:
    """Return the groups that messages from these ports go to, wherever they go."""
    return {routes.group_of(number.encode(), b"") or own for number in numbers}


def _routed_ports(document: Document, groups: SmscGroups) -> Iterator[Fault]:
    """Find SPs with ports that go to several groups, where a session has one bind."""
    table, numbers = RouteTable(groups.routes), defaultdict[Where, set[str]](set)
    prefixes = [one.source for one in groups.routes if not one.destination]
    for where, number, extension in _ports(document) if prefixes else ():
        longest = len(number) + extension  # a prefix may reach into the digits behind the number
        within = (one for one in prefixes if one.startswith(number) and len(one) <= longest)
        numbers[where[:2]].update((number, *within))
    for where, sender in document.find("senders", "*"):
        own = sender.get("group", "main") if isinstance(sender, dict) else None
        found = _groups_of(own, numbers[where], table) if isinstance(own, str) else set()
        if len(found) > 1 and not found | {own} <= groups.pooled:
            named = ", ".join(sorted(found))
            yield document.fault(
                (*where, "system_id"),
                f"by the routes in gateway.yaml its ports go to the groups {named}, and a session"
                " has one bind: all of them, and its own group, must be pooled",
            )
