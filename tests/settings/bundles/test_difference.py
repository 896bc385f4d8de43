"""What differs between two bundles."""

from dataclasses import replace
from datetime import date, time, timedelta

import pytest

from gateway.domain.categories import TrafficClass
from gateway.domain.policy import (
    ContentRule,
    Enforcement,
    Expectation,
    KeywordList,
    ListAction,
    OverdueAction,
    RepliesRule,
    ReviewLimit,
    RuleEvent,
    SelfTestCase,
)
from gateway.domain.verdict import Action
from gateway.domain.warning import Severity, WarningCode
from gateway.policy.bundle import Bundle, Override, Rule, Title
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.hours import HolidayCalendar, RuleLocale, Window, WindowSet
from gateway.settings.bundles.difference import (
    ListDifference,
    SettingDifference,
    difference,
    effect,
    switched_off,
)

FRAUD = KeywordList("K-FRAUD", "fraud", ListAction.REJECT, ("代开发票", "刷单"))
LOAN = KeywordList("K-LOAN", "loan", ListAction.QUARANTINE, ("黑户可贷",))
CASE = SelfTestCase("您好", Expectation.FORWARD, line=3, column=5)
HOURS = OutsideWindow(WindowSet((Window(time(8), time(21)),)))
REFUSAL = Rule("R21", Title("拒收", "Refusal"), "A", OptOut(), Enforcement.ENFORCE)
R40 = Rule("R40", Title("时段", "Hours"), "B", HOURS)
MAY = date(2026, 5, 1)
OLD = Bundle(
    "cn",
    "a" * 12,
    keyword_lists=(FRAUD, LOAN),
    rules=(REFUSAL, R40),
    replies=RepliesRule("已退订", "已恢复"),
    content=ContentRule(),
    surroundings=RuleLocale(calendar=HolidayCalendar("cn", frozenset({MAY}))),
    selftest=(CASE,),
)


def test_a_bundle_does_not_differ_from_itself() -> None:
    same = replace(OLD, digest="b" * 12, selftest=(replace(CASE, line=9),))

    assert difference(OLD, same).is_none


def test_words_that_came_and_went_are_told_by_list() -> None:
    fraud = replace(FRAUD, words=("新词", "刷单"), action=ListAction.SHADOW)

    found = difference(OLD, replace(OLD, keyword_lists=(fraud, LOAN)))

    assert found.lists_changed == (
        ListDifference(
            "K-FRAUD",
            ("新词",),
            ("代开发票",),
            (SettingDifference("action", "reject", "shadow"),),
        ),
    )
    assert not found.is_none


def test_words_in_another_order_are_the_same_words() -> None:
    fraud = replace(FRAUD, words=FRAUD.words[::-1])

    assert difference(OLD, replace(OLD, keyword_lists=(fraud, LOAN))).is_none


def test_whole_lists_are_told_as_lists() -> None:
    found = difference(replace(OLD, keyword_lists=(FRAUD,)), replace(OLD, keyword_lists=(LOAN,)))

    assert found.lists_added == (LOAN,)
    assert found.lists_removed == (FRAUD,)
    assert found.lists_changed == ()
    assert not found.is_none


def settings(**changes: object) -> set[tuple[str, str, str]]:
    """Return what differs in settings once the bundle has these changes."""
    new = replace(OLD, **changes)  # type: ignore[arg-type]
    return {(one.name, one.old, one.new) for one in difference(OLD, new).settings}


def test_every_setting_that_changed_is_told() -> None:
    changed = settings(
        name="cn2",
        content=ContentRule(parts_ttl_s=30),
        replies=None,
        surroundings=replace(OLD.surroundings, zone="Europe/Paris", capacity=9),
    )

    assert changed == {
        ("name", "cn", "cn2"),
        ("content.parts_ttl_s", "60", "30"),
        ("replies.opted_out", "已退订", "none"),
        ("replies.restored", "已恢复", "none"),
        ("replies.scope", "sender", "none"),
        ("zone", "Asia/Shanghai", "Europe/Paris"),
        ("frequency_capacity", "1000000", "9"),
    }


def test_of_a_calendar_only_the_days_that_changed_are_told() -> None:
    calendar = HolidayCalendar("cn", frozenset({date(2026, 5, 2)}), frozenset({date(2026, 5, 9)}))

    assert settings(surroundings=RuleLocale(calendar=calendar)) == {
        ("calendar.2026-05-01", "holiday", "none"),
        ("calendar.2026-05-02", "none", "holiday"),
        ("calendar.2026-05-09", "none", "workday"),
    }


