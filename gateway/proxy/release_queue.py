"""What is to be released, as the gateway knows of it between two looks into the store."""

from collections import Counter
from collections.abc import Collection, Iterable
from itertools import islice

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.verdict import Action


class ReleaseQueue:
    """Who waits to be released, in order; who was counted; and what came of those of this turn."""

    def __init__(self) -> None:
        # How many are wanted of each sender: to count 100 000 anew takes 3 ms a turn.
        self.waiting: Counter[str] = Counter()
        self.counted: set[int] = set()  # their hour came; judging them again counts no more
        self.came_of: Counter[str] = Counter()
        self._wanted: dict[int, str] = {}  # message_id to system_id

    def follow(self, held: HeldMessage) -> None:
        """Take in how a message stands now."""
        if held.state is HoldState.RELEASE_REQUESTED:
            self.want(held.message_id, held.system_id)
            return
        self.drop((held.message_id,))
        if held.state is not HoldState.RELEASING:
            self.counted.discard(held.message_id)

    def want(self, message_id: int, system_id: str) -> None:
        """Want a message, after all others unless it is wanted already."""
        if message_id not in self._wanted:
            self._wanted[message_id] = system_id
            self.waiting[system_id] += 1

    def put_back(self, together: Iterable[HeldMessage]) -> None:
        """Let messages wait their turn once more, after all others."""
        for held in together:
            self.drop((held.message_id,))
            self.want(held.message_id, held.system_id)

    def drop(self, message_ids: Iterable[int]) -> None:
        """Want messages no more."""
        for message_id in message_ids:
            system_id = self._wanted.pop(message_id, None)
            if system_id is not None:
                self.waiting[system_id] -= 1
                if not self.waiting[system_id]:
                    del self.waiting[system_id]

    def first_of(self, senders: Collection[str], limit: int) -> list[int]:
        """Return the messages of `senders` whose turn it is, at most `limit`."""
        if not senders:
            return []
        theirs = (number for number, sender in self._wanted.items() if sender in senders)
        return list(islice(theirs, limit))

    def note(self, action: Action) -> None:
        """Count what came of a message whose hour came: thousands do, and are not listed."""
        self.came_of[action.value] += 1


def is_asked_for(held: HeldMessage) -> bool:
    """Tell whether somebody asked for this message: those whose hour came go by thousands."""
    return held.is_reviewed or held.is_wanted
