"""How much of each SP waits in the store: none may fill it for the others."""

from collections import Counter
from collections.abc import Collection, Mapping

from gateway.domain.quarantine import FINAL_STATES, HeldMessage
from gateway.ports.quarantine import HeldTotals


class HeldCounts:
    """Counts what was held and has not ended, flagged or deferred alike.

    Each SP has room for `maximum.messages` and for `maximum.octets`. Whoever ends a message
    writes a change, so that this keeps up with other processes and reads the store but once, at
    the start. `added` are the octets that were held since then, ended or not, by system_id.
    """

    def __init__(self, maximum: HeldTotals) -> None:
        self.added: Counter[str] = Counter()
        self._maximum = maximum
        self._counts: Counter[str] = Counter()
        self._octets: Counter[str] = Counter()
        self._ended: set[int] = set()  # counted off, though changes of theirs may still be read

    def begin(self, counts: Mapping[str, HeldTotals]) -> None:
        """Take over what an earlier run left, by system_id."""
        self._counts = Counter({one: waiting.messages for one, waiting in counts.items()})
        self._octets = Counter({one: waiting.octets for one, waiting in counts.items()})

    def has_room(self, system_id: str, octets: int) -> bool:
        """Tell whether one more message of an SP, of `octets`, may wait."""
        return self._counts[system_id] < self._maximum.messages and self.may_grow(system_id, octets)

    def may_grow(self, system_id: str, octets: int) -> bool:
        """Tell whether what waits of an SP may take so many more octets."""
        return self._octets[system_id] + octets <= self._maximum.octets

    def of(self, system_id: str) -> int:
        """Return how many messages of an SP wait."""
        return self._counts[system_id]

    def octets(self) -> dict[str, int]:
        """Return how many octets wait, by system_id."""
        return {one: octets for one, octets in self._octets.items() if octets}

    def add(self, system_id: str, octets: int) -> None:
        """Count a message that is about to be held."""
        self._counts[system_id] += 1
        self.grow(system_id, octets)

    def grow(self, system_id: str, octets: int) -> None:
        """Count what a message takes more, or less, since its text was exchanged."""
        self._octets[system_id] += octets
        self.added[system_id] += max(octets, 0)

    def take_back(self, system_id: str, octets: int) -> None:
        """Count off a message that could not be held."""
        self._counts[system_id] -= 1
        self._octets[system_id] -= octets

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
                self.take_back(one.system_id, one.octets)
        self._ended = new if is_all else self._ended | new
