"""Taking up what is due: who has much waiting keeps nobody else waiting (R40)."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime

from gateway.domain.quarantine import HeldMessage
from gateway.ports.errors import StoreUnavailable
from gateway.ports.quarantine import QuarantineStore

# An opening must not be a flood: so many are taken up at a time, and so many of one sender that
# cannot leave yet. A port that is held to its rate keeps nobody else waiting (R40, R44).
_AT_ONCE = 100
DUE_EACH = 20


class DueMessages:
    """Takes up what has waited for its hour, a bounded amount at a time.

    The store gives what was due first. A sender that deferred a million messages would have the
    first ones for an hour, so who had many the last time comes after the others this time.
    """

    def __init__(self, store: QuarantineStore) -> None:
        self._store = store
        self._had_many: set[str] = set()

    async def take(self, now: datetime, senders: Collection[str]) -> list[HeldMessage]:
        """Return what is due of `senders`; it is theirs who asks. Raises StoreUnavailable.

        Nothing was taken then.
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
