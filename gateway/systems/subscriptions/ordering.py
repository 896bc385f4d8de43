"""Orders that an SP brings on behalf of a subscriber, as from a web page (N136, R24)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.domain.consent import EVERY_SENDER, Answer
from gateway.domain.errand import Errand, ErrandKind, ErrandState, NewErrand
from gateway.domain.subscription import (
    ASKED_STATES,
    Act,
    Event,
    Said,
    Service,
    Subscription,
    SubscriptionState,
    advance,
)
from gateway.ports.consent import ConsentStore
from gateway.ports.errors import StoreUnavailable
from gateway.ports.subscriptions import Changes, Step, SubscriptionStore
from gateway.systems.subscriptions import texts
from gateway.systems.subscriptions.catalogue import Catalogue
from gateway.systems.subscriptions.turn import YES_WITHIN, terms_for
from gateway.systems.subscriptions.word import digest_of

# A request that comes hours after somebody filled in a form surprises, and leaves little time.
SEND_WITHIN = timedelta(minutes=30)
# Whoever said no, or nothing, is not asked again by the next click.
ASK_AGAIN_AFTER = timedelta(days=1)
# A request is a message that nobody may have wished for. An SP whose many requests nobody
# answers asks no more until they lapse.
MAX_UNANSWERED = 5_000

_ATTEMPTS = 3


class OrderRefusal(StrEnum):
    """Why an order that an SP brings is not taken; nothing was sent then."""

    UNKNOWN_SERVICE = "unknown_service"
    RUNNING = "running"
    WAITING = "waiting"
    REFUSED = "refused"
    TOO_SOON = "too_soon"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Wish:
    """What an SP says that a subscriber wants.

    `channel` is where it was said, as `web`. `ref` is a name that nobody else gives; the
    evidence holds it. `shown` is what the subscriber saw; of it the digest is kept.
    """

    msisdn: int
    system_id: str
    service_id: str
    channel: str
    ref: str
    shown: str = ""


class OrderDesk:
    """Takes orders to the point where the subscriber must say yes, and no further.

    Every call raises StoreUnavailable; nothing was changed then, and it may be repeated.
    """

    def __init__(
        self,
        store: SubscriptionStore,
        consent: ConsentStore,
        catalogue: Callable[[], Catalogue],
    ) -> None:
        self._store = store
        self._consent = consent
        self._catalogue = catalogue

    async def order(self, wish: Wish, now: datetime) -> Subscription | OrderRefusal:
        """Note the order and have the subscriber asked, in one commit; return it as it waits.

        An SP has one question open with a subscriber, and asks nobody who refused it: each
        costs the subscriber a message that the SP chose to cause.
        """
        service = self._catalogue().offered(wish.system_id, wish.service_id)
        if service is None:
            return OrderRefusal.UNKNOWN_SERVICE
        if await self._has_refused(wish):
            return OrderRefusal.REFUSED
        port = service.terms.port
        if await self._store.waiting_of(wish.system_id, MAX_UNANSWERED) >= MAX_UNANSWERED:
            return OrderRefusal.BUSY
        for _ in range(_ATTEMPTS):
            known = await self._store.known(wish.msisdn, port, now)
            own = [one for one in known.subscriptions if one.system_id == wish.system_id]
            outcome = _decided(wish, service, own, now)
            if isinstance(outcome, OrderRefusal):
                return outcome
            if await self._store.keep(outcome):
                return outcome.steps[0].after
        raise StoreUnavailable("others change the same subscription all the time")

    async def asked(self, errand: Errand, now: datetime) -> None:
        """Note what became of a request: sent, with the SMSC's id, or not.

        An order of which its subscriber was never told is withdrawn. Safe to repeat, but for
        what the history tells.
        """
        for _ in range(_ATTEMPTS):
            known = await self._store.known(errand.msisdn, errand.port, now)
            about = next((o for o in known.subscriptions if _is_about(o, errand.ref)), None)
            if about is None:
                return
            said = Said(errand.message_id, digest_of(errand.text), now)
            is_sent = errand.state is ErrandState.SENT
            withdrawn = advance(about, Event(Act.REFUSE), now)
            if is_sent or not isinstance(withdrawn, Subscription):
                await self._store.note_sent(about, said, is_taken=is_sent)
                return
            # Without a request in its evidence, for nobody was asked; nor turned it down.
            untold = replace(withdrawn, evidence=replace(about.evidence, request=None))
            if await self._store.keep(Changes((Step(untold, Act.REFUSE),))):
                await self._store.note_sent(untold, said, is_taken=False)
                return
        raise StoreUnavailable("others change the same subscription all the time")

    async def _has_refused(self, wish: Wish) -> bool:
        for scope in (wish.system_id, EVERY_SENDER):
            given = await self._consent.answer_of(wish.msisdn, scope)
            if given is not None and given.answer is Answer.REFUSED:
                return True
        return False


def _decided(
    wish: Wish, service: Service, own: list[Subscription], now: datetime
) -> Changes | OrderRefusal:
    """Return what an order changes, given all that its subscriber has of the SP."""
    if any(one.state in ASKED_STATES for one in own):
        return OrderRefusal.WAITING
    if any(_was_turned_down(one, now) for one in own):
        return OrderRefusal.TOO_SOON
    before = next(
        (one for one in own if one.service_id == service.id),
        Subscription(wish.msisdn, service.system_id, service.id, service.terms, now),
    )
    terms = terms_for(before, service)
    text = (texts.renewal if before.is_running else texts.request)(terms)
    order = Said(f"{wish.channel} {wish.ref}", digest_of(wish.shown), now)
    request = Said(wish.ref, digest_of(text), now)
    after = advance(before, Event(Act.ORDER, order, terms, request, YES_WITHIN), now)
    if not isinstance(after, Subscription):
        return OrderRefusal.RUNNING
    errand = NewErrand(
        terms.port, wish.msisdn, text, ErrandKind.ORDER, wish.ref, now, now + SEND_WITHIN
    )
    return Changes((Step(after, Act.ORDER, order),), errand=errand)


def _was_turned_down(one: Subscription, now: datetime) -> bool:
    """Tell whether the subscriber lately gave no yes to a request for this."""
    was_asked = one.state is SubscriptionState.WITHDRAWN and one.evidence.request is not None
    return was_asked and one.since > now - ASK_AGAIN_AFTER


def _is_about(one: Subscription, ref: str) -> bool:
    """Tell whether `ref` is the request that this order waits for, or waited for last."""
    request = one.evidence.request
    return request is not None and request.message_id == ref
