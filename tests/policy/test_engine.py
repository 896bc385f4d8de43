"""Messages judged together come out as if each had been judged alone."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.consent import Answer
from gateway.domain.filings import PortScope, Template, TemplateKind
from gateway.domain.policy import ROLLING_DAY, Clock, CountDimension, Enforcement, Limit
from gateway.domain.preferences import Preference, PreferenceAction, PreferenceKind, packed
from gateway.domain.sender import Rate
from gateway.domain.verdict import Action, Finding
from gateway.policy.bundle import Rule
from gateway.policy.checks.no_consent import NoConsent
from gateway.policy.checks.no_optout_hint import NoOptoutHint
from gateway.policy.checks.no_sender_name import NoSenderName
from gateway.policy.checks.number_walk import NumberWalk
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.other_province import OtherProvince
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.source_suspension import SourceSuspension
from gateway.policy.checks.too_fast import TooFast
from gateway.policy.checks.too_often import TooOften
from gateway.policy.checks.unknown_numbers import UnknownNumbers
from gateway.policy.checks.user_preference import UserPreference
from gateway.policy.engine import ask_together, count_together, stop_together
from gateway.policy.findings import is_asking
from gateway.policy.hours import Window, WindowSet
from gateway.policy.knowledge import Knowledge
from gateway.policy.places import ProvinceTable
from gateway.policy.preferences import Preferences
from gateway.policy.submission import DeliveryTimes, Submission
from gateway.policy.text_rulings import Course, Courses
from tests.policy.conftest import (
    ADVERT,
    CODE,
    EVERYTHING,
    MARKETING,
    NEWS,
    NUMBER,
    SERVICE,
    World,
    rule,
    sender,
)

ASKS = "【春晓书店】是否愿意接收新书消息，回复Y同意"
NO_HINT = "【春晓书店】会员日全场八折，欢迎到店"
PERSON = b"13900000001"
TEN = datetime.fromisoformat("2013-09-10T10:00:00+08:00").timestamp()
DAYTIME = OutsideWindow(WindowSet((Window(time(8), time(21)),)))
TO_SIGNED = (CountDimension.SIGNATURE, CountDimension.DESTINATION)
RULES = (
    rule("R43-suspended", SourceSuspension(), applies_to=EVERYTHING),
    rule("R04", OtherProvince(), applies_to=EVERYTHING),
    rule("R21", OptOut()),
    rule("R20", NoConsent(), action=Action.QUARANTINE, applies_to=EVERYTHING),
    rule("R50", UserPreference(), applies_to=EVERYTHING),
    rule("R40", DAYTIME, action=Action.DEFER),
    rule("R28-unknown", UnknownNumbers(0.3, timedelta(minutes=10), 5)),
    rule("R30", NoOptoutHint()),
    rule("R38", NoSenderName(), mode=Enforcement.SHADOW),
    rule("R28", NumberWalk(3, timedelta(minutes=10)), action=Action.QUARANTINE),
    rule("R44", TooFast(per_s=0.5, burst=6), applies_to=EVERYTHING, action=Action.THROTTLE),
    rule(
        "R42",
        TooOften((Limit(TO_SIGNED, 2, ROLLING_DAY), Limit(TO_SIGNED, 1, Clock.MINUTE))),
        applies_to=EVERYTHING,
        action=Action.THROTTLE,
    ),
    rule(
        "R42-notice",
        TooOften((Limit((CountDimension.DESTINATION,), 3, ROLLING_DAY),)),
        applies_to=EVERYTHING,
        action=Action.THROTTLE,
    ),
)


class Sent(NamedTuple):
    text: str
    source: bytes
    number: int
    system_id: str
    timing: DeliveryTimes | None


SENT = st.builds(
    Sent,
    text=st.sampled_from([ADVERT, CODE, NEWS, ASKS, NO_HINT]),
    source=st.sampled_from([MARKETING, SERVICE, PERSON]),
    number=st.integers(NUMBER, NUMBER + 7) | st.integers(33_612_345_678, 33_612_345_680),
    system_id=st.sampled_from(["sp1", "sp2"]),
    timing=st.sampled_from(
        [
            None,
            None,
            DeliveryTimes(is_unclear=True),
            DeliveryTimes(TEN + 5 * 3600),
            DeliveryTimes(TEN + 13 * 3600),
        ]
    ),
)
TICKS = st.lists(st.tuples(st.lists(SENT, max_size=24), st.sampled_from([0, 1, 70, 50_000])))


def known(*, is_current: bool = True) -> Knowledge:
    found = Knowledge()
    found.consent.load("sp1", Answer.REFUSED, [NUMBER])
    found.consent.load("sp1", Answer.AGREED, range(NUMBER + 1, NUMBER + 7))
    found.consent.load("sp2", Answer.ASSERTED, [NUMBER + 2])
    found.consent.is_current = is_current
    asks = Template("sp1", "t1", TemplateKind.CONSENT_REQUEST, ASKS[6:])
    found.filings.replace("sp1", [asks, PortScope("sp1", SERVICE.decode(), "福建")])
    found.provinces = ProvinceTable([(NUMBER // 10**4 % 10**7, "广东")])
    found.suspended.load([(int(b"86" + PERSON), TEN + 60, 0.0)])
    block = Preference(PreferenceKind.NUMBER, SERVICE.decode(), PreferenceAction.BLOCK)
    found.preferences = Preferences([(NUMBER + 3, packed((block,)))])
    return found


def world(rules: Sequence[Rule], *, is_current: bool = True) -> World:
    everybody = tuple(sender(one, rate=Rate(1e6, 10**6)) for one in ("sp1", "sp2"))
    return World(*rules, senders=everybody, knowledge=known(is_current=is_current))


def begun(where: World, sent: Sequence[Sent], at: float) -> list[tuple[Course, Submission]]:
    """Bring messages up to their texts, in their order."""
    found = []
    for one in sent:
        message = where.message(
            one.source, f"+{one.number}", system_id=one.system_id, timing=one.timing
        )
        if where.rules.judge_address(message, at):
            facts = where.rules.scan.judge_texts((one.text,))
            found.append((where.rules.course_of(message, facts, at), message))
    return found


def judged_together(where: World, messages: Sequence[tuple[Course, Submission]], at: float) -> None:
    """Judge messages as a tick does: asked by course, counted in their order."""
    by_course: defaultdict[Course, list[Submission]] = defaultdict(list)
    for course, message in messages:
        by_course[course].append(message)
    left: set[int] = set()
    for course, those in by_course.items():
        left.update(map(id, ask_together(where.rules, course, those, at)))
    by_counting: defaultdict[int, list[Submission]] = defaultdict(list)
    for course, message in messages:
        if id(message) in left:
            by_counting[id(course.counting)].append(message)
    for course in by_course:
        counted = by_counting.pop(id(course.counting), [])
        count_together(where.rules, course.counting, counted, at, nobody_fails)


def nobody_fails(_message: Submission) -> None:
    raise AssertionError("a counter failed")


def in_turn(messages: Sequence[tuple[Course, Submission]]) -> list[Submission]:
    """Return messages in the order in which a tick counts them.

    What asks for consent is counted when it is asked about; of the others those together that
    the same rules count.
    """
    courses = list(dict.fromkeys(course for course, _ in messages))
    countings = [id(course.counting) for course in courses]

    def place_of(course: Course) -> tuple[bool, int]:
        if course.asks_consent:
            return False, courses.index(course)
        return True, countings.index(id(course.counting))

    return [one for _, one in sorted(messages, key=lambda one: place_of(one[0]))]


def outcome(one: Submission) -> tuple[tuple[Finding, ...], object, object]:
    return one.findings, one.verdict, one.deferral


RULESETS = st.lists(st.sampled_from(RULES), unique_by=lambda one: one.id).flatmap(
    lambda some: st.tuples(
        *(
            st.sampled_from([one, replace(one, mode=Enforcement.SHADOW)])
            for one in sorted(some, key=RULES.index)
        )
    )
)


@pytest.mark.parametrize("count", [2, 6])
def test_what_is_stopped_together_settles_nothing(count: int) -> None:
    where, at = world(RULES), TEN + 12 * 3600  # at night
    sent = [Sent(ADVERT, MARKETING, NUMBER + place, "sp1", None) for place in range(count)]
    one_by_one, messages = begun(where, sent, at), begun(where, sent, at)
    for course, message in one_by_one:
        where.rules.passes(message, course, at)

    ((course, those),) = {course: [one for _, one in messages] for course, _ in messages}.items()
    stop_together(where.rules, course, those, at)

    assert [outcome(one) for one in those] == [outcome(one) for _, one in one_by_one]
    assert [one.verdict is None for one in those] == [False, *[True] * (count - 1)]
    assert all(one.deferral is not None for one in those[1:])


@given(rules=RULESETS, ticks=TICKS, is_current=st.booleans(), many=st.sampled_from([1, 4]))
def test_a_tick_judged_together_is_as_if_each_message_was_judged_alone(
    rules: tuple[Rule, ...],
    ticks: list[tuple[list[Sent], int]],
    is_current: bool,  # noqa: FBT001 - drawn
    many: int,
) -> None:
    together, alone = (world(rules, is_current=is_current) for _ in range(2))
    at = TEN

    for sent, step in ticks:
        at += step
        one_by_one, many_at_once = begun(alone, sent, at), begun(together, sent, at)
        for message in in_turn(one_by_one):
            assert message.facts is not None
            alone.rules.judge_text(message, message.facts, at)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gateway.policy.engine._MANY", many)
            judged_together(together, many_at_once, at)

        outcomes = [[outcome(one) for _, one in some] for some in (one_by_one, many_at_once)]
        assert outcomes[0] == outcomes[1]


def test_r28_who_walks_with_two_texts_in_turn_is_held_as_with_one() -> None:
    walk = rule(
        "R28",
        NumberWalk(20, timedelta(minutes=10)),
        action=Action.QUARANTINE,
        applies_to=EVERYTHING,
    )
    where = world((walk, rule("R21", OptOut())))  # adverts alone are asked about refusals
    texts = (ADVERT, NEWS)
    sent = [Sent(texts[n % 2], SERVICE, NUMBER + 8 + n, "sp1", None) for n in range(96)]
    messages = begun(where, sent, TEN)

    judged_together(where, messages, TEN)

    assert len({course for course, _ in messages}) == 2
    assert sum(one.verdict is not None for _, one in messages) == 96 - 19


@pytest.mark.parametrize("many", [1, 4])
def test_what_has_to_wait_and_what_asks_for_consent_is_settled_apart(
    monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr("gateway.policy.engine._MANY", many)
    where = world([one for one in RULES if one.id != "R30"])
    at_night = TEN + 13 * 3600
    sent = [Sent(text, MARKETING, NUMBER + 1, "sp1", None) for text in (ADVERT, ASKS)]

    by_day, by_night = begun(where, sent[1:], TEN), begun(where, sent, at_night)
    judged_together(where, by_day, TEN)
    judged_together(where, by_night, at_night)

    verdicts = [message.verdict for _, message in (*by_day, *by_night)]
    assert [one and (one.action, is_asking(one)) for one in verdicts] == [
        (Action.DEFER, True),
        (Action.DEFER, False),
        (Action.DEFER, False),
    ]


def test_of_two_to_one_sender_only_who_refused_is_let_through() -> None:
    where = world([one for one in RULES if one.id == "R21"])
    refused, other = (Sent(ADVERT, MARKETING, NUMBER + n, "sp1", None) for n in (0, 1))
    (course, one), (_, two) = begun(where, [refused, other], TEN)

    assert list(course.asking[0].sieve([two, one, two], TEN)) == [one]


@given(rules=RULESETS, sent=st.lists(SENT, max_size=20), is_current=st.booleans())
def test_a_sieve_lets_everything_through_that_its_check_finds_against(
    rules: tuple[Rule, ...],
    sent: list[Sent],
    is_current: bool,  # noqa: FBT001 - drawn
) -> None:
    where = world(rules, is_current=is_current)

    for course, message in begun(where, sent, TEN):
        for asked in course.asking:
            let_through = asked.sieve([message], TEN)
            if asked.ask(message, TEN) is not None:
                assert list(let_through) == [message]


def test_a_replacement_whose_subscriber_nobody_knows_passes_no_sieve_unasked() -> None:
    where = world(RULES)
    message = where.message()
    course = where.rules.course_of(message, where.rules.scan.judge_texts((ADVERT,)), TEN)

    asked = [one for one in course.asking if one.ask(message, TEN) is not None]

    assert message.msisdn is None
    assert [list(one.sieve([message], TEN)) for one in asked] == [[message]] * len(asked)
    assert asked


def test_an_sp_whose_numbers_are_unknown_is_let_through_with_all_it_sends() -> None:
    where = world([one for one in RULES if one.id == "R28-unknown"])
    where.knowledge.answers.feed({"sp2": (10, 9)}, 0.0)
    both = [where.message(system_id=one) for one in ("sp1", "sp2")]
    facts = where.rules.scan.judge_texts((ADVERT,))
    (asked,) = where.rules.course_of(both[0], facts, TEN).asking

    assert list(asked.sieve(both, TEN)) == both[1:]


def courses_of(where: World, *texts: str, source: bytes = SERVICE) -> list[Course]:
    judged = map(where.rules.scan.judge_texts, ((text,) for text in texts))
    return [where.rules.course_of(where.message(source), facts, TEN) for facts in judged]


def test_what_is_found_against_texts_is_no_matter_to_the_course() -> None:
    where = world(RULES)
    texts = [f"【春晓书店】会员日全场{n}折" for n in range(5, 9)]

    assert len(set(courses_of(where, *texts, ADVERT, source=MARKETING))) == 1


def test_no_more_courses_are_kept_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.policy.text_rulings.MAX_KEPT", 1)
    courses = Courses()

    first = courses.of((), (), asks_consent=False)
    courses.of((), (), asks_consent=True)

    assert courses.of((), (), asks_consent=False) is not first


def test_what_is_found_alike_against_texts_is_one_tuple_and_few_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    where = world(RULES)
    messages = [where.message(), where.message()]
    for text, message in zip((NO_HINT, NO_HINT.replace("八", "七")), messages, strict=True):
        where.rules.course_of(message, where.rules.scan.judge_texts((text,)), TEN)

    until = messages[0].until
    assert until is not None
    assert [one.rule for one in until.found] == ["R30"]
    assert messages[1].until is until

    monkeypatch.setattr("gateway.policy.text_rulings.MAX_KEPT", 1)
    courses_of(where, ADVERT, NO_HINT, "会员日全场六折，拒收请回复R", source=MARKETING)
    assert len(where.rules.rules._courses._found) == 1
