"""What SPs have filed (报备): licences, signatures, templates, port scopes, approvals."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TypeAlias

from gateway.domain.traffic import TrafficClass


class TemplateKind(StrEnum):
    """What the texts of a template are for; a consent request asks before it sells (R23)."""

    VERIFICATION = "verification"
    SERVICE = "service"
    COMMERCIAL = "commercial"
    PUBLIC_INTEREST = "public_interest"
    CONSENT_REQUEST = "consent_request"

    @property
    def traffic_class(self) -> TrafficClass:
        """Return the class that a text of this kind is declared as.

        A consent request is advertising: all rules for commercial messages hold for it, except that
        it needs no consent yet.
        """
        if self is TemplateKind.CONSENT_REQUEST:
            return TrafficClass.COMMERCIAL
        return TrafficClass(self.value)


@dataclass(frozen=True, slots=True)
class Licence:
    """An SP's licence (许可证), valid through the day `valid_until` (O31 art. 6, R01)."""

    system_id: str
    number: str
    valid_until: date


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature (签名) without its brackets (R12).

    `sources` are the sub-ports, in digits, that belong to this signature and to no other of the SP
    (R06). Empty means that any port of the SP may use it.
    """

    system_id: str
    name: str
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """A template (模板): `text` without signature, with the variables {1}, {2} and so on (R12).

    Each variable stands for 1 to `max_variable` characters.
    """

    system_id: str
    id: str
    kind: TemplateKind
    text: str
    max_variable: int = 20


@dataclass(frozen=True, slots=True)
class PortScope:
    """The one province in which a provincial port may be used (R04)."""

    system_id: str
    port: str
    province: str


@dataclass(frozen=True, slots=True)
class Approval:
    """An authority's approval of a public-interest port, from one day through another (R11)."""

    system_id: str
    port: str
    reference: str
    valid_from: date
    valid_until: date


Filing: TypeAlias = Licence | Signature | Template | PortScope | Approval

# The fields that identify a filing of each kind. A later filing with the same values replaces the
# earlier one.
KEYS: dict[type[Filing], tuple[str, ...]] = {
    Licence: ("system_id",),
    Signature: ("system_id", "name"),
    Template: ("system_id", "id"),
    PortScope: ("system_id", "port"),
    Approval: ("system_id", "port", "reference"),
}
_ORDER = {kind: number for number, kind in enumerate(KEYS)}

FilingKey: TypeAlias = tuple[int, tuple[str, ...]]


def key_of(filing: Filing) -> FilingKey:
    """Return the key of a filing; keys sort by kind, then by SP."""
    kind = type(filing)
    return _ORDER[kind], tuple(getattr(filing, name) for name in KEYS[kind])
