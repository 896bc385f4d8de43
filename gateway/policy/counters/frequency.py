"""The frequency limits for one kind of message, counted in one worker (R42, R43)."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

from gateway.policy.counters.limits import (
    Clock,
    CountDimension,
    CounterTerms,
    Full,
    Limit,
    Parts,
    Retired,
    RollingWindow,
)
from gateway.policy.counters.window_counters import ClockCounter, RollingCounter

_Counter: TypeAlias = ClockCounter | RollingCounter

# If the clock is set back by no more than this, time stands still for the counters. If it is set
# back farther, it was wrong before, and what was counted by it cannot be told from the future.
_STEP_BACK_S = 60

# Keys and groups removed with each message, while there are any: many more than a message adds, and
# a microsecond's work.
_TAKEN_APART = 16


class CounterStore(Protocol):
    """Counts messages against limits; the data path asks it once per message and never waits.

    A store that workers share also answers from memory: from shares of each limit that it leases in
    advance. It may reject too early by what other workers hold, never too late.
    """

    @property
    def is_full(self) -> bool:
        """Tell whether some limit has no room for a new key; this should raise an alarm."""

    def admit(self, parts: Parts, now: float) -> Limit | Full | None:
        """Count one message in all limits and return None, or return what is against it.

        A Limit is exceeded; Full means that the message cannot be counted, which is an overload of
        the gateway and not the sender's fault. In both cases no limit counts it. `now` is epoch
        seconds, and equal parts share their counts.
        """

    def admit_all(
        self, messages: Sequence[Parts], now: float
    ) -> Sequence[tuple[int, Limit | Full]]:
        """Admit messages in order; return the place of each rejected one with the reason."""

    def forget(self, parts: Parts, now: float) -> None:
        """Take back one message that was admitted with the same two arguments.

        For a message that was not forwarded after all. Call it at most once for each admitted
        message; a count that has expired is ignored.
        """


class Frequencies:
    """A CounterStore of this worker alone, exact to the second.

    Each limit keeps at most `counting.capacity` keys; one SP holds at most as many as it leaves
    free (KeyShares). For a while it also keeps as many expired keys, which are removed with the
    messages that follow. Keys leave by time only: at the end of a clock window, and after one to
    two rolling windows. A key takes about 90 octets (benchmarks/frequency.py) with any parts, and 4
    more for each further message that a rolling window keeps.
    """

    __slots__ = ("counters", "latest", "restarts", "retired")

    def __init__(self, limits: Sequence[Limit], counting: CounterTerms) -> None:
        """Hold messages to `limits`.

        Raises ValueError for a limit that asks for holidays without a calendar, and for two
        limits that agree in `per` and `every`.
        """
        if len(set(map(_same, limits))) < len(limits):
            raise ValueError("two limits count the same messages over the same time")
        if counting.calendar is None and any(limit.holiday_maximum for limit in limits):
            raise ValueError("holiday_maximum: there is no calendar to know the holidays by")
        self.restarts = 0
        self.latest = 0
        self.retired: Retired = []
        self.counters = tuple(_counter(limit, counting, self.retired) for limit in limits)

    @property
    def is_full(self) -> bool:
        """Tell whether some limit has no room for a new key."""
        return any(counter.is_full for counter in self.counters)

    @property
    def keys(self) -> int:
        """Return how many keys all limits hold together."""
        return sum(counter.keys for counter in self.counters)

    def admit(self, parts: Parts, now: float) -> Limit | Full | None:
        """Count one message in all limits and return None, or return what is against it."""
        return self._admit(parts, self._begin(now, 1))

    def admit_all(
        self, messages: Sequence[Parts], now: float
    ) -> Sequence[tuple[int, Limit | Full]]:
        """Admit messages in order; return the place of each rejected one with the reason."""
        second = int(now)
        if second != self.latest or self.retired:
            second = self._begin(now, len(messages))
        against: Sequence[tuple[int, Limit | Full]] = ()
        left = messages
        for counter in self.counters:
            refused = counter.take_all(left, second)
            if not refused:
                continue
            taken = _without(left, refused)
            if counter is not self.counters[0]:
                self._take_back(counter, left, taken, second)
                return self._admit_in_turn(messages, second)
            if not taken:
                return refused  # a counter turns its window even if it is asked about nothing
            against, left = refused, taken
        return against

    def _admit_in_turn(
        self, messages: Sequence[Parts], second: int
    ) -> Sequence[tuple[int, Limit | Full]]:
        """Admit messages one by one, if another limit than the first rejected one of them.

        The rejected message may not count in the other limits, and what the first limit rejected
        may be due to it.
        """
        admitted = [(place, self._admit(parts, second)) for place, parts in enumerate(messages)]
        return [(place, against) for place, against in admitted if against is not None]

    def _begin(self, now: float, messages: int) -> int:
        """Return the second to count in, after removing expired keys for so many `messages`."""
        second = int(now)
        if second != self.latest:
            second = self.latest = second if second > self.latest else self._set_back(second)
        if self.retired:
            self._take_apart(_TAKEN_APART * messages)
        return second

    def _admit(self, parts: Parts, second: int) -> Limit | Full | None:
        for counter in self.counters:
            against = counter.take_all((parts,), second)
            if against:
                self._take_back(counter, (parts,), (), second)
                return against[0][1]
        return None

    def _take_back(
        self,
        last: _Counter,
        of_all: Sequence[Parts],
        of_last: Sequence[Parts],
        second: int,
    ) -> None:
        """Take `of_all` back from all counters before `last`, and `of_last` from `last`.

        The latest first: the message that made a key is the one that removes it.
        """
        for counter in self.counters[: self.counters.index(last)]:
            for parts in reversed(of_all):
                counter.forget(parts, second)
        for parts in reversed(of_last):
            last.forget(parts, second)

    def forget(self, parts: Parts, now: float) -> None:
        """Take back one message that was admitted with the same two arguments.

        If it was admitted while time stood still after the clock was set back, it may stay counted.
        """
        for counter in self.counters:
            counter.forget(parts, int(now))

    def _set_back(self, second: int) -> int:
        if self.latest - second <= _STEP_BACK_S:
            return self.latest
        self.restarts += 1
        for counter in self.counters:
            counter.restart()
        return second

    def _take_apart(self, left: int) -> None:
        retired = self.retired
        while retired and left > 0:
            counts = retired[-1]
            if len(counts) > left:
                for _ in range(left):
                    counts.popitem()
                return
            left -= len(counts) + 1
            retired.pop()

    def adopt(self, before: "Frequencies") -> None:
        """Go on from the counts of `before`, which must not be used any more.

        Limits that agree in `per` and `every` keep their counts, so that a reload of the policy
        gives no sender a fresh start.
        """
        self.restarts, self.latest = before.restarts, before.latest
        earlier = {_same(old.limit): old for old in before.counters}
        for counter in self.counters:
            match counter, earlier.pop(_same(counter.limit), None):
                case ClockCounter(), ClockCounter() as old:
                    counter.adopt(old)
                case RollingCounter(), RollingCounter() as old:
                    counter.adopt(old)
                case _:  # a limit that is new
                    pass
        for dropped in earlier.values():
            dropped.restart()
        self.retired += before.retired


def _without(
    messages: Sequence[Parts], against: Sequence[tuple[int, Limit | Full]]
) -> Sequence[Parts]:
    refused = {place for place, _ in against}
    return [one for place, one in enumerate(messages) if place not in refused]


def _same(limit: Limit) -> tuple[frozenset[CountDimension], Clock | RollingWindow]:
    return frozenset(limit.per), limit.every


def _counter(limit: Limit, counting: CounterTerms, retired: Retired) -> _Counter:
    if isinstance(limit.every, Clock):
        return ClockCounter(limit, limit.every, counting, retired)
    return RollingCounter(limit, limit.every, counting, retired)
