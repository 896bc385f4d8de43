"""How often and how fast (R28, R42, R43, R44)."""

from datetime import datetime, timedelta

import pytest

from gateway.domain.policy import Enforcement
from gateway.domain.sender import Port, Rate
from gateway.domain.verdict import Action, Reason
from gateway.policy.bundle import Surroundings
from gateway.policy.calendar import HolidayCalendar
from gateway.policy.checks import counts
from gateway.policy.checks.counts import Often, PortRate, Walks
from gateway.policy.limits import ROLLING_DAY, Clock, Limit, Part
from gateway.policy.rules import NumberWalk, Override, TooFast, TooOften
from gateway.policy.submission import Submission
from tests.policy.conftest import (
    ADVERT,
    CODE,
    CODES,
    EVERYTHING,
    MARKETING,
    NEWS,
    NUMBER,
    SERVICE,
    World,
    addressed,
    rule,
    sender,
    why,
)

SIGNED = (Part.SIGNATURE, Part.DESTINATION)
A_MINUTE = Limit(SIGNED, 1, Clock.MINUTE)
OTP = TooOften(
    (
        A_MINUTE,
        Limit(SIGNED, 5, Clock.HOUR),
        Limit(SIGNED, 10, ROLLING_DAY),
        Limit((Part.DESTINATION,), 40, ROLLING_DAY),
    )
)
R42 = rule("R42", OTP, applies_to=EVERYTHING, action=Action.THROTTLE)
PERSONAL = TooOften(
    (
        Limit((Part.SOURCE,), 200, Clock.HOUR, holiday_maximum=500),
        Limit((Part.SOURCE,), 1000, Clock.DAY, holiday_maximum=2000),
    ),
    sources=("139",),
)
ONCE_A_DAY = TooOften((Limit((Part.DESTINATION,), 1, Clock.DAY),))
ONE_OF_A_SENDER = TooOften((Limit((Part.SENDER,), 1, Clock.DAY),))
WALK = NumberWalk(100, timedelta(minutes=10))
R28 = rule("R28", WALK, action=Action.QUARANTINE)
CHINA = Surroundings()
PERSONAL_NUMBER = b"13900000001"
PERSON = sender(ports=(Port("13900000001"),), rate=Rate(1e6, 10**6))


def beijing(text: str) -> float:
    return datetime.fromisoformat(f"{text}+08:00").timestamp()


AFTERNOON = beijing("2013-09-10T14:03:10")


def written_to(number: int, source: bytes = MARKETING, text: str | None = ADVERT) -> Submission:
    one = addressed(text, source=source)
    one.msisdn = number
    return one


# R42


def test_r42_a_second_code_in_a_minute_is_throttled_and_one_in_the_next_passes() -> None:
    world = World(R42)

    found = [
        world.judge(CODE, CODES, at=beijing(f"2013-09-10T{clock}"))
        for clock in ("14:03:10", "14:03:59", "14:04:00")
    ]

    assert [why(one) for one in found] == [None, Reason.FREQUENCY, None]
    assert found[1].verdict is not None
    assert found[1].verdict.status == "ESME_RTHROTTLED"
    assert found[1].findings[0].evidence == "over 1 a minute per signature and destination"


def test_r42_the_sixth_code_in_an_hour_is_throttled() -> None:
    world = World(R42)

    found = [world.reason(CODE, CODES, at=AFTERNOON + minute * 60) for minute in range(7)]

    assert found == [None] * 5 + [Reason.FREQUENCY] * 2
    assert world.reason(CODE, CODES, at=beijing("2013-09-10T15:00:00")) is None


def test_r42_all_senders_together_send_a_subscriber_forty_codes_a_day() -> None:
    world = World(R42)
    start = beijing("2013-09-10T00:00:00")

    found = [
        world.reason(CODE.replace("春晓", f"店{n}"), CODES, at=start + n * 1000) for n in range(42)
    ]

    assert found == [None] * 40 + [Reason.FREQUENCY] * 2
    assert world.reason(CODE, CODES, at=start + 86_400) is None


def test_r42_a_limit_says_over_which_time_it_counts() -> None:
    often = Often(TooOften((Limit((Part.DESTINATION,), 1, ROLLING_DAY),)), CHINA)

    found = [often.ask(addressed(CODE), AFTERNOON) for _ in range(2)][1]

    assert found is not None
    assert found.text == "over 1 a rolling 86400 s per destination"


def test_r42_a_message_is_counted_once_however_many_parts_it_has() -> None:
    world = World(R42)

    first = world.judge(CODE, CODES, at=AFTERNOON, units=3)
    others = [world.judge(CODE, CODES, at=AFTERNOON, units=0) for _ in range(2)]
    next_one = world.judge(CODE, CODES, at=AFTERNOON)

    assert [why(one) for one in (first, *others, next_one)] == [None, None, None, Reason.FREQUENCY]


