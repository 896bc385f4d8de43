"""Messages held for a person to judge (隔离区), and messages that wait for their hour."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

# In the evidence of a list that found several words.
BETWEEN_WORDS = "; "

# The size of a row besides the request and its text: columns of fixed length, and indexes.
ROW_OCTETS = 512


def octets_in_store(pdu: bytes, joined: str) -> int:
    """Return about how many octets a message with this request and this text takes."""
    return ROW_OCTETS + len(pdu) + len(joined.encode("utf-8", "surrogatepass"))


class HoldState(StrEnum):
    """State of a held message. The last five are final."""

    HELD = "held"
    DEFERRED = "deferred"  # only the hour is against it (R40): judged again at `due_at`
    RELEASE_REQUESTED = "release_requested"
    RELEASING = "releasing"  # written to the SMSC, no answer yet: never written again
    IN_DOUBT = "in_doubt"  # the link or the process died while RELEASING: a person decides
    RELEASED = "released"
    REFUSED = "refused"  # judged again at release and refused (a TD arrived meanwhile)
    DISCARDED = "discarded"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


FINAL_STATES = frozenset(
    {
        HoldState.RELEASED,
        HoldState.REFUSED,
        HoldState.DISCARDED,
        HoldState.EXPIRED,
        HoldState.CANCELLED,
    }
)


class ReceiptState(StrEnum):
    """Whether the SP still waits for the receipt it asked for."""

    NONE = "none"  # not asked for, or the SMSC's own receipt will do
    DUE = "due"
    SENT = "sent"


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """One message in quarantine, or one that waits for its hour.

    `message_id` is the gateway's own; the SP was given its decimal text. `pdu` is the whole request
    as received, header included. `joined` is the text of a long message, as far as its parts were
    seen. `smsc_message_id` is set once released. `due_at` is the hour that it waits for, or waited
    for last. `is_reviewed`: a person released it, so what was `overruled` no longer counts; `found`
    is what it is held for, or was last. Both are lines of domain.held_findings. `is_wanted`: the
    addressee released it, so the addressee's own preferences no longer count, but all else does
    (R50). Its repr shows neither text nor numbers. The parts of a long
    message that go on together or not at all share an `assembly`, the id of the one that came
    first; `part` is the number of this one. `campaign` is the id of its campaign: if no rule named
    one, that of its own text. `severity` and `owner` are those of the list or rule that decided,
    `score` is how likely spam the classifier found it, in percent.
    `note` says how it came into its state; `decision` what a person decided last, who and why:
    no later state takes it away. `held_again_at` is when it last came to be held again, or got
    another text: what people decided before that was not on this. None where it never did.
    """

    message_id: int
    system_id: str
    source: str
    destination: str = field(repr=False)
    pdu: bytes = field(repr=False)
    reason: str
    rule: str
    category: str
    evidence: str
    digest: str
    receipt_asked: bool
    held_at: datetime
    expires_at: datetime
    state: HoldState = HoldState.HELD
    receipt: ReceiptState = ReceiptState.NONE
    smsc_message_id: str = ""
    note: str = ""
    joined: str = field(default="", repr=False)
    due_at: datetime | None = None
    is_reviewed: bool = False
    assembly: int = 0
    part: int = 0
    is_wanted: bool = False
    campaign: str = ""
    decision: str = ""
    severity: str = ""
    owner: str = ""
    score: int | None = None
    found: str = ""
    overruled: str = ""
    held_again_at: datetime | None = None

    @property
    def held_since(self) -> datetime:
        """Return since when it is held for what holds it now."""
        return self.held_again_at or self.held_at

    @property
    def octets(self) -> int:
        """Return about how many octets the message takes in the store."""
        return octets_in_store(self.pdu, self.joined)
