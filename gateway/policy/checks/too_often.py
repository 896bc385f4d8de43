"""How often (R42, R43)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Self
from zoneinfo import ZoneInfo

from annotated_types import Len

from gateway.domain.suspension import SuspensionTerms
from gateway.domain.verdict import Action, Reason
from gateway.policy.check import Against, CountingCheck, Evidence, PortPrefix, SourceCheck
from gateway.policy.counters.frequency import Frequencies
from gateway.policy.counters.limits import (
    CountDimension,
    CounterTerms,
    Full,
    Limit,
    Parts,
    RollingWindow,
)
from gateway.policy.filings import SenderFilings
from gateway.policy.hours.calendar import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import Submission

_UNCOUNTED = Evidence("the counters are full", Reason.FREQUENCY_UNCOUNTED, zh="计数器已满")
_MAX_LIMITS = 16


@dataclass(frozen=True, slots=True)
class TooOften(CountingCheck, SourceCheck):
    """A limit is reached (R42, R43). `sources` are beginnings of what is counted, all if empty.

    With `suspend`, a source that reaches a limit is suspended.
    """

    reason = Reason.FREQUENCY
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

    __slots__ = (
        "_evidence",
        "_frequencies",
        "_is_signed",
        "_says_source",
    )

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
