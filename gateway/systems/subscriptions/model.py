"""Requests for consent (征求同意); the store of them, of subscriptions (定制), of dialogues."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from gateway.domain.consent import ConsentAnswer
from gateway.domain.outbound_message import NewOutboundMessage
from gateway.domain.subscription import (
    MessageEvidence,
    OfferSession,
    RunningRow,
    ServiceKey,
    Subscription,
    SubscriptionState,
)


class ConsentRequestState(StrEnum):
    """State of a request. NO_REPLY is a refusal like any other."""

    PENDING = "pending"
    AGREED = "agreed"
    REFUSED = "refused"
    NO_REPLY = "no_reply"


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """One request. A yes counts before `until`. `likeness` identifies similar texts (64 bits).

    The answer goes to `port`, which sent the request; if that is unknown, to any port of the SP.
    The consent is valid until `agreed_until`, if the request names an end.
    """

    msisdn: int
    system_id: str
    likeness: int
    text_sha256: str
    asked_at: datetime
    until: datetime
    state: ConsentRequestState = ConsentRequestState.PENDING
    message_id: str = ""
    answer_id: str = ""
    port: str = ""
    agreed_until: datetime | None = None

    @property
    def key(self) -> tuple[int, str, int]:
        """Return the key of the request: an SP may ask a subscriber the same only once."""
        return (self.msisdn, self.system_id, self.likeness)

    def is_open(self, now: datetime) -> bool:
        """Tell whether a yes or a no can still answer this."""
        return self.state is ConsentRequestState.PENDING and now < self.until


# Steps taken by the gateway, not by a subscriber: the result of sending a request.
SENT, UNSENT = "sent", "unsent"


@dataclass(frozen=True, slots=True)
class SubscriptionStep:
    """One change of a subscription: `after` is its state after the step."""

    after: Subscription
    act: str
    said: MessageEvidence | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes due to one MO message, an SP's order or a timeout; kept all together or not at all.

    `session` opens or replaces the session of its port; `closes` ends the session of
    (msisdn, port). A consent request is kept with its new state. `outbound` is the message to send
    if this process has no link to the SMSC.
    """

    steps: tuple[SubscriptionStep, ...] = ()
    session: OfferSession | None = None
    closes: tuple[int, str] | None = None
    requests: tuple[ConsentRequest, ...] = ()
    outbound: NewOutboundMessage | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to keep."""
        return not (self.steps or self.session or self.closes or self.requests or self.outbound)


@dataclass(frozen=True, slots=True)
class SubscriberRecords:
    """The records about a subscriber; the session is that of one port."""

    subscriptions: tuple[Subscription, ...] = ()
    requests: tuple[ConsentRequest, ...] = ()
    session: OfferSession | None = None


class SubscriptionEvent(NamedTuple):
    """One step as recorded, with the message that it is based on."""

    at: datetime
    act: str
    state: SubscriptionState
    message_id: str
    text_sha256: str


@dataclass(frozen=True, slots=True)
class SubscriptionQuery:
    """Which subscriptions to find; None means any."""

    msisdn: int | None = None
    system_id: str | None = None
    state: SubscriptionState | None = None
    limit: int = field(default=50)


class SubscriptionStore(Protocol):
    """Reads and keeps. Every call raises StoreUnavailable when the store does not answer."""

    async def known(self, msisdn: int, port: str, now: datetime) -> SubscriberRecords:
        """Return what is on record, without an ended session or ended requests."""

    async def keep(self, changes: Changes) -> bool:
        """Keep all of `changes` in one commit, with an event row for each step; or nothing.

        False, and nothing is kept, if a subscription is not at the step before, or a request
        is no longer pending: read and decide again. Each step makes a change row.
        """

    async def session_of(self, msisdn: int, port: str, now: datetime) -> OfferSession | None:
        """Return the session of a port, None without one or when it has ended."""

    async def keep_session(self, session: OfferSession) -> None:
        """Open or replace the session of its port."""

    async def note_sent(
        self, subscription: Subscription, said: MessageEvidence, *, is_taken: bool
    ) -> None:
        """Append the result of sending a request, with the SMSC's id; no state changes."""

    async def ask(self, request: ConsentRequest) -> bool:
        """Keep a consent request; False when there is one with the same key."""

    async def unask(self, request: ConsentRequest) -> None:
        """Forget a request that was not sent; it stays if not pending. Safe to repeat."""

    async def requests_of(self, msisdn: int, system_id: str) -> list[ConsentRequest]:
        """Return every request of an SP to a subscriber, the latest first."""

    async def waiting_of(self, system_id: str, limit: int) -> int:
        """Return how many orders of an SP wait for a first yes; count up to `limit`."""

    async def due(self, now: datetime, limit: int) -> list[Subscription]:
        """Return subscriptions that are due to lapse, the earliest first."""

    async def requests_due(self, now: datetime, limit: int) -> list[ConsentRequest]:
        """Return pending requests past their time, the earliest first."""

    async def forget_sessions(self, now: datetime) -> int:
        """Delete sessions that are over; return how many."""

    async def find(self, wanted: SubscriptionQuery) -> list[Subscription]:
        """Return the subscriptions that match, the latest change first."""

    async def history(self, msisdn: int, service: ServiceKey) -> list[SubscriptionEvent]:
        """Return every step of one subscription, the earliest first."""

    def running(self, batch: int = 10_000) -> AsyncIterator[list[RunningRow]]:
        """Yield each pair of number and SP with a running service once, at most `batch` a list.

        Changes made meanwhile may or may not be included.
        """

    async def running_changed(self, after: int, through: int) -> list[RunningRow]:
        """Return the state of the pairs changed above `after`, up to `through`."""


class ConsentAnswers(Protocol):
    """Subscribers' answers on record, as another system keeps them.

    Every call raises StoreUnavailable when the store does not answer, and is safe to repeat.
    """

    async def answer_of(self, msisdn: int, scope: str) -> ConsentAnswer | None:
        """Return the answer given to exactly this scope."""

    async def answers_of(self, msisdns: Collection[int]) -> list[ConsentAnswer]:
        """Return all answers of at most NUMBERS_AT_ONCE numbers."""

    async def record(self, answers: Sequence[ConsentAnswer]) -> int:
        """Keep each answer that overrides the one on record (ConsentAnswer.holds_over)."""
