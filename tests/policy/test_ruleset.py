"""A bundle and the senders, compiled."""

from dataclasses import replace
from datetime import date, time, timedelta

import pytest

from gateway.domain.categories import TrafficClass
from gateway.domain.consent import Answer
from gateway.domain.policy import Enforcement, KeywordList, ListAction
from gateway.domain.sender import Rate, SenderState
from gateway.domain.verdict import Action, Reason
from gateway.policy.checks.campaign import Campaign
from gateway.policy.checks.no_consent import NoConsent
from gateway.policy.checks.no_optout_hint import NoOptoutHint
from gateway.policy.checks.no_sender_name import NoSenderName
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.port_misuse import PortMisuse
from gateway.policy.engine import explain
from gateway.policy.hours import Window, WindowSet
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import DeliveryTimes
from gateway.smpp.text import readings
from tests.policy.conftest import ADVERT, BUNDLE, CODE, FRAUD, NUMBER, SERVICE, World, rule, sender
from tests.policy.rulesets import (
    DAYTIME,
    HOUR_S,
    MIDNIGHT,
    ON_TRIAL,
    REFUSALS,
    judged,
    message,
    refusing,
    rules,
)


def test_a_message_that_nothing_is_found_against_goes_on_to_its_text() -> None:
    compiled = rules()
    clean = message(compiled)

    assert compiled.judge_address(clean, 0.0)
    assert clean.verdict is None
    assert clean.findings == ()


def test_the_cheap_stages_come_before_the_dear() -> None:
    compiled = rules(senders=[sender(state=SenderState.SUSPENDED, rate=Rate(1, 1))])
    everything_wrong = message(compiled, b"95588", b"me")

    assert not compiled.judge_address(everything_wrong, 0.0)
    assert [f.reason for f in everything_wrong.findings] == [Reason.SENDER_STATE]
    assert compiled.accounts["sp1"].bucket.take(0.0)  # nothing was charged


def test_a_verdict_tells_action_status_findings_and_the_policy() -> None:
    compiled = rules(senders=[sender(statuses={"SOURCE_NOT_OWNED": "ESME_RSUBMITFAIL"})])
    borrowed = message(compiled, b"95588")

    compiled.judge_address(borrowed, 0.0)

    verdict = borrowed.verdict
    assert verdict is not None
    assert verdict.action is Action.REJECT
    assert verdict.status == "ESME_RSUBMITFAIL"
    assert verdict.digest == "0123456789ab"
    assert verdict.findings == borrowed.findings
    assert verdict.deciding is borrowed.findings[0]


def test_rules_are_asked_after_the_rate() -> None:
    compiled = rules(REFUSALS, [sender(rate=Rate(1, 1))], refusing(NUMBER))

    found = [judged(compiled, ADVERT).findings for _ in range(2)]

    assert [[f.reason for f in findings] for findings in found] == [
        [Reason.OPTED_OUT],
        [Reason.RATE],
    ]


def test_rules_are_asked_before_the_words() -> None:
    findings = judged(rules(REFUSALS, knowledge=refusing(NUMBER)), f"{ADVERT}代开发票").findings

    assert [f.rule for f in findings] == ["R21"]


def test_without_rules_nobody_is_asked_and_no_text_is_looked_at() -> None:
    passed = judged(rules(knowledge=refusing(NUMBER)), ADVERT)

    assert passed.verdict is None
    assert passed.facts is None


def test_a_rule_on_trial_is_noted_and_stops_nothing() -> None:
    advert = judged(rules(ON_TRIAL, knowledge=refusing(NUMBER)), ADVERT)

    assert advert.verdict is None
    assert [(f.reason, f.shadow) for f in advert.findings] == [(Reason.OPTED_OUT, True)]


def test_an_answer_takes_effect_at_once() -> None:
    known = Knowledge()
    compiled = rules(REFUSALS, knowledge=known)

    before = judged(compiled, ADVERT)
    known.consent.apply(NUMBER, "sp1", Answer.REFUSED)
    after = judged(compiled, ADVERT)

    assert before.verdict is None
    assert after.verdict is not None


