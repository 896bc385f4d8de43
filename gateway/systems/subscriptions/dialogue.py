"""One MO message, what follows from it, and what it is answered with."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TypeAlias

from gateway.domain.consent import EVERY_SENDER, Answer, scope_of
from gateway.domain.preferences import sender_number
from gateway.domain.sender import PEERS
from gateway.domain.subscription import (
    ASKED_STATES,
    SESSION_LIFE,
    CancelAll,
    Event,
    MessageEvidence,
    OfferSession,
    Service,
    SessionKind,
    Subscription,
    SubscriptionAct,
    Terms,
    advance,
)
from gateway.policy.replies import Intent, MoContext, ReplyMeaning, key_of, meaning_of, scope_meant
from gateway.systems.subscriptions import texts
from gateway.systems.subscriptions.model import (
    Catalogue,
    Changes,
    ConsentRequest,
    ConsentRequestState,
    SubscriberRecords,
    SubscriptionStep,
)


@dataclass(frozen=True, slots=True)
class Word:
    """What a subscriber wrote to `port` of `system_id`; to a hub code it concerns every SP.

    `tokens` are the words of refusal that the SP advertised, the latest first; `reply_id` is
    the id that an answer will have. `owned` is the SP's port without its extension, and `is_narrow`
    says that a refusal that names nothing is of that port alone. `other_msisdn` is who else the
    subscriber may be, where the digits of the number do not tell, `others` which other SPs may be
    meant. To a port of another network, `owned`, the `system_id` is PEERS.
    """

    msisdn: int
    system_id: str
    sender_name: str
    port: str
    text: str
    said: MessageEvidence
    reply_id: str
    tokens: tuple[str, ...] = ()
    is_hub: bool = False
    other_msisdn: int | None = None
    owned: str = ""
    is_narrow: bool = False
    others: tuple[str, ...] = ()

    @property
    def is_foreign(self) -> bool:
        """Tell whether it went to a port of another network (R63)."""
        return self.system_id == PEERS

    @property
    def scope(self) -> str:
        """Return whom an answer in these words is given to: the SP, or at a hub code every SP.

        Of another network it is the port: who else is behind it is not known here.
        """
        if self.is_foreign:
            return scope_of(PEERS, self.owned)
        return EVERY_SENDER if self.is_hub else self.system_id

    def refused_by(self, meaning: ReplyMeaning) -> str:
        """Return the scope of a refusal that means `meaning` and ends no order."""
        if self.is_hub or self.is_foreign or meaning.intent is not Intent.OPTOUT:
            return self.scope
        return scope_meant(meaning, self.system_id, self.owned, is_narrow=self.is_narrow)


@dataclass(frozen=True, slots=True)
class WordOutcome:
    """What follows from one message. There is one reply at most.

    `answer` goes to the consent store, as one to `scope` that is good `until` then. `asked` is the
    subscription that the reply asks about. `renews` tells that the subscriber just proved
    consent to the SP, which takes an earlier refusal back (R37). `going_on` are paid orders that
    a refusal leaves as they are.
    """

    changes: Changes = field(default_factory=Changes)
    reply: str | None = None
    is_forwarded: bool = True
    answer: Answer | None = None
    scope: str | None = None
    evidence: str = ""
    until: datetime | None = None
    asked: Subscription | None = None
    renews: bool = False
    going_on: tuple[Subscription, ...] = ()


def meaning_in(word: Word, context: MoContext) -> ReplyMeaning:
    """Return what a word means, with any of the tokens its SP advertised."""
    return meaning_of(word.text, replace(context, others=word.tokens))


def digest_of(text: str) -> str:
    """Return the SHA-256 of a text in hex, by which it can be recognised and not read."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


YES_WITHIN = timedelta(hours=24)

_Asked: TypeAlias = Subscription | ConsentRequest | OfferSession


