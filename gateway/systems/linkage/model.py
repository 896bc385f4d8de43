"""Events of the linkage: their types, what each says, and how a number is named in them."""

import hmac
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from unicodedata import normalize

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from gateway.domain.linkage import OutboxState
from gateway.domain.msisdn import has_mobile, replace_mobiles

SCHEMA = "urn:smsward:schema:linkage-event:"
SCHEMA_VERSION = 1
MAX_HOPS = 2
MAX_SAID_CHARS = 2_000
_MASKED = re.compile(r"[0-9]{3}\*{4}[0-9]{4}")
_HASH_PATTERN = "^hmac-sha256:[0-9a-f]{64}$"

_Word = Annotated[str, Field(max_length=100)]
_NumberHash = Annotated[str, Field(pattern=_HASH_PATTERN)]
_Kid = Annotated[str, Field(pattern="^[A-Za-z0-9._-]{1,64}$")]


# A JWE in compact form.
_EncryptedText = Annotated[
    str, Field(max_length=40_000, pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){4}$")
]


class EventType(StrEnum):
    """What an event says of a case (vocabulary after RID, RFC 6545)."""

    DISPATCHED = "smsward.case.dispatched"
    ACCEPTED = "smsward.case.accepted"
    REFUSED = "smsward.case.refused"
    MEASURES = "smsward.case.measures"
    FEEDBACK = "smsward.case.feedback"
    QUERY = "smsward.case.query"
    SUPERVISED = "smsward.case.supervised"


class DispatchRefusal(StrEnum):
    """Why a member does not take a case."""

    NOT_MINE = "not_mine"
    INCOMPLETE = "incomplete"
    DUPLICATE = "duplicate"


class LinkageFinding(StrEnum):
    """What the member that investigated found (R85)."""

    CONFIRMED = "confirmed"
    UNFOUNDED = "unfounded"
    UNVERIFIABLE = "unverifiable"


class EventData(BaseModel):
    """What an event carries. Unknown fields are kept: a later version may have added them."""

    model_config = ConfigDict(extra="allow", frozen=True)


class DispatchData(EventData):
    """A case goes to the carrier that must act (R84). A port is named, a number hashed.

    `hash_keys` are the agreement keys, of the sender and the recipient, that the hashes are of.
    `encrypted_text` is the text of a complaint, encrypted to the recipient.
    """

    port: Annotated[str, Field(pattern="^[0-9]{3,21}$")] | None = None
    sender_hash: _NumberHash | None = None
    hash_keys: Annotated[list[_Kid], Field(min_length=2, max_length=2)] | None = None
    category: _Word
    complaints: Annotated[int, Field(ge=1, le=10**9)]
    reporters: Annotated[list[_NumberHash], Field(max_length=200)] = Field(default_factory=list)
    first_at: AwareDatetime
    last_at: AwareDatetime
    feedback_due: AwareDatetime | None = None
    encrypted_text: _EncryptedText | None = None
    hops: Annotated[int, Field(ge=0, le=MAX_HOPS)] = 0

    @model_validator(mode="after")
    def _names_one_sender(self) -> "DispatchData":
        if (self.port is None) == (self.sender_hash is None):
            raise ValueError("needs either port or sender_hash")
        if self.hash_keys is None and (self.sender_hash is not None or self.reporters):
            raise ValueError("hashes need hash_keys")
        return self


class AcceptanceData(EventData):
    """The receiver works on the case."""


class RefusalData(EventData):
    """The receiver does not; with `not_mine` it may suggest who should."""

    reason: DispatchRefusal
    suggested_carrier: _Word | None = None
    suggested_province: _Word | None = None


class MeasuresData(EventData):
    """What was done against the sender."""

    measures: Annotated[list[_Word], Field(min_length=1, max_length=20)]
    measure_time: AwareDatetime


class FeedbackData(EventData):
    """How the case ended at the receiver (R85)."""

    finding: LinkageFinding
    measures: Annotated[list[_Word], Field(max_length=20)] = Field(default_factory=list)
    measure_time: AwareDatetime | None = None
    evidence_ref: _Word | None = None
    reply_text: Annotated[str, Field(max_length=MAX_SAID_CHARS)] = ""

    @model_validator(mode="after")
    def _says_what_was_done(self) -> "FeedbackData":
        given = self.measures and self.measure_time and self.evidence_ref
        if self.finding is LinkageFinding.CONFIRMED and not given:
            raise ValueError("confirmed needs measures, measure_time and evidence_ref")
        return self