def test_r42_what_is_refused_by_the_next_rule_is_not_counted_by_the_first() -> None:
    once = TooOften((Limit((Part.DESTINATION,), 1, Clock.HOUR),))
    closed = TooOften((Limit((Part.SENDER,), 1, Clock.MINUTE),))
    world = World(rule("R42", once, applies_to=EVERYTHING), rule("R42-b", closed))

    filled = world.reason(ADVERT, to=13900139000, at=AFTERNOON)
    refused = world.reason(ADVERT, at=AFTERNOON)
    later = world.reason(ADVERT, at=AFTERNOON + 60)

    assert (filled, refused, later) == (None, Reason.FREQUENCY, None)


def test_r42_what_a_rule_on_trial_noted_is_not_taken_out_of_its_counts() -> None:
    on_trial = rule("R42", ONCE_A_DAY, mode=Enforcement.SHADOW)
    world = World(on_trial, rule("R42-b", ONE_OF_A_SENDER))
    world.judge(ADVERT, at=AFTERNOON)

    refused = world.judge(ADVERT, at=AFTERNOON)

    assert [(f.rule, f.shadow) for f in refused.findings] == [("R42", True), ("R42-b", False)]
    assert World(rule("R42", ONCE_A_DAY), before=world).reason(at=AFTERNOON) is Reason.FREQUENCY


def test_r42_what_a_rule_was_not_asked_about_is_not_taken_out_of_its_counts() -> None:
    off = (Override(Enforcement.OFF, sender="sp1"),)
    world = World(rule("R42", ONCE_A_DAY, overrides=off), rule("R42-b", ONE_OF_A_SENDER))
    world.judge(ADVERT, at=AFTERNOON, system_id="sp2")
    world.judge(ADVERT, to=13900139000, at=AFTERNOON)

    refused = world.judge(ADVERT, at=AFTERNOON)

    assert [f.rule for f in refused.findings] == ["R42-b"]
    assert World(rule("R42", ONCE_A_DAY), before=world).reason(at=AFTERNOON) is Reason.FREQUENCY


def test_r42_a_counter_that_is_full_is_our_overload_and_not_the_senders_fault() -> None:
    world = World(R42, surroundings=Surroundings(capacity=1))

    world.judge(CODE, CODES, at=AFTERNOON)
    uncounted = world.judge(CODE, CODES, to=13900139000, at=AFTERNOON)

    assert why(uncounted) is Reason.FREQUENCY_UNCOUNTED
    assert uncounted.verdict is not None
    assert uncounted.verdict.status == "ESME_RMSGQFUL"


def test_r42_a_reload_gives_nobody_a_fresh_start() -> None:
    before = World(R42)
    before.judge(CODE, CODES, at=AFTERNOON)

    after = World(R42, before=before)

    assert after.reason(CODE, CODES, at=AFTERNOON) is Reason.FREQUENCY


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("Asia/Shanghai", "2013-07-11T00:00:00+08:00"),
        ("America/New_York", "2013-07-11T00:00:00-05:00"),
        ("Australia/Sydney", "2013-01-11T00:00:00+10:00"),
    ],
)
def test_r42_a_day_is_one_of_the_profiles_standard_time(zone: str, midnight: str) -> None:
    often = Often(TooOften((Limit((Part.DESTINATION,), 1, Clock.DAY),)), Surroundings(zone=zone))
    turn = datetime.fromisoformat(midnight).timestamp()

    found = [often.ask(addressed(CODE), moment) is None for moment in (turn - 2, turn - 1, turn)]

    assert found == [True, False, True]


# R43


def test_r43_the_201st_message_of_a_personal_number_in_an_hour_is_refused() -> None:
    world = World(rule("R43", PERSONAL, applies_to=EVERYTHING), senders=(PERSON,))

    found = [world.reason(NEWS, PERSONAL_NUMBER, 13800000000 + n, at=AFTERNOON) for n in range(202)]

    assert found == [None] * 200 + [Reason.FREQUENCY] * 2


def test_r43_on_a_holiday_it_is_the_501st() -> None:
    day = datetime.fromtimestamp(AFTERNOON).date()  # noqa: DTZ006 - the same day in every zone near
    calendar = HolidayCalendar("test", frozenset({day}))
    feast = Surroundings(calendar=calendar)
    world = World(
        rule("R43", PERSONAL, applies_to=EVERYTHING), senders=(PERSON,), surroundings=feast
    )

    found = [world.reason(NEWS, PERSONAL_NUMBER, 13800000000 + n, at=AFTERNOON) for n in range(502)]

    assert found == [None] * 500 + [Reason.FREQUENCY] * 2


