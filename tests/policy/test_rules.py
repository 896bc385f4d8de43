"""Rules as data."""

from dataclasses import fields, replace
from typing import Any

import pytest

from gateway.domain.categories import TrafficClass
from gateway.domain.policy import Enforcement
from gateway.domain.verdict import Action, Basis, Reason
from gateway.domain.warning import Severity, WarningCode
from gateway.policy.bundle import Override, Rule, Title
from gateway.policy.check import CountingCheck
from gateway.policy.checks import all_checks, all_reasons, reasons_on
from gateway.policy.checks.campaign import Campaign
from gateway.policy.checks.no_consent import CONSENT_UNPROVEN, NoConsent
from gateway.policy.checks.no_sender_name import NO_SENDER_PHONE
from gateway.policy.checks.number_walk import NumberWalk
from gateway.policy.checks.opt_out import CONSENT_UNKNOWN, OptOut
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.public_interest import PublicInterest
from gateway.policy.checks.too_fast import TooFast
from gateway.policy.checks.too_often import TooOften
from tests.policy.conftest import rule

# Reasons that had their names before their checks had theirs: records and files have them.
OTHER_NAMES = {
    "source_suspension": "SOURCE_SUSPENDED",
    "other_province": "OUT_OF_SCOPE",
    "opt_out": "OPTED_OUT",
    "no_consent": "CONSENT_NONE",
    "user_preference": "USER_PREF",
    "unknown_numbers": "NUMBERS_UNKNOWN",
    "unknown_signature": "SIG_UNKNOWN",
    "signature_switch": "SIG_SWITCH",
    "unknown_template": "TPL_MISMATCH",
    "contact_in_text": "CONTACT_GIVEN",
    "too_fast": "RATE",
    "too_often": "FREQUENCY",
}


def test_every_check_has_its_reason_and_its_place() -> None:
    found = all_checks()

    assert len({one.reason for one in found}) == len(found)
    assert len({one.order for one in found}) == len(found)


def test_a_reason_is_called_as_its_check() -> None:
    by_check = {one.name: one.reason.value for one in all_checks()}

    assert by_check == {name: name.upper() for name in by_check} | OTHER_NAMES


def test_every_key_of_a_check_is_explained() -> None:
    explained = {one.name: set(one.help) for one in all_checks()}

    assert explained == {one.name: keys_of(one) for one in all_checks()}


def keys_of(check: Any) -> set[str]:
    return {one.name for one in fields(check)}


def test_reasons_of_checks_are_known_by_their_names() -> None:
    known = all_reasons()

    assert [known[one.reason] for one in all_checks()] == [one.reason for one in all_checks()]
    assert {CONSENT_UNPROVEN, CONSENT_UNKNOWN, NO_SENDER_PHONE} <= {*known.values()}
    assert reasons_on(*Basis) == {*known.values()}
    assert {NoConsent.reason, CONSENT_UNPROVEN, Reason.OPTED_OUT} <= reasons_on(Basis.RECIPIENT)
    assert reasons_on(Basis.RECIPIENT, Basis.CONTENT) - reasons_on(Basis.RECIPIENT) >= {
        Reason.CONTENT,
        Reason.SUSPICIOUS,
    }


def test_what_counts_messages_is_asked_last() -> None:
    counting = [issubclass(one, CountingCheck) for one in all_checks()]

    assert counting == sorted(counting)
    assert {NumberWalk, Campaign, TooFast, TooOften} <= {
        one for one in all_checks() if issubclass(one, CountingCheck)
    }


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
