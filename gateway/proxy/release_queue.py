"""What is to be released, as the gateway knows of it between two looks into the store."""

from collections import Counter
from collections.abc import Iterable

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.verdict import Action


class ReleaseQueue:
    """Who waits to be released, in order; who was counted; and what came of those of this turn."""

    def __init__(self) -> None:
        self.wanted: dict[int, str] = {}  # message_id to system_id
        self.counted: set[int] = set()  # their hour came; judging them again counts no more
        self.came_of: Counter[str] = Counter()

    def follow(self, held: HeldMessage) -> None:
        """Take in how a message stands now."""
        if held.state is HoldState.RELEASE_REQUESTED:
            self.wanted[held.message_id] = held.system_id
            return
        self.wanted.pop(held.message_id, None)
        if held.state is not HoldState.RELEASING:
            self.counted.discard(held.message_id)

    def put_back(self, together: Iterable[HeldMessage]) -> None:
        """Let messages wait their turn once more, after all others."""
        for held in together:
            self.wanted.pop(held.message_id, None)
            self.wanted[held.message_id] = held.system_id

    def drop(self, message_ids: Iterable[int]) -> None:
        """Want messages no more."""
        for message_id in message_ids:
            self.wanted.pop(message_id, None)

    def note(self, action: Action) -> None:
        """Count what came of a message whose hour came: thousands do, and are not listed."""
        self.came_of[action.value] += 1


def is_asked_for(held: HeldMessage) -> bool:
    """Tell whether somebody asked for this message: those whose hour came go by thousands."""
    return held.is_reviewed or held.is_wanted
