"""What a subscriber's message changes and is answered with: decided from what is known."""

from collections.abc import Callable, Mapping
from datetime import datetime

from gateway.domain.consent import Answer
from gateway.domain.hub import CancelAll
from gateway.policy.intents import Intent
from gateway.ports.subscriptions import Changes, Known, SessionKind
from gateway.systems.subscriptions import texts
from gateway.systems.subscriptions.catalogue import Catalogue
from gateway.systems.subscriptions.turn import Turn
from gateway.systems.subscriptions.word import Outcome, Word, meaning_in

# What needs no more than the turn itself.
_ACTS: Mapping[Intent, Callable[[Turn], Outcome]] = {
    Intent.LIST: Turn.list_orders,
    Intent.BAD_INDEX: Turn.list_orders,
    Intent.CONFIRM: Turn.confirm,
    Intent.REFUSE: Turn.refuse,
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

    def outcome_of(self, word: Word, known: Known, now: datetime) -> Outcome:
        """Return what follows from `word`, given all that is `known` of its subscriber."""
        turn = Turn(word, known, now)
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
                return Outcome(answer=Answer.AGREED, evidence=turn.evidence())
            case _:
                return self._order(turn)

    def _order(self, turn: Turn) -> Outcome:
        word = turn.word
        service = self._catalogue().ordered_by(word.system_id, word.port, word.text)
        return Outcome() if service is None else turn.order(service)

    def _cancel_all_at_hub(self, turn: Turn) -> Outcome:
        orders = turn.orders()
        if not orders or self._at_hub is CancelAll.LIST_ONLY:
            return turn.list_orders()
        if self._at_hub is CancelAll.EXECUTE:
            return turn.cancel_everything(orders)
        session = turn.session(SessionKind.CANCEL_ALL, orders)
        return Outcome(Changes(session=session), texts.ask_cancel_all(len(orders)), False)
