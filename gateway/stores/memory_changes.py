"""The in-memory twin of the feed of changes (contract: gateway.ports.changes).

The twins are for tests, and for a gateway that may forget. One event loop uses them, and no
call awaits anything: each is atomic as it is.
"""

from dataclasses import replace
from datetime import datetime
from itertools import islice

from gateway.ports.changes import UNNAMED, Change, ChangeKind


class MemoryChanges:
    """Twin of the feed of changes."""

    def __init__(self) -> None:
        self._changes: list[Change] = []
        self._latest = 0

    def add(self, kind: ChangeKind, key: str, at: datetime) -> int:
        """Append a change for one of the other twins; return its number."""
        self._latest += 1
        self._changes.append(Change(self._latest, kind, key, at))
        return self._latest

    async def changes(self, after: int, limit: int = 1000) -> list[Change]:
        return list(islice((c for c in self._changes if c.number > after), limit))

    async def latest(self) -> int:
        return self._latest

    async def prune(self, before: datetime) -> int:
        kept = [c for c in self._changes if c.at >= before or c.number == self._latest]
        pruned = len(self._changes) - len(kept)
        self._changes = kept
        return pruned

    def forget(self, kind: ChangeKind, key: str) -> None:
        """Remove all changes of `key`, as one of the other twins is asked to forget it."""
        self._changes = [c for c in self._changes if (c.kind, c.key) != (kind, key)]

    async def forget_subscribers(self, before: datetime) -> int:
        named = [
            place
            for place, c in enumerate(self._changes)
            if c.kind is ChangeKind.PREFERENCES and c.at < before and c.key != UNNAMED
        ]
        for place in named:
            self._changes[place] = replace(self._changes[place], key=UNNAMED)
        return len(named)