def test_a_rule_may_have_a_status_of_its_own_and_a_sender_has_the_last_word() -> None:
    bundle = replace(BUNDLE, rules=(rule("R21", OptOut(), status="ESME_RINVDSTADR"),))
    own = sender(statuses={"OPTED_OUT": "ESME_RDELIVERYFAILURE"})

    verdicts = [
        judged(rules(bundle, [one], refusing(NUMBER)), ADVERT).verdict for one in (sender(), own)
    ]

    assert [v and v.status for v in verdicts] == ["ESME_RINVDSTADR", "ESME_RDELIVERYFAILURE"]


def test_a_replacement_is_judged_by_source_and_rate_but_names_no_subscriber() -> None:
    bundle = replace(BUNDLE, rules=(rule("R20", NoConsent()),))
    compiled = rules(bundle, [sender(rate=Rate(1, 1))])
    borrowed = message(compiled, b"95588", b"")

    assert compiled.judge_replacement(message(compiled, destination=b""), 0.0)
    assert not compiled.judge_replacement(message(compiled, destination=b""), 0.0)
    assert not compiled.judge_replacement(borrowed, 0.0)


def test_a_text_on_a_reject_list_is_refused_with_the_word_as_evidence() -> None:
    verdict = judged(rules(), "专业代-开发票").verdict

    assert verdict is not None
    assert verdict.action is Action.REJECT
    assert verdict.status == "ESME_RSUBMITFAIL"
    deciding = verdict.deciding
    assert deciding is not None
    assert (deciding.rule, deciding.category, deciding.evidence) == (
        "K-FRAUD",
        "fraud",
        "代开发票",
    )


def test_a_text_seen_before_is_found_against_in_the_same_words() -> None:
    compiled = rules()
    facts = compiled.scan.judge_texts(("代开发票",))
    first, second = message(compiled), message(compiled)

    for one in (first, second):
        compiled.judge_text(one, facts, 0.0)

    assert first.findings == second.findings
    assert [f.rule for f in second.findings] == ["K-FRAUD"]


def test_the_stronger_list_decides_and_all_findings_are_kept() -> None:
    verdict = judged(rules(), "限时优惠，低息贷款，代开发票").verdict

    assert verdict is not None
    assert verdict.action is Action.REJECT
    assert {f.rule for f in verdict.findings} == {"K-FRAUD", "K-LOAN", "K-NOTE"}


def test_a_shadow_list_stops_nothing() -> None:
    noted = judged(rules(), "限时优惠")

    assert noted.verdict is None
    assert [(f.rule, f.shadow, f.action) for f in noted.findings] == [
        ("K-NOTE", True, Action.FORWARD)
    ]


def test_a_reload_of_the_same_bundle_keeps_the_texts_already_judged() -> None:
    before = rules()
    before.scan.scan([(8, b"\x60\xa8")], readings)

    same = rules(before=before)
    other = rules(replace(BUNDLE, digest="ffffffffffff"), before=before)

    assert same.scan is before.scan
    assert other.scan.look_up(8, b"\x60\xa8") is None


def test_a_reload_with_the_same_words_makes_no_index_anew() -> None:
    before = rules()
    fewer = replace(BUNDLE, digest="ffffffffffff", keyword_lists=BUNDLE.keyword_lists[1:])

    assert rules(replace(fewer, rules=()), before=before).scan.index is not before.scan.index
    ruled = rules(replace(BUNDLE, digest="ffffffffffff", rules=()), before=before)
    assert ruled.scan.index is before.scan.index
    assert ruled.scan is not before.scan


