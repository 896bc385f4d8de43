"""Outbound messages: the gateway's own, that one process asks for and another sends."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

MAX_CHARS = 70


def chars_of(text: str) -> int:
    """Return how many UCS-2 characters a text takes; a rare character takes two."""
    return len(text.encode("utf-16-be", "surrogatepass")) // 2


def cut_to(text: str, max_chars: int) -> str:
    """Return the beginning of `text` that fits into `max_chars` characters of UCS-2."""
    cut = text[: max(0, max_chars)]
    while cut and chars_of(cut) > max_chars:
        cut = cut[:-1]
    return cut


def filled(template: str, sender: str, orders: str = "") -> str:
    """Return a text with {orders} and {sender} filled in, the name cut so that it fits."""
    told = template.replace("{orders}", orders)
    room = MAX_CHARS - chars_of(told.replace("{sender}", ""))
    return told.replace("{sender}", cut_to(sender, room))


MAX_ATTEMPTS = 3


class OutboundKind(StrEnum):
    """What a message is about."""

    ORDER = "order"
    CODE = "code"
    COMPLAINT = "complaint"


class OutboundState(StrEnum):
    """State of an outbound message. All but WAITING are final.

    REFUSED: by the SMSC. EXPIRED: it could not be sent in time, or was sent MAX_ATTEMPTS times
    without an answer. DROPPED: the subscriber must not get it any more.
    """

    WAITING = "waiting"
    SENT = "sent"
    REFUSED = "refused"
    EXPIRED = "expired"
    DROPPED = "dropped"


# Texts of these kinds must not be readable once they were sent.
SECRET_KINDS = frozenset({OutboundKind.CODE})


@dataclass(frozen=True, slots=True)
class NewOutboundMessage:
    """A message to `msisdn` from `port`, to be sent before `not_after`.

    It is not sent before `not_before`, if that is set. `ref` names what it belongs to and does not
    reveal the text.
    """

    port: str
    msisdn: int
    text: str = field(repr=False)
    kind: OutboundKind
    ref: str
    created_at: datetime
    not_after: datetime
    not_before: datetime | None = None

    @property
    def due_at(self) -> datetime:
        """Return the earliest time at which it may be sent."""
        return self.not_before or self.created_at

    def __post_init__(self) -> None:
        """Raise ValueError for a text that is not a single message."""
        if not 0 < chars_of(self.text) <= MAX_CHARS:
            raise ValueError(f"an outbound message has at most {MAX_CHARS} characters")


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """An outbound message on record. `text` is empty if it must not be read any more.

    `attempts` counts how often it may have been sent without an answer; `message_id` is the SMSC's.
    """

    number: int
    port: str
    msisdn: int
    text: str = field(repr=False)
    kind: OutboundKind
    ref: str
    created_at: datetime
    not_after: datetime
    state: OutboundState = OutboundState.WAITING
    attempts: int = 0
    message_id: str = ""