LATER = OutsideWindow(WindowSet((Window(time(9), time(21)),)), timedelta(minutes=30))


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (replace(R40, mode=Enforcement.ENFORCE), {("mode", "shadow", "enforce")}),
        (replace(R40, article="C"), {("article", "B", "C")}),
        (replace(R40, title=Title("时", "Hours")), {("title", "时段 / Hours", "时 / Hours")}),
        (replace(R40, action=Action.DEFER), {("action", "reject", "defer")}),
        (replace(R40, status="ESME_RINVSCHED"), {("status", "none", "ESME_RINVSCHED")}),
        (
            replace(R40, check=LATER),
            {("open", "08:00-21:00", "09:00-21:00"), ("jitter", "none", "30m")},
        ),
        (
            replace(R40, applies_to=frozenset(TrafficClass)),
            {("applies_to", "commercial", "commercial, public_interest, service, verification")},
        ),
        (
            replace(R40, on_error={TrafficClass.SERVICE: Action.FORWARD}),
            {("on_error.commercial", "reject", "none"), ("on_error.service", "none", "forward")},
        ),
        (
            replace(R40, overrides=(Override(Enforcement.OFF, sender="sp1"),)),
            {("overrides.sp1", "none", "off")},
        ),
        (
            replace(R40, warning=WarningCode.W4, severity=Severity.GENERAL),
            {("warning", "none", "W4"), ("severity", "none", "general")},
        ),
    ],
)
def test_a_rule_that_changed_is_told_by_id_and_field(
    rule: Rule, told: set[tuple[str, str, str]]
) -> None:
    assert settings(rules=(REFUSAL, rule)) == {
        (f"rules.R40.{name}", old, new) for name, old, new in told
    }


def test_rules_in_another_order_are_the_same_rules() -> None:
    assert difference(OLD, replace(OLD, rules=(R40, REFUSAL))).is_none


def test_a_rule_that_is_gone_is_told_setting_by_setting() -> None:
    found = difference(OLD, replace(OLD, rules=(R40,)))

    assert SettingDifference("rules.R21.check", "opt_out", "none") in found.settings
    assert SettingDifference("rules.R21.mode", "enforce", "none") in found.settings


def test_cases_of_the_self_test_are_counted() -> None:
    cases = (replace(CASE, text="你好"), replace(CASE, text="再见"))

    found = difference(OLD, replace(OLD, selftest=cases))

    assert (found.cases_added, found.cases_removed) == (2, 1)
    assert not found.is_none


def enforced(rule: Rule = REFUSAL, **modes: Enforcement) -> Rule:
    """Return a rule with these modes for senders, and for ports where a name begins with p."""
    overrides = tuple(
        Override(mode, port=name[1:]) if name.startswith("p") else Override(mode, sender=name)
        for name, mode in modes.items()
    )
    return replace(rule, overrides=overrides)


OFF, SHADOW, ENFORCE = Enforcement.OFF, Enforcement.SHADOW, Enforcement.ENFORCE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (REFUSAL, None),
        (REFUSAL, replace(REFUSAL, mode=SHADOW)),
        (REFUSAL, replace(REFUSAL, mode=OFF)),
        (REFUSAL, replace(REFUSAL, applies_to=frozenset())),
        (REFUSAL, replace(REFUSAL, event=RuleEvent.MT_IN)),
        (REFUSAL, replace(REFUSAL, check=HOURS)),
        (REFUSAL, enforced(sp1=OFF)),
        (REFUSAL, enforced(p106=SHADOW)),
        (enforced(R40, sp1=ENFORCE), R40),
        (enforced(R40, sp1=ENFORCE), enforced(R40, sp1=SHADOW)),
        (enforced(R40, p106=ENFORCE), enforced(R40, sp1=ENFORCE)),
        (enforced(sp1=OFF, p106=ENFORCE), enforced(sp1=OFF)),
        (enforced(R40, sp1=ENFORCE), enforced(R40, sp1=ENFORCE, p106=OFF)),
        (enforced(R40, sp1=ENFORCE, p107=OFF), enforced(R40, sp1=ENFORCE, p106=SHADOW)),
    ],
)
def test_a_rule_that_stops_less_is_switched_off(old: Rule, new: Rule | None) -> None:
    before = replace(OLD, rules=(old,))

    assert switched_off(before, replace(OLD, rules=() if new is None else (new,))) == (old.id,)
    assert switched_off(before, before) == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (R40, None),
        (R40, replace(R40, mode=OFF)),
        (replace(R40, mode=SHADOW), replace(R40, mode=ENFORCE)),
        (enforced(sp1=OFF), REFUSAL),
        (enforced(p106=SHADOW), enforced(p106=OFF)),
        (enforced(sp1=ENFORCE), REFUSAL),
        (enforced(R40, sp1=SHADOW), enforced(R40, sp1=SHADOW, p106=OFF)),
        (enforced(R40, sp1=ENFORCE), enforced(R40, sp1=ENFORCE, p106=ENFORCE)),
        (enforced(R40, sp1=ENFORCE, p106=OFF), enforced(R40, sp1=ENFORCE, p106=SHADOW)),
        (enforced(R40, sp1=ENFORCE), enforced(R40, sp1=ENFORCE, sp2=OFF)),
    ],
)
def test_what_stops_no_less_is_not_switched_off(old: Rule, new: Rule | None) -> None:
    rules = () if new is None else (new,)

    assert switched_off(replace(OLD, rules=(old,)), replace(OLD, rules=rules)) == ()