def test_lists_that_ended_do_not_hold_again_for_the_first_second_after_a_reload() -> None:
    ended = KeywordList("T", "fraud", ListAction.REJECT, ("春节",), not_after=date(2013, 2, 1))
    before = rules()
    before.keep_day(MIDNIGHT)

    after = rules(replace(BUNDLE, digest="ffffffffffff", keyword_lists=(ended,)), before=before)
    after.adopt(before)

    assert after.scan.judge_texts(("春节快乐",)).hits == ()


def test_a_reload_keeps_the_buckets_of_those_who_stay() -> None:
    before = rules(senders=[sender(rate=Rate(1, 1))])
    before.accounts["sp1"].bucket.take(0.0)

    after = rules(senders=[sender(rate=Rate(1, 1)), sender("sp2")], before=before)

    assert not after.accounts["sp1"].bucket.take(0.0)
    assert after.accounts["sp2"].bucket.take(0.0)


def test_a_list_holds_to_the_end_of_its_last_day_by_the_clock_of_the_bundle() -> None:
    until = replace(FRAUD, not_after=date(2013, 9, 9))
    compiled = rules(replace(BUNDLE, keyword_lists=(until,)))

    stopped = []
    for at in (MIDNIGHT - 1, MIDNIGHT):
        compiled.keep_day(at)
        stopped.append(judged(compiled, "代开发票").verdict is not None)

    assert stopped == [True, False]


def test_of_several_rules_about_a_text_the_first_that_is_enforced_decides() -> None:
    trial = rule("R38", NoSenderName(), mode=Enforcement.SHADOW)
    both = (rule("R30", NoOptoutHint()), rule("R05", PortMisuse(), mode=Enforcement.SHADOW), trial)
    compiled = rules(replace(BUNDLE, rules=both))

    judged_once = judged(compiled, "会员日全场八折", source=SERVICE)
    explained = explain(compiled, message(compiled, SERVICE), ("会员日全场八折",), 0.0, 0.0)

    assert [f.rule for f in judged_once.findings] == ["R05", "R30"]
    assert [f.rule for f in explained.findings] == ["R05", "R30", "R38"]
    assert explained.action is Action.REJECT


@pytest.mark.parametrize(
    ("text", "deciding"),
    [
        (f"{ADVERT}代开发票", ("K-FRAUD", Action.REJECT)),
        (f"{ADVERT}低息贷款", ("R05", Action.QUARANTINE)),
        ("会员日全场八折，代开发票", ("R30", Action.REJECT)),
    ],
    ids=["a word that refuses", "a word that holds", "a rule that refuses"],
)
def test_what_refuses_a_text_decides_before_what_only_holds_it(
    text: str, deciding: tuple[str, Action]
) -> None:
    holding = rule("R05", PortMisuse(), action=Action.QUARANTINE)
    both = (holding, rule("R30", NoOptoutHint()))
    compiled = rules(replace(BUNDLE, rules=both))

    verdict = judged(compiled, text, source=SERVICE).verdict
    explained = explain(compiled, message(compiled, SERVICE), (text,), 0.0, 0.0)

    for one in (verdict, explained):
        assert one is not None
        assert one.deciding is not None
        assert (one.deciding.rule, one.action) == deciding
    assert verdict is not None
    assert verdict.findings[0].rule == "R05"


def test_what_rules_about_a_text_find_on_trial_is_noted_and_stops_nothing() -> None:
    trial = rule("R38", NoSenderName(), mode=Enforcement.SHADOW)
    noted = judged(rules(replace(BUNDLE, rules=(trial, REFUSALS.rules[0]))), "会员日全场八折")

    assert noted.verdict is None
    assert [(f.rule, f.shadow) for f in noted.findings] == [("R38", True)]


