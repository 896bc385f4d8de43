"""Rules compiled: whom they are asked of, in which order, and what their findings do."""

import itertools
from datetime import date, datetime, time, timedelta

import pytest

from gateway.domain.categories import TrafficClass
from gateway.domain.consent import Answer
from gateway.domain.filings import Approval, Signature, Template, TemplateKind
from gateway.domain.policy import Clock, CountDimension, Enforcement, Limit
from gateway.domain.sender import Port, Purpose, Rate
from gateway.domain.verdict import Action, Reason
from gateway.filter.contacts import ContactKind
from gateway.filter.facts import TextFacts
from gateway.policy.bundle import Override, Rule
from gateway.policy.check import Check
from gateway.policy.checks import all_checks
from gateway.policy.checks.bad_link import BadLink
from gateway.policy.checks.campaign import Campaign
from gateway.policy.checks.contact_in_text import ContactInText
from gateway.policy.checks.impostor import Impostor
from gateway.policy.checks.no_consent import NoConsent
from gateway.policy.checks.no_optout_hint import NoOptoutHint
from gateway.policy.checks.no_sender_name import NoSenderName
from gateway.policy.checks.number_walk import NumberWalk
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.port_misuse import PortMisuse
from gateway.policy.checks.public_interest import PublicInterest
from gateway.policy.checks.signature_switch import SignatureSwitch
from gateway.policy.checks.suspicious import Suspicious
from gateway.policy.checks.too_fast import TooFast
from gateway.policy.checks.too_often import TooOften
from gateway.policy.checks.unknown_numbers import UnknownNumbers
from gateway.policy.checks.unknown_signature import UnknownSignature
from gateway.policy.checks.unknown_template import UnknownTemplate
from gateway.policy.engine import explain
from gateway.policy.hours import RuleLocale, Window, WindowSet
from gateway.policy.knowledge import Knowledge
from gateway.policy.rule_stages import RuleStages
from tests.policy.conftest import (
    ADVERT,
    CODE,
    COMMERCIAL,
    EVERYTHING,
    MARKETING,
    NUMBER,
    SERVICE,
    World,
    rule,
    sender,
    why,
)

ENFORCE, SHADOW, OFF = Enforcement
PAIRS = list(itertools.product(Enforcement, repeat=2))
PUBLIC = b"10690009"
EVENING = datetime.fromisoformat("2013-09-30T23:00:00+08:00").timestamp()
NEW_YEAR = datetime.fromisoformat("2014-01-01T12:00:00+08:00").timestamp()
WARNING = "【市气象台】今夜到明天有大暴雨，请勿外出"
NOTHING_WRONG = OutsideWindow(WindowSet((Window(time(0), time(0)),)))
WITH_PARAMETERS: dict[type[Check], Check] = {
    PublicInterest: PublicInterest(frozenset({"R20"})),
    OutsideWindow: NOTHING_WRONG,
    TooOften: TooOften((Limit((CountDimension.DESTINATION,), 1, Clock.HOUR),)),
    TooFast: TooFast(1, 1),
    NumberWalk: NumberWalk(1, timedelta(minutes=1)),
    UnknownNumbers: UnknownNumbers(1, timedelta(minutes=1), 1),
    Impostor: Impostor(("春眠书店",)),
    ContactInText: ContactInText(frozenset(ContactKind)),
    Suspicious: Suspicious(0.01),
    Campaign: Campaign(1, timedelta(minutes=1)),
    BadLink: BadLink(disguised=True),
}
CHECKS = [WITH_PARAMETERS.get(kind) or kind() for kind in all_checks()]


def refusing(system_id: str = "sp1") -> Knowledge:
    known = Knowledge()
    known.consent.apply(NUMBER, system_id, Answer.REFUSED)
    return known


