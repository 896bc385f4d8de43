"""Subscriptions (定制): what SPs offer for money, and how an order begins and ends (N136)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias


class CancelAll(StrEnum):
    """What 00000 to a hub code does (R34): EXECUTE is the rule of 2004, LIST_ONLY today's."""

    EXECUTE = "execute"
    CONFIRM = "confirm"
    LIST_ONLY = "list_only"


@dataclass(frozen=True, slots=True)
class Hub:
    """The codes, and what 00000 does there. Without a code there is no hub."""

    codes: frozenset[str] = frozenset()
    cancel_all: CancelAll = CancelAll.CONFIRM


# msisdn, system_id, and whether the number has a running service of that SP.
RunningRow: TypeAlias = tuple[int, str, bool]


class Cycle(StrEnum):
    """How often the price is due."""

    MONTH = "month"
    ONCE = "once"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a subscriber is told before the yes: `price_fen` for each `cycle`.

    The first `trial_days` are free; then it ends unless confirmed again (R25).
    """

    sender_name: str
    name: str
    port: str
    price_fen: int
    cycle: Cycle = Cycle.MONTH
    trial_days: int = 0


@dataclass(frozen=True, slots=True)
class Service:
    """A service (业务) of an SP, ordered by any of `order_words` at the port of its terms."""

    system_id: str
    id: str
    terms: Terms
    order_words: tuple[str, ...]


class SubscriptionState(StrEnum):
    """State of an order. Only ACTIVE may be charged.

    RENEWAL is a running trial in which the subscriber is asked whether to pay from now on.
    """

    NONE = "none"
    PENDING = "pending"
    TRIAL = "trial"
    RENEWAL = "renewal"
    ACTIVE = "active"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


ASKED_STATES = frozenset({SubscriptionState.PENDING, SubscriptionState.RENEWAL})
RUNNING_STATES = frozenset(
    {SubscriptionState.TRIAL, SubscriptionState.RENEWAL, SubscriptionState.ACTIVE}
)


@dataclass(frozen=True, slots=True)
class MessageEvidence:
    """One message as evidence: its id, its time, and its text's SHA-256 in hex; never the text."""

    message_id: str
    text_sha256: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderEvidence:
    """The proof of an order: the order, the request that named the price, and the yes (R24).

    There is no `request` before one was sent to the subscriber, and no `confirmation` without one.
    """

    order: MessageEvidence | None = None
    request: MessageEvidence | None = None
    confirmation: MessageEvidence | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscriber's order of one service.

    A yes counts before `asked_until`, to the port `asked_from`, once the evidence has a request.
    `trial_until` is kept, because a subscriber gets only one trial. `unanswered` counts the
    consecutive requests without a yes. `step` counts the changes, so that of two changes at the
    same time only one is made.
    """

    msisdn: int
    system_id: str
    service_id: str
    terms: Terms
    since: datetime
    state: SubscriptionState = SubscriptionState.NONE
    asked_until: datetime | None = None
    trial_until: datetime | None = None
    evidence: OrderEvidence = OrderEvidence()
    step: int = 0
    asked_from: str = ""
    unanswered: int = 0

    @property
    def is_asked(self) -> bool:
        """Tell whether the subscriber was asked for a yes and has not answered."""
        return self.state in ASKED_STATES and self.evidence.request is not None

    @property
    def is_running(self) -> bool:
        """Tell whether the subscriber gets the service."""
        return self.state in RUNNING_STATES

    @property
    def due_at(self) -> datetime | None:
        """Return when time alone changes this, None for never."""
        times: list[datetime | None] = []
        if self.state in ASKED_STATES:
            times.append(self.asked_until)
        if self.state in {SubscriptionState.TRIAL, SubscriptionState.RENEWAL}:
            times.append(self.trial_until)
        return min((time for time in times if time is not None), default=None)


class SubscriptionAct(StrEnum):
    """What is done to a subscription, by the subscriber or by time.

    ASK is the gateway's: it has sent the request for an order that did not come by message.
    """

    ORDER = "order"
    ASK = "sent"
    CONFIRM = "confirm"
    REFUSE = "refuse"
    CANCEL = "cancel"
    LAPSE = "lapse"


@dataclass(frozen=True, slots=True)
class Event:
    """One act. `said` is the message that caused it.

    Only an order has `terms`. An order and ASK have `request`, the `port` that it is sent from, and
    `within`, the time to wait for the yes. An order without a request waits for its ASK.
    """

    act: SubscriptionAct
    said: MessageEvidence | None = None
    terms: Terms | None = None
    request: MessageEvidence | None = None
    within: timedelta = timedelta(hours=24)
    port: str = ""


class ActRefusal(StrEnum):
    """Why an act changes nothing."""

    NOT_NOW = "the subscription is in no state for that"
    TOO_LATE = "the time to answer is over"
    TOO_EARLY = "its time has not come"


_S = SubscriptionState

# Pairs that are not listed are refused. After CONFIRM and LAPSE the clock may change the state.
_NEXT: dict[tuple[SubscriptionState, SubscriptionAct], SubscriptionState] = {
    (_S.NONE, SubscriptionAct.ORDER): _S.PENDING,
    (_S.CANCELLED, SubscriptionAct.ORDER): _S.PENDING,
    (_S.EXPIRED, SubscriptionAct.ORDER): _S.PENDING,
    (_S.WITHDRAWN, SubscriptionAct.ORDER): _S.PENDING,
    (_S.PENDING, SubscriptionAct.ORDER): _S.PENDING,
    (_S.TRIAL, SubscriptionAct.ORDER): _S.RENEWAL,
    (_S.RENEWAL, SubscriptionAct.ORDER): _S.RENEWAL,
    (_S.PENDING, SubscriptionAct.ASK): _S.PENDING,
    (_S.RENEWAL, SubscriptionAct.ASK): _S.RENEWAL,
    (_S.PENDING, SubscriptionAct.CONFIRM): _S.ACTIVE,
    (_S.RENEWAL, SubscriptionAct.CONFIRM): _S.ACTIVE,
    (_S.PENDING, SubscriptionAct.REFUSE): _S.WITHDRAWN,
    (_S.RENEWAL, SubscriptionAct.REFUSE): _S.TRIAL,
    (_S.PENDING, SubscriptionAct.CANCEL): _S.WITHDRAWN,
    (_S.TRIAL, SubscriptionAct.CANCEL): _S.CANCELLED,
    (_S.RENEWAL, SubscriptionAct.CANCEL): _S.CANCELLED,
    (_S.ACTIVE, SubscriptionAct.CANCEL): _S.CANCELLED,
    (_S.PENDING, SubscriptionAct.LAPSE): _S.WITHDRAWN,
    (_S.TRIAL, SubscriptionAct.LAPSE): _S.EXPIRED,
    (_S.RENEWAL, SubscriptionAct.LAPSE): _S.TRIAL,
}


def advance(before: Subscription, event: Event, now: datetime) -> Subscription | ActRefusal:
    """Return the subscription after `event`, or why it stays as it is. Never raises."""
    to = _NEXT.get((before.state, event.act))
    if to is None:
        return ActRefusal.NOT_NOW
    after = replace(before, state=to, since=now, step=before.step + 1)
    match event.act:
        case SubscriptionAct.ORDER:
            return _ordered(after, event, now)
        case SubscriptionAct.ASK:
            return _asked(before, after, event, now)
        case SubscriptionAct.CONFIRM:
            return _confirmed(before, after, event, now)
        case SubscriptionAct.LAPSE:
            return _lapsed(before, after, now)
        case _:
            return _turned_down(before, after)


def _ordered(after: Subscription, event: Event, now: datetime) -> Subscription:
    return replace(
        after,
        terms=event.terms or after.terms,
        asked_until=now + event.within,
        asked_from=event.port,
        evidence=OrderEvidence(order=event.said, request=event.request),
    )


def _asked(
    before: Subscription, after: Subscription, event: Event, now: datetime
) -> Subscription | ActRefusal:
    if before.is_asked or event.request is None:
        return ActRefusal.NOT_NOW
    return replace(
        after,
        asked_until=now + event.within,
        asked_from=event.port or before.asked_from,
        evidence=replace(before.evidence, request=event.request),
    )


def _turned_down(before: Subscription, after: Subscription) -> Subscription:
    """Return the subscription after a refusal, a cancellation or an unanswered request."""
    return replace(after, asked_until=None, unanswered=before.unanswered + before.is_asked)


def _confirmed(
    before: Subscription, after: Subscription, event: Event, now: datetime
) -> Subscription | ActRefusal:
    if not before.is_asked:
        return ActRefusal.NOT_NOW
    if _is_over(before.asked_until, now):
        return ActRefusal.TOO_LATE
    evidence = replace(before.evidence, confirmation=event.said)
    after = replace(after, asked_until=None, evidence=evidence, unanswered=0)
    if after.terms.trial_days and after.trial_until is None:
        until = now + timedelta(days=after.terms.trial_days)
        return replace(after, state=_S.TRIAL, trial_until=until)
    return after


def _lapsed(before: Subscription, after: Subscription, now: datetime) -> Subscription | ActRefusal:
    if before.due_at is None or before.due_at > now:
        return ActRefusal.TOO_EARLY
    is_unanswered = _is_over(before.asked_until, now)
    if before.state is _S.RENEWAL and _is_over(before.trial_until, now):
        # The trial is over; a yes to the request may still come.
        after = replace(after, state=_S.EXPIRED if is_unanswered else _S.PENDING)
    return _turned_down(before, after) if is_unanswered else after


def _is_over(until: datetime | None, now: datetime) -> bool:
    return until is not None and until <= now


# system_id and id of a service.
ServiceKey: TypeAlias = tuple[str, str]

# How long a subscriber can refer to what was offered.
SESSION_LIFE = timedelta(hours=24)


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
