"""What is kept for each sender, and which sender makes room: the one that has the most."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class FairShares(Generic[T]):
    """Things of many senders, each sender's in order of last use, the oldest first.

    A sender never loses anything because of a sender that has as much or more. So among n
    senders, one with at most 1/n of all things loses nothing to others. The time of a call does
    not depend on how many things there are.
    """

    def __init__(self) -> None:
        self._of: dict[str, OrderedDict[T, None]] = {}
        self._by_size: dict[int, dict[str, None]] = {}
        self._most = 0  # that any sender has
        self._kept = 0

    def __len__(self) -> int:
        return self._kept

    def add(self, sender: str, one: T) -> OrderedDict[T, None]:
        """Keep one thing of a sender; return all its things: move a used one to the end there."""
        own = self._of.setdefault(sender, OrderedDict())
        own[one] = None
        self._kept += 1
        self._resize(sender, len(own) - 1, len(own))
        return own

    def remove(self, sender: str, one: T) -> None:
        """Forget one thing of a sender."""
        own = self._of[sender]
        del own[one]
        self._kept -= 1
        self._resize(sender, len(own) + 1, len(own))
        if not own:
            del self._of[sender]

    def longest_rested(self, sender: str) -> T:
        """Return what must go to make room for one more of `sender`; not for an empty table.

        It is `sender`'s own unless another sender has more.
        """
        if len(self._of.get(sender, ())) < self._most:
            sender = next(iter(self._by_size[self._most]))
        return next(iter(self._of[sender]))

    def _resize(self, sender: str, before: int, after: int) -> None:
        if before:
            alike = self._by_size[before]
            del alike[sender]
            if not alike:
                del self._by_size[before]
        if after:
            self._by_size.setdefault(after, {})[sender] = None
        if after > self._most or self._most not in self._by_size:
            self._most = after