def test_r43_only_sources_that_begin_so_are_counted() -> None:
    one = TooOften((Limit((Part.SENDER,), 1, Clock.HOUR),), sources=("138", "10690002"))
    world = World(rule("R43", one, applies_to=EVERYTHING))

    found = [
        world.reason(NEWS, source, at=AFTERNOON) is None
        for source in (MARKETING, MARKETING, SERVICE, SERVICE, MARKETING)
    ]

    assert found == [True, True, True, False, True]


def test_the_later_parts_of_a_long_message_take_nothing_back() -> None:
    often = Often(TooOften((Limit((Part.SENDER,), 1, Clock.HOUR),)), CHINA)
    first, later = addressed(ADVERT), addressed(ADVERT)
    later.units = 0
    often.ask(first, AFTERNOON)

    often.forget(later, AFTERNOON)

    assert often.ask(addressed(ADVERT), AFTERNOON) is not None


# R44


def test_r44_of_200_messages_in_a_second_a_port_passes_its_burst_and_its_rate() -> None:
    world = World(rule("R44", TooFast(per_s=50, burst=100), action=Action.THROTTLE))

    found = [world.judge(to=13800000000 + n, at=AFTERNOON + n / 200) for n in range(200)]

    passed = sum(one.verdict is None for one in found)
    assert 100 <= passed <= 151
    assert {one.verdict.status for one in found if one.verdict} == {"ESME_RTHROTTLED"}


def test_r44_each_port_has_a_rate_of_its_own() -> None:
    world = World(
        rule("R44", TooFast(per_s=1, burst=1), applies_to=EVERYTHING, action=Action.THROTTLE)
    )

    found = [
        world.reason(CODE, source, at=AFTERNOON) for source in (MARKETING, SERVICE, SERVICE, CODES)
    ]

    assert found == [None, None, Reason.RATE, None]
    assert why(world.judge(CODE, SERVICE, at=AFTERNOON, system_id="sp2")) is None


def test_r44_a_message_in_parts_is_paid_by_its_first() -> None:
    rate = PortRate(TooFast(per_s=1, burst=2))
    first, second, other = addressed(ADVERT), addressed(ADVERT), addressed(ADVERT)
    first.units, second.units = 3, 0

    found = [rate.ask(one, AFTERNOON) is None for one in (first, second, other)]

    assert found == [True, True, False]


def test_r44_a_source_without_a_port_is_nobodys_rate() -> None:
    rate = PortRate(TooFast(per_s=1, burst=1))

    assert [rate.ask(addressed(ADVERT, source=b"95588"), 0.0) for _ in range(2)] == [None, None]


@pytest.mark.parametrize(("back_s", "passes"), [(1.0, False), (60.0, False), (3600.0, True)])
def test_r44_a_clock_that_is_set_back_shuts_no_port_for_as_long(
    back_s: float,
    passes: bool,  # noqa: FBT001 - a column of the table
) -> None:
    rate = PortRate(TooFast(per_s=1, burst=1))
    rate.ask(addressed(ADVERT), AFTERNOON)

    assert (rate.ask(addressed(ADVERT), AFTERNOON - back_s) is None) is passes


@pytest.mark.parametrize(("per_s", "is_full"), [(1, False), (2, True)])
def test_r44_a_reload_that_leaves_the_rate_alone_keeps_the_level(
    per_s: float,
    is_full: bool,  # noqa: FBT001 - a column of the table
) -> None:
    before, after = PortRate(TooFast(1, 1)), PortRate(TooFast(per_s, 1))
    before.ask(addressed(ADVERT), AFTERNOON)

    after.adopt(before)

    assert (after.ask(addressed(ADVERT), AFTERNOON) is None) is is_full


def test_r44_a_token_is_not_given_back() -> None:
    rate = PortRate(TooFast(per_s=1, burst=1))
    rate.ask(addressed(ADVERT), AFTERNOON)

    rate.forget(addressed(ADVERT), AFTERNOON)

    assert rate.ask(addressed(ADVERT), AFTERNOON) is not None


# R28


def test_r28_from_the_hundredth_number_in_a_row_on_messages_are_held() -> None:
    world = World(R28)

    found = [world.judge(to=13900000000 + n, at=AFTERNOON + n) for n in range(150)]

    assert [why(one) for one in found] == [None] * 99 + [Reason.NUMBER_WALK] * 51
    assert found[99].verdict is not None
    assert found[99].verdict.action is Action.QUARANTINE


def test_r28_campaigns_side_by_side_do_not_hide_a_walk() -> None:
    walks = Walks(WALK)
    found = []
    for n in range(120):
        walks.ask(written_to(NUMBER + 7919 * n, b"106900011"), AFTERNOON + n)
        found.append(
            walks.ask(written_to(8613900000000 + n, b"106900012"), AFTERNOON + n) is not None
        )

    assert found == [False] * 99 + [True] * 21


