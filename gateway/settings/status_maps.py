"""What SPs hear in place of the usual command_status: by reason, and maps of them by name."""

from collections.abc import Iterator, Mapping
from functools import cache

from gateway.domain.verdict import RETRIED, Reason, ReasonCode
from gateway.settings.yaml import Document, Fault, Where
from gateway.smpp.status import CommandStatus, status_named


def _reasons() -> Mapping[str, ReasonCode]:
    # Most files need none, and importing compiled code takes longer than reading the others.
    from gateway.policy.checks import all_reasons  # noqa: PLC0415

    return all_reasons()


@cache
def shipped_maps() -> Mapping[str, Mapping[str, str]]:
    """Return the maps that are shipped, by their names; one of senders.yaml takes their place."""
    reasons = _reasons().items()
    return {"cmpp": {name: reason.cmpp for name, reason in reasons if reason.cmpp}}


_SETS = (("senders", "*", "statuses"), ("status_maps", "*"))
# What the answer alone can tell, or what is never judged.
_NEVER_ACCEPTED = frozenset(
    {Reason.PARTS_AWAITED, Reason.MALFORMED, Reason.LIST_DESTINATION, Reason.PUBLIC_INTEREST}
)


def status_faults(document: Document) -> Iterator[Fault]:
    """Find unknown reasons, statuses and maps, and reasons that cannot be accepted.

    ESME_ROK would tell the SP that a refused message was accepted. Nothing that passes later can
    be: an SP that hears ESME_ROK would not send it again.
    """
    for way in _SETS:
        for where, status in document.find(*way, "*"):
            yield from _faults_of(document, where, status)
    defined = {where[-1] for where, _ in document.find("status_maps", "*")}
    for where, name in document.find("senders", "*", "status_map"):
        if isinstance(name, str) and name not in defined | shipped_maps().keys():
            yield document.fault(where, f"there is no map {name}: {', '.join(shipped_maps())} is")
    for where, name in document.find("senders", "*", "accept", "*"):
        reason = _reasons().get(str(name))
        if reason is None:
            yield document.fault(where, "no such reason")
        elif reason in _NEVER_ACCEPTED or reason.status in RETRIED:
            yield document.fault(where, "the SP must hear of this one in the answer")


def _faults_of(document: Document, where: Where, status: object) -> Iterator[Fault]:
    if where[-1] not in _reasons():
        yield document.fault(where, "no such reason", at_key=True)
    if not isinstance(status, str):
        return  # the shape finds this
    try:
        is_error = status_named(status) != CommandStatus.ESME_ROK
    except KeyError:
        is_error = False
    if not is_error:
        problem = "no error status: a name, as ESME_RSUBMITFAIL, or a number from 0x400 to 0x4FF"
        yield document.fault(where, problem)
