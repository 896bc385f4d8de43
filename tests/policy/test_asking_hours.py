"""Whoever did not cause a question by a message is asked by day (R40)."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from gateway.domain.policy import Enforcement
from gateway.policy.bundle import Rule, Title
from gateway.policy.checks.outside_window import OutsideWindow, asking_hours, usual_hours
from gateway.policy.checks.user_preference import UserPreference
from gateway.policy.hours import RuleLocale, Window, WindowSet

MAINLAND, LISBON = 8613800138000, 351912345678
MIDNIGHT = datetime(2025, 11, 25, tzinfo=UTC)  # 08:00 in Beijing
HOUR = timedelta(hours=1)
HOURS = OutsideWindow(WindowSet((Window(time(10), time(12)),)), timedelta())
R40 = Rule("R40", Title("时段", "Hours"), "test", HOURS, Enforcement.ENFORCE)


@pytest.mark.parametrize(
    ("msisdn", "at", "opens"),
    [
        (MAINLAND, MIDNIGHT, MIDNIGHT),
        (MAINLAND, MIDNIGHT - HOUR, MIDNIGHT),
        (MAINLAND, MIDNIGHT + 13 * HOUR, MIDNIGHT + 24 * HOUR),
        (LISBON, MIDNIGHT, MIDNIGHT + 8 * HOUR),
    ],
)
def test_r40_the_usual_hours_are_eight_to_nine_by_the_subscribers_clock(
    msisdn: int, at: datetime, opens: datetime
) -> None:
    assert usual_hours().opening(msisdn, at) == opens


def test_r40_a_rule_that_keeps_hours_for_commercial_messages_keeps_these_too() -> None:
    other = replace(R40, id="R50", check=UserPreference())

    hours = asking_hours((other, R40), RuleLocale())

    assert hours.opening(MAINLAND, MIDNIGHT) == MIDNIGHT + 2 * HOUR
    assert hours.local(MAINLAND, MIDNIGHT).hour == 8


def test_r40_a_rule_on_trial_keeps_no_hours() -> None:
    on_trial = replace(R40, mode=Enforcement.SHADOW)

    assert asking_hours((on_trial,), RuleLocale()) is usual_hours()
    assert asking_hours((), RuleLocale()) is usual_hours()
