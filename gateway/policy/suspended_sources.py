"""The numbers that may send nothing for a while: what the data path asks per message (R43)."""

from collections.abc import Iterable

from gateway.domain.suspension import GRACE, NewSuspension

_MAX_FOUND = 100_000
_GRACE_S = GRACE.total_seconds()


class SuspendedSources:
    """Which numbers are suspended until when, and what was found here and is not kept yet.

    What is found holds at once; `found` is for whoever keeps it. Once a suspension was lifted
    its number is spared for a while: what it sent before stays counted, and would suspend it
    again with the next message. `is_current` is cleared by whoever follows the store while it
    cannot be read: the last known goes on to hold.
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
        """Tell whether a limit that is reached suspends the number: it is neither, nor spared."""
        return not self.is_suspended(msisdn, at) and self.spared.get(msisdn, 0.0) <= at

    def suspend(self, new: NewSuspension) -> None:
        """Let a suspension hold from now on, and leave it in `found`.

        Past 100 000 that nobody keeps it holds in this process alone.
        """
        self.until[new.msisdn] = new.until.timestamp()
        if len(self.found) < _MAX_FOUND:
            self.found[new.msisdn] = new

    def load(self, rows: Iterable[tuple[int, float, float]]) -> None:
        """Take over what the store says of numbers: until when, and when it was last lifted.

        0 is for neither. What was found here and is not kept yet is news to the store.
        """
        for msisdn, until, lifted_at in rows:
            if msisdn in self.found:
                continue
            _put(self.until, msisdn, until)
            _put(self.spared, msisdn, lifted_at and lifted_at + _GRACE_S)

    def replace(self, fresh: "SuspendedSources") -> None:
        """Take the whole of `fresh`, which must not be used any more, in place of this."""
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
