"""`smsward filter feedback`: what people overruled."""

import json
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

from gateway.domain.quarantine import HoldState
from gateway.runtime.clock import utcnow
from gateway.systems.quarantine.model import lowest_id_at

Cli = Callable[..., CompletedProcess[str]]
Hold = Callable[..., object]

RELEASED: dict[str, object] = {"state": HoldState.RELEASED, "is_reviewed": True, "decision": "lin"}
REJECTED: dict[str, object] = {"state": HoldState.DISCARDED, "decision": "lin"}


@pytest.fixture
def decided(cli: Cli, options: tuple[str, ...], hold: Hold) -> Cli:
    """Return what tells of twelve decisions on three rules, and of one before them."""
    first = lowest_id_at(int(utcnow().timestamp() * 1000))
    model: dict[str, object] = {
        "rule": "R61-model",
        "reason": "SUSPICIOUS",
        "evidence": "97 % likely",
        "score": 97,
    }
    kinds: list[dict[str, object]] = [
        *[{"evidence": "黑户贷款; 13800138000", **RELEASED}] * 3,
        *[{"evidence": "黑户贷款", **REJECTED}] * 4,
        *[{**model, **RELEASED}] * 5,
        {"rule": "R61-link", "reason": "BAD_LINK", "evidence": "a link", **RELEASED},
    ]
    for number, changes in enumerate(kinds):
        hold(message_id=first + number, **changes)
    hold(message_id=first - 100_000 * 86_400_000 * 40, rule="K-OLD", **RELEASED)
    return lambda *arguments: cli("filter", "feedback", *arguments, *options[:2])


def test_decisions_are_told_by_rule_word_and_score_with_what_to_do(decided: Cli) -> None:
    told = json.loads(decided("--json").stdout)

    seen = [(one["rule"], one["what"], one["released"], one["rejected"]) for one in told]
    assert seen == [
        ("K-LOAN", "", 3, 4),
        ("K-LOAN", "138****8000", 3, 0),
        ("K-LOAN", "黑户贷款", 3, 4),
        ("R61-model", "", 5, 0),
        ("R61-model", "90 to 100 %", 5, 0),
        ("R61-link", "", 1, 0),
    ]
    assert [one["to_do"] for one in told] == [
        "look at its words or scores below",
        "",
        "take the word out of the list, or give the list an exception",
        "it errs more than it helps: smsward policy shadow R61-model",
        "train with the decisions: smsward filter train --add-samples",
        "",
    ]
    assert told[0]["share_released"] == 0.429


def test_people_see_a_table(decided: Cli) -> None:
    told = decided("--since", "24h").stdout

    assert "R61-model" in told
    assert "0.429" in told
    assert "K-OLD" not in told
    assert "13800138000" not in told


def test_older_decisions_are_told_if_asked_for(decided: Cli) -> None:
    assert "K-OLD" in decided("--since", "90d").stdout


def test_without_decisions_there_is_nothing_to_tell(
    cli: Cli, options: tuple[str, ...], hold: Hold
) -> None:
    hold()

    assert cli("filter", "feedback", *options[:2]).stdout == "nobody has decided yet\n"
