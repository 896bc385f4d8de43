"""Who sends: service providers (SPs) with their ports, and other networks.

Who may bind, from where, and which ports are theirs.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType

from gateway.domain.msisdn import is_mobile

IpNetwork = IPv4Network | IPv6Network
# For each system_id that shares its owner: the other system_ids of that owner.
Companions = Mapping[str, tuple[str, ...]]
NO_COMPANIONS: Companions = MappingProxyType({})


# A port is a number, or abroad a name (AX-HDFCBK): eleven characters at most (3GPP TS 23.040,
# 9.1.2.5). A name begins with a letter, so that a number with a slip of the pen is none.
PORT_PATTERN = r"[0-9]{1,20}|[A-Za-z][A-Za-z0-9 &._+-]{0,10}"
PORT_PROBLEM = "must be 1 to 20 digits, or a name from a letter on"


# What subscribers refuse of numbers of other networks is refused of all peers: no SP is called so.
PEERS = "mt_in"
_FOREIGN = re.compile(rf"\+?(?:{PORT_PATTERN})")
# A trunk 0 goes before mobile numbers alone: 010 and others are area codes of fixed lines.
_BEFORE_FOREIGN = re.compile(r"^(?:\+|00|86(?=[0-9]{3})|0(?=(?:0|86)*1[3-9][0-9]{9}))+")


def foreign_number(source: str) -> str:
    """Return the number or name of another network that `source` shows, "" if it shows none.

    The plus, 00 and 86 before a number, however often, a 0 before a mobile number, small letters,
    and spaces behind a name make no other number of it.
    """
    if _FOREIGN.fullmatch(source) is None:
        return ""
    return _BEFORE_FOREIGN.sub("", source).rstrip().upper()


class SenderKind(StrEnum):
    """Whether an account sends for itself, or brings what other networks send."""

    SP = "sp"
    PEER = "peer"


class SenderState(StrEnum):
    """Whether an SP may send at all."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    EXPIRED = "expired"


class BindType(StrEnum):
    """What an SP asks for when it binds."""

    TX = "tx"
    RX = "rx"
    TRX = "trx"


class Purpose(StrEnum):
    """What a port is registered for (端口用途)."""

    MARKETING = "marketing"
    SERVICE = "service"
    VERIFICATION = "verification"
    PUBLIC_INTEREST = "public_interest"


@dataclass(frozen=True, slots=True)
class Port:
    """A port (端口号) of an SP: `number`, which up to `extension_digits` digits may follow.

    `others` are the purposes that it is registered for besides its first, `purpose`; a `shared` one
    may be another SP's, too.
    """

    number: str
    extension_digits: int = 0
    purpose: Purpose = Purpose.SERVICE
    others: tuple[Purpose, ...] = ()
    shared: bool = False

    @property
    def purposes(self) -> tuple[Purpose, ...]:
        """Return all purposes, as they are configured."""
        return (self.purpose, *self.others)

    def owns(self, source: str) -> bool:
        """Tell whether `source` is this port or an allowed extension of it."""
        extension = source[len(self.number) :]
        return (
            source.startswith(self.number)
            and len(extension) <= self.extension_digits
            and (not extension or (extension.isascii() and extension.isdigit()))
        )


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: `per_s` messages a second on average, `burst` at once."""

    per_s: float
    burst: int


@dataclass(frozen=True, slots=True)
class BindLimits:
    """How an SP may bind; an empty `addresses` admits no address."""

    maximum: int
    types: frozenset[BindType]
    addresses: tuple[IpNetwork, ...]


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where an SP hears of refusals (R36); `key`, ``env:NAME`` or ``plain:secret``, signs them.

    With `deliveries` it also gets what is kept for the SP while no session of it receives.
    """

    url: str
    key: str = field(repr=False)
    deliveries: bool = False


@dataclass(frozen=True, slots=True)
class Sender:
    """One SP, or one other network, as configured.

    `password` is a PHC string, ``env:NAME`` or ``plain:secret``; `statuses` overrides the
    command_status name of a reason (``{"CONTENT": "ESME_RINVMSGLEN"}``, or ``"0x410"`` for a
    vendor's own), and with `refusal_tlvs` refusals name reason and rule. What is refused for a
    reason in `accept` is answered ESME_ROK, and a receipt tells. Senders of one `owner` ("" means
    the sender itself) are one company: a refusal of one is a refusal of all. Its messages go to
    the SMSCs of `group`. Alerts about it go to `webhook` and to `mail`. A peer carrier has no
    ports: it brings messages from any number but those of SPs here (R63).
    """

    system_id: str
    password: str = field(repr=False)
    name: str
    state: SenderState
    binds: BindLimits
    ports: tuple[Port, ...]
    rate: Rate
    window: int
    statuses: Mapping[str, str] = field(default_factory=dict)
    webhook: Webhook | None = None
    owner: str = ""
    group: str = "main"
    refusal_tlvs: bool = False
    accept: frozenset[str] = frozenset()
    mail: str = ""
    kind: SenderKind = SenderKind.SP

    @property
    def is_peer(self) -> bool:
        """Tell whether it brings what other networks send."""
        return self.kind is SenderKind.PEER

    @property
    def scope(self) -> str:
        """Return under which name subscribers refuse all that it sends."""
        return PEERS if self.is_peer else self.system_id

    def port_of(self, source: str) -> Port | None:
        """Return the port that `source` belongs to, the longest number first, or None."""
        owned = [port for port in self.ports if port.owns(source)]
        return max(owned, key=lambda port: len(port.number), default=None)


