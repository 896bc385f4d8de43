"""Service providers (SPs): who may bind, from where, and which ports they own."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType

IpNetwork = IPv4Network | IPv6Network
# For each system_id that shares its owner: the other system_ids of that owner.
Companions = Mapping[str, tuple[str, ...]]
NO_COMPANIONS: Companions = MappingProxyType({})


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
    """A port (端口号) of an SP: `number`, which up to `extension_digits` digits may follow."""

    number: str
    extension_digits: int = 0
    purpose: Purpose = Purpose.SERVICE

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
    """Where an SP hears of refusals (R36); `key`, ``env:NAME`` or ``plain:secret``, signs them."""

    url: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sender:
    """One SP as configured.

    `password` is a PHC string, ``env:NAME`` or ``plain:secret``; `statuses` overrides the
    command_status name of a reason (``{"CONTENT": "ESME_RINVMSGLEN"}``). Senders of one `owner` (""
    means the sender itself) are one company: a refusal of one is a refusal of all.
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

    def port_of(self, source: str) -> Port | None:
        """Return the port that `source` belongs to, the longest number first, or None."""
        owned = [port for port in self.ports if port.owns(source)]
        return max(owned, key=lambda port: len(port.number), default=None)


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
