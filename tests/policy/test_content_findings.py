"""What becomes of a text by the words in it."""

from dataclasses import replace

import pytest

from gateway.domain.policy import ContentRule
from gateway.domain.verdict import Action, Reason
from gateway.filter.scan import UNREADABLE
from gateway.policy.findings import finding_of
from tests.policy.conftest import BUNDLE
from tests.policy.rulesets import rules


@pytest.mark.parametrize("action", [Action.FORWARD, Action.QUARANTINE, Action.REJECT])
def test_the_bundle_says_what_becomes_of_a_text_nobody_can_read(action: Action) -> None:
    compiled = rules(replace(BUNDLE, content=ContentRule(unreadable=action)))

    finding = finding_of(UNREADABLE, compiled.bundle.content)

    assert (finding.reason, finding.action) == (Reason.CONTENT_UNREADABLE, action)
    assert finding.shadow is (action is Action.FORWARD)
