"""Rows of detectors tried on the counts that are kept: what they would have warned of (R95)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from gateway.domain.detector import Detector, DetectorHit
from gateway.domain.warning import RAISED_ONCE_IN
from gateway.policy.hours import RuleLocale
from gateway.systems.early_warnings.detector_counts import DetectorStore
from gateway.systems.early_warnings.detector_judge import (
    HOURS,
    STEP_S,
    STEPS_PER_HOUR,
    DetectorJudge,
    PortCounts,
)

_HOUR = timedelta(hours=1)
_RAISED_ONCE_IN = RAISED_ONCE_IN // timedelta(seconds=STEP_S)


class DetectorTrial:
    """Judges the last `days` that `smsward warnings watch` has judged, at each full hour.

    Steps of five minutes are kept for a day only, hours for 28 days: a window counts in whole
    hours, and what is judged every five minutes may be found up to an hour sooner.
    """

    def __init__(self, detectors: Iterable[Detector], locale: RuleLocale, days: int) -> None:
        rows = [replace(one, window=-(-one.window // _HOUR) * _HOUR) for one in detectors]
        self._counts = PortCounts(rows, locale.zone, locale.calendar)
        self._judge = DetectorJudge(rows, self._counts)
        self._days = days
        self._last: dict[tuple[str, str, str], int] = {}
        self.warnings: list[DetectorHit] = []
        self.first = self.last = 0  # the steps between which it judged

    async def run(self, store: DetectorStore) -> None:
        """Fill `warnings` with what would have been raised, in order. Raises StoreUnavailable."""
        state = await store.state()
        last = int(state.get("judged", 0)) // STEPS_PER_HOUR
        next_hour = last - 24 * self._days
        self.first, self.last = next_hour * STEPS_PER_HOUR, last * STEPS_PER_HOUR
        async for rows in store.hours(last - HOURS):
            for hour, system_id, port, counts in rows:
                if hour >= last:
                    break
                while next_hour < hour:
                    self._judge_hour(next_hour)
                    next_hour += 1
                step = hour * STEPS_PER_HOUR + STEPS_PER_HOUR - 1
                self._counts.add(step, (system_id, port), counts)
        while next_hour < last:
            self._judge_hour(next_hour)
            next_hour += 1

    def _judge_hour(self, hour: int) -> None:
        for hit in self._judge.judge((hour + 1) * STEPS_PER_HOUR):
            kind = hit.detector.id, hit.system_id, hit.port
            last = self._last.get(kind)
            if last is None or hit.end - last >= _RAISED_ONCE_IN:
                self._last[kind] = hit.end
                self.warnings.append(hit)
