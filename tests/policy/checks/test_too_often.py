"""How often (R42, R43)."""

from datetime import datetime

import pytest

from gateway.domain.policy import (
    ROLLING_DAY,
    Clock,
    CountDimension,
    Enforcement,
    Limit,
    RollingWindow,
)
from gateway.domain.sender import Port, Rate
from gateway.domain.suspension import SuspensionTerms
from gateway.domain.verdict import Action, Reason
from gateway.policy.bundle import Override
from gateway.policy.check import asked_alone
from gateway.policy.checks.too_often import Often, TooOften
from gateway.policy.hours import HolidayCalendar, RuleLocale
from gateway.policy.submission import Submission
from tests.policy.conftest import (
    ADVERT,
    CODE,
    CODES,
    EVERYTHING,
    MARKETING,
    NEWS,
    SERVICE,
    World,
    addressed,
    rule,
    sender,
    why,
)

SIGNED = (CountDimension.SIGNATURE, CountDimension.DESTINATION)
A_MINUTE = Limit(SIGNED, 1, Clock.MINUTE)
OTP = TooOften(
    (
        A_MINUTE,
        Limit(SIGNED, 5, Clock.HOUR),
        Limit(SIGNED, 10, ROLLING_DAY),
        Limit((CountDimension.DESTINATION,), 40, ROLLING_DAY),
    )
)
R42 = rule("R42", OTP, applies_to=EVERYTHING, action=Action.THROTTLE)
PERSONAL = TooOften(
    (
        Limit((CountDimension.SOURCE,), 200, Clock.HOUR, holiday_maximum=500),
        Limit((CountDimension.SOURCE,), 1000, Clock.DAY, holiday_maximum=2000),
    ),
    sources=("139",),
)
ONCE_A_DAY = TooOften((Limit((CountDimension.DESTINATION,), 1, Clock.DAY),))
ONE_OF_A_SENDER = TooOften((Limit((CountDimension.SENDER,), 1, Clock.DAY),))
CHINA = RuleLocale()
PERSONAL_NUMBER = b"13900000001"
PERSON = sender(ports=(Port("13900000001"),), rate=Rate(1e6, 10**6))


def beijing(text: str) -> float:
    return datetime.fromisoformat(f"{text}+08:00").timestamp()


AFTERNOON = beijing("2013-09-10T14:03:10")


def written_to(number: int, source: bytes = MARKETING, text: str | None = ADVERT) -> Submission:
    one = addressed(text, source=source)
    one.msisdn = number
    return one


def test_the_longest_limit_says_how_long_messages_are_remembered() -> None:
    assert OTP.memory_s == 86_400
    assert TooOften((A_MINUTE, Limit(SIGNED, 5, Clock.HOUR))).memory_s == 3_600
    assert TooOften((A_MINUTE, Limit(SIGNED, 5, RollingWindow(90)))).memory_s == 90


@pytest.mark.parametrize(
    ("limits", "sources", "fault"),
    [
        ((Limit((CountDimension.SOURCE,), 9, Clock.HOUR),), (), "suspend: needs sources"),
        ((Limit((CountDimension.SENDER,), 9, Clock.HOUR),), ("139",), "count per source"),
        (
            (
                Limit((CountDimension.SOURCE,), 9, Clock.HOUR),
                Limit((CountDimension.DESTINATION,), 9, Clock.DAY),
            ),
            ("139",),
            "count per source",
        ),
    ],
)
def test_r43_nobody_is_suspended_for_what_others_sent(
    limits: tuple[Limit, ...], sources: tuple[str, ...], fault: str
) -> None:
    terms = SuspensionTerms(3, ("HF",), "已暂停", "已恢复", "不能恢复")

    assert TooOften(limits, sources).suspend is None
    with pytest.raises(ValueError, match=fault):
        TooOften(limits, sources, terms)


# R42


