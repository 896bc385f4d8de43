"""How many messages of each SP wait in the store: none may fill it for the others."""

from collections import Counter
from collections.abc import Collection, Mapping

from gateway.domain.quarantine import FINAL_STATES, HeldMessage


class HeldCounts:
    """Counts what was held and has not ended, flagged or deferred alike; each SP has `maximum`.

    Whoever ends a message writes a change, so that this keeps up with other processes and reads
    the store but once, at the start.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._counts: Counter[str] = Counter()
        self._ended: set[int] = set()  # counted off, though changes of theirs may still be read

    def begin(self, counts: Mapping[str, int]) -> None:
        """Take over what an earlier run left, by system_id."""
        self._counts = Counter(counts)

    def has_room(self, system_id: str) -> bool:
        """Tell whether one more message of an SP may wait."""
        return self._counts[system_id] < self._maximum

    def of(self, system_id: str) -> int:
        """Return how many messages of an SP wait."""
        return self._counts[system_id]

    def add(self, system_id: str) -> None:
        """Count a message that is about to be held."""
        self._counts[system_id] += 1

    def take_back(self, system_id: str) -> None:
        """Count off a message that could not be held."""
        self._counts[system_id] -= 1

    def follow(self, moved: Collection[HeldMessage], *, is_all: bool) -> None:
        """Count off what has ended of messages that changes speak of.

        They were looked up after the changes were read, so that one may have ended by a change
        that is still to be read: it counts once. `is_all` says that there were no more changes
        to read, and so none is left of what had ended before.
        """
        ended = {one.message_id for one in moved if one.state in FINAL_STATES}
        new = ended - self._ended
        for one in moved:
            if one.message_id in new:
                self._counts[one.system_id] -= 1
        self._ended = new if is_all else self._ended | new
