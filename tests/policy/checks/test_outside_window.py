"""When a message may arrive, in its recipient's time (R40, R41)."""

from datetime import datetime, time, timedelta

import pytest

from gateway.domain.policy import Enforcement
from gateway.domain.verdict import Action
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.hours import HolidayCalendar, OnHolidays, RuleLocale, Window, WindowSet
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import DeliveryTimes, Submission
from tests.policy.conftest import ADVERT, CODE, CODES, World, addressed, rule, why

DAY = OutsideWindow(WindowSet((Window(time(8), time(21)),)))
STREWN = OutsideWindow(DAY.open, timedelta(minutes=30))
R40 = rule("R40", DAY, action=Action.DEFER)
CHINA = RuleLocale()
HOUR_S = 3600.0


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def beijing(text: str) -> float:
    return at(f"{text}+08:00")


NIGHT = beijing("2013-09-10T21:00:00")
MORNING = beijing("2013-09-11T08:00:00")


def timed(scheduled: float | None = None, valid: float | None = None) -> Submission:
    one = addressed()
    one.timing = DeliveryTimes(scheduled, valid)
    return one


def due(one: Submission) -> float | None:
    """Return until when a judged message waits, None when it does not."""
    verdict = one.verdict
    return None if verdict is None or verdict.action is not Action.DEFER else verdict.due


def test_r40_an_advert_at_the_closing_of_the_window_waits_for_the_morning() -> None:
    world = World(R40)

    waiting = world.judge(ADVERT, at=NIGHT, timing=DeliveryTimes(valid_until=NIGHT + 24 * HOUR_S))

    assert due(waiting) == MORNING
    assert world.judge(ADVERT, at=NIGHT - 1).verdict is None


def test_r40_an_advert_that_is_of_no_use_in_the_morning_is_refused() -> None:
    late = World(R40).judge(
        ADVERT, at=NIGHT, timing=DeliveryTimes(valid_until=beijing("2013-09-11T06:00:00"))
    )

    assert late.verdict is not None
    assert (late.verdict.action, late.verdict.status) == (Action.REJECT, "ESME_RINVSCHED")
    assert why(late) is OutsideWindow.reason


def test_r40_a_code_passes_at_night() -> None:
    assert World(R40).reason(CODE, CODES, at=beijing("2013-09-11T03:00:00")) is None


@pytest.mark.parametrize("action", [Action.REJECT, Action.QUARANTINE])
def test_r40_a_window_may_refuse_or_hold_instead(action: Action) -> None:
    night = World(rule("R40", DAY, action=action)).judge(ADVERT, at=NIGHT)

    assert night.verdict is not None
    assert (night.verdict.action, night.verdict.due) == (action, 0.0)


def test_r40_a_window_on_trial_notes_and_delays_nothing() -> None:
    night = World(rule("R40", DAY, action=Action.DEFER, mode=Enforcement.SHADOW)).judge(
        ADVERT, at=NIGHT
    )

    assert (night.verdict, night.deferral) == (None, None)
    assert [(f.action, f.shadow) for f in night.findings] == [(Action.DEFER, True)]


def test_r40_it_is_the_recipients_clock_that_counts() -> None:
    """At 21:00 in Beijing it is nine in the morning in New York, and two at night in London."""
    ask = DAY.question(Knowledge(), CHINA).ask
    noon = beijing("2013-09-10T12:00:00")
    found = {}
    for number in (8613800138000, 12125550100, 442071234567):
        one = addressed()
        one.msisdn = number
        found[number] = [ask(one, moment) is None for moment in (noon, NIGHT)]

    assert found == {
        8613800138000: [True, False],
        12125550100: [False, True],
        442071234567: [False, True],
    }


def test_r40_a_number_of_no_known_country_lives_by_the_profiles_clock() -> None:
    ask = DAY.question(Knowledge(), RuleLocale(zone="Europe/Paris")).ask
    one = addressed()
    one.msisdn = 12345

    assert ask(one, at("2013-09-10T09:00:00+02:00")) is None
    assert ask(one, at("2013-09-10T07:00:00+02:00")) is not None


def test_r40_a_holiday_on_which_no_window_opens_is_waited_over() -> None:
    window = Window(time(8), time(21), on_holidays=OnHolidays.CLOSED)
    days = frozenset(datetime(2013, 9, day).date() for day in (19, 20, 21))  # noqa: DTZ001 - days
    feast = RuleLocale(calendar=HolidayCalendar("test", days))
    world = World(
        rule("R40", OutsideWindow(WindowSet((window,))), action=Action.DEFER), surroundings=feast
    )

    waiting = world.judge(ADVERT, at=beijing("2013-09-19T10:00:00"))

    assert due(waiting) == beijing("2013-09-22T08:00:00")


def test_r40_where_nothing_opens_within_two_weeks_a_message_is_refused() -> None:
    days = frozenset(datetime(2013, 9, day).date() for day in range(1, 31))  # noqa: DTZ001 - days
    window = Window(time(8), time(21), on_holidays=OnHolidays.CLOSED)
    never = RuleLocale(calendar=HolidayCalendar("test", days))
    world = World(
        rule("R40", OutsideWindow(WindowSet((window,))), action=Action.DEFER), surroundings=never
    )

    refused = world.judge(ADVERT, at=beijing("2013-09-02T10:00:00"))
    waiting = world.judge(ADVERT, at=beijing("2013-09-20T10:00:00"))

    assert why(refused) is OutsideWindow.reason
    assert refused.verdict is not None
    assert refused.verdict.action is Action.REJECT
    assert due(waiting) == beijing("2013-10-01T08:00:00")


