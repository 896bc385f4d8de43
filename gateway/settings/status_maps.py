"""What SPs hear in place of the usual command_status: by reason, and maps of them by name."""

from collections.abc import Iterator, Mapping

from gateway.domain.verdict import Reason
from gateway.settings.yaml import Document, Fault, Where
from gateway.smpp.status import CommandStatus, status_named

# The Result of a CMPP 3.0 SUBMIT_RESP plus 0x400, where CMPP has one: 1 structure, 7 service,
# 8 flow control, 9 number not served, 10 Src_Id, 11 Msg_src, 13 Dest_terminal_Id. From 0x420 on
# are the gateway's own: consent, behaviour (0x428), filing (0x430), content (0x440).
_CMPP = {
    Reason.SENDER_STATE: "0x40B",
    Reason.SOURCE_NOT_OWNED: "0x40A",
    Reason.SOURCE_SUSPENDED: "0x40A",
    Reason.DESTINATION_INVALID: "0x40D",
    Reason.EXT_TOO_LONG: "0x40A",
    Reason.OUT_OF_SCOPE: "0x409",
    Reason.RATE: "0x408",
    Reason.PORT_MISUSE: "0x407",
    Reason.OPTED_OUT: "0x420",
    Reason.CONSENT_NONE: "0x421",
    Reason.CONSENT_UNPROVEN: "0x422",
    Reason.CONSENT_ASKED: "0x423",
    Reason.CONSENT_UNCHECKED: "0x408",
    Reason.CONSENT_UNKNOWN: "0x424",
    Reason.USER_PREF: "0x425",
    Reason.OUTSIDE_WINDOW: "0x426",
    Reason.FREQUENCY: "0x408",
    Reason.FREQUENCY_UNCOUNTED: "0x408",
    Reason.NUMBER_WALK: "0x428",
    Reason.NUMBERS_UNKNOWN: "0x429",
    Reason.CAMPAIGN: "0x42A",
    Reason.SIG_UNKNOWN: "0x430",
    Reason.SIG_SWITCH: "0x431",
    Reason.TPL_MISMATCH: "0x432",
    Reason.NO_OPTOUT_HINT: "0x433",
    Reason.NO_SENDER_NAME: "0x434",
    Reason.NO_SENDER_PHONE: "0x435",
    Reason.BAD_LINK: "0x440",
    Reason.IMPOSTOR: "0x441",
    Reason.CONTACT_GIVEN: "0x442",
    Reason.SUSPICIOUS: "0x443",
    Reason.CONTENT: "0x444",
    Reason.CONTENT_UNREADABLE: "0x445",
    Reason.CONTENT_UNCHECKED: "0x446",
    Reason.PARTS_CONFLICT: "0x447",
    Reason.PARTS_FORGOTTEN: "0x448",
    Reason.LIST_DESTINATION: "0x40D",
}
# A map of the same name in senders.yaml takes the place of one that is shipped.
SHIPPED_MAPS: Mapping[str, Mapping[str, str]] = {
    "cmpp": {reason.value: status for reason, status in _CMPP.items()}
}

_SETS = (("senders", "*", "statuses"), ("status_maps", "*"))
# What passes later: who hears ESME_ROK would not send it again. And what is never judged.
_NEVER_ACCEPTED = frozenset(
    {
        Reason.RATE,
        Reason.FREQUENCY,
        Reason.FREQUENCY_UNCOUNTED,
        Reason.CONSENT_UNCHECKED,
        Reason.OVERLOADED,
        Reason.PARTS_AWAITED,
        Reason.MALFORMED,
        Reason.LIST_DESTINATION,
        Reason.PUBLIC_INTEREST,
    }
)


def status_faults(document: Document) -> Iterator[Fault]:
    """Find unknown reasons, statuses and maps, and reasons that cannot be accepted.

    ESME_ROK would tell the SP that a refused message was accepted.
    """
    for way in _SETS:
        for where, status in document.find(*way, "*"):
            yield from _faults_of(document, where, status)
    defined = {where[-1] for where, _ in document.find("status_maps", "*")}
    for where, name in document.find("senders", "*", "status_map"):
        if isinstance(name, str) and name not in defined | SHIPPED_MAPS.keys():
            yield document.fault(where, f"there is no map {name}: {', '.join(SHIPPED_MAPS)} is")
    for where, reason in document.find("senders", "*", "accept", "*"):
        if reason in _NEVER_ACCEPTED:
            yield document.fault(where, "the SP must hear of this one in the answer")


def _faults_of(document: Document, where: Where, status: object) -> Iterator[Fault]:
    if where[-1] not in Reason.__members__:
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
