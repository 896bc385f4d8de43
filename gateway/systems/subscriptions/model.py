"""Services on offer, requests for consent (征求同意), and what changes at once."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from gateway.domain.consent import ConsentAnswer
from gateway.domain.outbound_message import NewOutboundMessage
from gateway.domain.subscription import (
    MessageEvidence,
    OfferSession,
    Service,
    Subscription,
    SubscriptionState,
)
from gateway.policy.replies import key_of


class Catalogue:
    """Services by order word, in the form in which words are compared."""

    def __init__(self, services: Iterable[Service] = ()) -> None:
        self.services = tuple(services)
        self._orders: dict[tuple[str, str], Service] = {}
        self._ids = {(service.system_id, service.id): service for service in self.services}
        for service in self.services:
            for word in service.order_words:
                self._orders[service.system_id, key_of(word)] = service

    def offered(self, system_id: str, service_id: str) -> Service | None:
        """Return a service of an SP by its id, None when it is not on offer."""
        return self._ids.get((system_id, service_id))

    def ordered_by(self, system_id: str, port: str, text: str) -> Service | None:
        """Return the service that `text`, and nothing but it, orders at `port` or below it."""
        service = self._orders.get((system_id, key_of(text)))
        return service if service is not None and port.startswith(service.terms.port) else None


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
