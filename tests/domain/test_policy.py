import pytest

from gateway.domain.policy import (
    Bundle,
    ConsentRule,
    ContentRule,
    Enforcement,
    KeywordList,
    ListAction,
)
from gateway.domain.verdict import Action

READABLE_OR_NOT = ContentRule(unreadable=Action.FORWARD)


def words(action: ListAction) -> KeywordList:
    return KeywordList("K-FRAUD", "fraud", action, ("代开发票",))


@pytest.mark.parametrize(
    ("opt_out", "consent", "can_stop"),
    [
        (Enforcement.ENFORCE, Enforcement.OFF, True),
        (Enforcement.SHADOW, Enforcement.ENFORCE, True),
        (Enforcement.SHADOW, Enforcement.SHADOW, False),
        (Enforcement.OFF, Enforcement.OFF, False),
    ],
)
def test_only_what_is_enforced_can_stop(
    opt_out: Enforcement,
    consent: Enforcement,
    can_stop: bool,  # noqa: FBT001 - a column of the table
) -> None:
    rule = ConsentRule(opt_out, consent)

    assert rule.can_stop is can_stop
    assert Bundle("x", "d", (), rule, READABLE_OR_NOT).is_open is not can_stop


def test_a_rule_for_no_purpose_stops_nothing() -> None:
    assert not ConsentRule(applies_to=frozenset()).can_stop


@pytest.mark.parametrize("action", ListAction)
def test_a_bundle_of_shadow_lists_is_open(action: ListAction) -> None:
    bundle = Bundle("x", "d", (words(ListAction.SHADOW), words(action)))

    assert bundle.is_open is (action is ListAction.SHADOW)


@pytest.mark.parametrize("unreadable", [Action.QUARANTINE, Action.REJECT])
def test_a_bundle_that_holds_what_it_cannot_read_is_not_open(unreadable: Action) -> None:
    assert not Bundle("x", "d", content=ContentRule(unreadable)).is_open


def test_an_empty_bundle_is_open() -> None:
    assert Bundle("x", "d").is_open
