"""Findings joined to others: the same tuple for the same, in bounded room."""

import pytest

from gateway.domain.verdict import Action, Finding, Reason
from gateway.policy import submission
from gateway.policy.submission import Ending


def found(rule: str) -> Finding:
    return Finding(rule, Reason.CONTENT, Action.QUARANTINE, "a word")


def test_the_same_behind_the_same_is_one_tuple() -> None:
    before, ending = (found("R30"), found("R38")), Ending((found("R61"),))

    first = ending.after(before)

    assert [one.rule for one in first] == ["R30", "R38", "R61"]
    assert ending.after(before) is first
    assert ending.after(()) is ending.found


def test_what_it_is_joined_to_takes_bounded_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "_MAX_JOINED", 2)
    ending = Ending((found("R61"),))

    for number in range(5):
        before = (found(f"R{number}"),)
        assert ending.after(before) == (*before, *ending.found)

    assert len(ending.joined) <= 2
