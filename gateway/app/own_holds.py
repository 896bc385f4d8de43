"""What subscribers' own rules hold, put together for whoever asks: by message, API or a clerk."""

from collections.abc import Sequence

from gateway.dataplane.held_texts import place_of, text_together
from gateway.domain.quarantine import HeldMessage
from gateway.stores.open import Stores
from gateway.systems.quarantine.desk import QuarantineDesk
from gateway.systems.quarantine.ids import MessageIds
from gateway.systems.quarantine.own_holds import OwnHolds, Part


class HeldTexts:
    """Reads held messages for those who know no SMPP."""

    def part_of(self, held: HeldMessage) -> Part | None:
        """Return which part of a long message `held` is, None for one that is whole."""
        place = place_of(held)
        return None if place is None else Part(place.reference, place.total, place.number)

    def text_of(self, together: Sequence[HeldMessage]) -> str:
        """Return the text of one message, or of all parts of one in their order."""
        return text_together(together)


def own_holds_in(stores: Stores) -> OwnHolds:
    """Return what sees to the messages that subscribers' own preferences hold (R50)."""
    # Nothing is put into quarantine here, so no id is ever issued.
    desk = QuarantineDesk(stores.quarantine, MessageIds(worker=0))
    return OwnHolds(stores.quarantine, desk, HeldTexts())
