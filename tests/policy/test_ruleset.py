"""A bundle and the senders, compiled."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from gateway.domain.consent import Answer
from gateway.domain.policy import Bundle, ConsentRule, ContentRule, Enforcement
from gateway.domain.sender import Rate, Sender, SenderState
from gateway.domain.verdict import Action, Reason
from gateway.filter.scan import UNREADABLE
from gateway.policy.consent_sets import ConsentSets
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Submission
from gateway.smpp.text import readings
from tests.policy.conftest import BUNDLE, FRAUD, sender

NUMBER = 8613800138000


def rules(
    bundle: Bundle = BUNDLE,
    senders: Iterable[Sender] | None = None,
    sets: ConsentSets | None = None,
    before: RuleSet | None = None,
) -> RuleSet:
    listed = senders if senders is not None else [sender()]
    return RuleSet(bundle, listed, sets or ConsentSets(), before)


def message(
    compiled: RuleSet,
    source: bytes = b"10690001",
    destination: bytes = b"13800138000",
    units: int = 1,
) -> Submission:
    return Submission(compiled.accounts["sp1"], source, destination, units)


def refusing(*numbers: int) -> ConsentSets:
    sets = ConsentSets()
    sets.load("sp1", Answer.REFUSED, numbers)
    return sets


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


def test_a_consent_rule_is_asked_after_the_rate() -> None:
    bundle = replace(BUNDLE, consent=ConsentRule())
    compiled = rules(bundle, [sender(rate=Rate(1, 1))], refusing(NUMBER))

    reasons = []
    for _ in range(2):
        one = message(compiled)
        compiled.judge_address(one, 0.0)
        reasons += [f.reason for f in one.findings]

    assert reasons == [Reason.OPTED_OUT, Reason.RATE]


@pytest.mark.parametrize("off", [None, ConsentRule(opt_out=Enforcement.OFF)])
def test_without_a_consent_rule_nobody_is_asked(off: ConsentRule | None) -> None:
    compiled = rules(replace(BUNDLE, consent=off), sets=refusing(NUMBER))

    assert compiled.judge_address(message(compiled), 0.0)


def test_a_rule_on_trial_is_noted_and_stops_nothing() -> None:
    bundle = replace(BUNDLE, consent=ConsentRule(opt_out=Enforcement.SHADOW))
    compiled = rules(bundle, sets=refusing(NUMBER))
    advert = message(compiled)

    assert compiled.judge_address(advert, 0.0)
    assert advert.verdict is None
    assert [(f.reason, f.shadow) for f in advert.findings] == [(Reason.OPTED_OUT, True)]


def test_an_answer_takes_effect_at_once() -> None:
    sets = ConsentSets()
    compiled = rules(replace(BUNDLE, consent=ConsentRule()), sets=sets)
    before, after = message(compiled), message(compiled)

    compiled.judge_address(before, 0.0)
    sets.apply(NUMBER, "sp1", Answer.REFUSED)
    compiled.judge_address(after, 0.0)

    assert before.verdict is None
    assert after.verdict is not None


def test_a_replacement_is_judged_by_source_and_rate_but_names_no_subscriber() -> None:
    bundle = replace(BUNDLE, consent=ConsentRule(consent=Enforcement.ENFORCE))
    compiled = rules(bundle, [sender(rate=Rate(1, 1))])
    borrowed = message(compiled, b"95588", b"")

    assert compiled.judge_replacement(message(compiled, destination=b""), 0.0)
    assert not compiled.judge_replacement(message(compiled, destination=b""), 0.0)
    assert not compiled.judge_replacement(borrowed, 0.0)


def judged(compiled: RuleSet, *texts: str) -> Submission:
    one = message(compiled)
    compiled.judge_content(one, compiled.scan.judge_texts(texts))
    return one


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


@pytest.mark.parametrize("action", [Action.FORWARD, Action.QUARANTINE, Action.REJECT])
def test_the_bundle_says_what_becomes_of_a_text_nobody_can_read(action: Action) -> None:
    compiled = rules(replace(BUNDLE, content=ContentRule(unreadable=action)))

    finding = compiled.finding_of(UNREADABLE)

    assert (finding.reason, finding.action) == (Reason.CONTENT_UNREADABLE, action)
    assert finding.shadow is (action is Action.FORWARD)


def test_a_reload_of_the_same_bundle_keeps_the_texts_already_judged() -> None:
    before = rules()
    before.scan.scan([(8, b"\x60\xa8")], readings)

    same = rules(before=before)
    other = rules(replace(BUNDLE, digest="ffffffffffff"), before=before)

    assert same.scan is before.scan
    assert other.scan.look_up(8, b"\x60\xa8") is None


def test_a_reload_keeps_the_buckets_of_those_who_stay() -> None:
    before = rules(senders=[sender(rate=Rate(1, 1))])
    before.accounts["sp1"].bucket.take(0.0)

    after = rules(senders=[sender(rate=Rate(1, 1)), sender("sp2")], before=before)

    assert not after.accounts["sp1"].bucket.take(0.0)
    assert after.accounts["sp2"].bucket.take(0.0)


def test_explaining_tells_every_finding_not_only_the_first() -> None:
    bundle = replace(BUNDLE, consent=ConsentRule())
    compiled = rules(bundle, [sender(state=SenderState.EXPIRED)], refusing(NUMBER))

    verdict = compiled.explain(message(compiled), ("代开发票",), 0.0)

    assert verdict.action is Action.REJECT
    assert [f.reason for f in verdict.findings] == [
        Reason.SENDER_STATE,
        Reason.OPTED_OUT,
        Reason.CONTENT,
    ]
    assert verdict.deciding is verdict.findings[0]


def test_explaining_tells_what_rules_on_trial_say() -> None:
    rule = ConsentRule(opt_out=Enforcement.SHADOW, consent=Enforcement.SHADOW)
    compiled = rules(replace(BUNDLE, consent=rule), sets=refusing(NUMBER))

    verdict = compiled.explain(message(compiled), (), 0.0)

    assert verdict.action is Action.FORWARD
    assert [f.reason for f in verdict.findings] == [Reason.OPTED_OUT, Reason.CONSENT_NONE]


def test_explaining_a_clean_message_is_a_plain_forward() -> None:
    compiled = rules()

    verdict = compiled.explain(message(compiled), ("您好",), 0.0)

    assert (verdict.action, verdict.findings, verdict.status) == (Action.FORWARD, (), "")


def judged_again(compiled: RuleSet, *texts: str) -> Submission:
    one = message(compiled)
    compiled.judge_again(one, texts, 0.0)
    return one


def test_a_released_message_is_not_charged_again() -> None:
    compiled = rules(senders=[sender(rate=Rate(1, 1))])
    compiled.accounts["sp1"].bucket.take(0.0)

    assert judged_again(compiled, "您好").verdict is None


def test_a_refusal_that_arrived_meanwhile_stops_a_released_message() -> None:
    compiled = rules(replace(BUNDLE, consent=ConsentRule()), sets=refusing(NUMBER))

    verdict = judged_again(compiled, "您好").verdict

    assert verdict is not None
    assert verdict.deciding is not None
    assert verdict.deciding.reason is Reason.OPTED_OUT


def test_what_only_asks_for_a_person_does_not_stop_what_a_person_released() -> None:
    assert judged_again(rules(), "低息贷款").verdict is None


def test_a_word_that_is_rejected_by_now_stops_a_released_message() -> None:
    verdict = judged_again(rules(replace(BUNDLE, keyword_lists=(FRAUD,))), "代开发票").verdict

    assert verdict is not None
    assert verdict.action is Action.REJECT
