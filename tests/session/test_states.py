"""States and their predicates."""

import pytest

from gateway.domain.sender import BindType
from gateway.session.operations import BOUND_STATES, SessionState


@pytest.mark.parametrize("state", SessionState)
def test_only_a_bound_session_carries_messages_and_only_the_way_it_was_bound(
    state: SessionState,
) -> None:
    assert state.can_submit == (state.value in ("bound_tx", "bound_trx"))
    assert state.can_deliver == (state.value in ("bound_rx", "bound_trx"))
    assert state.is_bound == state.value.startswith("bound_")


@pytest.mark.parametrize("bind_type", BindType)
def test_an_accepted_bind_leads_to_the_state_of_its_name(bind_type: BindType) -> None:
    assert BOUND_STATES[bind_type].value == f"bound_{bind_type.value}"