def enforced_on(*overrides: Override, mode: Enforcement = ENFORCE) -> World:
    known = refusing()
    known.consent.apply(NUMBER, "sp2", Answer.REFUSED)
    ports = (Port("10690001", 4, Purpose.MARKETING), Port("10690002", 0, Purpose.MARKETING))
    both = tuple(sender(s, ports=ports, rate=Rate(1e6, 10**6)) for s in ("sp1", "sp2"))
    return World(
        rule("R21", OptOut(), mode=mode, overrides=overrides),
        senders=both,
        knowledge=known,
    )


def outcome(world: World, source: bytes = MARKETING, system_id: str = "sp1") -> Enforcement:
    """Return how far the one rule of `world` goes with a message."""
    one = world.judge(ADVERT, source, system_id=system_id)
    if one.verdict is not None:
        return ENFORCE
    return SHADOW if one.findings else OFF


def asked(stages: RuleStages, traffic: TrafficClass) -> int:
    """Return how many rules are asked of messages of one class."""
    of_text = stages._of_texts[traffic]
    return len(stages.asking[traffic]) + len(of_text) + len(stages.counting[traffic])


@pytest.mark.parametrize("mode", Enforcement)
def test_a_rule_goes_as_far_as_its_mode(mode: Enforcement) -> None:
    assert outcome(enforced_on(mode=mode)) is mode


@pytest.mark.parametrize(("mode", "other"), PAIRS)
def test_a_rule_may_go_farther_or_less_far_for_one_sender(
    mode: Enforcement, other: Enforcement
) -> None:
    world = enforced_on(Override(other, sender="sp1"), mode=mode)

    assert outcome(world) is other
    assert outcome(world, system_id="sp2") is mode


@pytest.mark.parametrize(("mode", "other"), PAIRS)
def test_a_rule_may_go_farther_or_less_far_for_one_port(
    mode: Enforcement, other: Enforcement
) -> None:
    world = enforced_on(Override(other, port="10690001"), mode=mode)

    assert outcome(world) is other
    assert outcome(world, b"106900010042") is other
    assert outcome(world, SERVICE) is mode


@pytest.mark.parametrize(("of_port", "of_sender"), PAIRS)
def test_the_port_is_stronger_than_the_sender(of_port: Enforcement, of_sender: Enforcement) -> None:
    world = enforced_on(Override(of_sender, sender="sp1"), Override(of_port, port="10690001"))

    assert outcome(world) is of_port
    assert outcome(world, SERVICE) is of_sender


def test_a_rule_that_is_off_for_everybody_is_not_asked() -> None:
    world = enforced_on(Override(OFF, sender="sp1", because="in shadow mode elsewhere"), mode=OFF)

    assert world.rules.rules.are_none
    assert outcome(world) is OFF


def test_a_message_without_a_port_is_judged_by_its_senders_mode() -> None:
    world = enforced_on(Override(SHADOW, sender="sp1"), Override(OFF, port="10690001"))

    verdict = explain(world.rules, world.message(b"95588"), (ADVERT,), 0.0, 0.0)

    assert [(f.rule, f.shadow) for f in verdict.findings] == [("R02", False), ("R21", True)]


def test_a_rule_that_is_off_for_a_sender_does_not_count_for_it() -> None:
    once = TooOften((Limit((CountDimension.DESTINATION,), 1, Clock.DAY),))
    world = World(rule("R42", once, overrides=(Override(OFF, sender="sp1"),)))

    found = [why(world.judge(ADVERT, system_id=s)) for s in ("sp1", "sp1", "sp2", "sp2")]

    assert found == [None, None, None, TooOften.reason]


@pytest.mark.parametrize("traffic", TrafficClass)
@pytest.mark.parametrize("check", [OptOut(), NoSenderName(), TooFast(1, 1)])
def test_a_rule_is_asked_of_its_classes_and_of_no_other(
    traffic: TrafficClass, check: Check
) -> None:
    only = rule("X", check, applies_to=frozenset({traffic}))
    stages = RuleStages([only], Knowledge(), RuleLocale())

    assert {each: asked(stages, each) for each in TrafficClass} == {
        each: int(each is traffic) for each in TrafficClass
    }


