"""Orders that an SP places for a subscriber, for example from a web page (N136, R24)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from secrets import token_hex
from typing import Protocol

from gateway.domain.categories import TrafficClass
from gateway.domain.consent import EVERY_SENDER, Answer, stands_against
from gateway.domain.msisdn import readings_of, written_alike
from gateway.domain.outbound_message import (
    NewOutboundMessage,
    OutboundKind,
    OutboundMessage,
    OutboundState,
)
from gateway.domain.preferences import PreferenceAction, PreferenceKind, PreferenceList, packed
from gateway.domain.subscription import (
    ASKED_STATES,
    Event,
    MessageEvidence,
    Service,
    Subscription,
    SubscriptionAct,
    advance,
)
from gateway.policy.checks.outside_window import AskingHours
from gateway.policy.preferences import Preferences
from gateway.storage.errors import StoreUnavailable
from gateway.systems.subscriptions import texts
from gateway.systems.subscriptions.dialogue import YES_WITHIN, digest_of, terms_for
from gateway.systems.subscriptions.model import (
    Catalogue,
    Changes,
    ConsentAnswers,
    SubscriberRecords,
    SubscriptionStep,
)
from gateway.systems.subscriptions.sql import SubscriptionStore

# Quiet hours need not fall together with anybody's window: it is tried this often, this far.
_STEP = timedelta(minutes=30)
_STEPS = 48


class SubscriberPreferences(Protocol):
    """What subscribers want to receive, as another system keeps it."""

    async def of(self, msisdn: int) -> PreferenceList:
        """Return a subscriber's preferences, empty when there are none.

        Raises StoreUnavailable.
        """


class Courtesy:
    """Knows the hours of the policy (R40), and what each subscriber wants to receive (R50)."""

    def __init__(self, store: SubscriberPreferences, hours: Callable[[], AskingHours]) -> None:
        self._store = store
        self._hours = hours

    async def asks_at(self, msisdn: int, port: str, text: str, now: datetime) -> datetime | None:
        """Return from when on `port` may ask, `now` or later; None when it may not.

        Raises StoreUnavailable.
        """
        hours = self._hours()
        alike = written_alike(msisdn)
        wishes = Preferences([(one, packed(await self._store.of(one))) for one in alike])
        moment = hours.opening(msisdn, now)
        for _ in range(_STEPS):
            if moment is None:
                return None
            local_of = partial(hours.local, moment=moment)
            against = wishes.judge(msisdn, port, TrafficClass.COMMERCIAL, (), text, local_of)
            if against is None or against.action is PreferenceAction.ALLOW:
                return moment
            if against.kind is not PreferenceKind.QUIET_HOURS:
                return None
            moment = hours.opening(msisdn, moment + _STEP)
        return None


# A request that arrives hours after the subscriber filled in a form is a surprise, and leaves
# little time to answer.
SEND_WITHIN = timedelta(minutes=30)
# The pause after one, two, and three or more requests of an SP without a yes. It counts for all
# services and pages, because the SP chooses their names.
ASK_AGAIN_AFTER = (timedelta(days=1), timedelta(days=7), timedelta(days=30))
# A request may be a message that the subscriber did not want. An SP with so many unanswered
# requests can send no more until they lapse.
MAX_UNANSWERED = 5_000

_ATTEMPTS = 3


class OrderRefusal(StrEnum):
    """Why an SP's order is not accepted; nothing was sent.

    DECLINED stands for anything that the subscriber did not say to this SP itself: the SP must
    not learn it (R73).
    """

    UNKNOWN_SERVICE = "unknown_service"
    RUNNING = "running"
    WAITING = "waiting"
    REFUSED = "refused"
    DECLINED = "declined"
    TOO_SOON = "too_soon"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order that an SP reports for a subscriber.

    `channel` is where it was given, such as `web`. `ref` is a unique name; the evidence contains
    it. `shown` is what the subscriber saw; only its digest is kept.
    """

    msisdn: int
    system_id: str
    service_id: str
    channel: str
    ref: str
    shown: str = ""


@dataclass(frozen=True, slots=True)
class PendingOrder:
    """An order that waits for a yes, and when the request may be sent."""

    order: Subscription
    asks_at: datetime


_new_ref = partial(token_hex, 12)