class WordActions:
    """The actions for one `word`, decided from what is `known`."""

    def __init__(self, word: Word, known: SubscriberRecords, now: datetime) -> None:
        self.word = word
        self._known = known
        self._now = now
        self._own = [
            one for one in known.subscriptions if word.is_hub or one.system_id == word.system_id
        ]

    def context(self) -> MoContext:
        """Return the open questions between the subscriber and this port."""
        session = self._known.session
        is_list = session is not None and session.kind is SessionKind.LIST
        return MoContext(
            is_pending=self._asked() is not None,
            listed=len(session.items) if session is not None and is_list else None,
        )

    def evidence(self) -> str:
        """Return the evidence that names this message."""
        return f"message {self.word.said.message_id} sha256 {self.word.said.text_sha256}"

    def orders(self) -> list[Subscription]:
        """Return the running subscriptions of this SP, or of all SPs at a hub code."""
        return [one for one in self._own if one.is_running]

    def session(
        self, kind: SessionKind, orders: Sequence[Subscription], shown: int = 0
    ) -> OfferSession:
        """Return a new session about `orders`."""
        items = tuple((one.system_id, one.service_id) for one in orders)
        until = self._now + SESSION_LIFE
        return OfferSession(self.word.msisdn, self.word.port, kind, items, until, shown)

    # 0000 and what follows it.

    def list_orders(self) -> WordOutcome:
        """List running subscriptions, with item numbers that the subscriber can send (R33)."""
        orders = self.orders()
        if not orders:
            changes = Changes(closes=(self.word.msisdn, self.word.port))
            return WordOutcome(changes, texts.NO_ORDERS, False)
        fresh = self.session(SessionKind.LIST, orders)
        before = self._known.session
        start = 0
        if before is not None and (before.kind, before.items) == (fresh.kind, fresh.items):
            start = before.shown if before.shown < len(orders) else 0
        text, shown = texts.listing(orders, start, is_hub=self.word.is_hub)
        return WordOutcome(Changes(session=replace(fresh, shown=shown)), text, False)

    def cancel_items(self, items: Iterable[int]) -> WordOutcome:
        """Cancel the list's items with these numbers; the numbers stay valid (R35)."""
        session = self._known.session
        wanted = {session.items[item - 1] for item in items} if session is not None else set()
        ended = [one for one in self.orders() if (one.system_id, one.service_id) in wanted]
        if not ended:
            return WordOutcome(reply=texts.GONE_ALREADY, is_forwarded=False)
        return WordOutcome(
            Changes(self._steps(ended, SubscriptionAct.CANCEL)), texts.cancelled(ended), False
        )

    # 00000 and TD.

    def cancel_all(self) -> WordOutcome:
        """Cancel all subscriptions of the SP, and refuse its advertising (R34)."""
        ended = self.orders()
        changes = Changes(
            self._steps(self._own, SubscriptionAct.CANCEL), requests=self._refused_requests()
        )
        reply = texts.cancelled_all(ended) if ended else None
        return WordOutcome(changes, reply, answer=Answer.REFUSED, evidence=self.evidence())

    def cancel_everything(self, orders: Sequence[Subscription]) -> WordOutcome:
        """Cancel `orders`, of any SPs; end the session that asked."""
        steps = self._steps(orders, SubscriptionAct.CANCEL)
        changes = Changes(steps, closes=(self.word.msisdn, self.word.port))
        return WordOutcome(changes, texts.cancelled_everything(len(orders)), False)

    def refuse_everyone(self, outcome: WordOutcome) -> WordOutcome:
        """Refuse every SP besides what becomes of the orders; without orders, say that."""
        reply = outcome.reply if self.orders() else None
        changes = replace(outcome.changes, requests=self._refused_requests())
        return replace(
            outcome,
            changes=changes,
            reply=reply,
            answer=Answer.REFUSED,
            evidence=self.evidence(),
        )

    def opt_out(self, meaning: ReplyMeaning) -> WordOutcome:
        """Cancel one order by the name or id of its service, TD天气; else refuse adverts (R31)."""
        service = meaning.service
        named = [
            one
            for one in self._own
            if service is not None and service in {key_of(one.terms.name), key_of(one.service_id)}
        ]
        steps = self._steps(named, SubscriptionAct.CANCEL)
        if not steps:
            paid = tuple(one for one in self.orders() if one.terms.price_fen)
            return WordOutcome(
                self._no(),
                answer=Answer.REFUSED,
                scope=self.word.refused_by(meaning),
                evidence=self.evidence(),
                going_on=paid,
            )
        return WordOutcome(Changes(steps), texts.cancelled([step.after for step in steps]))

    # Orders, yes and no.

    def order(self, service: Service) -> WordOutcome:
        """Request the yes that an order needs before it takes effect (R24)."""
        before = next(
            (one for one in self._own if one.service_id == service.id),
            Subscription(self.word.msisdn, service.system_id, service.id, service.terms, self._now),
        )
        terms = terms_for(before, service)
        text = (texts.renewal if before.is_running else texts.request)(terms)
        request = MessageEvidence(self.word.reply_id, digest_of(text), self._now)
        event = Event(
            SubscriptionAct.ORDER, self.word.said, terms, request, YES_WITHIN, self.word.port
        )
        after = advance(before, event, self._now)
        if not isinstance(after, Subscription):
            return WordOutcome(reply=texts.ordered_already(before.terms))
        step = SubscriptionStep(after, SubscriptionAct.ORDER, self.word.said)
        return WordOutcome(Changes((step,)), text, asked=after)

    def confirm(self) -> WordOutcome:
        """Handle a yes to the latest question, and to no other (R24, R27)."""
        match self._asked():
            case Subscription() as subscription:
                (step,) = self._steps([subscription], SubscriptionAct.CONFIRM)
                evidence, reply = _evidence_of(step.after), texts.done(step.after)
                return WordOutcome(Changes((step,)), reply, evidence=evidence, renews=True)
            case ConsentRequest() as request:
                agreed = self._answered(request, ConsentRequestState.AGREED)
                evidence = f"request {request.message_id or request.text_sha256}; {self.evidence()}"
                return WordOutcome(
                    Changes(requests=(agreed,)),
                    texts.consented(self.word.sender_name),
                    answer=Answer.AGREED,
                    evidence=evidence,
                    until=request.agreed_until,
                )
            case OfferSession() as session:
                wanted = set(session.items)
                orders = [o for o in self.orders() if (o.system_id, o.service_id) in wanted]
                return self.cancel_everything(orders) if orders else self._unchanged()
            case None:
                return WordOutcome()

    def refuse(self) -> WordOutcome:
        """Handle a no to the latest question."""
        match self._asked():
            case Subscription() as subscription:
                (step,) = self._steps([subscription], SubscriptionAct.REFUSE)
                return WordOutcome(Changes((step,)), texts.withdrawn(step.after))
            case ConsentRequest() as request:
                refused = self._answered(request, ConsentRequestState.REFUSED)
                changes = Changes(requests=(refused,))
                return WordOutcome(changes, answer=Answer.REFUSED, evidence=self.evidence())
            case OfferSession():
                return self._unchanged()
            case None:
                return WordOutcome()

    def _no(self) -> Changes:
        """Return the changes when the SP is refused: a no to every open question."""
        asked = [one for one in self._own if one.state in ASKED_STATES]
        return Changes(
            self._steps(asked, SubscriptionAct.REFUSE), requests=self._refused_requests()
        )

    def _refused_requests(self) -> tuple[ConsentRequest, ...]:
        return tuple(self._answered(one, ConsentRequestState.REFUSED) for one in self._requests())

    def _unchanged(self) -> WordOutcome:
        changes = Changes(closes=(self.word.msisdn, self.word.port))
        return WordOutcome(changes, texts.NOTHING_CHANGED, False)

    def _asked(self) -> _Asked | None:
        """Return the latest open question from the port that the subscriber wrote to.

        An answer to another port of the SP does not answer it.
        """
        session = self._known.session
        if self.word.is_hub:
            is_open = session is not None and session.kind is SessionKind.CANCEL_ALL
            return session if is_open else None
        waiting: list[tuple[datetime, _Asked]] = [
            (one.since, one)
            for one in self._own
            if one.is_asked
            and one.asked_until is not None
            and one.asked_until > self._now
            and self._is_from_here(one.asked_from)
        ]
        waiting += [
            (request.asked_at, request)
            for request in self._requests()
            if self._is_from_here(request.port)
        ]
        return max(waiting, key=lambda pair: pair[0], default=(None, None))[1]

    def _is_from_here(self, port: str) -> bool:
        """Tell whether this message answers a question from `port`; "" (old rows) matches any."""
        own = sender_number(self.word.port)
        return port in {"", self.word.port} or (own != "" and own == sender_number(port))

    def _requests(self) -> list[ConsentRequest]:
        return [
            request
            for request in self._known.requests
            if request.system_id == self.word.system_id and request.is_open(self._now)
        ]

    def _answered(self, request: ConsentRequest, state: ConsentRequestState) -> ConsentRequest:
        return replace(request, state=state, answer_id=self.word.said.message_id)

    def _steps(
        self, subscriptions: Iterable[Subscription], act: SubscriptionAct
    ) -> tuple[SubscriptionStep, ...]:
        event = Event(act, self.word.said)
        moved = (advance(one, event, self._now) for one in subscriptions)
        return tuple(
            SubscriptionStep(after, act, self.word.said)
            for after in moved
            if isinstance(after, Subscription)
        )


