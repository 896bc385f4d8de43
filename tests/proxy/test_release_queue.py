"""What waits to be released, in memory."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.proxy.release_queue import ReleaseQueue

NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)
WANTED = HeldMessage(
    message_id=1,
    system_id="sp1",
    source="10690001",
    destination="13800138000",
    pdu=b"",
    reason="CONTENT",
    rule="K-LOAN",
    category="loan",
    evidence="贷款",
    digest="0123456789ab",
    receipt_asked=False,
    held_at=NOON,
    expires_at=NOON + timedelta(days=1),
    state=HoldState.RELEASE_REQUESTED,
)


def test_a_message_is_wanted_until_it_stands_elsewhere() -> None:
    queue = ReleaseQueue()

    queue.follow(WANTED)
    wanted = dict(queue.wanted)
    queue.follow(replace(WANTED, state=HoldState.CANCELLED))

    assert wanted == {1: "sp1"}
    assert queue.wanted == {}


def test_what_was_counted_is_remembered_while_the_smsc_has_not_answered() -> None:
    queue = ReleaseQueue()
    queue.counted = {1, 2}

    queue.follow(replace(WANTED, state=HoldState.RELEASING))
    queue.follow(replace(WANTED, message_id=2, state=HoldState.RELEASED))

    assert queue.counted == {1}


def test_what_is_put_back_waits_after_all_others() -> None:
    queue = ReleaseQueue()
    for number in (1, 2, 3):
        queue.follow(replace(WANTED, message_id=number))

    queue.put_back([WANTED])
    queue.drop((2, 9))

    assert list(queue.wanted) == [3, 1]
