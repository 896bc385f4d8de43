"""All that is found of a message, whatever stops it first."""

from dataclasses import replace

import pytest

from gateway.domain.policy import Enforcement
from gateway.domain.sender import SenderState
from gateway.domain.verdict import Action, Reason
from gateway.policy.checks.no_consent import NoConsent
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.engine import explain
from tests.policy.conftest import ADVERT, BUNDLE, NUMBER, rule, sender
from tests.policy.rulesets import (
    DAYTIME,
    HOUR_S,
    MIDNIGHT,
    PORT_RATE,
    REFUSALS,
    message,
    refusing,
    rules,
)


def test_explaining_tells_every_finding_not_only_the_first() -> None:
    compiled = rules(REFUSALS, [sender(state=SenderState.EXPIRED)], refusing(NUMBER))

    verdict = explain(compiled, message(compiled), (f"{ADVERT}代开发票",), 0.0, 0.0)

    assert verdict.action is Action.REJECT
    assert [f.reason for f in verdict.findings] == [
        Reason.SENDER_STATE,
        Reason.OPTED_OUT,
        Reason.CONTENT,
    ]
    assert verdict.deciding is verdict.findings[0]


def test_explaining_tells_where_a_word_stands() -> None:
    compiled = rules()

    verdict = explain(compiled, message(compiled), ("请代-开 发票",), 0.0, 0.0)

    assert [finding.evidence for finding in verdict.findings] == ["代开发票 (2-7)"]


def test_explaining_tells_what_rules_on_trial_say() -> None:
    trial = Enforcement.SHADOW
    on_trial = (rule("R21", OptOut(), mode=trial), rule("R20", NoConsent(), mode=trial))
    compiled = rules(replace(BUNDLE, rules=on_trial), knowledge=refusing(NUMBER))

    verdict = explain(compiled, message(compiled), (ADVERT,), 0.0, 0.0)

    assert verdict.action is Action.FORWARD
    assert [f.reason for f in verdict.findings] == [Reason.OPTED_OUT, NoConsent.reason]


@pytest.mark.parametrize(
    ("text", "action", "due"),
    [(ADVERT, Action.DEFER, 8 * HOUR_S), (f"{ADVERT}代开发票", Action.REJECT, 0.0)],
)
def test_explaining_tells_until_when_a_message_waits(text: str, action: Action, due: float) -> None:
    compiled = rules(replace(BUNDLE, rules=(DAYTIME, PORT_RATE)))

    verdict = explain(compiled, message(compiled), (text,), 0.0, MIDNIGHT)

    assert (verdict.action, verdict.due) == (action, MIDNIGHT + due if due else 0.0)
    assert {f.rule for f in verdict.findings} >= {"R40"}


def test_explaining_a_trial_of_the_window_holds_nothing_back() -> None:
    compiled = rules(replace(BUNDLE, rules=(replace(DAYTIME, mode=Enforcement.SHADOW),)))

    assert explain(compiled, message(compiled), (ADVERT,), 0.0, MIDNIGHT).action is Action.FORWARD


def test_explaining_a_clean_message_is_a_plain_forward() -> None:
    compiled = rules()

    verdict = explain(compiled, message(compiled), ("您好",), 0.0, 0.0)

    assert (verdict.action, verdict.findings, verdict.status) == (Action.FORWARD, (), "")
