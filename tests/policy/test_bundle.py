"""One version of the policy, as data."""

import pytest

from gateway.domain.policy import ContentRule, Enforcement, KeywordList, ListAction
from gateway.domain.verdict import Action
from gateway.policy.bundle import Bundle
from gateway.policy.checks.opt_out import OptOut
from tests.policy.conftest import rule


def words(action: ListAction) -> KeywordList:
    return KeywordList("K-FRAUD", "fraud", action, ("代开发票",))


@pytest.mark.parametrize("mode", Enforcement)
def test_a_bundle_is_open_while_none_of_its_rules_is_enforced(mode: Enforcement) -> None:
    bundle = Bundle("x", "d", rules=(rule("R21", OptOut(), mode=mode),))

    assert bundle.is_open is (mode is not Enforcement.ENFORCE)


@pytest.mark.parametrize("action", ListAction)
def test_a_bundle_of_shadow_lists_is_open(action: ListAction) -> None:
    bundle = Bundle("x", "d", (words(ListAction.SHADOW), words(action)))

    assert bundle.is_open is (action is ListAction.SHADOW)


@pytest.mark.parametrize("unreadable", [Action.QUARANTINE, Action.REJECT])
def test_a_bundle_that_holds_what_it_cannot_read_is_not_open(unreadable: Action) -> None:
    assert not Bundle("x", "d", content=ContentRule(unreadable)).is_open


def test_an_empty_bundle_is_open() -> None:
    assert Bundle("x", "d").is_open
