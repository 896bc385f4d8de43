"""What differs between two bundles."""

from dataclasses import replace

from gateway.domain.policy import (
    Bundle,
    ConsentRule,
    ContentRule,
    Enforcement,
    Expectation,
    KeywordList,
    ListAction,
    SelfTestCase,
)
from gateway.domain.sender import Purpose
from gateway.settings.difference import ListDifference, SettingDifference, difference

FRAUD = KeywordList("K-FRAUD", "fraud", ListAction.REJECT, ("代开发票", "刷单"))
LOAN = KeywordList("K-LOAN", "loan", ListAction.QUARANTINE, ("黑户可贷",))
CASE = SelfTestCase("您好", Expectation.FORWARD, line=3, column=5)
OLD = Bundle("cn", "a" * 12, (FRAUD, LOAN), ConsentRule(), ContentRule(), (CASE,))


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


def test_every_setting_that_changed_is_told() -> None:
    consent = ConsentRule(
        opt_out=Enforcement.SHADOW, applies_to=frozenset({Purpose.SERVICE, Purpose.MARKETING})
    )

    found = difference(OLD, replace(OLD, name="cn2", consent=consent))

    assert found.settings == (
        SettingDifference("consent.opt_out", "enforce", "shadow"),
        SettingDifference("consent.applies_to", "marketing", "marketing, service"),
        SettingDifference("name", "cn", "cn2"),
    )


def test_a_rule_that_is_gone_is_told_setting_by_setting() -> None:
    found = difference(OLD, replace(OLD, consent=None))

    assert SettingDifference("consent.opt_out", "enforce", "none") in found.settings


def test_cases_of_the_self_test_are_counted() -> None:
    cases = (replace(CASE, text="你好"), replace(CASE, text="再见"))

    found = difference(OLD, replace(OLD, selftest=cases))

    assert (found.cases_added, found.cases_removed) == (2, 1)
    assert not found.is_none