def test_r42_a_second_code_in_a_minute_is_throttled_and_one_in_the_next_passes() -> None:
    world = World(R42)

    found = [
        world.judge(CODE, CODES, at=beijing(f"2013-09-10T{clock}"))
        for clock in ("14:03:10", "14:03:59", "14:04:00")
    ]

    assert [why(one) for one in found] == [None, TooOften.reason, None]
    assert found[1].verdict is not None
    assert found[1].verdict.status == "ESME_RTHROTTLED"
    assert found[1].findings[0].evidence == "over 1 a minute per signature and destination"


def test_r42_the_sixth_code_in_an_hour_is_throttled() -> None:
    world = World(R42)

    found = [world.reason(CODE, CODES, at=AFTERNOON + minute * 60) for minute in range(7)]

    assert found == [None] * 5 + [TooOften.reason] * 2
    assert world.reason(CODE, CODES, at=beijing("2013-09-10T15:00:00")) is None


def test_r42_all_senders_together_send_a_subscriber_forty_codes_a_day() -> None:
    world = World(R42)
    start = beijing("2013-09-10T00:00:00")

    found = [
        world.reason(CODE.replace("春晓", f"店{n}"), CODES, at=start + n * 1000) for n in range(42)
    ]

    assert found == [None] * 40 + [TooOften.reason] * 2
    assert world.reason(CODE, CODES, at=start + 86_400) is None


def test_r42_a_limit_says_over_which_time_it_counts() -> None:
    often = Often(TooOften((Limit((CountDimension.DESTINATION,), 1, ROLLING_DAY),)), CHINA)

    found = [asked_alone(often)(addressed(CODE), AFTERNOON) for _ in range(2)][1]

    assert found is not None
    assert found.text == "over 1 a rolling 86400 s per destination"


def test_r42_a_message_is_counted_once_however_many_parts_it_has() -> None:
    world = World(R42)

    first = world.judge(CODE, CODES, at=AFTERNOON, units=3)
    others = [world.judge(CODE, CODES, at=AFTERNOON, units=0) for _ in range(2)]
    next_one = world.judge(CODE, CODES, at=AFTERNOON)

    assert [why(one) for one in (first, *others, next_one)] == [None, None, None, TooOften.reason]


def test_r42_what_is_refused_by_the_next_rule_is_not_counted_by_the_first() -> None:
    once = TooOften((Limit((CountDimension.DESTINATION,), 1, Clock.HOUR),))
    closed = TooOften((Limit((CountDimension.SENDER,), 1, Clock.MINUTE),))
    world = World(rule("R42", once, applies_to=EVERYTHING), rule("R42-b", closed))

    filled = world.reason(ADVERT, to=13900139000, at=AFTERNOON)
    refused = world.reason(ADVERT, at=AFTERNOON)
    later = world.reason(ADVERT, at=AFTERNOON + 60)

    assert (filled, refused, later) == (None, TooOften.reason, None)


def test_r42_what_a_rule_on_trial_noted_is_not_taken_out_of_its_counts() -> None:
    on_trial = rule("R42", ONCE_A_DAY, mode=Enforcement.SHADOW)
    world = World(on_trial, rule("R42-b", ONE_OF_A_SENDER))
    world.judge(ADVERT, at=AFTERNOON)

    refused = world.judge(ADVERT, at=AFTERNOON)

    assert [(f.rule, f.shadow) for f in refused.findings] == [("R42", True), ("R42-b", False)]
    assert World(rule("R42", ONCE_A_DAY), before=world).reason(at=AFTERNOON) is TooOften.reason


def test_r42_what_a_rule_was_not_asked_about_is_not_taken_out_of_its_counts() -> None:
    off = (Override(Enforcement.OFF, sender="sp1"),)
    world = World(rule("R42", ONCE_A_DAY, overrides=off), rule("R42-b", ONE_OF_A_SENDER))
    world.judge(ADVERT, at=AFTERNOON, system_id="sp2")
    world.judge(ADVERT, to=13900139000, at=AFTERNOON)

    refused = world.judge(ADVERT, at=AFTERNOON)

    assert [f.rule for f in refused.findings] == ["R42-b"]
    assert World(rule("R42", ONCE_A_DAY), before=world).reason(at=AFTERNOON) is TooOften.reason


