"""Personal numbers over their caps are suspended (R43)."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from gateway.domain.policy import Clock, CountDimension, Enforcement, Limit
from gateway.domain.sender import Port, Rate
from gateway.domain.suspension import NewSuspension, SuspensionTerms
from gateway.domain.verdict import Action, Reason, ReasonCode
from gateway.policy.bundle import Rule
from gateway.policy.checks.source_suspension import SourceSuspension, end_of
from gateway.policy.checks.suspicious import Suspicious
from gateway.policy.checks.too_often import TooOften
from gateway.policy.engine import explain
from gateway.policy.hours import HolidayCalendar, RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import Submission
from tests.policy.conftest import EVERYTHING, NEWS, World, rule, sender, why
from tests.policy.scorers import WordScorer

PERSONAL = b"13900000001"
MSISDN = 8613900000001
PERSON = sender(
    ports=(Port("13900000001"), Port("8613900000001"), Port("13900000002")), rate=Rate(1e6, 10**6)
)
TERMS = SuspensionTerms(3, ("HF", "恢复"), "已暂停", "已恢复", "不能恢复")
CAPS = TooOften((Limit((CountDimension.SOURCE,), 2, Clock.HOUR),), ("139", "86139"), TERMS)
R43 = rule("R43", CAPS, applies_to=EVERYTHING, action=Action.THROTTLE)
ASKS = rule("R43-suspended", SourceSuspension(), applies_to=EVERYTHING)
# As it was in 2026: the 10th was a Saturday that was worked.
NATIONAL_DAY = HolidayCalendar(
    "cn",
    frozenset(date(2026, 10, day) for day in range(1, 8)),
    frozenset({date(2026, 10, 10)}),
)
CHINA = RuleLocale(calendar=NATIONAL_DAY)


def beijing(text: str) -> float:
    return datetime.fromisoformat(f"{text}+08:00").timestamp()


EVE = beijing("2026-09-30T15:00")
HOUR = 3600


@pytest.fixture
def world() -> World:
    return World(ASKS, R43, senders=(PERSON,), surroundings=CHINA)


def send(world: World, count: int, at: float = EVE, source: bytes = PERSONAL) -> list[Submission]:
    return [world.judge(NEWS, source, 13800000000 + nth, at=at) for nth in range(count)]


def reasons(judged: list[Submission]) -> list[ReasonCode | None]:
    return [why(one) for one in judged]


def test_r43_over_the_cap_a_number_is_suspended_for_three_working_days(world: World) -> None:
    over = reasons(send(world, 3))
    next_hour = reasons(send(world, 1, EVE + HOUR))
    last = reasons(send(world, 1, beijing("2026-10-10T23:59")))
    after = reasons(send(world, 1, beijing("2026-10-11T00:00")))

    assert over == [None, None, TooOften.reason]
    assert next_hour == last == [Reason.SOURCE_SUSPENDED]
    assert after == [None]


def test_r43_what_suspends_is_found_once_for_whoever_keeps_it(world: World) -> None:
    send(world, 5)

    assert world.knowledge.suspended.found == {
        MSISDN: NewSuspension(
            MSISDN,
            "sp1",
            "R43",
            datetime.fromisoformat("2026-09-30T15:00+08:00"),
            datetime.fromisoformat("2026-10-11T00:00+08:00"),
            note="over 2 a hour per source",
        )
    }


def test_r43_a_number_is_suspended_however_it_is_written_and_no_other(world: World) -> None:
    send(world, 3)

    assert reasons(send(world, 1, EVE + HOUR, b"8613900000001")) == [Reason.SOURCE_SUSPENDED]
    assert reasons(send(world, 1, EVE + HOUR, b"13900000002")) == [None]


LOOKS = replace(CAPS, suspend=replace(TERMS, same_text=2))
LOOKING = replace(R43, check=LOOKS)
LIKE_SPAM = rule("R61-model", Suspicious(0.01), applies_to=EVERYTHING, mode=Enforcement.SHADOW)


def test_r43_who_only_writes_too_much_is_refused_and_not_suspended() -> None:
    world = World(ASKS, LOOKING, senders=(PERSON,), surroundings=CHINA)
    texts = ("在吗", "晚上吃什么", "我到楼下了", "作业写完了没有", "明天几点的车")

    judged = [world.judge(text, PERSONAL, 13800000000, at=EVE) for text in texts]
    next_hour = world.judge("到家了", PERSONAL, at=EVE + HOUR)

    assert reasons(judged) == [None, None] + [TooOften.reason] * 3
    assert why(next_hour) is None
    assert world.knowledge.suspended.found == {}


def test_r43_one_text_to_many_people_over_the_cap_suspends() -> None:
    world = World(ASKS, LOOKING, senders=(PERSON,), surroundings=CHINA)

    judged = send(world, 5)

    over = [None, None, TooOften.reason, TooOften.reason, Reason.SOURCE_SUSPENDED]
    assert reasons(judged) == over
    note = world.knowledge.suspended.found[MSISDN].note
    assert note == "over 2 a hour per source; one text to 2 people"


def test_r43_a_text_like_spam_over_the_cap_suspends_at_once_also_on_trial() -> None:
    known = Knowledge(scorer=WordScorer())
    world = World(ASKS, LOOKING, LIKE_SPAM, senders=(PERSON,), surroundings=CHINA, knowledge=known)
    texts = ("恭喜你，来领奖", "在吗", "晚上吃什么", "恭喜你，来领奖", "好的")

    judged = [world.judge(text, PERSONAL, at=EVE) for text in texts]

    over = [None, None, TooOften.reason, TooOften.reason, Reason.SOURCE_SUSPENDED]
    assert reasons(judged) == over
    note = world.knowledge.suspended.found[MSISDN].note
    assert note == "over 2 a hour per source; SUSPICIOUS by R61-model"


def test_r43_what_is_on_trial_suspends_nobody() -> None:
    trial = replace(R43, mode=Enforcement.SHADOW)
    world = World(ASKS, trial, senders=(PERSON,), surroundings=CHINA)

    judged = send(world, 3)

    assert [found.shadow for found in judged[2].findings] == [True]
    assert world.knowledge.suspended.found == {}


@pytest.mark.parametrize("asks", [[], [replace(ASKS, mode=Enforcement.SHADOW)]])
def test_r43_nobody_is_told_of_a_suspension_that_would_stop_nothing(asks: list[Rule]) -> None:
    world = World(R43, *asks, senders=(PERSON,), surroundings=CHINA)

    assert reasons(send(world, 3)) == [None, None, TooOften.reason]
    assert world.knowledge.suspended.found == {}


def test_r43_a_suspension_on_trial_is_noted_and_stops_nothing() -> None:
    world = World(
        replace(ASKS, mode=Enforcement.SHADOW), R43, senders=(PERSON,), surroundings=CHINA
    )
    world.knowledge.suspended.load([(MSISDN, EVE + HOUR, 0.0)])

    (judged,) = send(world, 1)

    assert why(judged) is None
    assert [found.reason for found in judged.findings] == [Reason.SOURCE_SUSPENDED]


def test_counters_that_are_full_suspend_nobody() -> None:
    full = RuleLocale(calendar=NATIONAL_DAY, capacity=1)
    world = World(ASKS, R43, senders=(PERSON,), surroundings=full)
    send(world, 1)

    assert reasons(send(world, 1, source=b"13900000002")) == [Reason.FREQUENCY_UNCOUNTED]
    assert world.knowledge.suspended.found == {}


def test_what_is_no_number_is_not_suspended() -> None:
    named = sender(ports=(Port("SHOP"),), rate=Rate(1e6, 10**6))
    caps = TooOften(CAPS.limits, ("SHOP",), TERMS)
    world = World(ASKS, replace(R43, check=caps), senders=(named,), surroundings=CHINA)
    world.knowledge.suspended.load([(MSISDN, EVE + HOUR, 0.0)])

    assert reasons(send(world, 3, source=b"SHOP")) == [None, None, TooOften.reason]
    assert world.knowledge.suspended.found == {}


def test_r43_once_it_was_lifted_the_cap_alone_holds_for_the_rest_of_the_day(world: World) -> None:
    send(world, 3)
    world.knowledge.suspended.found.clear()
    world.knowledge.suspended.load([(MSISDN, 0.0, EVE + 60)])

    same_hour = reasons(send(world, 1, EVE + 120))
    next_hour = reasons(send(world, 3, EVE + HOUR))
    next_day = reasons(send(world, 3, EVE + 25 * HOUR))

    assert same_hour == [TooOften.reason]
    assert next_hour == [None, None, TooOften.reason]
    assert next_day == [None, None, TooOften.reason]
    assert world.knowledge.suspended.found.keys() == {MSISDN}


def test_r43_an_explanation_suspends_nobody(world: World) -> None:
    send(world, 2)
    one = world.message(PERSONAL)

    verdict = explain(world.rules, one, (NEWS,), 0.0, EVE)

    assert verdict.deciding is not None
    assert verdict.deciding.reason is TooOften.reason
    assert world.knowledge.suspended.found == {}


@pytest.mark.parametrize(
    ("text", "restores"),
    [("HF", True), (" hf。", True), ("恢復", True), ("恢复吧", False), ("TD", False), ("", False)],
)
def test_only_the_words_of_the_rule_restore(world: World, text: str, *, restores: bool) -> None:
    assert world.rules.suspenders["R43"].is_restoring(text) is restores


def test_the_day_of_the_message_is_that_of_the_zone() -> None:
    since = datetime.fromisoformat("2026-09-30T23:30+00:00")  # the 1st of October in Beijing

    assert end_of(since, 1, CHINA) == datetime.fromisoformat("2026-10-09T00:00+08:00")
    assert end_of(since - timedelta(hours=8), 1, CHINA) == datetime.fromisoformat(
        "2026-10-09T00:00+08:00"
    )
    assert end_of(since, 1, RuleLocale(zone="UTC")) == datetime.fromisoformat(
        "2026-10-02T00:00+00:00"
    )
