"""The class of a message: what its port, its template and its text say of it (R10, R11, R22)."""

from enum import StrEnum
from typing import NamedTuple

from gateway.domain.categories import TrafficClass
from gateway.domain.filings import TemplateKind
from gateway.domain.sender import Port, Purpose
from gateway.filter.facts import TextFacts, ends_of
from gateway.filter.one_time_code import is_code_alone, may_name_code
from gateway.filter.traffic_class import is_selling

_COMMERCIAL, _VERIFICATION, _SERVICE = (
    TrafficClass.COMMERCIAL,
    TrafficClass.VERIFICATION,
    TrafficClass.SERVICE,
)
_DECLARED = {
    Purpose.MARKETING: _COMMERCIAL,
    Purpose.VERIFICATION: _VERIFICATION,
    Purpose.SERVICE: _SERVICE,
    Purpose.PUBLIC_INTEREST: _SERVICE,
}
_TEMPLATE_DECLARES = {
    kind: _SERVICE if kind is TemplateKind.PUBLIC_INTEREST else kind.traffic_class
    for kind in TemplateKind
}
# Of several classes, the one with the most rules wins: mixed counts as commercial (R10).
_STRENGTH = {_SERVICE: 0, _VERIFICATION: 1, _COMMERCIAL: 2}


class ClassedBy(StrEnum):
    """What decided about the class of a message."""

    APPROVAL = "approval"
    PORT = "port"
    TEMPLATE = "template"
    TEXT = "text"
    NAME = "name"


class MessageClass(NamedTuple):
    """The class of a message, and what decided about it."""

    traffic: TrafficClass
    by: ClassedBy


# What a port for adverts alone sends, unless it may be a code.
OF_ITS_PORT = MessageClass(_COMMERCIAL, ClassedBy.PORT)
_ADVERTS_ALONE = (Purpose.MARKETING,)


def is_advert_of(port: Port, facts: TextFacts) -> bool:
    """Tell whether a message is an advert by its port, so that its text need not be read (R10)."""
    return port.purposes == _ADVERTS_ALONE and not any(map(may_name_code, facts.texts))


def is_for(port: Port | None, purpose: Purpose) -> bool:
    """Tell whether a port is registered for a purpose."""
    return port is not None and purpose in port.purposes


def class_of(
    port: Port | None,
    template: TemplateKind | None,
    facts: TextFacts,
    *,
    is_approved: bool,
    is_selling_name: bool,
) -> MessageClass:
    """Return the class of a message from `port` with a text of `template`.

    The strongest of port, template and text wins: mixed counts as commercial, and promotion
    outweighs all else (R10, R11). Two things are not that simple. A code stays one from any port,
    so that a refusal of advertising never stops it (R22); from a port that may advertise, only
    where the text says nothing besides. A port for several purposes declares no class: its
    templates do, else the text; where the text shows none of its purposes, the strongest of these
    counts. `is_approved` says that an authority may write in the public interest,
    `is_selling_name` that the name in 【】 promotes and is not on file.
    """
    shown = facts.shown().traffic
    if is_approved and not _is_advert(facts):
        return MessageClass(TrafficClass.PUBLIC_INTEREST, ClassedBy.APPROVAL)
    if is_selling_name:
        return MessageClass(_COMMERCIAL, ClassedBy.NAME)
    filed = None if template is None else _TEMPLATE_DECLARES[template]
    if filed is not None and (port is None or port.others):
        return _stronger(MessageClass(filed, ClassedBy.TEMPLATE), shown)
    declared = _declared_by(port, shown, facts)
    if filed is not None and _STRENGTH[filed] > _STRENGTH[declared.traffic]:
        declared = MessageClass(filed, ClassedBy.TEMPLATE)
    return _stronger(declared, shown)


def _declared_by(port: Port | None, shown: TrafficClass, facts: TextFacts) -> MessageClass:
    if port is None:
        return MessageClass(_SERVICE, ClassedBy.TEXT)
    declared = {_DECLARED[purpose] for purpose in port.purposes}
    if shown is _VERIFICATION and _COMMERCIAL in declared:
        if is_code_alone(facts):
            return MessageClass(_VERIFICATION, ClassedBy.TEXT)
    elif len(declared) > 1 and shown in declared:
        return MessageClass(shown, ClassedBy.TEXT)
    return MessageClass(max(declared, key=_STRENGTH.__getitem__), ClassedBy.PORT)


def _stronger(declared: MessageClass, shown: TrafficClass) -> MessageClass:
    if _STRENGTH[shown] > _STRENGTH[declared.traffic]:
        return MessageClass(shown, ClassedBy.TEXT)
    return declared


def _is_advert(facts: TextFacts) -> bool:
    """Tell whether a text advertises without doubt: 优惠名额 may be a vaccination's."""
    return bool(facts.shown().advertised) or any(map(is_selling, map(ends_of, facts.texts)))