@pytest.mark.parametrize(
    ("on_error", "action", "is_noted"),
    [
        ({TrafficClass.COMMERCIAL: Action.REJECT}, Action.REJECT, False),
        ({TrafficClass.COMMERCIAL: Action.QUARANTINE}, Action.QUARANTINE, False),
        ({TrafficClass.COMMERCIAL: Action.FORWARD}, None, True),
        ({}, None, True),
    ],
)
def test_while_the_store_cannot_be_read_the_rule_says_what_becomes_of_each_class(
    on_error: dict[TrafficClass, Action],
    action: Action | None,
    is_noted: bool,  # noqa: FBT001 - a column of the table
) -> None:
    world = World(rule("R21", OptOut(), on_error=on_error))
    world.knowledge.consent.is_current = False

    one = world.judge(ADVERT)

    assert (one.verdict and one.verdict.action) == action
    assert [(f.reason, f.shadow) for f in one.findings] == [(Reason.CONSENT_UNCHECKED, is_noted)]


def test_a_class_that_passes_unread_is_noted_only_where_the_rule_asks_for_it() -> None:
    world = World(rule("R21", OptOut(), on_error={TrafficClass.VERIFICATION: Action.REJECT}))
    world.knowledge.consent.is_current = False

    code = world.judge(CODE, SERVICE)

    assert (code.verdict, code.findings) == (None, ())


def test_rules_are_asked_in_the_order_of_the_law_whatever_their_order_in_the_files() -> None:
    rules = tuple(rule(f"X{n}", check, mode=SHADOW) for n, check in enumerate(CHECKS))

    for listed in (rules, rules[::-1]):
        stages = RuleStages(listed, Knowledge(), RuleLocale())
        found = [one.rule.reason for one in stages.staged]

        assert found == [one.reason for one in all_checks() if one is not PublicInterest]


def test_two_rules_of_one_kind_keep_the_order_of_the_files() -> None:
    rules = [rule(id_, NoOptoutHint(), mode=SHADOW) for id_ in ("B", "A")]

    stages = RuleStages(rules, Knowledge(), RuleLocale())

    assert [one.rule.id for one in stages.staged] == ["B", "A"]


def test_the_first_finding_that_is_enforced_decides_and_the_later_are_not_asked() -> None:
    world = World(
        rule("R38", NoSenderName()),
        rule("R20", NoConsent(), mode=SHADOW),
        rule("R30", NoOptoutHint()),
        rule("R21", OptOut(), mode=SHADOW),
        knowledge=refusing(),
    )

    one = world.judge("会员日全场八折")

    assert [f.rule for f in one.findings] == ["R21", "R20", "R30"]
    assert why(one) is NoOptoutHint.reason


def test_a_finding_is_made_once_however_many_messages_it_is_against() -> None:
    world = World(rule("R21", OptOut(), status="ESME_RINVDSTADR"), knowledge=refusing())

    first, second = world.judge(ADVERT), world.judge(ADVERT)

    assert first.findings[0] is second.findings[0]
    assert first.findings[0].status == "ESME_RINVDSTADR"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: type(check).__name__)
def test_every_check_is_asked_or_counts_or_exempts(check: Check) -> None:
    stages = RuleStages([rule("X", check, applies_to=EVERYTHING)], Knowledge(), RuleLocale())

    expected = 0 if isinstance(check, PublicInterest) else 1
    assert [asked(stages, each) for each in TrafficClass] == [expected] * len(TrafficClass)


# What is kept with a text


def test_rules_about_a_text_are_asked_once_for_all_who_get_it() -> None:
    world = World(rule("R38", NoSenderName()))
    facts = world.rules.scan.judge_texts(("会员日八折",))
    first, second = world.message(), world.message(to=NUMBER + 1)
    for one in (first, second):
        world.rules.judge_address(one, 0.0)

    rulings = [world.rules.rules.rule_text(one, facts, 0.0) for one in (first, second)]

    assert rulings[0] is rulings[1]


