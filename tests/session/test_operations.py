"""Every command in every state on both sides.

The expectation is written from the peer's point of view, as rules in prose order, not as a
second copy of the table.
"""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.session.operations import RULINGS, Ruling, SessionState, Side, ruling
from gateway.smpp.commands import RESPONSE_BIT, CommandId

UNKNOWN = (0x0A, 0x0000_FFFF, 0x7FFF_FFFF, 0x8000_000A, 0xFFFF_FFFF)
EVERY_CASE = list(product(Side, SessionState, [*CommandId, *UNKNOWN]))

SP_ASKS_FOR = {"SUBMIT_SM", "SUBMIT_MULTI", "DATA_SM", "REPLACE_SM", "QUERY_SM", "CANCEL_SM"}
SP_SENDS_TEXT_IN = {"SUBMIT_SM", "SUBMIT_MULTI", "DATA_SM", "REPLACE_SM"}
SMSC_ASKS_FOR = {"DELIVER_SM", "DATA_SM"}
REFUSALS = (Ruling.REFUSE_STATE, Ruling.PUT_OFF, Ruling.ALREADY_BOUND)
BINDS = {"BIND_TRANSMITTER", "BIND_RECEIVER", "BIND_TRANSCEIVER"}


def is_told_to_an_smsc(state: SessionState) -> bool:
    return state in (SessionState.BOUND_TX, SessionState.BOUND_TRX)


def is_told_to_an_sp(state: SessionState) -> bool:
    return state in (SessionState.BOUND_RX, SessionState.BOUND_TRX)


def is_leaving(state: SessionState) -> bool:
    return state is SessionState.UNBINDING


def is_unbound(state: SessionState) -> bool:
    return state in (SessionState.OPEN, SessionState.BINDING)


def expected(side: Side, state: SessionState, command_id: int) -> Ruling:
    if state is SessionState.CLOSED:
        return Ruling.IGNORE
    name = CommandId(command_id).name if command_id in set(CommandId) else "UNKNOWN"
    if name == "GENERIC_NACK":
        return expected_of_a_nack(side, state)
    if command_id >= RESPONSE_BIT:
        return expected_of_an_answer(side, state, name.removesuffix("_RESP"))
    if name in ("ENQUIRE_LINK", "UNBIND"):
        return Ruling(name.lower())
    if side is Side.ESME:
        return expected_of_an_sp(state, name)
    return expected_of_the_smsc(state, name)


def expected_of_a_nack(side: Side, state: SessionState) -> Ruling:
    if not is_unbound(state):
        return Ruling.RELAY_RESPONSE
    if side is Side.SMSC and state is SessionState.BINDING:
        return Ruling.BIND_RESP
    return Ruling.IGNORE


def expected_of_an_answer(side: Side, state: SessionState, answered: str) -> Ruling:
    if answered == "ENQUIRE_LINK":
        return Ruling.IGNORE if is_unbound(state) else Ruling.ENQUIRE_LINK_RESP
    if answered == "UNBIND":
        return Ruling.UNBIND_RESP if is_leaving(state) else Ruling.IGNORE
    if answered in BINDS:
        awaited = side is Side.SMSC and state is SessionState.BINDING
        return Ruling.BIND_RESP if awaited else Ruling.IGNORE
    if side is Side.ESME:
        was_asked = answered in SMSC_ASKS_FOR and (is_told_to_an_sp(state) or is_leaving(state))
    else:
        was_asked = answered in SP_ASKS_FOR and (is_told_to_an_smsc(state) or is_leaving(state))
    return Ruling.RELAY_RESPONSE if was_asked else Ruling.IGNORE


def expected_of_an_sp(state: SessionState, name: str) -> Ruling:
    if name in BINDS:
        if state is SessionState.OPEN:
            return Ruling.BIND
        return Ruling.REFUSE_STATE if is_leaving(state) else Ruling.ALREADY_BOUND
    if name not in SP_ASKS_FOR:
        is_asked = name == "OUTBIND" and state is SessionState.OPEN
        return Ruling.OUTBIND if is_asked else Ruling.NACK_COMMAND
    if state is SessionState.BINDING:
        return Ruling.AWAIT_BIND
    if not is_told_to_an_smsc(state):
        return Ruling.REFUSE_STATE
    return Ruling.JUDGE if name in SP_SENDS_TEXT_IN else Ruling.RELAY


def expected_of_the_smsc(state: SessionState, name: str) -> Ruling:
    if name == "OUTBIND":
        return Ruling.IGNORE
    if name == "ALERT_NOTIFICATION":
        return Ruling.RELAY if is_told_to_an_sp(state) else Ruling.IGNORE
    if name in SMSC_ASKS_FOR:
        if state is SessionState.BOUND_TX:
            return Ruling.REFUSE_STATE
        return Ruling.RELAY if is_told_to_an_sp(state) else Ruling.PUT_OFF
    return Ruling.NACK_COMMAND


@pytest.mark.parametrize(("side", "state", "command_id"), EVERY_CASE)
def test_every_command_in_every_state_on_both_sides(
    side: Side, state: SessionState, command_id: int
) -> None:
    assert ruling(side, state, command_id) is expected(side, state, command_id)


def test_the_table_can_be_indexed_directly_for_every_command_of_the_spec() -> None:
    every_known = set(product(Side, SessionState, map(int, CommandId)))

    assert set(RULINGS) == every_known


@pytest.mark.parametrize("state", [s for s in SessionState if not s.can_submit])
def test_no_text_of_an_sp_goes_anywhere_unless_it_may_submit(state: SessionState) -> None:
    for command_id in CommandId:
        ruled = ruling(Side.ESME, state, command_id)

        assert ruled not in (Ruling.JUDGE, Ruling.RELAY), command_id


def test_what_an_sp_may_send_with_a_text_is_always_judged() -> None:
    relayed = {
        key[2] for key, ruled in RULINGS.items() if ruled is Ruling.RELAY and key[0] is Side.ESME
    }

    assert relayed == {CommandId.QUERY_SM, CommandId.CANCEL_SM}


def test_only_a_request_that_has_a_response_is_refused_with_one() -> None:
    refused = {key[2] for key, ruled in RULINGS.items() if ruled in REFUSALS}

    assert all(command_id | RESPONSE_BIT in set(CommandId) for command_id in refused)
    assert not any(command_id & RESPONSE_BIT for command_id in refused)


@given(st.sampled_from(Side), st.sampled_from(SessionState), st.integers(0, 0xFFFF_FFFF))
def test_any_32_bits_are_ruled_on_and_a_response_is_never_answered(
    side: Side, state: SessionState, command_id: int
) -> None:
    ruled = ruling(side, state, command_id)

    assert ruled is expected(side, state, command_id)
    if command_id & RESPONSE_BIT:
        assert ruled not in {*REFUSALS, Ruling.NACK_COMMAND}
