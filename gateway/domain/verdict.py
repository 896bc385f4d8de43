"""What the gateway decided of a message, and why."""

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What is done with a message, weakest first."""

    FORWARD = "forward"
    QUARANTINE = "quarantine"
    THROTTLE = "throttle"
    REJECT = "reject"


class Reason(StrEnum):
    """Stable names of why; records, metrics and per-SP status overrides use them."""

    SENDER_STATE = "SENDER_STATE"
    SOURCE_NOT_OWNED = "SOURCE_NOT_OWNED"
    DESTINATION_INVALID = "DESTINATION_INVALID"
    RATE = "RATE"
    OPTED_OUT = "OPTED_OUT"
    CONSENT_NONE = "CONSENT_NONE"
    CONSENT_UNCHECKED = "CONSENT_UNCHECKED"
    CONTENT = "CONTENT"
    CONTENT_UNREADABLE = "CONTENT_UNREADABLE"
    CONTENT_UNCHECKED = "CONTENT_UNCHECKED"
    PARTS_CONFLICT = "PARTS_CONFLICT"
    LIST_DESTINATION = "LIST_DESTINATION"
    MALFORMED = "MALFORMED"
    OVERLOADED = "OVERLOADED"


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's hit. A `shadow` finding is recorded and changes nothing.

    `rule` is the id in the policy, `evidence` a short text that holds no whole number and
    no message body (a matched keyword of the operator's own list may stand in it).
    """

    rule: str
    reason: Reason
    action: Action
    evidence: str
    shadow: bool = False
    category: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome: the first terminal finding decides, all findings are kept.

    `status` is the command_status name that the SP hears when the message is refused.
    `digest` names the policy that decided.
    """

    action: Action
    findings: tuple[Finding, ...]
    digest: str
    status: str = ""

    @property
    def deciding(self) -> Finding | None:
        """Return the finding that made `action`, or None for a plain forward."""
        return next((f for f in self.findings if not f.shadow), None)