def test_sources_that_no_rule_tells_apart_share_a_ruling() -> None:
    world = World(rule("R06", SignatureSwitch()), rule("R38", NoSenderName()))
    facts = world.rules.scan.judge_texts(("会员日八折",))

    rulings = [
        world.rules.rules.rule_text(world.message(b"10690001%02d" % extension), facts, 0.0)
        for extension in range(40)
    ]

    assert len(set(map(id, rulings))) == 1


def test_r06_bound_sources_keep_their_rulings_apart_and_a_text_keeps_few() -> None:
    world = World(rule("R06", SignatureSwitch()), rule("R38", NoSenderName()))
    bound = [Signature("sp1", f"商{n}", (f"10690001{n:02}",)) for n in range(40)]
    world.knowledge.filings.replace("sp1", bound)
    facts = world.rules.scan.judge_texts(("会员日八折",))

    for extension in range(40):
        one = world.message(b"10690001%02d" % extension)
        first = world.rules.rules.rule_text(one, facts, 0.0)
        assert world.rules.rules.rule_text(one, facts, 0.0) is first

    assert facts.rulings is not None
    assert 0 < len(facts.rulings) <= 11


def test_what_is_filed_anew_is_ruled_anew() -> None:
    world = World(rule("R12", UnknownSignature()))
    facts = world.rules.scan.judge_texts(("【示例】会员日八折",))

    before = ruled(world, facts, b"10690001")
    world.knowledge.filings.replace("sp1", [Signature("sp1", "示例")])

    assert (before, ruled(world, facts, b"10690001")) == ("R12", "")


def ruled(world: World, facts: TextFacts, source: bytes, system_id: str = "sp1") -> str:
    """Judge a text as it comes from one source; return the rule that stops it."""
    one = world.message(source, system_id=system_id)
    world.rules.judge_address(one, 0.0)
    world.rules.judge_text(one, facts, 0.0)
    deciding = one.verdict.deciding if one.verdict is not None else None
    return deciding.rule if deciding is not None else ""


def test_a_text_is_ruled_anew_for_another_port_and_another_sender() -> None:
    overrides = (Override(OFF, sender="sp2"),)
    ports = (Port("10690001", 4, Purpose.MARKETING), Port("10690002"))  # the very same of both
    both = tuple(sender(system_id, ports=ports) for system_id in ("sp1", "sp2"))
    world = World(rule("R05", PortMisuse(), overrides=overrides), senders=both)
    facts = world.rules.scan.judge_texts((ADVERT,))

    found = [
        ruled(world, facts, source, system_id)
        for source, system_id in (
            (SERVICE, "sp1"),
            (MARKETING, "sp1"),
            (SERVICE, "sp1"),
            (SERVICE, "sp2"),
            (SERVICE, "sp1"),
        )
    ]

    assert found == ["R05", "", "R05", "", "R05"]


def test_a_text_is_ruled_anew_by_another_version_of_the_rules() -> None:
    before = World(rule("R38", NoSenderName()))
    facts = before.rules.scan.judge_texts(("会员日八折",))
    first = ruled(before, facts, MARKETING)

    after = World(rule("R30", NoOptoutHint()), before=before)

    assert (first, ruled(after, facts, MARKETING)) == ("R38", "R30")


def test_r12_a_text_is_ruled_anew_when_its_sender_has_filed_something() -> None:
    world = World(rule("R12", UnknownSignature()))
    facts = world.rules.scan.judge_texts((ADVERT,))

    before = [ruled(world, facts, MARKETING) for _ in range(2)]
    world.knowledge.filings.replace("sp1", [Signature("sp1", "春晓书店")])
    after = [ruled(world, facts, MARKETING) for _ in range(2)]

    assert (before, after) == (["R12", "R12"], ["", ""])


def test_r06_a_text_is_ruled_for_each_source_where_sources_are_bound() -> None:
    world = World(rule("R06", SignatureSwitch()))
    world.knowledge.filings.replace("sp1", [Signature("sp1", "云尚百货", ("106900010042",))])
    facts = world.rules.scan.judge_texts((ADVERT,))

    found = [ruled(world, facts, source) for source in (b"106900010042", b"106900010043")]

    assert found == ["R06", ""]


