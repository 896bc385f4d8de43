"""Rules as data."""

from dataclasses import replace
from typing import get_args

import pytest

from gateway.domain.policy import Enforcement
from gateway.domain.traffic import TrafficClass
from gateway.domain.verdict import Action, Reason
from gateway.domain.warning import Severity, WarningCode
from gateway.policy.rules import (
    REASONS,
    Campaign,
    Check,
    NotAgreed,
    NumberWalk,
    Override,
    PublicInterest,
    Refused,
    Rule,
    Title,
    TooFast,
    TooOften,
    Untimely,
)
from tests.policy.conftest import rule

COUNTING = {NumberWalk, Campaign, TooFast, TooOften}


def test_every_check_has_its_reason_and_its_place() -> None:
    assert set(REASONS) == set(get_args(Check))
    assert len(set(REASONS.values())) == len(REASONS)


def test_what_counts_messages_is_asked_last() -> None:
    assert set(list(REASONS)[-4:]) == COUNTING


def test_a_violation_without_a_warning_cannot_be_meant() -> None:
    plain = rule("R05", Refused())

    with pytest.raises(ValueError, match="a warning first"):
        replace(plain, severity=Severity.SERIOUS)
    assert replace(plain, warning=WarningCode.W3, severity=Severity.SERIOUS).severity


def test_who_writes_and_who_refused_comes_before_what_is_written() -> None:
    order = list(REASONS)

    assert order.index(PublicInterest) < order.index(Refused) < order.index(NotAgreed)
    assert order.index(NotAgreed) < order.index(Untimely)


def test_a_rule_starts_on_trial_with_adverts_and_refuses_them_while_its_store_is_down() -> None:
    new = Rule("R21", Title("拒绝", "refusal"), "DEC2012 (7)", Refused())

    assert new.mode is Enforcement.SHADOW
    assert new.applies_to == {TrafficClass.COMMERCIAL}
    assert new.on_error == {TrafficClass.COMMERCIAL: Action.REJECT}
    assert new.reason is Reason.OPTED_OUT
    assert not new.can_stop


@pytest.mark.parametrize(
    ("mode", "override", "can_stop"),
    [
        (Enforcement.ENFORCE, None, True),
        (Enforcement.ENFORCE, Enforcement.OFF, True),
        (Enforcement.OFF, Enforcement.ENFORCE, True),
        (Enforcement.SHADOW, Enforcement.SHADOW, False),
        (Enforcement.OFF, None, False),
    ],
)
def test_a_rule_can_stop_messages_where_it_is_enforced_for_somebody(
    mode: Enforcement,
    override: Enforcement | None,
    can_stop: bool,  # noqa: FBT001 - a column of the table
) -> None:
    overrides = () if override is None else (Override(override, sender="sp1"),)

    assert rule("R21", Refused(), mode=mode, overrides=overrides).can_stop is can_stop


def test_a_rule_for_no_class_and_one_that_exempts_stop_nothing() -> None:
    assert not rule("R21", Refused(), applies_to=frozenset()).can_stop
    assert not rule("R11", PublicInterest(frozenset({"R21"}))).can_stop


def test_only_what_comes_at_a_bad_time_can_wait_for_a_better_one() -> None:
    with pytest.raises(ValueError, match="better"):
        rule("R21", Refused(), action=Action.DEFER)
    with pytest.raises(ValueError, match="better"):
        rule("R21", Refused(), on_error={TrafficClass.COMMERCIAL: Action.DEFER})