def test_r42_a_counter_that_is_full_is_our_overload_and_not_the_senders_fault() -> None:
    world = World(R42, surroundings=RuleLocale(capacity=1))

    world.judge(CODE, CODES, at=AFTERNOON)
    uncounted = world.judge(CODE, CODES, to=13900139000, at=AFTERNOON)

    assert why(uncounted) is Reason.FREQUENCY_UNCOUNTED
    assert uncounted.verdict is not None
    assert uncounted.verdict.status == "ESME_RMSGQFUL"


def test_r42_a_reload_gives_nobody_a_fresh_start() -> None:
    before = World(R42)
    before.judge(CODE, CODES, at=AFTERNOON)

    after = World(R42, before=before)

    assert after.reason(CODE, CODES, at=AFTERNOON) is TooOften.reason


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("Asia/Shanghai", "2013-07-11T00:00:00+08:00"),
        ("America/New_York", "2013-07-11T00:00:00-05:00"),
        ("Australia/Sydney", "2013-01-11T00:00:00+10:00"),
    ],
)
def test_r42_a_day_is_one_of_the_profiles_standard_time(zone: str, midnight: str) -> None:
    often = Often(
        TooOften((Limit((CountDimension.DESTINATION,), 1, Clock.DAY),)), RuleLocale(zone=zone)
    )
    turn = datetime.fromisoformat(midnight).timestamp()

    found = [
        asked_alone(often)(addressed(CODE), moment) is None for moment in (turn - 2, turn - 1, turn)
    ]

    assert found == [True, False, True]


# R43


def test_r43_the_201st_message_of_a_personal_number_in_an_hour_is_refused() -> None:
    world = World(rule("R43", PERSONAL, applies_to=EVERYTHING), senders=(PERSON,))

    found = [world.reason(NEWS, PERSONAL_NUMBER, 13800000000 + n, at=AFTERNOON) for n in range(202)]

    assert found == [None] * 200 + [TooOften.reason] * 2


def test_r43_on_a_holiday_it_is_the_501st() -> None:
    day = datetime.fromtimestamp(AFTERNOON).date()  # noqa: DTZ006 - the same day in every zone near
    calendar = HolidayCalendar("test", frozenset({day}))
    feast = RuleLocale(calendar=calendar)
    world = World(
        rule("R43", PERSONAL, applies_to=EVERYTHING), senders=(PERSON,), surroundings=feast
    )

    found = [world.reason(NEWS, PERSONAL_NUMBER, 13800000000 + n, at=AFTERNOON) for n in range(502)]

    assert found == [None] * 500 + [TooOften.reason] * 2


def test_r43_only_sources_that_begin_so_are_counted() -> None:
    one = TooOften((Limit((CountDimension.SENDER,), 1, Clock.HOUR),), sources=("138", "10690002"))
    world = World(rule("R43", one, applies_to=EVERYTHING))

    found = [
        world.reason(NEWS, source, at=AFTERNOON) is None
        for source in (MARKETING, MARKETING, SERVICE, SERVICE, MARKETING)
    ]

    assert found == [True, True, True, False, True]


def test_the_later_parts_of_a_long_message_take_nothing_back() -> None:
    often = Often(TooOften((Limit((CountDimension.SENDER,), 1, Clock.HOUR),)), CHINA)
    first, later = addressed(ADVERT), addressed(ADVERT)
    later.units = 0
    asked_alone(often)(first, AFTERNOON)

    often.forget(later, AFTERNOON)

    assert asked_alone(often)(addressed(ADVERT), AFTERNOON) is not None
