"""Set up the handling of own holds, for requests by message, by API or by a clerk."""

from collections.abc import Sequence

from gateway.dataplane.carriers import place_of, text_together
from gateway.domain.quarantine import HeldMessage
from gateway.stores import Stores
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.own_holds import HeldPart, OwnHolds
from gateway.systems.quarantine.service import QuarantineDesk


class HeldTexts:
    """Reads held messages for code that does not know SMPP."""

    def part_of(self, held: HeldMessage) -> HeldPart | None:
        """Return which part of a long message `held` is, None if it is not a part."""
        place = place_of(held)
        return None if place is None else HeldPart(place.reference, place.total, place.number)

    def text_of(self, together: Sequence[HeldMessage]) -> str:
        """Return the text of one message, or of all its parts in order."""
        return text_together(together)


def own_holds_in(stores: Stores) -> OwnHolds:
    """Return the service for messages held by subscribers' own preferences (R50)."""
    # Nothing is put into quarantine here, so this desk issues no id.
    desk = QuarantineDesk(stores.quarantine, MessageIds(worker=0))
    return OwnHolds(stores.quarantine, desk, HeldTexts())
