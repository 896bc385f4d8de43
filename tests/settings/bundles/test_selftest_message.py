"""Cases of the self-test that are messages: judged by all rules, each for itself."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from gateway.domain.consent import Answer
from gateway.domain.policy import Enforcement, RuleEvent, SelfTestMessage
from gateway.domain.sender import Purpose
from gateway.policy.bundle import Bundle
from gateway.policy.checks.suspicious import Suspicious
from gateway.settings.bundles.bundle import load_bundle, load_proven
from gateway.settings.bundles.selftest import selftest_faults
from gateway.settings.yaml import Fault

WriteBundle = Callable[[Mapping[str, str]], Path]
FaultsOf = Callable[[Callable[[], object]], list[str]]

SHIPPED = Path(__file__).parents[3] / "policies"
PROFILES = sorted(path.name for path in (SHIPPED / "profiles").iterdir())

RULES = """version: 1
rules:
  - {id: R21, check: opt_out, title: {zh: 拒收, en: Refused}, article: O31, mode: enforce}
  - {id: R20, check: no_consent, title: {zh: 同意, en: Agreed}, article: O31, mode: off}
  - {id: R30, check: no_optout_hint, title: {zh: 退订, en: A way out}, article: O31, mode: shadow}
  - id: R40
    check: outside_window
    title: {zh: 时段, en: Hours}
    article: practice
    mode: enforce
    open: ["08:00-21:00"]
    action: defer
  - id: R42
    check: too_often
    title: {zh: 频次, en: Often}
    article: practice
    mode: enforce
    applies_to: [verification, service, commercial]
    limits: [{per: [destination], at_most: 1, every: day}]
  - id: R61
    check: suspicious
    title: {zh: 像垃圾短信, en: Like spam}
    article: plan
    mode: enforce
    applies_to: [verification, service, commercial]
    tolerates: 1 %
  - id: R11
    check: public_interest
    title: {zh: 公益, en: Public interest}
    article: O31
    mode: enforce
    exempts: [R21]
  - id: R43-suspended
    check: source_suspension
    title: {zh: 暂停, en: Suspended}
    article: FW09
    mode: enforce
    applies_to: [verification, service, commercial]
