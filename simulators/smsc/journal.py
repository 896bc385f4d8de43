"""What a simulated SMSC remembers: each message it took, and how often it did what."""

from collections import OrderedDict
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

# Messages that query_sm, cancel_sm and replace_sm still find; older ones are forgotten.
REMEMBERED = 50_000


class Received(NamedTuple):
    """One PDU that carried a message, as it stood on the wire.

    `at` is the event loop's time. `octets` are the short_message or, where that is empty, the
    message_payload. `message_id` is empty when the message was refused with `command_status`.
    """

    at: float
    session: int
    system_id: str
    command_id: int
    source: str
    destinations: tuple[str, ...]
    data_coding: int
    esm_class: int
    registered_delivery: int
    octets: bytes
    pdu: bytes
    message_id: str
    command_status: int

    @property
    def destination(self) -> str:
        """Return the first destination, the only one of all but submit_multi."""
        return self.destinations[0]


class Cancelled(NamedTuple):
    """One cancel_sm, as it stood on the wire; an address is its TON, its NPI and its digits."""

    system_id: str
    message_id: str
    source: tuple[int, int, str]
    destination: tuple[int, int, str]


@dataclass(slots=True)
class Counters:
    """How often since the start."""

    connections: int = 0
    resets: int = 0
    binds: int = 0
    binds_refused: int = 0
    unbinds: int = 0
    messages: int = 0
    accepted: int = 0
    refused: int = 0
    throttled: int = 0
    answers_lost: int = 0
    answers_doubled: int = 0
    receipts: int = 0
    receipts_parked: int = 0
    delivered: int = 0
    deliveries_refused: int = 0
    enquire_links: int = 0
    enquire_links_answered: int = 0
    nacks: int = 0
    framing_errors: int = 0
    malformed: int = 0
    stray_answers: int = 0
    unjournaled: int = 0
    verified: int = 0
    disagreements: int = 0


class MessageState(IntEnum):
    """What query_sm answers (SMPP 3.4, 5.2.28)."""

    ENROUTE = 1
    DELIVERED = 2
    DELETED = 4
    UNDELIVERABLE = 5


class Memory:
    """The state of the newest messages by message_id."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._states: OrderedDict[str, MessageState] = OrderedDict()

    def state_of(self, message_id: str) -> MessageState | None:
        """Return None for a message that never was, or was forgotten."""
        return self._states.get(message_id)

    def remember(self, message_id: str, state: MessageState) -> None:
        """Keep `state`; the oldest message makes room."""
        self._states[message_id] = state
        if len(self._states) > self._limit:
            self._states.popitem(last=False)
