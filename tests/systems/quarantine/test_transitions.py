"""Every act from every state, beside a table written by hand."""

import pytest

from gateway.domain.quarantine import FINAL_STATES, HoldState, ReceiptState
from gateway.domain.verdict import Reason
from gateway.systems.quarantine.model import TRANSITIONS, HeldMessageAct

# One line an act, one column a state: where it leads, or "." where it may not start.
WAYS = """
                 held              deferred  release_requested releasing         in_doubt
request_release  release_requested .         .                 .                 release_requested
release_own      release_requested .         .                 .                 .
discard_own      discarded         .         .                 .                 .
discard          discarded         discarded discarded         .                 discarded
cancel           cancelled         cancelled cancelled         .                 .
expire           expired           expired   expired           .                 .
defer            .                 .         deferred          .                 .
hold             .                 .         held              .                 .
refuse           .                 .         refused           .                 .
take             .                 release_requested .       .                 .
begin_release    .                 .         releasing         .                 .
confirm          .                 .         released          released          released
postpone         .                 .         .                 release_requested .
give_back        .                 .         .                 held              held
turn_down        .                 .         .                 refused           refused
lose             .                 .         .                 in_doubt          .
"""
OPEN_STATES = (
    HoldState.HELD,
    HoldState.DEFERRED,
    HoldState.RELEASE_REQUESTED,
    HoldState.RELEASING,
    HoldState.IN_DOUBT,
)
EXPECTED = {
    (HeldMessageAct(act), state): to
    for act, *ways in map(str.split, WAYS.strip("\n").split("\n")[1:])
    for state, to in zip(OPEN_STATES, ways, strict=True)
}


@pytest.mark.parametrize("act", HeldMessageAct)
@pytest.mark.parametrize("state", HoldState)
def test_an_act_leads_where_the_table_says_and_nowhere_from_a_final_state(
    act: HeldMessageAct, state: HoldState
) -> None:
    transition = TRANSITIONS[act]

    to = transition.to.value if state in transition.allowed else "."

    assert to == EXPECTED.get((act, state), ".")


def test_states_are_open_or_final() -> None:
    assert set(OPEN_STATES) | FINAL_STATES == set(HoldState)
    assert not FINAL_STATES & set(OPEN_STATES)


def test_the_sender_is_told_of_an_end_it_did_not_make_itself() -> None:
    told = {act for act in HeldMessageAct if TRANSITIONS[act].receipt is ReceiptState.DUE}

    assert told == {
        HeldMessageAct.DISCARD,
        HeldMessageAct.DISCARD_OWN,
        HeldMessageAct.EXPIRE,
        HeldMessageAct.REFUSE,
        HeldMessageAct.TURN_DOWN,
    }


def test_only_a_persons_release_makes_a_message_reviewed() -> None:
    reviewed = {act for act in HeldMessageAct if TRANSITIONS[act].is_reviewed}

    assert reviewed == {HeldMessageAct.REQUEST_RELEASE}


def test_r50_the_addressees_acts_and_no_others_are_about_what_his_own_rule_holds() -> None:
    bound = {act: TRANSITIONS[act].held_for for act in HeldMessageAct if TRANSITIONS[act].held_for}

    assert bound == dict.fromkeys(
        (HeldMessageAct.RELEASE_OWN, HeldMessageAct.DISCARD_OWN), Reason.USER_PREF
    )


def test_r50_only_the_addressees_release_makes_a_message_wanted() -> None:
    wanted = {act for act in HeldMessageAct if TRANSITIONS[act].is_wanted}

    assert wanted == {HeldMessageAct.RELEASE_OWN}
