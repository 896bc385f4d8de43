"""How often (R42, R43)."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Self
from zoneinfo import ZoneInfo

from gateway.domain.verdict import Reason
from gateway.policy.bundle import RuleLocale
from gateway.policy.checks.counter import Against
from gateway.policy.evidence import Evidence
from gateway.policy.frequency import Frequencies
from gateway.policy.limits import CountDimension, Counting, Full, Limit, Parts
from gateway.policy.rules import TooOften
from gateway.policy.submission import Submission

_UNCOUNTED = Evidence("the counters are full", Reason.FREQUENCY_UNCOUNTED)


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
        counting = Counting(
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