def test_r40_an_opening_is_no_flood() -> None:
    world = World(rule("R40", STREWN, action=Action.DEFER))

    waits = [due(world.judge(ADVERT, to=13800138000 + n, at=NIGHT)) for n in range(200)]

    leaving = [moment - MORNING for moment in waits if moment is not None]
    assert len(leaving) == 200
    assert all(0 <= after < 30 * 60 for after in leaving)
    assert len({int(after // 60) for after in leaving}) == 30


def test_r40_the_parts_of_a_message_leave_together() -> None:
    world = World(rule("R40", STREWN, action=Action.DEFER))

    waits = {due(world.judge(ADVERT, at=NIGHT + second)) for second in range(5)}

    assert len(waits) == 1


def test_r40_nobody_waits_longer_than_the_message_is_of_use() -> None:
    world = World(rule("R40", STREWN, action=Action.DEFER))
    brief = DeliveryTimes(valid_until=MORNING + 10)

    waits = [
        due(world.judge(ADVERT, to=13800138000 + n, at=NIGHT, timing=brief)) for n in range(99)
    ]

    assert all(moment is not None and MORNING <= moment < MORNING + 10 for moment in waits)
    at_opening = DeliveryTimes(valid_until=MORNING)
    assert why(world.judge(ADVERT, at=NIGHT, timing=at_opening)) is OutsideWindow.reason


def test_r40_nobody_waits_past_the_closing_of_a_short_window() -> None:
    minute = OutsideWindow(WindowSet((Window(time(8), time(8, 1)),)), timedelta(minutes=30))
    world = World(rule("R40", minute, action=Action.DEFER))

    waits = [due(world.judge(ADVERT, to=13800138000 + n, at=NIGHT)) for n in range(99)]

    assert all(moment is not None and MORNING <= moment < MORNING + 60 for moment in waits)


def test_the_next_opening_is_looked_for_again_when_it_has_come() -> None:
    world = World(R40)

    nights = [due(world.judge(ADVERT, at=NIGHT + day * 24 * HOUR_S)) for day in (0, 1, 0)]

    assert nights == [MORNING, MORNING + 24 * HOUR_S, MORNING]


def test_r41_a_schedule_for_the_night_is_refused_and_one_for_the_day_passes() -> None:
    world = World(R40)
    evening, night = beijing("2013-09-10T20:00:00"), beijing("2013-09-11T02:00:00")

    refused = world.judge(ADVERT, at=evening, timing=DeliveryTimes(scheduled_at=night))

    assert refused.verdict is not None
    assert (refused.verdict.action, refused.verdict.status) == (Action.REJECT, "ESME_RINVSCHED")
    by_day = DeliveryTimes(scheduled_at=beijing("2013-09-11T09:00:00"))
    assert world.judge(ADVERT, at=evening, timing=by_day).verdict is None
    assert world.judge(ADVERT, at=night, timing=by_day).verdict is None


def test_r41_a_schedule_that_is_over_is_no_way_round_the_window() -> None:
    past = DeliveryTimes(scheduled_at=beijing("2013-09-10T12:00:00"))

    assert due(World(R40).judge(ADVERT, at=NIGHT, timing=past)) == MORNING


@pytest.mark.parametrize(
    ("now", "scheduled", "passes"),
    [
        ("2013-09-10T20:00:00", "2013-09-11T02:00:00", False),
        ("2013-09-10T20:00:00", "2013-09-11T09:00:00", True),
        ("2013-09-11T02:00:00", "2013-09-10T12:00:00", False),
        ("2013-09-10T12:00:00", "2013-09-10T02:00:00", True),
        ("2013-09-11T02:00:00", None, True),
    ],
)
def test_r41_an_accepted_message_is_not_moved_to_the_night_by_replacing_it(
    now: str,
    scheduled: str | None,
    passes: bool,  # noqa: FBT001 - a column of the table
) -> None:
    one = timed(None if scheduled is None else beijing(scheduled))
    one.msisdn = None

    found = DAY.question(Knowledge(), CHINA).ask(one, beijing(now))

    assert (found is None) is passes
    assert found is None or found.action is Action.REJECT


def test_what_a_clock_shows_is_asked_again_each_second() -> None:
    hours = DAY.question(Knowledge(), CHINA)

    found = [hours.ask(timed(), NIGHT + after) is None for after in (-1.0, -0.001, 0.0, 0.5, -0.5)]

    assert found == [True, True, False, False, True]


@pytest.mark.parametrize("number", [8613800138000, None])
def test_r41_a_schedule_that_cannot_be_read_may_mean_the_night(number: int | None) -> None:
    """An SMSC that reads more of it than the gateway would deliver then."""
    one = addressed()
    one.msisdn, one.timing = number, DeliveryTimes(is_unclear=True)

    found = DAY.question(Knowledge(), CHINA).ask(one, beijing("2013-09-10T12:00:00"))

    assert found is not None
    assert found.action is Action.REJECT
