"""The store of subscriptions (定制), of consent requests, and of open dialogues."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeAlias

from gateway.domain.consent_request import ConsentRequest
from gateway.domain.errand import NewErrand
from gateway.domain.subscription import MessageEvidence, Subscription, SubscriptionState

# system_id and id of a service.
ServiceKey: TypeAlias = tuple[str, str]
# msisdn, system_id, and whether the number has a running service of that SP.
RunningRow: TypeAlias = tuple[int, str, bool]

# How long a subscriber can refer to what was offered.
SESSION_LIFE = timedelta(hours=24)

# Steps taken by the gateway, not by a subscriber: the result of sending a request.
SENT, UNSENT = "sent", "unsent"


class SessionKind(StrEnum):
    """What an item number, or a yes, in an MO message refers to."""

    LIST = "list"
    HOLDS = "holds"
    CANCEL_ALL = "cancel_all"


@dataclass(frozen=True, slots=True)
class OfferSession:
    """What the gateway last offered a subscriber at a port; items are numbered from 1.

    The items of HOLDS are held messages: the source_addr and the message id of each.
    `shown` is how many of the items were in a message so far.
    """

    msisdn: int
    port: str
    kind: SessionKind
    items: tuple[ServiceKey, ...]
    until: datetime
    shown: int = 0


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
    (msisdn, port). A consent request is kept with its new state. `errand` is the message to send
    if this process has no link to the SMSC.
    """

    steps: tuple[SubscriptionStep, ...] = ()
    session: OfferSession | None = None
    closes: tuple[int, str] | None = None
    requests: tuple[ConsentRequest, ...] = ()
    errand: NewErrand | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to keep."""
        return not (self.steps or self.session or self.closes or self.requests or self.errand)


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