_VITAL = frozenset({Purpose.VERIFICATION, Purpose.PUBLIC_INTEREST})


class PortOwners:
    """Finds the SPs that own an address: those of the longest port that it is or extends.

    `peers` are the accounts that bring what other networks send; any of them may bring any number
    that shows none of an SP. `sharing` are they and the SPs with a port that others own, too.
    `codes` are numbers of the carrier itself: no other network sends from them either.
    """

    __slots__ = ("_lengths", "_owners", "_shown", "_shown_lengths", "codes", "peers", "sharing")

    def __init__(self, senders: Iterable[Sender]) -> None:
        self._owners: defaultdict[str, list[tuple[Port, str]]] = defaultdict(list)
        self.codes: frozenset[str] = frozenset()
        senders = tuple(senders)
        self.peers = frozenset(one.system_id for one in senders if one.is_peer)
        for one in senders:
            for port in one.ports:
                self._owners[port.number].append((port, one.system_id))
        self._lengths = sorted({len(number) for number in self._owners}, reverse=True)
        self._shown = frozenset(map(foreign_number, self._owners)) - {""}
        self._shown_lengths = {len(number) for number in self._shown}
        shared = (owned for owned in self._owners.values() if len(owned) > 1)
        self.sharing = self.peers.union(system_id for owned in shared for _, system_id in owned)

    def of(self, address: str) -> tuple[str, ...]:
        """Return the system_ids of all who own `address`: one, as a rule, or none."""
        return self.port_of(address)[1]

    def is_shown_by(self, foreign: str) -> bool:
        """Tell whether a `foreign_number` passes for a port here, with any digits behind it.

        Or for a code of the carrier: that as it is, for other numbers may begin with its digits.
        """
        if foreign in self.codes:
            return True
        if not foreign.isdigit():
            return foreign in self._shown
        return any(foreign[:length] in self._shown for length in self._shown_lengths)

    def foreign_port_of(self, address: str) -> str:
        """Return the port of another network that an address is, "" for what is no such port.

        That are a person's number and a port of an SP here, and all addresses without peers.
        """
        number = foreign_number(address) if self.peers else ""
        if not number or self.is_shown_by(number) or is_mobile(number.encode()):
            return ""
        return number

    def is_vital(self, number: str) -> bool:
        """Tell whether a port is for codes or public warnings alone: no crowd may silence it."""
        ports = [port for port, _ in self._owners.get(number, ())]
        return bool(ports) and all(_VITAL.issuperset(port.purposes) for port in ports)

    def port_of(self, address: str) -> tuple[str, tuple[str, ...]]:
        """Return the number of the port, "" without one, and the system_ids of its owners."""
        for length in self._lengths:
            ports = self._owners.get(address[:length], ())
            owners = tuple(system_id for port, system_id in ports if port.owns(address))
            if owners:
                return address[:length], owners
        return "", ()


class LastWriters:
    """Which SP wrote last to a subscriber from a port that several SPs share.

    Of the latest `maximum` at least; up to twice as many are kept.
    """

    def __init__(self, maximum: int = 100_000) -> None:
        self._maximum = maximum
        self._latest: dict[tuple[str, int], str] = {}
        self._earlier: dict[tuple[str, int], str] = {}

    def note(self, port: str, msisdn: int, system_id: str) -> None:
        """Note that an SP wrote to a subscriber from a port."""
        if len(self._latest) >= self._maximum:
            self._earlier, self._latest = self._latest, {}
        self._latest[port, msisdn] = system_id

    def last(self, port: str, msisdn: int | None) -> str:
        """Return who wrote last from a port to a subscriber, "" if that is not known."""
        if msisdn is None:
            return ""
        key = port, msisdn
        return self._latest.get(key) or self._earlier.get(key, "")


@dataclass(frozen=True, slots=True)
class Route:
    """Messages from and to numbers that begin like this go to `group`; "" fits all numbers.

    A destination is compared in international form: 8613800138000.
    """

    group: str
    source: str = ""
    destination: str = ""


class RouteTable:
    """Finds the group of SMSCs that a message goes to by the prefixes of its numbers."""

    __slots__ = ("_groups", "_lengths")

    def __init__(self, routes: Iterable[Route]) -> None:
        self._groups = {
            (one.destination.encode(), one.source.encode()): one.group for one in routes
        }
        self._lengths = sorted(
            {(len(destination), len(source)) for destination, source in self._groups},
            reverse=True,
        )

    @classmethod
    def of(cls, routes: Collection[Route]) -> "RouteTable | None":
        """Return the table of these routes, None if there are none."""
        return cls(routes) if routes else None

    def group_of(self, source: bytes, destination: bytes) -> str:
        """Return the group, "" if no prefix fits: the longest of the destination decides first."""
        for of_destination, of_source in self._lengths:
            key = destination[:of_destination], source[:of_source]
            group = self._groups.get(key)
            if group is not None:
                return group
        return ""


def companions_of(senders: Iterable[Sender]) -> dict[str, tuple[str, ...]]:
    """Return, for each system_id that shares its owner, the other system_ids of that owner."""
    owned: defaultdict[str, list[str]] = defaultdict(list)
    for one in senders:
        owned[one.owner or one.system_id].append(one.system_id)
    return {
        system_id: tuple(other for other in company if other != system_id)
        for company in owned.values()
        if len(company) > 1
        for system_id in company
    }
