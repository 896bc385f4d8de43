"""What the gateway decided about a message, and why."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.warning import Severity, WarningCode


class Action(StrEnum):
    """What is done with a message, weakest first."""

    FORWARD = "forward"
    DEFER = "defer"
    QUARANTINE = "quarantine"
    THROTTLE = "throttle"
    REJECT = "reject"


class Reason(StrEnum):
    """Stable names of reasons; records, metrics and per-SP status overrides use them."""

    SENDER_STATE = "SENDER_STATE"
    SOURCE_NOT_OWNED = "SOURCE_NOT_OWNED"
    SOURCE_SUSPENDED = "SOURCE_SUSPENDED"
    DESTINATION_INVALID = "DESTINATION_INVALID"
    EXT_TOO_LONG = "EXT_TOO_LONG"
    OUT_OF_SCOPE = "OUT_OF_SCOPE"
    RATE = "RATE"
    PORT_MISUSE = "PORT_MISUSE"
    OPTED_OUT = "OPTED_OUT"
    CONSENT_NONE = "CONSENT_NONE"
    CONSENT_UNPROVEN = "CONSENT_UNPROVEN"
    CONSENT_ASKED = "CONSENT_ASKED"
    CONSENT_UNCHECKED = "CONSENT_UNCHECKED"
    CONSENT_UNKNOWN = "CONSENT_UNKNOWN"
    PUBLIC_INTEREST = "PUBLIC_INTEREST"
    USER_PREF = "USER_PREF"
    OUTSIDE_WINDOW = "OUTSIDE_WINDOW"
    FREQUENCY = "FREQUENCY"
    FREQUENCY_UNCOUNTED = "FREQUENCY_UNCOUNTED"
    NUMBER_WALK = "NUMBER_WALK"
    NUMBERS_UNKNOWN = "NUMBERS_UNKNOWN"
    CAMPAIGN = "CAMPAIGN"
    SIG_UNKNOWN = "SIG_UNKNOWN"
    SIG_SWITCH = "SIG_SWITCH"
    TPL_MISMATCH = "TPL_MISMATCH"
    NO_OPTOUT_HINT = "NO_OPTOUT_HINT"
    NO_SENDER_NAME = "NO_SENDER_NAME"
    NO_SENDER_PHONE = "NO_SENDER_PHONE"
    BAD_LINK = "BAD_LINK"
    IMPOSTOR = "IMPOSTOR"
    CONTACT_GIVEN = "CONTACT_GIVEN"
    SUSPICIOUS = "SUSPICIOUS"
    CONTENT = "CONTENT"
    CONTENT_UNREADABLE = "CONTENT_UNREADABLE"
    CONTENT_UNCHECKED = "CONTENT_UNCHECKED"
    PARTS_CONFLICT = "PARTS_CONFLICT"
    PARTS_FORGOTTEN = "PARTS_FORGOTTEN"
    PARTS_AWAITED = "PARTS_AWAITED"
    LIST_DESTINATION = "LIST_DESTINATION"
    MALFORMED = "MALFORMED"
    OVERLOADED = "OVERLOADED"


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's hit. A `shadow` finding is recorded and changes nothing.

    `rule` is the id in the policy. `evidence` is a short text without a whole number or message
    body (it may hold a matched keyword of the operator's own list). `status` is the command_status
    name that the rule asks for, "" for that of the reason. `warning` is the warning that the SP
    gets, and `severity` makes it a violation (R95). `category` is what the text is about,
    `campaign` the id of its campaign.
    """

    rule: str
    reason: Reason
    action: Action
    evidence: str
    shadow: bool = False
    category: str = ""
    status: str = ""
    warning: WarningCode | None = None
    severity: Severity | None = None
    campaign: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome: the first terminal finding decides, all findings are kept.

    `status` is the command_status name that the SP hears when the message is refused.
    `digest` names the policy that decided. `due` is when a deferred message is judged again,
    in epoch seconds.
    """

    action: Action
    findings: tuple[Finding, ...]
    digest: str
    status: str = ""
    due: float = 0.0

    @property
    def deciding(self) -> Finding | None:
        """Return the finding that caused `action`, or None for a plain forward.

        A finding that only defers decides if no other does.
        """
        against = [f for f in self.findings if not f.shadow]
        return next((f for f in against if f.action is not Action.DEFER), next(iter(against), None))
