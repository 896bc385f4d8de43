"""Messages to release, as the gateway knows them between two looks at the store."""

from collections import Counter
from collections.abc import Collection, Iterable
from itertools import islice

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.verdict import Action


class ReleaseQueue:
    """Messages that wait for release, in order; those counted already; results of this turn."""

    def __init__(self) -> None:
        # Messages waiting, by sender: counting 100 000 anew would take 3 ms each turn.
        self.waiting: Counter[str] = Counter()
        self.counted: set[int] = set()  # deferred and counted; judging again does not count them
        self.came_of: Counter[str] = Counter()
        self._wanted: dict[int, str] = {}  # message_id to system_id

    def follow(self, held: HeldMessage) -> None:
        """Update the queue from the present state of a message."""
        if held.state is HoldState.RELEASE_REQUESTED:
            self.want(held.message_id, held.system_id)
            return
        self.drop((held.message_id,))
        if held.state is not HoldState.RELEASING:
            self.counted.discard(held.message_id)

    def want(self, message_id: int, system_id: str) -> None:
        """Add a message at the end, unless it is in the queue."""
        if message_id not in self._wanted:
            self._wanted[message_id] = system_id
            self.waiting[system_id] += 1

    def put_back(self, together: Iterable[HeldMessage]) -> None:
        """Move messages to the end of the queue."""
        for held in together:
            self.drop((held.message_id,))
            self.want(held.message_id, held.system_id)

    def drop(self, message_ids: Iterable[int]) -> None:
        """Remove messages from the queue."""
        for message_id in message_ids:
            system_id = self._wanted.pop(message_id, None)
            if system_id is not None:
                self.waiting[system_id] -= 1
                if not self.waiting[system_id]:
                    del self.waiting[system_id]

    def first_of(self, senders: Collection[str], limit: int) -> list[int]:
        """Return the ids of the first messages of `senders`, at most `limit`."""
        if not senders:
            return []
        theirs = (number for number, sender in self._wanted.items() if sender in senders)
        return list(islice(theirs, limit))

    def note(self, action: Action) -> None:
        """Count the result of a deferred message; thousands are due, too many to log each."""
        self.came_of[action.value] += 1


def is_asked_for(held: HeldMessage) -> bool:
    """Tell whether a person or the addressee released this message; a due one is not meant."""
    return held.is_reviewed or held.is_wanted
