"""Rules as data."""

from dataclasses import replace

import pytest

from gateway.domain.categories import TrafficClass
from gateway.domain.policy import Enforcement
from gateway.domain.verdict import Action, Reason
from gateway.domain.warning import Severity, WarningCode
from gateway.policy.bundle import Override, Rule, Title
from gateway.policy.checks import all_checks
from gateway.policy.checks.campaign import Campaign
from gateway.policy.checks.no_consent import NoConsent
from gateway.policy.checks.number_walk import NumberWalk
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.public_interest import PublicInterest
from gateway.policy.checks.too_fast import TooFast
from gateway.policy.checks.too_often import TooOften
from tests.policy.conftest import rule

COUNTING = {NumberWalk, Campaign, TooFast, TooOften}


def test_every_check_has_its_reason_and_its_place() -> None:
    found = all_checks()

    assert len(found) == 22
    assert len({one.reason for one in found}) == len(found)
    assert len({one.order for one in found}) == len(found)


def test_what_counts_messages_is_asked_last() -> None:
    assert set(all_checks()[-4:]) == COUNTING


def test_a_violation_without_a_warning_cannot_be_meant() -> None:
    plain = rule("R05", OptOut())

    with pytest.raises(ValueError, match="a warning first"):
        replace(plain, severity=Severity.SERIOUS)
    assert replace(plain, warning=WarningCode.W3, severity=Severity.SERIOUS).severity


def test_who_writes_and_who_refused_comes_before_what_is_written() -> None:
    order = all_checks()

    assert order.index(PublicInterest) < order.index(OptOut) < order.index(NoConsent)
    assert order.index(NoConsent) < order.index(OutsideWindow)


def test_a_rule_starts_on_trial_with_adverts_and_refuses_them_while_its_store_is_down() -> None:
    new = Rule("R21", Title("拒绝", "refusal"), "DEC2012 (7)", OptOut())

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

    assert rule("R21", OptOut(), mode=mode, overrides=overrides).can_stop is can_stop


def test_a_rule_for_no_class_and_one_that_exempts_stop_nothing() -> None:
    assert not rule("R21", OptOut(), applies_to=frozenset()).can_stop
    assert not rule("R11", PublicInterest(frozenset({"R21"}))).can_stop


def test_only_what_comes_at_a_bad_time_can_wait_for_a_better_one() -> None:
    with pytest.raises(ValueError, match="better"):
        rule("R21", OptOut(), action=Action.DEFER)
    with pytest.raises(ValueError, match="better"):
        rule("R21", OptOut(), on_error={TrafficClass.COMMERCIAL: Action.DEFER})
