"""`smscs` and `routes` of `gateway.yaml`: the SMSCs, the gateway's accounts there, and prefixes."""

import os
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field, Strict

from gateway.domain.sender import PORT_PATTERN, PORT_PROBLEM, BindType, IpNetwork, Route
from gateway.settings import yaml
from gateway.settings.credentials import smsc_password_problem
from gateway.settings.schema import (
    Count,
    Id,
    Network,
    PeerAddress,
    ReadAs,
    Section,
    Shape,
    SystemId,
    Text,
    matching,
    repeated,
    without,
)


class SmscMode(StrEnum):
    """Whose binds stand at an SMSC: one for each bind of an SP, or the gateway's own."""

    TRANSPARENT = "transparent"
    POOLED = "pooled"


def _readable(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise ValueError("no such file (a relative path counts from the file that names it)")
    if not os.access(path, os.R_OK):
        raise ValueError("this file cannot be read")
    return path


ReadableFile = Annotated[Path, ReadAs(Text, _readable)]


class OwnBindType(StrEnum):
    """What the bind may do: hear, submit, or both."""

    RECEIVER = "receiver"
    TRANSMITTER = "transmitter"
    TRANSCEIVER = "transceiver"


@dataclass(frozen=True, slots=True)
class OwnAccount(Section):
    """`smscs[].own_bind`: the account of the gateway itself, and how it binds."""

    system_id: SystemId
    password: Annotated[str, without(smsc_password_problem)] = field(repr=False)
    bind_type: Annotated[OwnBindType, Strict(False)] = OwnBindType.TRANSCEIVER
    system_type: Annotated[str, matching("[!-~]{0,12}", "must be 12 visible ASCII at most")] = ""


@dataclass(frozen=True, slots=True)
class SmscTls(Section):
    """`smscs[].tls`: how an SMSC is trusted (`ca`, else the system's) and what it is shown.

    `server_name` is the name its certificate must bear, the address's host when None.
    """

    ca: ReadableFile | None = None
    certificate: ReadableFile | None = None
    key: ReadableFile | None = None
    server_name: Text | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")


@dataclass(frozen=True, slots=True)
class OutbindPeer(Section):
    """`smscs[].outbind`: from where, and as whom, an SMSC may ask the gateway to bind."""

    addresses: Annotated[
        tuple[IpNetwork, ...],
        ReadAs(Annotated[list[Network], Field(min_length=1, max_length=64)], tuple),
    ]
    system_id: SystemId
    password: Annotated[str, without(smsc_password_problem)] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Smsc(Section):
    """`smscs[]`: one SMSC to forward to.

    Of one `group` the SMSCs with the lowest `priority` that are up take the binds, in shares by
    `weight`. A sender names its group. A pooled one has `binds` binds of the gateway's own, with
    `system_id` and `password`, and `window` requests under way on each. One with `outbind` says
    when its `own_bind` is wanted.
    """

    name: Text
    address: PeerAddress
    mode: Annotated[SmscMode, Strict(False)] = SmscMode.TRANSPARENT
    tls: SmscTls | None = None
    group: Id = "main"
    priority: Count = 1
    weight: Count = 1
    binds: Annotated[int, Field(ge=1, le=64)] = 2
    window: Annotated[int, Field(ge=1, le=10_000)] = 100
    bind_type: Annotated[BindType, Strict(False)] = BindType.TRX
    system_id: SystemId | None = None
    password: Annotated[str, without(smsc_password_problem)] | None = field(
        default=None, repr=False
    )
    own_bind: OwnAccount | None = None
    outbind: OutbindPeer | None = None

    def __post_init__(self) -> None:
        if self.outbind is not None and self.own_bind is None and not self.is_pooled:
            raise ValueError("outbind needs an account to bind with: own_bind, or mode: pooled")
        has = self.system_id is not None, self.password is not None
        if any(has) != self.is_pooled or all(has) != self.is_pooled:
            raise ValueError("system_id and password go with mode: pooled, and that with both")
        if self.bind_type is BindType.RX:
            raise ValueError("bind_type must be trx or tx: messages go there")

    @property
    def is_pooled(self) -> bool:
        """Tell whether its binds are the gateway's own."""
        return self.mode is SmscMode.POOLED


class RouteShape(Shape):
    """`routes[]`: which messages go to the SMSCs of another group than their sender's."""

    group: Id
    source: Annotated[str, matching(PORT_PATTERN, PORT_PROBLEM)] = ""
    destination: Annotated[
        str, matching("[1-9][0-9]{0,14}", "must be 1 to 15 digits of the international form, no +")
    ] = ""


def _route(shape: RouteShape) -> Route:
    if not shape.source and not shape.destination:
        raise ValueError("needs a source, a destination, or both")
    return Route(**dict(shape))


AnyRoute = Annotated[Route, ReadAs(RouteShape, _route)]


@dataclass(frozen=True, slots=True)
class SmscGroups:
    """The groups of SMSCs, those of them that are pooled, and the routes to them by prefix.

    Where they cannot be known there are none.
    """

    names: frozenset[str] = frozenset()
    pooled: frozenset[str] = frozenset()
    routes: tuple[Route, ...] = ()


def one_mode(document: yaml.Document) -> Iterator[yaml.Fault]:
    """Find SMSCs of another mode than the first of their group has."""
    modes: dict[object, object] = {}
    for where, smsc in document.find("smscs", "*"):
        if isinstance(smsc, dict):
            mode, group = smsc.get("mode", "transparent"), smsc.get("group", "main")
            if isinstance(group, str) and modes.setdefault(group, mode) != mode:
                problem = f"the group {group} has SMSCs of another mode"
                yield document.fault((*where, "mode" if "mode" in smsc else "name"), problem)


def routes_to_smscs(document: yaml.Document) -> Iterator[yaml.Fault]:
    """Find routes to groups that cannot be reached so, and prefixes that are named twice."""
    smscs = [smsc for _, smsc in document.find("smscs", "*") if isinstance(smsc, dict)]
    modes = {str(one.get("group", "main")): one.get("mode", "transparent") for one in smscs}
    prefixes: list[tuple[yaml.Where, Hashable]] = []
    for where, route in document.find("routes", "*"):
        if isinstance(route, dict):
            group, to = str(route.get("group")), str(route.get("destination", ""))
            prefixes.append((where, (str(route.get("source", "")), to)))
            if group not in modes:
                yield document.fault((*where, "group"), f"no SMSC is of the group {group}")
            elif to and modes[group] != SmscMode.POOLED:
                problem = (
                    f"a destination prefix needs pooled groups, and {group} is transparent: there"
                    " a session has one bind, and each of its messages may go to another group"
                )
                yield document.fault((*where, "destination"), problem)
    for where, first in repeated(prefixes):
        line = document.mark(first).line
        yield document.fault(where, f"has the prefixes of the route in line {line}")
