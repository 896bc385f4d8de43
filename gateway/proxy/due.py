"""Take deferred messages that are due, so that no sender blocks the others (R40)."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime

from gateway.domain.quarantine import HeldMessage
from gateway.ports.errors import StoreUnavailable
from gateway.ports.quarantine import QuarantineStore

# The start of allowed hours must not cause a flood: at most so many are taken at a time, and so
# many of one sender that cannot be sent yet. A port at its rate limit delays no other (R40, R44).
_AT_ONCE = 100
DUE_EACH = 20


class DueMessages:
    """Takes deferred messages that are due, a bounded number at a time.

    The store returns the earliest due first. A sender with a million deferred messages would
    fill every batch for an hour, so senders that had many last time come after the others.
    """

    def __init__(self, store: QuarantineStore) -> None:
        self._store = store
        self._had_many: set[str] = set()

    async def take(self, now: datetime, senders: Collection[str]) -> list[HeldMessage]:
        """Claim and return due messages of `senders`.

        Raises StoreUnavailable only if nothing was taken.
        """
        taken: list[HeldMessage] = []
        others = [sender for sender in senders if sender not in self._had_many]
        for some in (others, [sender for sender in senders if sender in self._had_many]):
            room = _AT_ONCE - len(taken)
            if some and room:
                try:
                    taken += await self._store.take_due(now, some, room)
                except StoreUnavailable:
                    if not taken:
                        raise
        counts = Counter(held.system_id for held in taken)
        self._had_many = {sender for sender, count in counts.items() if count >= DUE_EACH}
        return taken
