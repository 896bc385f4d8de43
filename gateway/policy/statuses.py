"""The command_status, by name, that an SP gets for a reason."""

from collections.abc import Mapping

from gateway.domain.verdict import Finding, Reason

# Common clients do not retry after RSUBMITFAIL, but do after RSYSERR, RTHROTTLED and RMSGQFUL. A
# final rejection must not use these three. A temporary one must: if the store could not be asked,
# the message may pass when it comes again.
DEFAULT_STATUSES: Mapping[Reason, str] = {
    Reason.SENDER_STATE: "ESME_RSUBMITFAIL",
    Reason.SOURCE_NOT_OWNED: "ESME_RINVSRCADR",
    Reason.SOURCE_SUSPENDED: "ESME_RSUBMITFAIL",
    Reason.DESTINATION_INVALID: "ESME_RINVDSTADR",
    Reason.EXT_TOO_LONG: "ESME_RINVSRCADR",
    Reason.OUT_OF_SCOPE: "ESME_RINVDSTADR",
    Reason.RATE: "ESME_RTHROTTLED",
    Reason.PORT_MISUSE: "ESME_RSUBMITFAIL",
    Reason.OPTED_OUT: "ESME_RSUBMITFAIL",
    Reason.CONSENT_NONE: "ESME_RSUBMITFAIL",
    Reason.CONSENT_UNPROVEN: "ESME_RSUBMITFAIL",
    Reason.CONSENT_ASKED: "ESME_RSUBMITFAIL",
    Reason.CONSENT_UNCHECKED: "ESME_RMSGQFUL",
    Reason.CONSENT_UNKNOWN: "ESME_RSUBMITFAIL",
    Reason.PUBLIC_INTEREST: "ESME_RSUBMITFAIL",
    Reason.USER_PREF: "ESME_RSUBMITFAIL",
    Reason.OUTSIDE_WINDOW: "ESME_RINVSCHED",
    Reason.FREQUENCY: "ESME_RTHROTTLED",
    Reason.FREQUENCY_UNCOUNTED: "ESME_RMSGQFUL",
    Reason.NUMBER_WALK: "ESME_RSUBMITFAIL",
    Reason.NUMBERS_UNKNOWN: "ESME_RSUBMITFAIL",
    Reason.CAMPAIGN: "ESME_RSUBMITFAIL",
    Reason.SIG_UNKNOWN: "ESME_RSUBMITFAIL",
    Reason.SIG_SWITCH: "ESME_RSUBMITFAIL",
    Reason.TPL_MISMATCH: "ESME_RSUBMITFAIL",
    Reason.NO_OPTOUT_HINT: "ESME_RSUBMITFAIL",
    Reason.NO_SENDER_NAME: "ESME_RSUBMITFAIL",
    Reason.NO_SENDER_PHONE: "ESME_RSUBMITFAIL",
    Reason.BAD_LINK: "ESME_RSUBMITFAIL",
    Reason.IMPOSTOR: "ESME_RSUBMITFAIL",
    Reason.CONTACT_GIVEN: "ESME_RSUBMITFAIL",
    Reason.SUSPICIOUS: "ESME_RSUBMITFAIL",
    Reason.CONTENT: "ESME_RSUBMITFAIL",
    Reason.CONTENT_UNREADABLE: "ESME_RSUBMITFAIL",
    Reason.CONTENT_UNCHECKED: "ESME_RSUBMITFAIL",
    Reason.PARTS_CONFLICT: "ESME_RSUBMITFAIL",
    Reason.PARTS_FORGOTTEN: "ESME_RSUBMITFAIL",
    Reason.PARTS_AWAITED: "ESME_RMSGQFUL",
    Reason.LIST_DESTINATION: "ESME_RINVDLNAME",
    Reason.MALFORMED: "ESME_RSUBMITFAIL",
    Reason.OVERLOADED: "ESME_RMSGQFUL",
}


def status_of(finding: Finding, overrides: Mapping[str, str]) -> str:
    """Return the status name for a finding: the SP's own, else its rule's, else its reason's."""
    reason = finding.reason
    return overrides.get(reason.value) or finding.status or DEFAULT_STATUSES[reason]