def test_a_list_in_shadow_mode_or_gone_is_switched_off() -> None:
    lists = (replace(FRAUD, action=ListAction.SHADOW),)
    weaker = replace(LOAN, words=(), action=ListAction.REJECT)

    assert switched_off(OLD, replace(OLD, keyword_lists=lists)) == ("K-FRAUD", "K-LOAN")
    assert switched_off(OLD, replace(OLD, keyword_lists=(FRAUD, weaker))) == ()


def test_the_audit_names_what_stops_less_and_what_a_person_has_to_look_at() -> None:
    many = tuple(replace(REFUSAL, id=f"R{at}") for at in range(22, 50))
    later = replace(HOURS, open=WindowSet((Window(time(8), time(22)),)))
    known = replace(R40, check=later, mode=ENFORCE)
    new = replace(OLD, rules=(known,), keyword_lists=(FRAUD, replace(LOAN, words=("无视征信",))))
    first = ", ".join(rule.id for rule in many[:20])

    assert effect(OLD, OLD) == effect(replace(OLD, keyword_lists=()), OLD) == ""
    assert effect(OLD, new) == "stops less: R21, changed: K-LOAN"
    assert effect(replace(OLD, rules=(replace(R40, mode=ENFORCE),)), new) == "changed: K-LOAN, R40"
    assert effect(replace(OLD, rules=many), OLD) == f"stops less: {first} and 8 more"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (FRAUD, replace(FRAUD, words=FRAUD.words[:1]), "changed: K-FRAUD"),
        (FRAUD, replace(FRAUD, action=ListAction.QUARANTINE), "changed: K-FRAUD"),
        (FRAUD, replace(FRAUD, action=ListAction.SHADOW), "stops less: K-FRAUD"),
        (FRAUD, replace(FRAUD, words=("新词", *FRAUD.words[::-1])), ""),
        (replace(FRAUD, action=ListAction.SHADOW), replace(FRAUD, words=()), ""),
    ],
)
def test_the_audit_names_a_list_that_lost_words_or_acts_otherwise(
    old: KeywordList, new: KeywordList, told: str
) -> None:
    before, after = (replace(OLD, keyword_lists=(one, LOAN)) for one in (old, new))

    assert effect(before, after) == told


TODAY = date(2026, 5, 2)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (LOAN, replace(LOAN, not_after=MAY)),
        (LOAN, replace(LOAN, not_before=TODAY)),
        (replace(LOAN, not_after=TODAY), replace(LOAN, not_after=MAY)),
        (LOAN, replace(LOAN, weight=4)),
        (replace(LOAN, weight=4), replace(LOAN, weight=4, threshold=11)),
        (replace(LOAN, weight=4), replace(LOAN, weight=3)),
    ],
)
def test_a_list_that_decides_less_is_switched_off_and_the_other_way_round_is_not(
    old: KeywordList, new: KeywordList
) -> None:
    before, after = (replace(OLD, keyword_lists=(FRAUD, one)) for one in (old, new))

    assert switched_off(before, after) == ("K-LOAN",)
    assert switched_off(after, before) == ()


SOON, LATE = (ReviewLimit(after, OverdueAction.RELEASE) for after in (600, 7200))
KEPT, DROPPED = ReviewLimit(600), ReviewLimit(600, OverdueAction.DISCARD)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({}, {"commercial": LATE}, ["commercial"]),
        ({"commercial": LATE}, {"commercial": SOON}, ["commercial"]),
        ({"commercial": KEPT}, {"commercial": LATE}, ["commercial"]),
        ({"commercial": DROPPED}, {"commercial": LATE}, ["commercial"]),
        ({"commercial": LATE, "loan": KEPT}, {"commercial": LATE}, ["loan"]),
        ({"commercial": LATE}, {"commercial": LATE, "loan": SOON, "retail": KEPT}, ["loan"]),
    ],
)
def test_what_is_released_unread_or_sooner_is_named_and_the_other_way_round_is_not(
    old: dict[str, ReviewLimit], new: dict[str, ReviewLimit], told: list[str]
) -> None:
    before, after = (replace(OLD, content=ContentRule(review=one)) for one in (old, new))

    assert switched_off(before, after) == tuple(f"content.yaml review.{one}" for one in told)
    assert not set(switched_off(after, before)) & set(switched_off(before, after))


@pytest.mark.parametrize("unreadable", [Action.QUARANTINE, Action.REJECT])
def test_what_cannot_be_read_and_passes_is_named(unreadable: Action) -> None:
    before, after = (replace(OLD, content=ContentRule(one)) for one in (unreadable, Action.FORWARD))

    assert switched_off(before, after) == ("content.yaml unreadable",)
    assert switched_off(after, before) == ()