"""
LIST = "version: 1\nid: K-FRAUD\ncategory: fraud\naction: reject\nwords: [代开发票]\n"
ADVERT = "【示例书店】新书八折，拒收请回复R"
CODE = "【示例商城】验证码730418，请勿转告他人"


def files(*cases: str) -> dict[str, str]:
    """Return the files of a bundle, whose first case stands on line 3."""
    lines = "".join(f"  - {{{case}}}\n" for case in cases)
    return {
        "rules/a.yaml": RULES,
        "keywords/a.yaml": LIST,
        "selftest.yaml": f"version: 1\ncases:\n{lines}",
    }


HOLDING = {
    "a refusal": f"text: {ADVERT}, consent: refused, expect: reject, rule: R21",
    "nothing said but the rule": "text: 【示例书店】新书八折, expect: shadow, rule: R30",
    "an agreement": f"text: {ADVERT}, consent: agreed, expect: forward",
    "a code to who refused": (
        f"text: {CODE}, from: verification, consent: refused, expect: forward"
    ),
    "the night": f"text: {ADVERT}, time: 2026-03-04T23:00+08:00, expect: defer, rule: R40",
    "the same moment elsewhere": (
        f'text: {ADVERT}, time: "2026-03-04T15:00:00Z", expect: defer, rule: R40'
    ),
    "the day": f"text: {ADVERT}, time: 2026-03-04T09:00+08:00, expect: forward",
    "the hour where the subscriber is": (
        f'text: {ADVERT}, to: "+33612345678", time: 2026-03-04T09:00+08:00, expect: defer'
    ),
    "public interest": (
        "text: 今夜有暴雨，请减少外出, from: public_interest, consent: refused, expect: forward"
    ),
    "an advert is none": (
        f"text: {ADVERT}, from: public_interest, consent: refused, expect: reject, rule: R21"
    ),
    "a suspended number": (
        'text: 到家了, from: "13912345678", suspended: true, expect: reject, rule: R43-suspended'
    ),
    "the number of a port": f'text: {CODE}, from: "106900015", expect: forward',
    "a word": f"text: 代开发票，{ADVERT}, consent: agreed, expect: reject, list: K-FRAUD",
    "a word by the name of a rule": f"text: 代开发票，{ADVERT}, expect: reject, rule: K-FRAUD",
    "a text alone": f"text: 代开发票，{ADVERT}, expect: reject, list: K-FRAUD",
}


@pytest.mark.parametrize("case", HOLDING.values(), ids=HOLDING)
def test_a_message_is_judged_by_all_rules(bundle: WriteBundle, case: str) -> None:
    directory = bundle(files(case))

    assert len(load_proven(directory).selftest) == 1


FAILING = {
    "another action": (
        f"text: {ADVERT}, consent: refused, expect: forward",
        "self-test: expected forward, the rules say reject by R21 (the subscriber refused)",
    ),
    "another rule": (
        f"text: {ADVERT}, consent: refused, expect: reject, rule: R40",
        "self-test: expected reject by R40, the rules say reject by R21 (the subscriber refused)",
    ),
    "nothing against it": (
        f"text: {CODE}, from: verification, expect: reject, rule: R21",
        "self-test: expected reject by R21, the rules say forward",
    ),
    "only noted": (
        "text: 【示例书店】新书八折, expect: reject, rule: R30",
        (
            "self-test: expected reject by R30, the rules say shadow by R30"
            " (the text tells no way to refuse)"
        ),
    ),
    "deferred": (
        f"text: {ADVERT}, time: 2026-03-04T23:00+08:00, expect: reject, rule: R40",
        (
            "self-test: expected reject by R40, the rules say defer by R40"
            " (outside the hours in which it may arrive)"
        ),
    ),
    "what counts": (
        f"text: {CODE}, expect: throttle, rule: R42",
        "self-test: R42 asks for counts, filings or a model, and here are none",
    ),
    "what asks a model": (
        f"text: {CODE}, expect: quarantine, rule: R61",
        "self-test: R61 asks for counts, filings or a model, and here are none",
    ),
    "a rule that there is not": (
        f"text: {CODE}, from: verification, expect: reject, rule: R99",
        "self-test: there is no rule or list R99",
    ),
}


@pytest.mark.parametrize(("case", "problem"), FAILING.values(), ids=FAILING)
def test_a_message_that_comes_to_something_else_is_a_fault_at_its_line(
    bundle: WriteBundle, faults_of: FaultsOf, case: str, problem: str
) -> None:
    directory = bundle(files(f"text: {CODE}, expect: forward", case))

    found = faults_of(lambda: load_proven(directory))

    assert found == [f"policies/selftest.yaml:4:5 {problem}"]


def test_no_case_hears_of_another(bundle: WriteBundle) -> None:
    suspended = 'from: "13912345678", suspended: true, expect: reject, rule: R43-suspended'
    cases = (
        f"text: {ADVERT}, consent: refused, expect: reject, rule: R21",
        f"text: {ADVERT}, from: marketing, expect: forward",
        f"text: {ADVERT}, from: service, consent: agreed, expect: forward",
        f"text: {ADVERT}, consent: refused, expect: reject, rule: R21",
        f"text: 到家了, {suspended}",
        'text: 到家了, from: "13912345678", expect: forward',
        f"text: 到家了, {suspended}",
    )

    assert len(load_proven(bundle(files(*cases))).selftest) == len(cases)


def test_faults_stand_in_the_order_of_the_cases(bundle: WriteBundle, faults_of: FaultsOf) -> None:
    directory = bundle(
        files(
            f"text: {ADVERT}, consent: refused, expect: forward",
            "text: 您好, expect: reject",
            f"text: {ADVERT}, consent: refused, expect: forward",
        )
    )

    found = faults_of(lambda: load_proven(directory))

    assert [fault.split()[0].split(":")[1] for fault in found] == ["3", "4", "5"]


@pytest.mark.parametrize("day", ["2026-12-31", "2027-01-01"])
def test_lists_count_on_their_days_for_messages_and_on_every_day_for_texts(
    bundle: WriteBundle, day: str
) -> None:
    is_in_force = day >= "2027-01-01"
    expected = "reject, rule: K-FRAUD" if is_in_force else "forward"
    written = files(
        f"text: 代开发票，{ADVERT}, time: {day}T12:00+08:00, expect: {expected}",
        f"text: 代开发票，{ADVERT}, expect: reject, list: K-FRAUD",
    )
    written["keywords/a.yaml"] += 'not_before: "2027-01-01"\n'

    assert len(load_proven(bundle(written)).selftest) == 2


def test_what_a_case_says_of_its_message_is_read(bundle: WriteBundle) -> None:
    said = (
        f'text: {CODE}, from: "13912345678", to: "13800138000", time: 2026-03-04T09:30+08:00,'
        " consent: agreed, suspended: true, expect: reject"
    )

    usual, whole, text = load_bundle(
        bundle(
            files(
                f"text: {CODE}, expect: shadow, rule: R30",
                said,
                f"text: {CODE}, expect: forward",
            )
        )
    ).selftest

    assert (usual.list_id, usual.message) == (
        "R30",
        SelfTestMessage("10690000", Purpose.MARKETING, "13800000000"),
    )
    assert whole.message == SelfTestMessage(
        "13912345678",
        Purpose.SERVICE,
        "13800138000",
        datetime.fromisoformat("2026-03-04T09:30+08:00"),
        Answer.AGREED,
        is_suspended=True,
    )
    assert text.message is None


SOURCES = "marketing, service, verification, public_interest"
TIME = "must be a time with its zone, as 2026-03-04T09:30+08:00"
PERSON = "from must be the number of a person, in quotes"
MALFORMED = {
    "a name": (
        "from: SHOP",
        f"12 cases[0].from: must be what a port is for, {SOURCES}, or a number in quotes",
    ),
    "a number without quotes": (
        "from: 10690001",
        "12 cases[0].from: must be text: put numbers, true and false in quotes",
    ),
    "nobody": (
        "to: 张三",
        "10 cases[0].to: must be the number of a subscriber, in quotes",
    ),
    "a time without a zone": ("time: 2026-03-04T09:30", f"12 cases[0].time: {TIME}"),
    "no time": ("time: noon", f"12 cases[0].time: {TIME}"),
    "before all days": ("time: 0001-01-01T00:00+08:00", f"12 cases[0].time: {TIME}"),
    "after all days": ("time: 9999-12-31T23:00-12:00", f"12 cases[0].time: {TIME}"),
    "a number of hours": ("time: 9", f"12 cases[0].time: {TIME}"),
    "an answer of nobody": (
        "consent: maybe",
        "15 cases[0].consent: Input should be 'agreed' or 'refused'",
    ),
    "a port that is suspended": ("suspended: true, from: service", f"17 {PERSON}"),
    "nobody who is suspended": ("suspended: true", f"17 {PERSON}"),
    "a rule that finds what is forwarded": (
        "rule: R21",
        "12 no rule finds a text that is forwarded",
    ),
}


@pytest.mark.parametrize(("said", "fault"), MALFORMED.values(), ids=MALFORMED)
def test_a_case_that_cannot_be_meant_is_a_fault_at_its_place(
    bundle: WriteBundle, faults_of: FaultsOf, said: str, fault: str
) -> None:
    directory = bundle(
        {"selftest.yaml": f"version: 1\ncases:\n  - {{{said}, text: 您好, expect: forward}}\n"}
    )

    (found,) = faults_of(lambda: load_bundle(directory))

    assert found == f"policies/selftest.yaml:3:{fault}"


def test_one_rule_alone_decides(bundle: WriteBundle, faults_of: FaultsOf) -> None:
    directory = bundle(files("text: 您好, expect: reject, list: K-FRAUD, rule: R21"))

    (found,) = faults_of(lambda: load_bundle(directory))

    assert found.endswith("names another than list does, and one alone decides")


def enforcing(bundle: Bundle) -> Bundle:
    rules = tuple(replace(rule, mode=Enforcement.ENFORCE) for rule in bundle.rules)
    return replace(bundle, rules=rules)


def faults(bundle: Bundle) -> tuple[Fault, ...]:
    return selftest_faults(bundle, SHIPPED)


@pytest.mark.parametrize("profile", [None, *PROFILES])
def test_the_shipped_cases_hold_in_every_profile_and_whatever_rule_is_enforced(
    profile: str | None,
) -> None:
    shipped = load_bundle(SHIPPED, profile)

    assert faults(shipped) == ()
    assert faults(enforcing(shipped)) == ()


def test_the_shipped_cases_try_every_rule_that_is_enforced_as_shipped() -> None:
    shipped = load_bundle(SHIPPED)
    messages = [case for case in shipped.selftest if case.message is not None]

    tried = {case.list_id for case in messages}
    exempt = [
        case
        for case in messages
        if case.message and case.message.purpose is Purpose.PUBLIC_INTEREST
    ]
    # A classifier is no part of a bundle, and no case comes from another network.
    enforced = {
        rule.id
        for rule in shipped.rules
        if rule.mode is Enforcement.ENFORCE
        and rule.event is RuleEvent.SUBMIT
        and not isinstance(rule.check, Suspicious)
    }
    assert enforced - {"R11"} <= tried  # which is no rule against anything
    assert exempt


def test_without_one_of_its_enforced_rules_the_shipped_bundle_is_refused() -> None:
    shipped = load_bundle(SHIPPED)

    for gone in ("R21", "R11", "R43-suspended"):
        rules = tuple(rule for rule in shipped.rules if rule.id != gone)
        assert faults(replace(shipped, rules=rules)), gone
