"""Which command_status, by name, an SP hears for a reason."""

from collections.abc import Mapping

from gateway.domain.verdict import Reason

# RSUBMITFAIL is not in the retry set of common clients; RSYSERR, RTHROTTLED and RMSGQFUL
# are, so a refusal that will stand must not be answered with them.
DEFAULT_STATUSES: Mapping[Reason, str] = {
    Reason.SENDER_STATE: "ESME_RSUBMITFAIL",
    Reason.SOURCE_NOT_OWNED: "ESME_RINVSRCADR",
    Reason.DESTINATION_INVALID: "ESME_RINVDSTADR",
    Reason.RATE: "ESME_RTHROTTLED",
    Reason.OPTED_OUT: "ESME_RSUBMITFAIL",
    Reason.CONSENT_NONE: "ESME_RSUBMITFAIL",
    Reason.CONSENT_UNCHECKED: "ESME_RSUBMITFAIL",
    Reason.CONTENT: "ESME_RSUBMITFAIL",
    Reason.CONTENT_UNREADABLE: "ESME_RSUBMITFAIL",
    Reason.CONTENT_UNCHECKED: "ESME_RSUBMITFAIL",
    Reason.PARTS_CONFLICT: "ESME_RSUBMITFAIL",
    Reason.LIST_DESTINATION: "ESME_RINVDLNAME",
    Reason.MALFORMED: "ESME_RSUBMITFAIL",
    Reason.OVERLOADED: "ESME_RMSGQFUL",
}


def status_of(reason: Reason, overrides: Mapping[str, str]) -> str:
    """Return the status name for `reason`, an SP's own choice first."""
    return overrides.get(reason.value) or DEFAULT_STATUSES[reason]