class QueryData(EventData):
    """A question about the case."""

    question: Annotated[str, Field(min_length=1, max_length=MAX_SAID_CHARS)]


class SupervisionData(EventData):
    """A hub watches the case, and wants it done by a time."""

    due: AwareDatetime | None = None
    note: Annotated[str, Field(max_length=MAX_SAID_CHARS)] = ""


DATA_OF: Mapping[EventType, type[EventData]] = {
    EventType.DISPATCHED: DispatchData,
    EventType.ACCEPTED: AcceptanceData,
    EventType.REFUSED: RefusalData,
    EventType.MEASURES: MeasuresData,
    EventType.FEEDBACK: FeedbackData,
    EventType.QUERY: QueryData,
    EventType.SUPERVISED: SupervisionData,
}


@dataclass(frozen=True, slots=True)
class LinkageEvent:
    """One event: a CloudEvents 1.0 event about a case, its `subject`.

    `sequence` counts from 1 in the events of one source to one recipient about one case.
    """

    id: str
    source: str
    type: EventType
    time: datetime
    subject: str
    recipient: str
    sequence: int
    data: Mapping[str, object]


def number_hash(pair_key: bytes, msisdn: int) -> str:
    """Return how a number is named between two members that share `pair_key`."""
    return "hmac-sha256:" + hmac.digest(pair_key, str(msisdn).encode(), "sha256").hex()


def without_numbers(text: str, most: int) -> str:
    """Return printable text of at most `most` characters in which no mobile number is written out.

    A member is not told subscribers' numbers, not masked ones either, nor refuses an event for one
    that a person wrote.
    """
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    words = words if len(words) <= most else _cut(words, most)
    words = _MASKED.sub("***", replace_mobiles(words, lambda _number: "***"))[:most]
    return "" if has_mobile(words) else words.strip()


def _cut(words: str, most: int) -> str:
    """Return what comes first, without a number at its end: it may be a part of one."""
    end = most
    while end and not any(map(str.isalpha, normalize("NFKC", words[end - 1]))):
        end -= 1
    return words[:end]


def whole_number_in(value: object, where: str = "/data") -> str | None:
    """Return where a mobile number stands that is not hashed, as a JSON pointer; None if none."""
    return next(_whole_numbers(value, where), None)


def _whole_numbers(value: object, where: str) -> Iterator[str]:
    match value:
        case dict():
            for key, inner in value.items():
                # The name of a field may be a number as well: it is not repeated then.
                if has_mobile(str(key)):
                    yield where
                yield from _whole_numbers(inner, f"{where}/{key}")
        case list():
            for at, inner in enumerate(value):
                yield from _whole_numbers(inner, f"{where}/{at}")
        case str() | int() | float() if has_mobile(str(value)):
            yield where


@dataclass(frozen=True, slots=True)
class EventDraft:
    """What this node wants to say; the outbox gives it its sequence and signs it."""

    id: str
    type: EventType
    subject: str
    recipient: str
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event on record, with its octets and the receipt of its receiver."""

    number: int
    source: str
    id: str
    type: str
    subject: str
    recipient: str
    sequence: int
    digest: str
    envelope: str
    receipt: str


@dataclass(frozen=True, slots=True)
class InboxEntry(StoredEvent):
    """An event that came. `conflicts` counts others that came under its id or sequence."""

    received_at: datetime
    is_applied: bool
    conflicts: int


@dataclass(frozen=True, slots=True)
class OutboxEntry(StoredEvent):
    """An event to be sent: `attempts` failed so far, the last for the reason `said`."""

    created_at: datetime
    state: OutboxState
    attempts: int
    next_at: datetime
    said: str


@dataclass(frozen=True, slots=True)
class LinkageStanding:
    """What waits to be sent, the oldest `since` then, what is dead, and what is to be applied."""

    waiting: int
    since: datetime | None
    dead: int
    unapplied: int


@dataclass(slots=True)
class LinkageCounts:
    """What became of events since the process began, by type and result, and of those refused."""

    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class EventGap:
    """Events of a case that have not arrived: from `first_missing`, some below `highest`."""

    source: str
    recipient: str
    subject: str
    first_missing: int
    highest: int
