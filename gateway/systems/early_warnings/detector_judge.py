"""Counts of ports over time, in memory, and which of them are out of the ordinary (R95)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from gateway.domain.detector import (
    BASELINE_DAYS,
    LONGEST_WINDOW,
    STEP,
    Baseline,
    Detector,
    DetectorHit,
    DetectorLevel,
    Measure,
)
from gateway.policy.hours import HolidayCalendar

STEP_S = int(STEP.total_seconds())
STEPS_PER_HOUR = 3600 // STEP_S
# Two hours more than the longest window: what comes late, or before a window is judged.
STEPS = (LONGEST_WINDOW + timedelta(hours=2)) // STEP
HOURS = 24 * (BASELINE_DAYS + 1)
_DAYS = BASELINE_DAYS + 2
# Fewer days of one kind (working days, others) are compared with all days.
_MIN_OF_KIND = 5
_MIN_DAYS = 1
# A port that was silent at that hour of more days than this has no usual count at that hour.
_REGULAR_SHARE = 0.75
_DAY = timedelta(days=1)
_EPOCH = date(1970, 1, 1)
_SIGMAS_PER_MAD = 1.4826
# A few days tell little of how much a share wanders: at least by half of itself.
_SPREAD_OF_SHARE = 0.5
# What a share reached on a tenth of the days, the third highest of 28, is usual with high_days.
_HIGH_DAYS = 0.9
_PORTS = 64
_ROW_OF = {measure: row for row, measure in enumerate(Measure)}

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
PortKey: TypeAlias = tuple[str, str]  # system_id, port


class _Ring:
    """Counts of the last `length` numbers (of steps, hours or days) by row and port."""

    def __init__(self, length: int, rows: int, ports: int) -> None:
        self.counts = np.zeros((length, rows, ports))
        self.numbers = np.full(length, -1, np.int64)

    def add(self, number: int, rows: list[int], port: int, counts: list[int]) -> None:
        """Count by rows; what is older than the ring is left out."""
        place = number % len(self.numbers)
        if number > self.numbers[place]:
            self.counts[place] = 0
            self.numbers[place] = number
        if number == self.numbers[place]:
            self.counts[place, rows, port] += counts

    def sum_of(self, numbers: Ints) -> Floats:
        """Return the sums of some numbers, by row and port."""
        places = numbers % len(self.numbers)
        sums: Floats = self.counts[places[self.numbers[places] == numbers]].sum(axis=0)
        return sums

    def grow(self, ports: int) -> None:
        length, rows, before = self.counts.shape
        grown = np.zeros((length, rows, ports))
        grown[:, :, :before] = self.counts
        self.counts = grown


class PortCounts:
    """What ports did in the last 28 days: by steps for a day, then by hours and days.

    Takes some 50 kB a port: 700 hours of what is compared by hour, 30 days and 312 steps of all.
    """

    def __init__(self, detectors: Sequence[Detector], zone: str, calendar: HolidayCalendar) -> None:
        self._zone = ZoneInfo(zone)
        self._calendar = calendar
        by_hour = {one.counts for one in detectors if one.baseline is Baseline.SAME_HOUR}
        self._hour_rows = {measure: row for row, measure in enumerate(sorted(by_hour))}
        self.keys: list[PortKey] = []
        self._ports: dict[PortKey, int] = {}
        self._senders: dict[str, int] = {}
        self._sender_of = np.zeros(_PORTS, np.int64)
        self._since = np.zeros(_PORTS, np.int64)  # the first hour of each port
        self._steps = _Ring(STEPS, len(Measure), _PORTS)
        self._step_hours = _Ring(STEPS // STEPS_PER_HOUR, len(Measure), _PORTS)  # their sums
        self._hours = _Ring(HOURS, len(by_hour), _PORTS)
        self._days = _Ring(_DAYS, len(Measure), _PORTS)
        self.day_of = lru_cache(HOURS)(self._day_of)
        self._is_workday = lru_cache(HOURS)(self._workday)

    def add(self, step: int, key: PortKey, counts: Mapping[Measure, int]) -> None:
        """Count what a port did in a step."""
        self.add_step(step, key, counts)
        self.add_hour(step // STEPS_PER_HOUR, key, counts)

    def add_step(self, step: int, key: PortKey, counts: Mapping[Measure, int]) -> None:
        """Count a step without its hour: what is read from the store has both."""
        port = self._port(key, step // STEPS_PER_HOUR)
        rows, said = [_ROW_OF[one] for one in counts], [*counts.values()]
        self._steps.add(step, rows, port, said)
        self._step_hours.add(step // STEPS_PER_HOUR, rows, port, said)

    def add_hour(self, hour: int, key: PortKey, counts: Mapping[Measure, int]) -> None:
        """Count an hour without its steps."""
        port, rows = self._port(key, hour), [_ROW_OF[one] for one in counts]
        self._days.add(self.day_of(hour), rows, port, [*counts.values()])
        by_hour = counts.keys() & self._hour_rows.keys()
        rows = [self._hour_rows[one] for one in by_hour]
        self._hours.add(hour, rows, port, [counts[one] for one in by_hour])

    def window(self, start: int, end: int) -> Floats:
        """Return the sums of the steps before `end` from `start` on, by measure and port."""
        first, last = -(-start // STEPS_PER_HOUR), end // STEPS_PER_HOUR  # whole hours
        steps = np.arange(start, end)
        if first < last:
            is_beside = (steps < first * STEPS_PER_HOUR) | (steps >= last * STEPS_PER_HOUR)
            steps = steps[is_beside]
        sums = self._steps.sum_of(steps) + self._step_hours.sum_of(np.arange(first, last))
        return sums[:, : len(self.keys)]

    def by_sender(self, counts: Floats) -> Floats:
        """Return counts by sender from those by port, which are the last axis."""
        ports = len(self.keys)
        sums = np.zeros((len(self._senders), *counts.shape[:-1]))
        np.add.at(sums, self._sender_of[:ports], np.moveaxis(counts, -1, 0))
        return np.moveaxis(sums, 0, -1)

    def senders(self) -> list[PortKey]:
        """Return what stands for a port where all of a sender are judged together."""
        return [(system_id, "") for system_id in self._senders]

    def day(self, day: int, measure: Measure) -> Floats:
        """Return the counts of a day, by port."""
        return self._days.sum_of(np.array([day]))[_ROW_OF[measure], : len(self.keys)]

    def days_before(self, hour: int, measure: Measure) -> Floats:
        """Return the counts of the 28 days before that of `hour`, by port; -1 for none."""
        today = self.day_of(hour)
        days = np.arange(today - BASELINE_DAYS, today)
        ring, row = self._days, _ROW_OF[measure]
        places = days % len(ring.numbers)
        counts: Floats = ring.counts[places, row, : len(self.keys)].copy()
        counts[ring.numbers[places] != days] = 0
        first = np.array([self.day_of(int(one)) for one in self._since[: len(self.keys)]])
        counts[days[:, None] <= first[None, :]] = -1  # its first day is not whole
        return counts

    def usual_counts(self, start: int, end: int, measure: Measure, ports: Ints) -> Floats:
        """Return what some ports did in the same steps of each day before, NaN for none.

        An hour counts as evenly spread over its steps. Only days of the same kind, if there are
        enough of them.
        """
        hours = np.arange(start, end) // STEPS_PER_HOUR
        back = np.arange(1, BASELINE_DAYS + 1)
        wanted = hours[None, :] - 24 * back[:, None]
        counts = self._hours.counts[wanted % HOURS, self._hour_rows[measure]][:, :, ports]
        counts = np.where((self._hours.numbers[wanted % HOURS] == wanted)[:, :, None], counts, 0)
        sums: Floats = counts.sum(axis=1) / STEPS_PER_HOUR
        last = int(hours[-1])
        is_workday = self._is_workday(self.day_of(last))
        kinds = [self._is_workday(self.day_of(last - 24 * int(one))) for one in back]
        is_same = np.array(kinds) == is_workday
        is_there = wanted[:, :1] > self._since[ports][None, :]
        enough = (is_there & is_same[:, None]).sum(axis=0) >= _MIN_OF_KIND
        is_there &= is_same[:, None] | ~enough[None, :]
        sums[~is_there] = np.nan
        return sums

    def peak(self, end: int, measure: Measure, ports: Ints) -> Floats:
        """Return the most that some ports did in an hour of the 28 days before this one."""
        last = end // STEPS_PER_HOUR
        hours = np.arange(last - 24 * BASELINE_DAYS, last - 1)
        places = hours[self._hours.numbers[hours % HOURS] == hours] % HOURS
        counts = self._hours.counts[places, self._hour_rows[measure]][:, ports]
        most: Floats = counts.max(axis=0, initial=0)
        return most

    def _port(self, key: PortKey, hour: int) -> int:
        port = self._ports.get(key)
        if port is None:
            port = self._ports[key] = len(self.keys)
            self.keys.append(key)
            if port == len(self._since):
                for ring in (self._steps, self._step_hours, self._hours, self._days):
                    ring.grow(2 * port)
                self._since = np.concatenate((self._since, np.zeros(port, np.int64)))
                self._sender_of = np.concatenate((self._sender_of, np.zeros(port, np.int64)))
            self._since[port] = hour
            self._sender_of[port] = self._senders.setdefault(key[0], len(self._senders))
        self._since[port] = min(self._since[port], hour)
        return port

    def _day_of(self, hour: int) -> int:
        local = datetime.fromtimestamp(3600 * hour, UTC).astimezone(self._zone)
        return (local.date() - _EPOCH).days

    def _workday(self, day: int) -> bool:
        return self._calendar.is_workday(_EPOCH + day * _DAY)


class DetectorJudge:
    """Judges the windows that end with a step. Not thread-safe."""

    def __init__(self, detectors: Iterable[Detector], counts: PortCounts) -> None:
        self._detectors = [one for one in detectors if one.enabled]
        self._counts = counts
        self._silent_until: dict[tuple[str, PortKey], int] = {}

    def silence(self, detector: Detector, key: PortKey, end: int) -> None:
        """Let a detector be silent about a port after it found something before `end`."""
        until = end + -(-detector.silence // STEP)
        self._silent_until[detector.id, key] = until

    def judge(self, end: int) -> list[DetectorHit]:
        """Return what is out of the ordinary in the windows that end before the step `end`.

        Each is reported once in the `silence` of its detector. Steps are judged in their order.
        """
        self._silent_until = {
            one: until for one, until in self._silent_until.items() if until > end
        }
        sums: dict[int, Floats] = {}
        hits: list[DetectorHit] = []
        for one in self._detectors:
            start = end - one.window // STEP
            if start not in sums:
                sums[start] = self._counts.window(start, end)
            for hit in self._judge(one, start, end, sums[start]):
                key = hit.system_id, hit.port
                if (one.id, key) not in self._silent_until:
                    self.silence(one, key, end)
                    hits.append(hit)
        return hits

    def _judge(self, one: Detector, start: int, end: int, sums: Floats) -> list[DetectorHit]:
        counts = self._of_level(one, sums[_ROW_OF[one.counts]])
        if counts.max(initial=0) < one.least:
            return []
        events = self._events(one, end, sums)
        places = np.flatnonzero((events >= one.events) & (counts >= one.least))
        if one.share:
            low = lower_end(counts[places], events[places], one.z)
            places = places[low > one.share]
        if not len(places):
            return []
        count, event = counts[places], events[places]
        if one.per is not None:
            usual, score = self._against_days(one, end, places, count, event)
        else:
            usual, score = self._against_hours(one, start, end, places, count)
        share = count if one.per is None else count / event
        is_new = np.isnan(usual)
        is_over = (score > one.z) & (share >= one.times * np.where(is_new, 0, usual))
        is_of_sender = one.level is DetectorLevel.SENDER
        keys = self._counts.senders() if is_of_sender else self._counts.keys
        return [
            DetectorHit(
                one,
                *keys[int(places[at])],
                start,
                end,
                int(count[at]),
                int(event[at]),
                None if is_new[at] else float(usual[at]),
                float(score[at]),
            )
            for at in np.flatnonzero(is_over)
        ]

    def _events(self, one: Detector, end: int, sums: Floats) -> Floats:
        """Return the messages that a window is set against, by port or sender.

        What comes late is set against the messages of 24 hours, or of the largest of the days
        before: in the hours after a campaign there are few messages, and still refusals.
        """
        measure = one.counts if one.per is None else one.per
        if not one.lag_days:
            return self._of_level(one, sums[_ROW_OF[measure]])
        a_day = self._counts.window(end - _DAY // STEP, end)
        most = self._of_level(one, a_day[_ROW_OF[measure]])
        today = self._counts.day_of((end - 1) // STEPS_PER_HOUR)
        for back in range(1, one.lag_days + 1):
            before = self._of_level(one, self._counts.day(today - back, measure))
            most = np.maximum(most, before)
        return most

    def _of_level(self, one: Detector, counts: Floats) -> Floats:
        return self._counts.by_sender(counts) if one.level is DetectorLevel.SENDER else counts

    def _against_days(
        self, one: Detector, end: int, places: Ints, count: Floats, event: Floats
    ) -> tuple[Floats, Floats]:
        """Return the usual share of each port, and by how much that of now exceeds it.

        Where there are too few days the share alone counts: it is above its limit already.
        """
        hour, share = (end - 1) // STEPS_PER_HOUR, count / event
        usual = np.full(len(places), np.nan)
        # Above the limit with z: how far does not matter.
        score = np.full(len(places), 2 * one.z if one.share else 0.0)
        if one.baseline is Baseline.NONE or one.per is None:
            return usual, score
        counts = self._counts.days_before(hour, one.counts)
        events = self._counts.days_before(hour, one.per)
        if one.level is DetectorLevel.SENDER:
            counts, events = (
                self._counts.by_sender(np.maximum(days, 0)) for days in (counts, events)
            )
        counts, events = counts[:, places], events[:, places]
        of_day = events.copy()
        for back in range(1, one.lag_days + 1):
            events[back:] = np.maximum(events[back:], of_day[:-back])
        for at in range(len(places)):
            is_there = events[:, at] >= one.events
            if is_there.sum() >= _MIN_DAYS:
                shares = counts[is_there, at] / events[is_there, at]
                usual[at], spread = robust(shares)
                if one.baseline is Baseline.HIGH_DAYS:
                    usual[at] = np.quantile(shares, _HIGH_DAYS, method="higher")
                spread = max(spread, _SPREAD_OF_SHARE * usual[at])
                # At least what chance makes of a count: that of one message, if it is none.
                chance = max(usual[at], 1 / event[at]) / event[at]
                score[at] = (share[at] - usual[at]) / np.sqrt(chance + spread**2)
        return usual, score

    def _against_hours(
        self, one: Detector, start: int, end: int, places: Ints, count: Floats
    ) -> tuple[Floats, Floats]:
        """Return the usual count of each port, and by how much that of now exceeds it."""
        days = self._counts.usual_counts(start, end, one.counts, places)
        peaks = self._counts.peak(end, one.counts, places) * max(1, one.window / _HOUR)
        usual = np.full(len(places), np.nan)
        score = np.zeros(len(places))
        # Most ports do not even exceed the median `times`: it is asked of all at once.
        enough = np.flatnonzero((~np.isnan(days)).sum(axis=0) >= _MIN_OF_KIND)
        middle = np.nanmedian(days[:, enough], axis=0)
        for at in enough[count[enough] >= one.times * middle]:
            known = days[~np.isnan(days[:, at]), at]
            usual[at], spread = robust(known)
            if (known > 0).mean() < _REGULAR_SHARE:  # it sends now and then
                usual[at] = max(usual[at], peaks[at])
            score[at] = (count[at] - usual[at]) / max(spread, np.sqrt(max(usual[at], 1)))
        return usual, score


_HOUR = timedelta(hours=1)


def robust(values: Floats) -> tuple[float, float]:
    """Return the median of some values, and their standard deviation as the MAD tells it."""
    middle = float(np.median(values))
    return middle, _SIGMAS_PER_MAD * float(np.median(np.abs(values - middle)))


def lower_end(counts: Floats, events: Floats, z: float) -> Floats:
    """Return the lower ends of the confidence intervals of shares (Wilson)."""
    shares = np.minimum(counts, events) / events
    half = z * np.sqrt(shares * (1 - shares) / events + (z / (2 * events)) ** 2)
    low: Floats = (shares + z**2 / (2 * events) - half) / (1 + z**2 / events)
    return low
