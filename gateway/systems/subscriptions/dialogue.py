"""What a subscriber's message changes and is answered with: decided from what is known."""

from collections.abc import Callable, Mapping
from datetime import datetime

from gateway.domain.consent import Answer
from gateway.domain.hub import CancelAll
from gateway.policy.intents import Intent
from gateway.ports.subscriptions import Changes, SessionKind, SubscriberRecords
from gateway.systems.subscriptions import texts
from gateway.systems.subscriptions.catalogue import Catalogue
from gateway.systems.subscriptions.turn import WordActions
from gateway.systems.subscriptions.word import Word, WordOutcome, meaning_in

# What needs no more than the turn itself.
_ACTS: Mapping[Intent, Callable[[WordActions], WordOutcome]] = {
    Intent.LIST: WordActions.list_orders,
    Intent.BAD_INDEX: WordActions.list_orders,
    Intent.CONFIRM: WordActions.confirm,
    Intent.REFUSE: WordActions.refuse,
}


class Dialogue:
    """Decides, and does nothing: no store, no clock. Never raises.

    `catalogue` returns the one in force; `at_hub` is what 00000 to a hub code does.
    """

    def __init__(
        self, catalogue: Callable[[], Catalogue], at_hub: CancelAll = CancelAll.CONFIRM
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
                return turn.opt_out(meaning.service)
            case Intent.OPTIN:
                return WordOutcome(answer=Answer.AGREED, evidence=turn.evidence())
            case _:
                return self._order(turn)

    def _order(self, turn: WordActions) -> WordOutcome:
        word = turn.word
        service = self._catalogue().ordered_by(word.system_id, word.port, word.text)
        return WordOutcome() if service is None else turn.order(service)

    def _cancel_all_at_hub(self, turn: WordActions) -> WordOutcome:
        orders = turn.orders()
        if not orders or self._at_hub is CancelAll.LIST_ONLY:
            return turn.list_orders()
        if self._at_hub is CancelAll.EXECUTE:
            return turn.cancel_everything(orders)
        session = turn.session(SessionKind.CANCEL_ALL, orders)
        return WordOutcome(Changes(session=session), texts.ask_cancel_all(len(orders)), False)