class OrderDesk:
    """Handles orders up to the request for the subscriber's yes; `new_ref` names each.

    Every call raises StoreUnavailable; nothing was changed then, and it may be repeated.
    """

    def __init__(
        self,
        store: SubscriptionStore,
        consent: ConsentAnswers,
        courtesy: Courtesy,
        catalogue: Callable[[], Catalogue],
        new_ref: Callable[[], str] = _new_ref,
    ) -> None:
        self.new_ref = new_ref
        self._store = store
        self._consent = consent
        self._courtesy = courtesy
        self._catalogue = catalogue

    async def order(self, wish: OrderRequest, now: datetime) -> PendingOrder | OrderRefusal:
        """Record the order and its request as an outbound message, in one commit; return the order.

        An SP may have one open question to a subscriber, consent requests included. A subscriber
        who refused the SP, or blocks such messages, is not asked; in quiet hours the request
        waits: the SP causes each such message. A yes counts only after the request was sent.
        """
        service = self._catalogue().offered(wish.system_id, wish.service_id)
        if service is None:
            return OrderRefusal.UNKNOWN_SERVICE
        port = service.terms.port
        asks_at = await self._courtesy.asks_at(wish.msisdn, port, service.terms.name, now)
        refusal = await self._refusal_of(wish.msisdn, wish.system_id)
        if asks_at is None or refusal is not None:
            return refusal or OrderRefusal.DECLINED
        if await self._store.waiting_of(wish.system_id, MAX_UNANSWERED) >= MAX_UNANSWERED:
            return OrderRefusal.BUSY
        for _ in range(_ATTEMPTS):
            known = await self._store.known(wish.msisdn, port, now)
            outcome = _decided(wish, service, known, (now, asks_at))
            if isinstance(outcome, OrderRefusal):
                return outcome
            if await self._store.keep(outcome):
                return PendingOrder(outcome.steps[0].after, asks_at)
        raise StoreUnavailable("others change the same subscription all the time")

    async def due(self, outbound: OutboundMessage, now: datetime) -> datetime | None:
        """Return when a request may be sent, `now` or later; None if it must not be sent.

        Hours may pass between the order and its request; answers of that time count.
        """
        known = await self._store.known(outbound.msisdn, outbound.port, now)
        about = next((o for o in known.subscriptions if _is_about(o, outbound.ref)), None)
        if about is None or about.state not in ASKED_STATES or about.is_asked:
            return None
        is_other_open = any(one.system_id == about.system_id for one in known.requests)
        if is_other_open or await self._refusal_of(outbound.msisdn, about.system_id) is not None:
            return None
        return await self._courtesy.asks_at(outbound.msisdn, outbound.port, about.terms.name, now)

    async def asked(self, outbound: OutboundMessage, now: datetime) -> None:
        """Note the result of a request: sent, with the SMSC's id, or not. Safe to repeat.

        If it was sent, the wait for the yes begins. If not, the order is withdrawn, without a
        request in its evidence.
        """
        for _ in range(_ATTEMPTS):
            known = await self._store.known(outbound.msisdn, outbound.port, now)
            about = next((o for o in known.subscriptions if _is_about(o, outbound.ref)), None)
            if about is None or about.evidence.request is not None:
                return
            said = MessageEvidence(outbound.message_id, digest_of(outbound.text), now)
            is_sent = outbound.state is OutboundState.SENT
            asked = Event(SubscriptionAct.ASK, request=said, within=YES_WITHIN)
            after = advance(about, asked if is_sent else Event(SubscriptionAct.REFUSE), now)
            if not isinstance(after, Subscription):
                await self._store.note_sent(about, said, is_taken=is_sent)
                return
            step = (
                SubscriptionStep(after, SubscriptionAct.ASK, said)
                if is_sent
                else SubscriptionStep(after, SubscriptionAct.REFUSE)
            )
            if await self._store.keep(Changes((step,))):
                if not is_sent:
                    await self._store.note_sent(after, said, is_taken=False)
                return
        raise StoreUnavailable("others change the same subscription all the time")

    async def _refusal_of(self, msisdn: int, system_id: str) -> OrderRefusal | None:
        rows = await self._consent.answers_of(readings_of([msisdn]))
        said = {
            (one.msisdn, one.scope): one for one in rows if one.scope in (system_id, EVERY_SENDER)
        }
        own = said.get((msisdn, system_id))
        if not any(stands_against(one, msisdn, own) for one in said.values()):
            return None
        is_stranger = own is None or own.answer is Answer.ASSERTED
        return OrderRefusal.DECLINED if is_stranger else OrderRefusal.REFUSED


def _decided(
    wish: OrderRequest, service: Service, known: SubscriberRecords, times: tuple[datetime, datetime]
) -> Changes | OrderRefusal:
    """Return the changes for an order; `times` are now and when the request may be sent."""
    now, asks_at = times
    own = [one for one in known.subscriptions if one.system_id == wish.system_id]
    is_asked = any(one.system_id == wish.system_id for one in known.requests)
    if is_asked or any(one.state in ASKED_STATES for one in own):
        return OrderRefusal.WAITING
    if _was_turned_down(own, now):
        return OrderRefusal.TOO_SOON
    before = next(
        (one for one in own if one.service_id == service.id),
        Subscription(wish.msisdn, service.system_id, service.id, service.terms, now),
    )
    terms = terms_for(before, service)
    text = (texts.renewal if before.is_running else texts.request)(terms)
    order = MessageEvidence(f"{wish.channel} {wish.ref}", digest_of(wish.shown), now)
    until = asks_at + SEND_WITHIN
    # The outbound message is sent later. If its result is lost, the order ends by timeout.
    event = Event(
        SubscriptionAct.ORDER, order, terms, within=until - now + YES_WITHIN, port=terms.port
    )
    after = advance(before, event, now)
    if not isinstance(after, Subscription):
        return OrderRefusal.RUNNING
    outbound = NewOutboundMessage(
        terms.port, wish.msisdn, text, OutboundKind.ORDER, wish.ref, now, until, asks_at
    )
    return Changes((SubscriptionStep(after, SubscriptionAct.ORDER, order),), outbound=outbound)


def _was_turned_down(own: list[Subscription], now: datetime) -> bool:
    """Tell whether the pause lasts after requests of the SP that got no yes."""
    without_yes = [one for one in own if one.unanswered]
    if not without_yes:
        return False
    times = sum(one.unanswered for one in without_yes)
    pause = ASK_AGAIN_AFTER[min(times, len(ASK_AGAIN_AFTER)) - 1]
    return max(one.since for one in without_yes) > now - pause


def _is_about(one: Subscription, ref: str) -> bool:
    """Tell whether `ref` names the latest request for this order."""
    order = one.evidence.order
    return order is not None and order.message_id.rpartition(" ")[2] == ref
