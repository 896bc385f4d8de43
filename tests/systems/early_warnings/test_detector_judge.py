"""What is out of the ordinary on a port, and what is not."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from gateway.domain.detector import Baseline, Detector, DetectorHit, DetectorLevel, Measure
from gateway.domain.warning import WarningCode
from gateway.policy.hours import HolidayCalendar
from gateway.systems.early_warnings.detector_judge import (
    STEPS,
    STEPS_PER_HOUR,
    DetectorJudge,
    PortCounts,
    lower_end,
)

SHOP = ("shop", "10690001")
BURST = Detector(
    "burst", WarningCode.W7, Measure.MESSAGES, baseline=Baseline.SAME_HOUR, z=6, times=3
)
UNSIGNED = Detector(
    "unsigned",
    WarningCode.W1,
    Measure.UNSIGNED,
    Measure.MESSAGES,
    baseline=Baseline.DAYS,
    share=0.02,
    times=3,
    least=20,
)
NOON = int(datetime(2013, 11, 28, 4, tzinfo=UTC).timestamp()) // 3600  # a Thursday, in China
NOON_STEP = NOON * STEPS_PER_HOUR
CALENDAR = HolidayCalendar("test", holidays=frozenset({date(2013, 11, 27)}))


def counts_of(*detectors: Detector) -> PortCounts:
    return PortCounts(detectors, "Asia/Shanghai", CALENDAR)


def fill(
    counts: PortCounts,
    usual: Mapping[Measure, int],
    *,
    days: int = 28,
    hours: range = range(24),
    key: tuple[str, str] = SHOP,
) -> None:
    """Let a port do the usual, by the hour, in the days before noon."""
    for hour in range(NOON - 24 * days, NOON):
        if (hour + 8) % 24 in hours:
            counts.add_hour(hour, key, usual)


def noon(
    counts: PortCounts, detector: Detector, now: Mapping[Measure, int], *steps: int
) -> list[DetectorHit]:
    """Judge the hour that begins at noon, of which one step has it all."""
    counts.add(NOON_STEP, SHOP, now)
    judge = DetectorJudge([detector], counts)
    return [hit for step in steps or (12,) for hit in judge.judge(NOON_STEP + step)]


def test_r95_w7_a_burst_is_over_the_same_hour_of_28_days() -> None:
    counts = counts_of(BURST)
    fill(counts, {Measure.MESSAGES: 1000})

    (hit,) = noon(counts, BURST, {Measure.MESSAGES: 4000})

    assert (hit.system_id, hit.port, hit.count, hit.usual) == ("shop", "10690001", 4000, 1000)
    assert (hit.start, hit.end) == (NOON_STEP, NOON_STEP + 12)
    assert hit.score == pytest.approx(3000 / 1000**0.5)


@pytest.mark.parametrize("now", [2900, 499])
def test_r95_w7_less_than_three_times_the_usual_or_few_messages_are_no_burst(now: int) -> None:
    counts = counts_of(BURST)
    fill(counts, {Measure.MESSAGES: 1000 if now > 1000 else 10})

    assert noon(counts, replace(BURST, events=500), {Measure.MESSAGES: now}) == []


def test_r95_w7_a_port_that_sends_now_and_then_is_compared_with_its_largest_hour() -> None:
    counts = counts_of(BURST)
    fill(counts, {Measure.MESSAGES: 0})
    counts.add_hour(NOON - 100, SHOP, {Measure.MESSAGES: 5000})

    assert noon(counts, BURST, {Measure.MESSAGES: 14_000}) == []
    assert len(noon(counts, BURST, {Measure.MESSAGES: 2000})) == 1


def test_r95_w7_a_new_port_has_no_usual_count() -> None:
    counts = counts_of(BURST)
    fill(counts, {Measure.MESSAGES: 10}, days=4)

    assert noon(counts, BURST, {Measure.MESSAGES: 9000}) == []


def test_r95_w7_working_days_are_compared_with_working_days() -> None:
    counts = counts_of(BURST)
    for hour in range(NOON - 24 * 28, NOON):
        is_workday = CALENDAR.is_workday(date(1970, 1, 1) + timedelta(days=counts.day_of(hour)))
        counts.add_hour(hour, SHOP, {Measure.MESSAGES: 10_000 if is_workday else 500})

    ports = np.array([0])
    (thursday,) = counts.usual_counts(NOON_STEP, NOON_STEP + 12, Measure.MESSAGES, ports).T
    weekend = NOON_STEP + 2 * 288
    (saturday,) = counts.usual_counts(weekend, weekend + 12, Measure.MESSAGES, ports).T

    assert set(thursday[~np.isnan(thursday)]) == {10_000}
    assert np.isnan(thursday[0])  # yesterday was a holiday
    assert set(saturday[~np.isnan(saturday)]) == {500}


def test_r95_a_window_over_two_hours_is_compared_with_parts_of_both() -> None:
    counts = counts_of(BURST)
    for hour in range(NOON - 24 * 28, NOON):
        counts.add_hour(hour, SHOP, {Measure.MESSAGES: 1200 if (NOON - hour) % 24 == 0 else 600})

    usual = counts.usual_counts(NOON_STEP - 6, NOON_STEP + 6, Measure.MESSAGES, np.array([0]))

    assert np.nanmedian(usual) == 900


def test_r95_a_share_is_over_its_limit_and_its_own_days() -> None:
    counts = counts_of(UNSIGNED)
    fill(counts, {Measure.MESSAGES: 100, Measure.UNSIGNED: 1})

    (hit,) = noon(counts, UNSIGNED, {Measure.MESSAGES: 1000, Measure.UNSIGNED: 100})

    assert (hit.count, hit.events, hit.usual) == (100, 1000, 0.01)


@pytest.mark.parametrize(
    ("usual", "now"),
    [
        (1, (1000, 25)),  # above the limit, and not surely
        (1, (150, 100)),  # few messages
        (1, (500, 19)),  # few of them
        (10, (1000, 200)),  # twice its usual share
    ],
)
def test_r95_a_share_that_may_be_chance_or_is_usual_is_left_alone(
    usual: int, now: tuple[int, int]
) -> None:
    counts = counts_of(UNSIGNED)
    fill(counts, {Measure.MESSAGES: 100, Measure.UNSIGNED: usual})
    messages, unsigned = now

    assert noon(counts, UNSIGNED, {Measure.MESSAGES: messages, Measure.UNSIGNED: unsigned}) == []


def test_r95_a_share_of_a_new_port_is_judged_by_its_limit_alone() -> None:
    now = {Measure.MESSAGES: 1000, Measure.UNSIGNED: 100}
    no_limit = replace(UNSIGNED, share=0.0)

    (hit,) = noon(counts_of(UNSIGNED), UNSIGNED, now)

    assert hit.usual is None
    assert noon(counts_of(no_limit), no_limit, now) == []
    limit_alone = replace(UNSIGNED, baseline=Baseline.NONE)
    assert len(noon(counts_of(limit_alone), limit_alone, now)) == 1


def test_r95_after_a_hit_a_detector_is_silent_for_two_hours() -> None:
    counts = counts_of(UNSIGNED)
    judge = DetectorJudge([UNSIGNED], counts)
    for step in range(48):
        counts.add(NOON_STEP + step, SHOP, {Measure.MESSAGES: 100, Measure.UNSIGNED: 50})

    ends = [one.end - NOON_STEP for step in range(49) for one in judge.judge(NOON_STEP + step)]

    assert ends == [2, 26]


def test_a_detector_that_is_not_enabled_finds_nothing() -> None:
    off = replace(UNSIGNED, enabled=False)

    assert noon(counts_of(off), off, {Measure.MESSAGES: 1000, Measure.UNSIGNED: 900}) == []


def test_r95_all_ports_of_a_sender_are_judged_together() -> None:
    detector = Detector(
        "refusals",
        WarningCode.W11,
        Measure.OPTOUTS,
        Measure.FORWARDED,
        level=DetectorLevel.SENDER,
        baseline=Baseline.DAYS,
        share=0.003,
        least=20,
    )
    counts = counts_of(detector)
    fill(counts, {Measure.FORWARDED: 100}, key=("shop", "10690002"))
    fill(counts, {Measure.FORWARDED: 100})
    fill(counts, {Measure.OPTOUTS: 0}, key=("shop", ""))
    counts.add(NOON_STEP, ("shop", "10690002"), {Measure.FORWARDED: 2000})
    counts.add(NOON_STEP, ("shop", ""), {Measure.OPTOUTS: 60})

    (hit,) = noon(counts, detector, {Measure.FORWARDED: 2000})

    assert (hit.system_id, hit.port, hit.count, hit.events) == ("shop", "", 60, 4000)


REFUSALS = replace(
    UNSIGNED, warning=WarningCode.W11, counts=Measure.OPTOUTS, per=Measure.COMMERCIAL, lag_days=1
)


@pytest.mark.parametrize("hours_before", [10, 20, 30])
def test_r95_w11_late_refusals_are_set_against_the_campaign_that_they_are_about(
    hours_before: int,
) -> None:
    campaign = {Measure.COMMERCIAL: 20_000, Measure.OPTOUTS: 20}
    now = {Measure.COMMERCIAL: 300, Measure.OPTOUTS: 30}
    found = []
    for detector in (REFUSALS, replace(REFUSALS, lag_days=0)):
        counts = counts_of(detector)
        fill(counts, {Measure.COMMERCIAL: 20})
        counts.add(NOON_STEP - 12 * hours_before, SHOP, campaign)
        found.append(noon(counts, detector, now))

    assert [len(hits) for hits in found] == [0, 1]


def test_r95_w11_a_rise_of_refusals_is_told_with_the_messages_of_the_day() -> None:
    counts = counts_of(REFUSALS)
    fill(counts, {Measure.COMMERCIAL: 100, Measure.OPTOUTS: 0})
    counts.add(NOON_STEP - 12, SHOP, {Measure.COMMERCIAL: 5000})

    (hit,) = noon(counts, REFUSALS, {Measure.COMMERCIAL: 1000, Measure.OPTOUTS: 300})

    assert (hit.count, hit.events, hit.start) == (300, 6000, NOON_STEP)


@pytest.mark.parametrize(("bad_days", "hits"), [(2, 1), (3, 0)])
def test_r95_w11_what_a_share_was_on_three_of_28_days_is_usual(bad_days: int, hits: int) -> None:
    detector = replace(REFUSALS, baseline=Baseline.HIGH_DAYS, lag_days=0)
    counts = counts_of(detector)
    fill(counts, {Measure.COMMERCIAL: 100, Measure.OPTOUTS: 0})
    for week in range(1, bad_days + 1):
        counts.add_hour(NOON - 24 * 7 * week, SHOP, {Measure.OPTOUTS: 200})

    now = {Measure.COMMERCIAL: 1000, Measure.OPTOUTS: 100}

    assert len(noon(counts, detector, now)) == hits
    of_the_median = replace(detector, baseline=Baseline.DAYS)
    assert len(DetectorJudge([of_the_median], counts).judge(NOON_STEP + 12)) == 1


def test_r95_w11_a_day_of_the_baseline_is_set_against_the_campaign_before_it() -> None:
    """Else the day after each campaign would make a share of more than one usual."""
    detector = replace(REFUSALS, baseline=Baseline.HIGH_DAYS)
    counts = counts_of(detector)
    fill(counts, {Measure.COMMERCIAL: 10})
    for week in range(1, 4):
        counts.add_hour(NOON - 24 * 7 * week, SHOP, {Measure.COMMERCIAL: 20_000})
        counts.add_hour(NOON - 24 * (7 * week - 1), SHOP, {Measure.OPTOUTS: 200})

    (hit,) = noon(counts, detector, {Measure.COMMERCIAL: 1000, Measure.OPTOUTS: 100})

    assert hit.usual == pytest.approx(0.01, rel=0.02)


def test_more_ports_than_there_is_room_for_make_room() -> None:
    counts = counts_of(UNSIGNED)
    now = {Measure.MESSAGES: 1000, Measure.UNSIGNED: 100}
    for number in range(200):
        counts.add(NOON_STEP, ("shop", f"1069{number}"), now if number == 150 else {})

    (hit,) = DetectorJudge([UNSIGNED], counts).judge(NOON_STEP + 1)

    assert hit.port == "1069150"


def test_what_is_older_than_a_day_is_in_no_window() -> None:
    counts = counts_of(UNSIGNED)
    counts.add(NOON_STEP, SHOP, {Measure.MESSAGES: 1})
    counts.add(NOON_STEP + STEPS, SHOP, {Measure.MESSAGES: 2})
    counts.add(NOON_STEP, SHOP, {Measure.MESSAGES: 4})

    assert counts.window(NOON_STEP, NOON_STEP + STEPS + 1)[0].tolist() == [2]


def test_r95_the_lower_end_of_a_share_is_wilsons() -> None:
    low = lower_end(np.array([10, 0, 5]), np.array([100, 100, 5]), 1.96)

    assert low.round(4).tolist() == [0.0552, 0.0, 0.5655]