def test_r28_a_gap_ends_a_row() -> None:
    walks = Walks(NumberWalk(3, timedelta(minutes=10)))

    found = [walks.ask(written_to(n), AFTERNOON) is not None for n in (1, 2, 4, 5, 6, 9, 10)]

    assert found == [False, False, False, False, True, False, False]


def test_r28_the_same_number_again_is_no_step() -> None:
    walks = Walks(NumberWalk(3, timedelta(minutes=10)))

    found = [walks.ask(written_to(n), AFTERNOON) is not None for n in (1, 2, 2, 2, 3, 3, 4)]

    assert found == [False, False, False, False, True, True, True]


def test_r28_a_row_must_come_within_its_time() -> None:
    walks = Walks(NumberWalk(3, timedelta(minutes=10)))

    found = [
        walks.ask(written_to(n), AFTERNOON + after) is not None
        for n, after in ((1, 0), (2, 599), (3, 601), (4, 602), (5, 603))
    ]

    assert found == [False, False, False, False, True]


def test_r28_who_walks_on_is_held_until_there_is_a_pause() -> None:
    walks = Walks(NumberWalk(3, timedelta(minutes=10)))

    found = [
        walks.ask(written_to(n), AFTERNOON + after) is not None
        for n, after in ((1, 0), (2, 1), (3, 2), (4, 600), (5, 1200), (6, 1801))
    ]

    assert found == [False, False, True, True, True, False]


def test_r28_a_sender_with_many_sources_pushes_out_only_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counts, "_MAX_SOURCES", 2)
    walks = Walks(NumberWalk(2, timedelta(minutes=10)))
    other = World().message(system_id="sp2")
    other.msisdn = 1
    walks.ask(other, AFTERNOON)
    for source in (b"106900012", b"106900011", b"106900013"):
        walks.ask(written_to(1, source), AFTERNOON)
    other.msisdn = 2

    found = [
        walks.ask(one, AFTERNOON) is not None
        for one in (other, written_to(2, b"106900011"), written_to(2, b"106900012"))
    ]

    assert found == [True, True, False]


def test_r28_who_walks_down_is_held_as_well() -> None:
    walks = Walks(WALK)

    found = [walks.ask(written_to(NUMBER - n), AFTERNOON + n) is not None for n in range(120)]

    assert found == [False] * 99 + [True] * 21


def test_r28_who_walks_through_some_ranges_in_turn_is_held_in_each() -> None:
    walks = Walks(NumberWalk(3, timedelta(minutes=10)))
    ups_and_downs = ((1_000, 1), (5_000, -1), (9_000, 1), (20_000, -1))

    found = [
        [walks.ask(written_to(start + step * n), AFTERNOON) is not None for n in range(4)][n]
        for start, step in ups_and_downs
        for n in range(4)
    ]
    in_turn = Walks(NumberWalk(3, timedelta(minutes=10)))
    taking_turns = [
        in_turn.ask(written_to(start + step * n), AFTERNOON) is not None
        for n in range(4)
        for start, step in ups_and_downs
    ]

    assert found == [False, False, True, True] * 4
    assert taking_turns == [False] * 8 + [True] * 8


def test_r28_to_and_fro_is_no_walk() -> None:
    walks = Walks(NumberWalk(3, timedelta(minutes=10)))

    found = [walks.ask(written_to(n), AFTERNOON) is not None for n in (5, 6, 5, 6, 5, 6, 5)]

    assert found == [False] * 7


def test_r28_numbers_all_over_the_country_are_no_walk_and_hide_none_of_few_ranges() -> None:
    walks = Walks(NumberWalk(3, timedelta(minutes=10)))

    scattered = [walks.ask(written_to(NUMBER + 7919 * n), AFTERNOON) for n in range(500)]
    among_them = [
        walks.ask(written_to(number), AFTERNOON) is not None
        for n in range(4)
        for number in (NUMBER - n, 13 * n, NUMBER + 7919 * n)
    ]

    assert scattered == [None] * 500
    assert among_them[::3] == [False, False, True, True]
    assert not any(among_them[1::3] + among_them[2::3])


def test_r28_without_a_subscriber_there_is_no_step() -> None:
    walks = Walks(NumberWalk(1, timedelta(minutes=10)))
    one = addressed(ADVERT)
    one.msisdn = None

    assert walks.ask(one, AFTERNOON) is None


def test_r28_a_reload_and_another_rule_forget_no_step() -> None:
    before, after = Walks(WALK), Walks(NumberWalk(2, timedelta(minutes=10)))
    one = written_to(1)
    before.ask(one, AFTERNOON)

    before.forget(one, AFTERNOON)
    after.adopt(before)

    assert after.ask(written_to(2), AFTERNOON) is not None
