"""What waits to be released, in memory."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.dataplane.link import Link
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.proxy.release_sender import ReleaseQueue
from gateway.session.operations import SessionState, Side
from gateway.smpp.commands import CommandId

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


def ways(*senders: str) -> dict[tuple[str, str], Link]:
    """Return a bind of its own for each sender."""
    return {(one, ""): Link(n, Side.SMSC, 10, 0.0) for n, one in enumerate(senders)}


def test_a_message_is_wanted_until_it_stands_elsewhere() -> None:
    queue = ReleaseQueue()

    queue.follow(WANTED)
    wanted = queue.first_of(ways("sp1"), 9)
    queue.follow(replace(WANTED, state=HoldState.CANCELLED))

    assert wanted == [1]
    assert queue.first_of(ways("sp1"), 9) == []


def test_what_was_counted_is_remembered_while_the_smsc_has_not_answered() -> None:
    queue = ReleaseQueue()
    queue.counted = {1, 2}

    queue.follow(replace(WANTED, state=HoldState.RELEASING))
    queue.follow(replace(WANTED, message_id=2, state=HoldState.RELEASED))

    assert queue.counted == {1}


def test_r42_what_came_back_to_people_was_counted_until_its_day_ends() -> None:
    queue = ReleaseQueue()
    queue.begin_day(NOON.date())
    queue.counted = {1, 2, 3, 4}

    for number, state in enumerate((HoldState.HELD, HoldState.IN_DOUBT, HoldState.DEFERRED), 1):
        queue.follow(replace(WANTED, message_id=number, state=state))
    queue.follow(WANTED)
    queue.begin_day(NOON.date())
    same_day = set(queue.counted)
    queue.begin_day(NOON.date() + timedelta(days=1))

    assert same_day == {1, 2, 4}
    assert queue.counted == {4}


def test_r42_what_came_back_and_is_over_is_forgotten() -> None:
    queue = ReleaseQueue()
    queue.counted = {1}

    queue.follow(replace(WANTED, state=HoldState.HELD))
    queue.follow(replace(WANTED, state=HoldState.DISCARDED))

    assert queue.counted == set()


def test_what_is_put_back_waits_after_all_others() -> None:
    queue = ReleaseQueue()
    for number in (1, 2, 3):
        queue.follow(replace(WANTED, message_id=number))

    queue.put_back([WANTED])
    queue.drop((2, 9))

    assert queue.first_of(ways("sp1"), 9) == [3, 1]


def test_the_first_of_those_that_have_a_way_are_next_in_their_order() -> None:
    queue = ReleaseQueue()
    for number, system_id in enumerate(("away", "sp2", "sp1", "away", "sp1")):
        queue.want(number, system_id)

    assert queue.first_of(ways("sp1", "sp2"), 2) == [1, 2]
    assert queue.first_of({}, 2) == []


def test_a_bind_that_sps_share_has_room_for_a_quarter_and_the_rest_wait() -> None:
    queue, shared = ReleaseQueue(), Link(1, Side.SMSC, 12, 0.0, SessionState.BOUND_TRX)
    shared.is_shared = True
    for number in range(9):
        queue.want(number, "sp1" if number else "sp2")
    both = {("sp1", ""): shared} | ways("sp2")

    before = queue.first_of({("sp1", ""): shared}, 9)
    for number in before:
        shared.register(None, 0, CommandId.SUBMIT_SM, 0.0, number)

    assert before == [1, 2, 3]
    assert (queue.first_of({("sp1", ""): shared}, 9), queue.first_of(both, 9)) == ([], [0])
    shared.settle(1)
    assert queue.first_of(both, 9) == [0, 1]
    shared.allowed = 0
    assert queue.first_of({("sp1", ""): shared}, 9) == []


def test_how_many_wait_of_each_sender_is_known_without_counting_them() -> None:
    queue = ReleaseQueue()
    for number in range(5):
        queue.want(number, "sp1")
    queue.want(7, "sp2")
    queue.want(7, "sp2")  # heard of twice, wanted once

    queue.put_back([replace(WANTED, message_id=0), replace(WANTED, message_id=9)])
    queue.follow(replace(WANTED, message_id=4, state=HoldState.DISCARDED))
    queue.drop((1, 1, 7))

    assert queue.waiting == {"sp1": 4}
    assert list(queue.waiting) == ["sp1"]  # whose last has gone is no sender that waits
    assert dict(queue.waiting_for) == {("sp1", ""): 4}


def test_what_a_route_leads_to_a_group_that_is_down_keeps_nothing_else_back() -> None:
    groups = {b"up": "", b"down": "abroad"}
    queue = ReleaseQueue(groups.__getitem__)
    for number, pdu in enumerate((b"down", b"down", b"up")):
        queue.follow(replace(WANTED, message_id=number, pdu=pdu))
    own = ways("sp1")
    abroad = {("sp1", "abroad"): Link(9, Side.SMSC, 10, 0.0)}

    assert (queue.first_of(own, 1), queue.first_of(own | abroad, 9)) == ([2], [0, 1, 2])
    assert dict(queue.waiting_for) == {("sp1", "abroad"): 2, ("sp1", ""): 1}
    groups[b"down"] = ""
    queue.forget_groups()
    assert queue.first_of(own, 9) == [0, 1, 2]
    assert dict(queue.waiting_for) == {("sp1", ""): 3}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["want", "put_back", "drop", "follow"]),
        st.integers(0, 9),
        st.sampled_from(HoldState),
    )
)


@given(STEPS)
def test_the_counts_are_those_of_what_is_wanted(steps: list[tuple[str, int, HoldState]]) -> None:
    queue, senders = ReleaseQueue(), ("sp0", "sp1", "sp2")

    for step, number, state in steps:
        held = replace(WANTED, message_id=number, system_id=senders[number % 3], state=state)
        match step:
            case "want":
                queue.want(number, held.system_id)
            case "put_back":
                queue.put_back([held])
            case "drop":
                queue.drop((number,))
            case _:
                queue.follow(held)

        counts = {sender: len(queue.first_of(ways(sender), 99)) for sender in senders}
        assert dict(queue.waiting) == {sender: count for sender, count in counts.items() if count}
        assert {of: count for (of, _), count in queue.waiting_for.items()} == queue.waiting