def test_words_stop_what_would_have_waited() -> None:
    compiled = rules(replace(BUNDLE, rules=(DAYTIME,)))

    verdict = judged(compiled, f"{ADVERT}低息贷款", at=MIDNIGHT).verdict

    assert verdict is not None
    assert (verdict.action, verdict.due) == (Action.QUARANTINE, 0.0)
    assert verdict.deciding is not None
    assert verdict.deciding.rule == "K-LOAN"


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_windows_the_one_that_opens_later_is_waited_for(order: int) -> None:
    later = replace(
        DAYTIME, id="R40-noon", check=OutsideWindow(WindowSet((Window(time(12), time(21)),)))
    )
    on_trial = replace(
        DAYTIME,
        id="R40-evening",
        check=OutsideWindow(WindowSet((Window(time(18), time(21)),))),
        mode=Enforcement.SHADOW,
    )
    compiled = rules(replace(BUNDLE, rules=(DAYTIME, later, on_trial)[::order]))

    verdict = judged(compiled, ADVERT, at=MIDNIGHT).verdict

    assert verdict is not None
    assert verdict.due == MIDNIGHT + 12 * HOUR_S


def test_a_message_that_may_not_wait_long_enough_is_refused_at_once() -> None:
    compiled = rules(replace(BUNDLE, rules=(DAYTIME,)))
    one = message(compiled)
    one.timing = DeliveryTimes(valid_until=MIDNIGHT + 6 * HOUR_S)

    compiled.judge_address(one, 0.0)
    compiled.judge_text(one, compiled.scan.judge_texts((ADVERT,)), MIDNIGHT)

    assert one.verdict is not None
    assert (one.verdict.action, one.verdict.status) == (Action.REJECT, "ESME_RINVSCHED")


@pytest.mark.parametrize(
    ("source", "text", "traffic"),
    [
        (b"10690001", CODE, TrafficClass.VERIFICATION),
        (SERVICE, CODE, TrafficClass.VERIFICATION),
        (SERVICE, "【春晓书店】您的包裹已放入3号柜", TrafficClass.SERVICE),
        (SERVICE, ADVERT, TrafficClass.COMMERCIAL),
        (SERVICE, f"{CODE}。办卡享免息额度5万元，回T退订", TrafficClass.COMMERCIAL),
        (b"10690003", "【春晓书店】您的包裹已放入3号柜", TrafficClass.VERIFICATION),
        (b"10690003", ADVERT, TrafficClass.COMMERCIAL),
        (b"95588", ADVERT, TrafficClass.COMMERCIAL),
    ],
)
def test_r10_a_message_is_of_the_stronger_class_of_what_is_declared_and_what_is_shown(
    source: bytes, text: str, traffic: TrafficClass
) -> None:
    compiled = rules(REFUSALS)
    one = message(compiled, source)
    compiled.judge_address(one, 0.0)

    found = compiled.rules.class_of(one, compiled.scan.judge_texts((text,)), 0.0)
    assert found.traffic is traffic


@pytest.mark.parametrize("text", ["代开发票", "低息贷款", "全场八折，退订回T", "您好"])
def test_what_is_no_traffic_is_judged_alike_without_compiled_code(text: str) -> None:
    bundle = replace(REFUSALS, rules=(*REFUSALS.rules, rule("R38", NoSenderName())))
    plain = RuleSet(bundle, [sender()], Knowledge(), is_for_traffic=False)
    compiled = rules(bundle)

    assert plain.scan.learnt == replace(compiled.scan.learnt, reading=None)
    assert compiled.scan.learnt.reading is not None
    assert judged(plain, text).findings == judged(compiled, text).findings


def test_what_rules_find_alike_against_many_and_their_text_is_one_tuple() -> None:
    night, nameless, massed = (
        rule(name, check, mode=Enforcement.SHADOW)
        for name, check in (
            ("R40", DAYTIME.check),
            ("R38", NoSenderName()),
            ("R61", Campaign(1, timedelta(hours=1))),
        )
    )
    world = World(night, nameless, massed)

    first, second = (
        world.judge("全场图书八折，本周日截止，退订回T", to=NUMBER + number, at=MIDNIGHT)
        for number in (1, 2)
    )

    assert [found.rule for found in first.findings] == ["R40", "R38", "R61"]
    assert second.findings is first.findings