def terms_for(before: Subscription, service: Service) -> Terms:
    """Return the terms for this subscriber: a trial is given only once."""
    if before.trial_until is None:
        return service.terms
    return replace(service.terms, trial_days=0)


def _evidence_of(subscription: Subscription) -> str:
    proof = subscription.evidence
    said = (("order", proof.order), ("request", proof.request), ("yes", proof.confirmation))
    return "; ".join(f"{name} {one.message_id}" for name, one in said if one is not None)


# What needs no more than the turn itself.
_ACTS: Mapping[Intent, Callable[[WordActions], WordOutcome]] = {
    Intent.LIST: WordActions.list_orders,
    Intent.BAD_INDEX: WordActions.list_orders,
    Intent.CONFIRM: WordActions.confirm,
    Intent.REFUSE: WordActions.refuse,
}


class Dialogue:
    """Decides, and does nothing: no store, no clock. Never raises.

    `catalogue` returns the one in force, `at_hub` what 00000 to a hub code does now.
    """

    def __init__(
        self,
        catalogue: Callable[[], Catalogue],
        at_hub: Callable[[], CancelAll] = lambda: CancelAll.CONFIRM,
    ) -> None:
        self._catalogue = catalogue
        self._at_hub = at_hub

    def outcome_of(self, word: Word, known: SubscriberRecords, now: datetime) -> WordOutcome:
        """Return what follows from `word`, given all that is `known` of its subscriber."""
        turn = WordActions(word, known, now)
        meaning = meaning_in(word, turn.context())
        if meaning.intent in _ACTS:
            return _ACTS[meaning.intent](turn)
        match meaning.intent:
            case Intent.OPTOUT_ITEMS:
                return turn.cancel_items(meaning.items)
            case Intent.OPTOUT_ALL:
                return self._cancel_all_at_hub(turn) if word.is_hub else turn.cancel_all()
            case Intent.OPTOUT:
                return turn.opt_out(meaning)
            case Intent.OPTIN:
                return WordOutcome(answer=Answer.AGREED, evidence=turn.evidence())
            case _:
                return self._order(turn)

    def _order(self, turn: WordActions) -> WordOutcome:
        word = turn.word
        service = self._catalogue().ordered_by(word.system_id, word.port, word.text)
        return WordOutcome() if service is None else turn.order(service)

    def _cancel_all_at_hub(self, turn: WordActions) -> WordOutcome:
        if not key_of(turn.word.text).isdigit():
            # 00000 is about orders (N136); STOPALL and 全部拒收 are about advertising as well.
            return turn.refuse_everyone(self._orders_at_hub(turn))
        return self._orders_at_hub(turn)

    def _orders_at_hub(self, turn: WordActions) -> WordOutcome:
        orders = turn.orders()
        if not orders or self._at_hub() is CancelAll.LIST_ONLY:
            return turn.list_orders()
        if self._at_hub() is CancelAll.EXECUTE:
            return turn.cancel_everything(orders)
        session = turn.session(SessionKind.CANCEL_ALL, orders)
        return WordOutcome(Changes(session=session), texts.ask_cancel_all(len(orders)), False)
