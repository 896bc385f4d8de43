"""The store of subscriptions (定制), of requests for consent, and of dialogues under way."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeAlias

from gateway.domain.consent_request import ConsentRequest
from gateway.domain.errand import NewErrand
from gateway.domain.subscription import Said, Subscription, SubscriptionState

# system_id and id of a service.
ServiceKey: TypeAlias = tuple[str, str]
# msisdn, system_id, and whether any service of that SP runs for that number.
RunningRow: TypeAlias = tuple[int, str, bool]

# How long what was offered can be referred to.
SESSION_LIFE = timedelta(hours=24)

# Steps that no subscriber takes: what became of the request that the gateway sent.
SENT, UNSENT = "sent", "unsent"


class SessionKind(StrEnum):
    """What a number, or a yes, written to a port refers to."""

    LIST = "list"
    HOLDS = "holds"
    CANCEL_ALL = "cancel_all"


@dataclass(frozen=True, slots=True)
class Session:
    """What the gateway last offered a subscriber at a port, by item number from 1 on.

    The items of HOLDS are held messages: the source_addr and the message id of each.
    `shown` is how many of the items have been in a message so far.
    """

    msisdn: int
    port: str
    kind: SessionKind
    items: tuple[ServiceKey, ...]
    until: datetime
    shown: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a subscription: `after` follows what stood at the step before it."""

    after: Subscription
    act: str
    said: Said | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What one message of a subscriber, an SP's order, or time changes: all of it or nothing.

    `session` opens, or takes the place of, that of its port; `closes` ends that of
    (msisdn, port). A request for consent is kept with its new state. `errand` is what is to be
    said for it where nobody here can say it.
    """

    steps: tuple[Step, ...] = ()
    session: Session | None = None
    closes: tuple[int, str] | None = None
    requests: tuple[ConsentRequest, ...] = ()
    errand: NewErrand | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to keep."""
        return not (self.steps or self.session or self.closes or self.requests or self.errand)


@dataclass(frozen=True, slots=True)
class Known:
    """What is on record about a subscriber, at one port where it concerns sessions."""

    subscriptions: tuple[Subscription, ...] = ()
    requests: tuple[ConsentRequest, ...] = ()
    session: Session | None = None


class SubscriptionEvent(NamedTuple):
    """One step as it was kept, with the messages that it rests on."""

    at: datetime
    act: str
    state: SubscriptionState
    message_id: str
    text_sha256: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which subscriptions to find; None means any."""

    msisdn: int | None = None
    system_id: str | None = None
    state: SubscriptionState | None = None
    limit: int = field(default=50)


class SubscriptionStore(Protocol):
    """Reads and keeps. Every call raises StoreUnavailable when the store does not answer."""

    async def known(self, msisdn: int, port: str, now: datetime) -> Known:
        """Return all that is on record; a session only while it lives, no request that is over."""

    async def keep(self, changes: Changes) -> bool:
        """Keep all of `changes` in one commit, each step with an event row; or nothing.

        False, and nothing is kept, when a subscription is not at the step before, or a
        request is pending no more: read again and decide again. A step is a change row.
        """

    async def note_sent(self, subscription: Subscription, said: Said, *, is_taken: bool) -> None:
        """Append what became of a request, with the SMSC's id; no state changes."""

    async def ask(self, request: ConsentRequest) -> bool:
        """Keep a request for consent; False when there is one with the same key."""

    async def unask(self, request: ConsentRequest) -> None:
        """Forget a request that never went out; one that is not pending stays. Safe to repeat."""

    async def requests_of(self, msisdn: int, system_id: str) -> list[ConsentRequest]:
        """Return every request that an SP ever made of a subscriber, the latest first."""

    async def waiting_of(self, system_id: str, limit: int) -> int:
        """Return how many orders of an SP wait for their first yes, counting up to `limit`."""

    async def due(self, now: datetime, limit: int) -> list[Subscription]:
        """Return subscriptions whose time has come, the earliest first."""

    async def requests_due(self, now: datetime, limit: int) -> list[ConsentRequest]:
        """Return pending requests whose time is over, the earliest first."""

    async def forget_sessions(self, now: datetime) -> int:
        """Delete sessions that are over; return how many."""

    async def find(self, wanted: Wanted) -> list[Subscription]:
        """Return what is wanted, the latest change first."""

    async def history(self, msisdn: int, service: ServiceKey) -> list[SubscriptionEvent]:
        """Return every step of one subscription, the earliest first."""

    def running(self, batch: int = 10_000) -> AsyncIterator[list[RunningRow]]:
        """Yield who has a service running with whom, each pair once, in lists of at most `batch`.

        What is kept meanwhile may or may not be among them.
        """

    async def running_changed(self, after: int, through: int) -> list[RunningRow]:
        """Return how the pairs stand that changes above `after`, up to `through`, are about."""