def test_r10_a_promotion_in_the_place_of_the_name_counts_until_it_is_on_file_as_one() -> None:
    world = World(rule("R21", OptOut()))
    world.knowledge.consent.apply(NUMBER, "sp1", Answer.REFUSED)
    boast = "【全场八折大促限时抢购】您好"

    before = world.reason(boast, SERVICE)
    world.knowledge.filings.replace("sp1", [Signature("sp1", "全场八折大促限时抢购")])

    assert (before, world.reason(boast, SERVICE)) == (Reason.OPTED_OUT, None)


def test_r12_the_template_of_a_text_is_known_to_the_counters_of_every_message() -> None:
    per_template = TooOften(
        (Limit((CountDimension.TEMPLATE, CountDimension.DESTINATION), 1, Clock.DAY),)
    )
    world = World(rule("R12", UnknownTemplate(), mode=SHADOW), rule("R42", per_template))
    world.knowledge.filings.replace(
        "sp1", [Template("sp1", "T1", TemplateKind.COMMERCIAL, "会员日{1}，拒收请回复R")]
    )

    one, other = (
        world.judge(f"【春晓书店】会员日{what}，拒收请回复R") for what in ("八折", "六折")
    )

    assert (one.template, other.template) == ("T1", "T1")
    assert (why(one), why(other)) == (None, TooOften.reason)


# Counts through a reload


def test_a_reload_hands_the_counts_of_each_rule_on() -> None:
    rules = (
        rule("R42", TooOften((Limit((CountDimension.DESTINATION,), 2, Clock.DAY),))),
        rule("R44", TooFast(per_s=0.001, burst=2), action=Action.THROTTLE),
        rule("R28", NumberWalk(3, timedelta(days=1)), action=Action.QUARANTINE),
        rule("R38", NoSenderName()),
    )
    before = World(*rules)
    for number in (NUMBER, NUMBER + 1):
        before.judge(ADVERT, to=number)

    after = World(*rules, before=before)

    assert why(after.judge(ADVERT, to=NUMBER + 2)) is NumberWalk.reason
    assert why(after.judge(ADVERT, to=NUMBER + 50)) is Reason.RATE
    alone = World(rules[0], before=after)
    assert [alone.reason(to=NUMBER), alone.reason(to=NUMBER)] == [None, TooOften.reason]


def test_a_rule_that_asks_something_else_now_counts_anew() -> None:
    before = World(rule("X", TooFast(per_s=0.001, burst=1)))
    before.judge(ADVERT)

    after = World(
        rule("X", TooOften((Limit((CountDimension.DESTINATION,), 1, Clock.DAY),))), before=before
    )

    assert [after.reason(), after.reason()] == [None, TooOften.reason]


# R11


def authority(*rules: Rule) -> World:
    """Return a world in which sp1 and sp2 have a port that is approved for this year."""
    known = refusing()
    for system_id in ("sp1", "sp2"):
        known.filings.replace(
            system_id,
            [
                Approval(
                    system_id,
                    PUBLIC.decode(),
                    "应急〔2013〕1号",
                    date(2013, 1, 1),
                    date(2013, 12, 31),
                )
            ],
        )
    ports = (
        Port(PUBLIC.decode(), 0, Purpose.PUBLIC_INTEREST),
        Port("10690001", 0, Purpose.MARKETING),
    )
    both = tuple(sender(s, ports=ports, rate=Rate(1e6, 10**6)) for s in ("sp1", "sp2"))
    return World(*rules, senders=both, knowledge=known)


R21 = rule("R21", OptOut(), applies_to=COMMERCIAL | {TrafficClass.PUBLIC_INTEREST})
R40 = rule(
    "R40",
    OutsideWindow(WindowSet((Window(time(8), time(21)),))),
    applies_to=EVERYTHING,
    action=Action.DEFER,
)
R11 = rule("R11", PublicInterest(frozenset({"R20", "R21", "R40", "R42"})))
R42 = rule(
    "R42", TooOften((Limit((CountDimension.DESTINATION,), 1, Clock.DAY),)), applies_to=EVERYTHING
)


