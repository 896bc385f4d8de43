"""How often (R42, R43)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Self
from zoneinfo import ZoneInfo

from annotated_types import Len

from gateway.domain.policy import Clock, CountDimension, Limit, RollingWindow
from gateway.domain.suspension import SuspensionTerms
from gateway.domain.verdict import Action, Basis, Reason, ReasonCode
from gateway.policy.check import Against, CountingCheck, Evidence, PortPrefix, SourceCheck
from gateway.policy.counters import ClockCounter, CounterTerms, Full, Parts, Retired, RollingCounter
from gateway.policy.filings import SenderFilings
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import Submission

# If the clock is set back by no more than this, time stands still for the counters. If it is set
# back farther, it was wrong before, and what was counted by it cannot be told from the future.
_STEP_BACK_S = 60

# Keys and groups removed with each message, while there are any: many more than a message adds, and
# a microsecond's work.
_TAKEN_APART = 16

_UNCOUNTED = Evidence("the counters are full", Reason.FREQUENCY_UNCOUNTED, zh="计数器已满")
_MAX_LIMITS = 16


@dataclass(frozen=True, slots=True)
class TooOften(CountingCheck, SourceCheck):
    """A limit is reached (R42, R43). `sources` are beginnings of what is counted, all if empty.

    With `suspend`, a source that reaches a limit is suspended.
    """

    reason = ReasonCode("FREQUENCY", Basis.RECIPIENT, "ESME_RTHROTTLED", cmpp="0x408")
    order = 220
    allowed_actions = (Action.THROTTLE, Action.REJECT, Action.QUARANTINE)
    help = {
        "limits": "How many messages in which time; each counts by itself.",
        "sources": "Beginnings of the source addresses that are counted, in quotes; all without.",
        "suspend": "What becomes of the source, beyond this message.",
    }

    limits: Annotated[tuple[Limit, ...], Len(1, _MAX_LIMITS)]
    sources: tuple[PortPrefix, ...] = ()
    suspend: SuspensionTerms | None = None

    def __post_init__(self) -> None:
        if self.suspend is None:
            return
        if not self.sources:
            raise ValueError("suspend: needs sources, or the ports of SPs would be suspended too")
        if any(CountDimension.SOURCE not in limit.per for limit in self.limits):
            raise ValueError("suspend: each limit must count per source, or it suspends others")

    @property
    def memory_s(self) -> float:
        """Return the length of the longest limit, in seconds."""
        return max(
            limit.every.seconds if isinstance(limit.every, RollingWindow) else limit.every.length_s
            for limit in self.limits
        )

    def concerns(self, submission: Submission, filed: SenderFilings) -> bool:
        """Tell whether messages of this source are counted."""
        return self.source_trait(submission.source.decode("latin-1"), filed)

    def source_trait(self, source: str, filed: SenderFilings) -> bool:
        """Tell whether messages of this source are counted."""
        return not self.sources or source.startswith(self.sources)

    def counter(self, knowledge: Knowledge, locale: RuleLocale) -> "Often":
        """Return a counter without counts."""
        return Often(self, locale)


class Often:
    """Counts messages against the limits of one rule."""

    __slots__ = ("_evidence", "_frequencies", "_is_signed", "_says_source")

    gives_back: ClassVar[bool] = True
    is_by_second: ClassVar[bool] = True

    def __init__(self, check: TooOften, surroundings: RuleLocale) -> None:
        counting = CounterTerms(
            surroundings.capacity, _standard_offset_s(surroundings.zone), surroundings.calendar
        )
        self._frequencies = Frequencies(check.limits, counting)
        self._evidence = {limit: Evidence(_said(limit)) for limit in check.limits}
        self._is_signed = any(CountDimension.SIGNATURE in limit.per for limit in check.limits)
        self._says_source = any(CountDimension.SOURCE in limit.per for limit in check.limits)

    def ask_all(self, submissions: Sequence[Submission], at: float) -> Against:
        """Count messages, except those that would exceed a limit."""
        against = self._frequencies.admit_all(self._parts_of(submissions), at)
        if not against:
            return ()
        counted = [one for one in submissions if one.units]
        return [(counted[place], self._said(found)) for place, found in against]

    def forget(self, submission: Submission, at: float) -> None:
        """Take back a message that was counted."""
        for parts in self._parts_of((submission,)):
            self._frequencies.forget(parts, at)

    def _said(self, against: Limit | Full) -> Evidence:
        return _UNCOUNTED if isinstance(against, Full) else self._evidence[against]

    def _parts_of(self, submissions: Sequence[Submission]) -> list[Parts]:
        """Return what is counted: for a long message, its first part counts for the whole."""
        is_signed, says_source = self._is_signed, self._says_source
        return [
            (
                one.msisdn or 0,
                facts.shown().signature if is_signed and (facts := one.facts) is not None else "",
                one.template,
                one.account.system_id,
                one.source.decode("latin-1") if says_source else "",
            )
            for one in submissions
            if one.units
        ]

    def adopt(self, before: Self) -> None:
        """Go on from the counts of `before`, limit by limit."""
        self._frequencies.adopt(before._frequencies)


class Frequencies:
    """Counts messages against limits, exact to the second, in this process alone.

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
    def keys(self) -> int:
        """Return how many keys all limits hold together; some may have expired."""
        return sum(counter.shares.keys for counter in self.counters)

    def admit(self, parts: Parts, now: float) -> Limit | Full | None:
        """Count one message in all limits and return None, or return what is against it."""
        return self._admit(parts, self._begin(now, 1))

    def admit_all(
        self, messages: Sequence[Parts], now: float
    ) -> Sequence[tuple[int, Limit | Full]]:
        """Count messages in order; return the place of each rejected one with the reason.

        A Limit is exceeded; Full means that the message cannot be counted, which is an overload of
        the gateway and not the sender's fault. In both cases no limit counts it. `now` is epoch
        seconds, and equal parts share their counts.
        """
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
        last: ClockCounter | RollingCounter,
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
        """Take back one message that was admitted with the same two arguments, at most once.

        A count that has expired is ignored. If it was admitted while time stood still after the
        clock was set back, it may stay counted.
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


def _counter(
    limit: Limit, counting: CounterTerms, retired: Retired
) -> ClockCounter | RollingCounter:
    if isinstance(limit.every, Clock):
        return ClockCounter(limit, limit.every, counting, retired)
    return RollingCounter(limit, limit.every, counting, retired)


def _standard_offset_s(zone: str) -> int:
    """Return how many seconds the standard time of `zone` is ahead of UTC.

    Clock limits keep standard time in summer: otherwise a window that occurs twice would count
    twice.
    """
    read = ZoneInfo(zone)
    offsets = (datetime(2024, month, 1, tzinfo=read).utcoffset() for month in (1, 7))
    return int(min(offset.total_seconds() for offset in offsets if offset is not None))


def _said(limit: Limit) -> str:
    span = limit.every if isinstance(limit.every, str) else f"rolling {limit.every.seconds} s"
    return f"over {limit.maximum} a {span} per {' and '.join(limit.per)}"
