"""The suspended numbers: the data path asks for them per message (R43)."""

from collections.abc import Iterable

from gateway.domain.suspension import GRACE, NewSuspension

_MAX_FOUND = 100_000
_GRACE_S = GRACE.total_seconds()


class SuspendedSources:
    """Until when numbers are suspended, and which suspensions found here are not stored yet.

    A suspension found here holds at once; `found` is for the code that stores it. After a
    suspension is lifted, its number is spared for a while: what it sent before stays counted, and
    would suspend it again with the next message. The follower of the store clears `is_current`
    while the store cannot be read: the last known state still holds.
    """

    __slots__ = ("found", "is_current", "spared", "until")

    def __init__(self) -> None:
        self.is_current = True
        self.until: dict[int, float] = {}  # in epoch seconds, as all here
        self.spared: dict[int, float] = {}
        self.found: dict[int, NewSuspension] = {}

    def is_suspended(self, msisdn: int, at: float) -> bool:
        """Tell whether the number may send nothing."""
        return self.until.get(msisdn, 0.0) > at

    def may_be_suspended(self, msisdn: int, at: float) -> bool:
        """Tell whether reaching a limit suspends the number: not if it is suspended or spared."""
        return not self.is_suspended(msisdn, at) and self.spared.get(msisdn, 0.0) <= at

    def suspend(self, new: NewSuspension) -> None:
        """Start a suspension now, and add it to `found`.

        Beyond 100 000 that are not stored yet, it holds in this process only.
        """
        self.until[new.msisdn] = new.until.timestamp()
        if len(self.found) < _MAX_FOUND:
            self.found[new.msisdn] = new

    def load(self, rows: Iterable[tuple[int, float, float]]) -> None:
        """Take over what the store says of numbers: until when, and when it was last lifted.

        0 means neither. Numbers in `found` are skipped: the store does not know them yet.
        """
        for msisdn, until, lifted_at in rows:
            if msisdn in self.found:
                continue
            _put(self.until, msisdn, until)
            _put(self.spared, msisdn, lifted_at and lifted_at + _GRACE_S)

    def replace(self, fresh: "SuspendedSources") -> None:
        """Replace all content by that of `fresh`, which must not be used any more; keep `found`."""
        self.until, self.spared = fresh.until, fresh.spared
        for new in self.found.values():
            self.until[new.msisdn] = new.until.timestamp()

    def forget(self, at: float) -> None:
        """Drop what is over."""
        self.until = {one: until for one, until in self.until.items() if until > at}
        self.spared = {one: until for one, until in self.spared.items() if until > at}


def _put(numbers: dict[int, float], msisdn: int, until: float) -> None:
    if until:
        numbers[msisdn] = until
    else:
        numbers.pop(msisdn, None)