def test_r11_a_warning_of_an_authority_reaches_who_refused_everything_at_any_hour() -> None:
    world = authority(R11, R21, R40, R42)

    found = [world.judge(WARNING, PUBLIC, at=EVENING) for _ in range(2)]

    assert [(one.verdict, one.traffic) for one in found] == [
        (None, TrafficClass.PUBLIC_INTEREST)
    ] * 2


def test_r11_an_authority_that_advertises_is_not_exempt() -> None:
    one = authority(R11, R21, R40).judge(ADVERT, PUBLIC, at=EVENING)

    assert (why(one), one.traffic) == (Reason.OPTED_OUT, TrafficClass.COMMERCIAL)


def test_r11_the_same_text_from_another_port_is_of_its_own_class() -> None:
    assert why(authority(R11, R21, R40).judge(ADVERT, at=EVENING)) is Reason.OPTED_OUT


def test_r11_without_a_valid_approval_a_port_is_like_any_other() -> None:
    late = authority(R11, R21).judge(ADVERT, PUBLIC, at=NEW_YEAR)

    assert (why(late), late.traffic) == (Reason.OPTED_OUT, TrafficClass.COMMERCIAL)


def test_r11_what_was_decided_about_a_text_holds_as_long_as_the_approval() -> None:
    world = authority(R11, R21)
    facts = world.rules.scan.judge_texts((WARNING,))

    first, late, again = (
        world.rules.rules.rule_text(world.message(PUBLIC), facts, at)
        for at in (EVENING, NEW_YEAR, EVENING)
    )

    assert first is again
    assert (first.traffic, late.traffic) == (TrafficClass.PUBLIC_INTEREST, TrafficClass.SERVICE)


def test_r11_what_else_is_in_a_stopped_text_is_known_with_an_approval_and_without() -> None:
    every = frozenset(TrafficClass)
    of_links = rule("R62", BadLink(block=("evil.cn",)), applies_to=every)
    of_chats = rule("R61", ContactInText(frozenset(ContactKind)), applies_to=every)
    world = authority(R11, of_links, of_chats)
    facts = world.rules.scan.judge_texts((f"{WARNING}加微信 chunxiao88 看 evil.cn",))

    for at in (EVENING, EVENING, NEW_YEAR, NEW_YEAR):
        one = world.message(PUBLIC)
        assert world.rules.judge_address(one, at)
        world.rules.judge_text(one, facts, at)
        known = world.rules.known_of(one)
        assert len(one.findings) == 1
        assert sorted(found.rule for found in known) == ["R61", "R62"]


def test_r11_rules_that_are_not_exempt_hold_in_the_public_interest_too() -> None:
    only_r40 = rule("R11", PublicInterest(frozenset({"R40"})))

    assert why(authority(only_r40, R21).judge(WARNING, PUBLIC, at=EVENING)) is Reason.OPTED_OUT


def test_r11_words_are_looked_for_in_the_public_interest_too() -> None:
    one = authority(R11).judge(f"{WARNING}代开发票", PUBLIC, at=EVENING)

    assert why(one) is Reason.CONTENT


@pytest.mark.parametrize("rules", [(), (rule("R11", R11.check, mode=SHADOW),)])
def test_r11_without_the_rule_in_force_nobody_is_exempt(rules: tuple[Rule, ...]) -> None:
    one = authority(*rules, R21).judge(ADVERT, PUBLIC, at=EVENING)

    assert (why(one), one.traffic) == (Reason.OPTED_OUT, TrafficClass.COMMERCIAL)


def test_r11_the_exemption_may_be_taken_from_one_sender() -> None:
    world = authority(rule("R11", R11.check, overrides=(Override(OFF, sender="sp2"),)), R40)

    found = [
        world.judge(WARNING, PUBLIC, at=EVENING, system_id=s).verdict is None
        for s in ("sp1", "sp2")
    ]

    assert found == [True, False]
