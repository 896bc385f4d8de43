"""The states of a case: which act leads where, and that the drawing in the docs says the same."""

import re
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.systems.cases.model import CASE_TRANSITIONS, CaseAct, CaseState, state_after

PAGE = Path(__file__).resolve().parents[3] / "docs/reference/cases.md"
ARROW = re.compile(r"^    (\w+) --> (\w+): (\w+)$", re.MULTILINE)


class CaseLife(RuleBasedStateMachine):
    """Any acts in any order; what was done is what the state must rest on."""

    def __init__(self) -> None:
        super().__init__()
        self.state = CaseState.OPEN
        self.done: list[CaseAct] = []

    @rule(act=st.sampled_from(CaseAct))
    def act(self, act: CaseAct) -> None:
        after = state_after(self.state, act)

        assert (after is not None) == (self.state in CASE_TRANSITIONS[act][0])
        if after is not None:
            self.state = after
            self.done.append(act)

    @precondition(lambda self: self.state is CaseState.CLOSED)
    @invariant()
    def a_closed_case_was_handed_back_or_has_a_finding_and_a_subscriber_who_knows(self) -> None:
        since = self.done[::-1]
        since = since[: since.index(CaseAct.REOPEN)] if CaseAct.REOPEN in since else since

        if since[0] is CaseAct.HAND_BACK:  # the member that sent it closes it
            return
        assert since[:3] == [CaseAct.CLOSE, CaseAct.TELL_USER, CaseAct.FEEDBACK]
        assert since[3] in (CaseAct.MEASURE, CaseAct.DISMISS)

    @precondition(lambda self: self.state is CaseState.ACKED)
    @invariant()
    def nobody_accepts_what_was_not_dispatched(self) -> None:
        assert self.done[-1] is CaseAct.ACCEPT
        assert self.done[-2] in (CaseAct.DISPATCH, CaseAct.REDISPATCH, CaseAct.ASSIGN)

    @precondition(lambda self: self.state is CaseState.REOPENED)
    @invariant()
    def only_a_closed_case_is_reopened(self) -> None:
        assert self.done[-1] is CaseAct.REOPEN
        assert self.done[-2] in (CaseAct.CLOSE, CaseAct.HAND_BACK)


TestCaseLife = CaseLife.TestCase


def test_every_state_is_reached_from_open_and_leads_to_closed() -> None:
    arrows = {(state, after) for allowed, after in CASE_TRANSITIONS.values() for state in allowed}

    assert closure({CaseState.OPEN}, arrows) == set(CaseState)
    assert closure({CaseState.CLOSED}, {(b, a) for a, b in arrows}) == set(CaseState)


def test_the_drawing_in_the_docs_is_the_table() -> None:
    drawn = ARROW.findall(PAGE.read_text(encoding="utf-8"))
    table = [
        (state.value, after.value, act.value)
        for act, (allowed, after) in CASE_TRANSITIONS.items()
        for state in allowed
    ]

    assert sorted(drawn) == sorted(table)


def closure(states: set[CaseState], arrows: set[tuple[CaseState, CaseState]]) -> set[CaseState]:
    found = states | {after for before, after in arrows if before in states}
    return found if found == states else closure(found, arrows)
