"""Where a held message can stand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.quarantine import (
    FINAL_STATES,
    ROW_OCTETS,
    HeldMessage,
    HoldState,
    ReceiptState,
)

NOW = datetime(2013, 11, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "state",
    [
        HoldState.HELD,
        HoldState.DEFERRED,
        HoldState.RELEASE_REQUESTED,
        HoldState.RELEASING,
        HoldState.IN_DOUBT,
    ],
)
def test_a_message_that_can_still_move_is_in_no_final_state(state: HoldState) -> None:
    assert state not in FINAL_STATES


@pytest.mark.parametrize(
    "state",
    [
        HoldState.RELEASED,
        HoldState.REFUSED,
        HoldState.DISCARDED,
        HoldState.EXPIRED,
        HoldState.CANCELLED,
    ],
)
def test_a_message_that_is_done_with_is_in_a_final_state(state: HoldState) -> None:
    assert state in FINAL_STATES


def test_every_state_is_known_to_be_final_or_not() -> None:
    assert len(HoldState) == 5 + len(FINAL_STATES)


MESSAGE = HeldMessage(
    message_id=8_000_000_000_000_000_001,
    system_id="sp1",
    source="10690001",
    destination="8613800138000",
    pdu=b"\0" * 16,
    reason="CONTENT",
    rule="K-FRAUD",
    category="fraud",
    evidence="代开发票",
    digest="d1",
    receipt_asked=True,
    held_at=NOW,
    expires_at=NOW + timedelta(days=1),
)


def test_a_message_starts_held_with_no_receipt_due() -> None:
    assert MESSAGE.state is HoldState.HELD
    assert MESSAGE.receipt is ReceiptState.NONE
    assert MESSAGE.smsc_message_id == ""


def test_a_message_that_is_held_again_is_held_since_then() -> None:
    later = NOW + timedelta(hours=1)

    assert MESSAGE.held_since == NOW
    assert replace(MESSAGE, held_again_at=later).held_since == later


@pytest.mark.parametrize(("joined", "octets"), [("", 0), ("abc", 3), ("发票", 6), ("\ud83d", 3)])
def test_a_message_takes_a_row_its_request_and_its_text(joined: str, octets: int) -> None:
    assert replace(MESSAGE, joined=joined).octets == ROW_OCTETS + 16 + octets
