"""What gateway.systems.quarantine.model promises, on every store."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest

from gateway.domain.quarantine import FINAL_STATES, HeldMessage, HoldState, ReceiptState
from gateway.storage.database import Database
from gateway.stores import Stores
from gateway.systems.quarantine.model import (
    REPLACEABLE_STATES,
    Grounds,
    HeldTotals,
    MessageIds,
    ReleasedId,
    Replacement,
)
from gateway.systems.quarantine.service import ActResult, QuarantineDesk
from gateway.systems.quarantine.sql import QuarantineStore

pytestmark = pytest.mark.every_store

Builder: TypeAlias = Callable[..., HeldMessage]

HELD = frozenset({HoldState.HELD})


async def test_a_held_message_comes_back_as_it_was(stores: Stores, held: Builder) -> None:
    message = held(note="held twice", receipt=ReceiptState.DUE)

    await stores.quarantine.hold([message])

    assert await stores.quarantine.get(message.message_id) == message


async def test_holding_nothing_is_no_fault(stores: Stores) -> None:
    await stores.quarantine.hold([])

    assert await stores.quarantine.find() == []


async def test_a_taken_id_is_the_callers_fault_and_holds_nothing(
    stores: Stores, held: Builder
) -> None:
    await stores.quarantine.hold([held(message_id=1)])

    with pytest.raises(ValueError, match="already held"):
        await stores.quarantine.hold([held(message_id=2), held(message_id=1, note="again")])

    assert await stores.quarantine.find() == [held(message_id=1)]


async def test_the_same_id_twice_in_one_call_holds_nothing(stores: Stores, held: Builder) -> None:
    with pytest.raises(ValueError, match="already held"):
        await stores.quarantine.hold([held(message_id=1), held(message_id=1)])

    assert await stores.quarantine.find() == []


async def test_one_callers_fault_does_not_harm_another(stores: Stores, held: Builder) -> None:
    await stores.quarantine.hold([held(message_id=1)])

    results = await asyncio.gather(
        *(stores.quarantine.hold([held(message_id=message_id)]) for message_id in (1, 2, 1, 3)),
        return_exceptions=True,
    )

    assert [type(result) for result in results] == [ValueError, type(None)] * 2
    assert [message.message_id for message in await stores.quarantine.find()] == [3, 2, 1]


async def test_an_unknown_message_is_none(stores: Stores) -> None:
    assert await stores.quarantine.get(404) is None


async def test_several_messages_come_oldest_first_and_unknown_ones_are_left_out(
    stores: Stores, held: Builder
) -> None:
    await stores.quarantine.hold([held(message_id=message_id) for message_id in (1, 2, 3)])

    some = await stores.quarantine.get_many({3, 404, 1})

    assert some == [held(message_id=1), held(message_id=3)]
    assert await stores.quarantine.get_many(()) == []


async def test_messages_are_found_newest_first_page_by_page(stores: Stores, held: Builder) -> None:
    await stores.quarantine.hold([held(message_id=message_id) for message_id in range(1, 6)])

    first = await stores.quarantine.find(limit=2)
    second = await stores.quarantine.find(limit=2, before_id=first[-1].message_id)

    assert [message.message_id for message in first + second] == [5, 4, 3, 2]


async def test_messages_are_found_by_campaign_and_category(stores: Stores, held: Builder) -> None:
    one, other = "c0123456789abcdef", "cfedcba9876543210"
    await stores.quarantine.hold(
        [
            held(message_id=1, campaign=one, category="loan"),
            held(message_id=2, campaign=one, category="games"),
            held(message_id=3, campaign=other, category="loan"),
            held(message_id=4, category="fraud"),
        ]
    )

    of_one = await stores.quarantine.find(campaign=one)
    before = await stores.quarantine.find(state=HoldState.HELD, campaign=one, before_id=2)
    loans = await stores.quarantine.find(categories={"loan", "fraud"})
    both = await stores.quarantine.find(campaign=one, categories={"loan"})

    assert [message.message_id for message in of_one] == [2, 1]
    assert [message.message_id for message in before] == [1]
    assert [message.message_id for message in loans] == [4, 3, 1]
    assert [message.message_id for message in both] == [1]


async def test_messages_are_found_by_state_and_sender(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold(
        [held(message_id=1), held(message_id=2), held(message_id=3, system_id="sp2")]
    )
    await stores.quarantine.move(1, allowed=HELD, to=HoldState.DISCARDED, at=noon)

    of_sp1 = await stores.quarantine.find(system_id="sp1")
    still_held = await stores.quarantine.find(state=HoldState.HELD)
    both = await stores.quarantine.find(state=HoldState.HELD, system_id="sp1")

    assert [message.message_id for message in of_sp1] == [2, 1]
    assert [message.message_id for message in still_held] == [3, 2]
    assert [message.message_id for message in both] == [2]


async def test_every_state_is_counted(stores: Stores, held: Builder, noon: datetime) -> None:
    await stores.quarantine.hold([held(message_id=message_id) for message_id in (1, 2, 3)])
    await stores.quarantine.move(1, allowed=HELD, to=HoldState.EXPIRED, at=noon)

    counts = await stores.quarantine.count_by_state()

    assert counts == dict.fromkeys(HoldState, 0) | {HoldState.HELD: 2, HoldState.EXPIRED: 1}


async def test_states_are_counted_of_a_campaign_a_sender_and_categories(
    stores: Stores, held: Builder
) -> None:
    one = "c0123456789abcdef"
    await stores.quarantine.hold(
        [
            held(message_id=1, campaign=one, category="loan"),
            held(message_id=2, campaign=one, category="games", state=HoldState.IN_DOUBT),
            held(message_id=3, system_id="sp2", category="loan"),
        ]
    )
    none = dict.fromkeys(HoldState, 0)

    of_one = await stores.quarantine.count_by_state(campaign=one)
    of_sp2 = await stores.quarantine.count_by_state(system_id="sp2")
    of_loans = await stores.quarantine.count_by_state(categories={"loan"})
    of_all = await stores.quarantine.count_by_state(
        campaign=one, system_id="sp2", categories={"loan"}
    )

    assert of_one == none | {HoldState.HELD: 1, HoldState.IN_DOUBT: 1}
    assert of_sp2 == none | {HoldState.HELD: 1}
    assert of_loans == none | {HoldState.HELD: 2}
    assert of_all == none


async def test_what_waits_is_counted_by_its_sender_until_it_has_ended(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    messages = [held(message_id=message_id) for message_id in (1, 2, 3)]
    deferred = held(
        message_id=4, system_id="sp2", state=HoldState.DEFERRED, due_at=noon, joined="发票" * 40
    )
    await stores.quarantine.hold([*messages, deferred, held(message_id=5, system_id="sp3")])
    await stores.quarantine.move(1, allowed=HELD, to=HoldState.RELEASE_REQUESTED, at=noon)
    await stores.quarantine.move(2, allowed=HELD, to=HoldState.REFUSED, at=noon)
    await stores.quarantine.move(5, allowed=HELD, to=HoldState.CANCELLED, at=noon)

    waiting = await stores.quarantine.count_waiting()

    assert waiting == {
        "sp1": HeldTotals(2, messages[0].octets + messages[2].octets),
        "sp2": HeldTotals(1, deferred.octets),
    }
    assert deferred.octets == messages[0].octets + 240


async def test_what_a_replaced_message_takes_is_counted_as_it_is_now(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held()])
    replacement = Replacement(
        bytes(60_000), "", "", "", "", "", receipt_asked=True, expires_at=noon
    )

    await stores.quarantine.replace_pdu(1, replacement)

    now = await stores.quarantine.get(1)
    assert now is not None
    assert await stores.quarantine.count_waiting() == {"sp1": HeldTotals(1, now.octets)}
    assert now.octets == held().octets - 256 + 60_000


async def test_a_move_sets_what_it_is_given_and_leaves_the_rest(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    message = held(note="first", smsc_message_id="17")
    await stores.quarantine.hold([message])

    bare = await stores.quarantine.move(1, allowed=HELD, to=HoldState.RELEASE_REQUESTED, at=noon)
    full = await stores.quarantine.move(
        1,
        allowed=frozenset({HoldState.RELEASE_REQUESTED}),
        to=HoldState.RELEASED,
        at=noon,
        note="second",
        smsc_message_id="18",
        receipt=ReceiptState.SENT,
    )

    assert bare == replace(message, state=HoldState.RELEASE_REQUESTED)
    assert full == replace(
        message,
        state=HoldState.RELEASED,
        note="second",
        smsc_message_id="18",
        receipt=ReceiptState.SENT,
    )
    assert await stores.quarantine.get(1) == full


async def test_what_judging_again_came_to_takes_the_place_of_what_it_was_held_for(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held()])
    grounds = Grounds(
        reason="OUTSIDE_WINDOW",
        rule="R40",
        category="",
        evidence="outside the hours",
        digest="ba9876543210",
        expires_at=noon + timedelta(hours=9),
        due_at=noon + timedelta(hours=8),
    )

    moved = await stores.quarantine.move(
        1, allowed=HELD, to=HoldState.DEFERRED, at=noon, grounds=grounds, is_reviewed=True
    )
    later = await stores.quarantine.move(
        1, allowed=frozenset({HoldState.DEFERRED}), to=HoldState.DISCARDED, at=noon
    )

    assert moved == held(
        reason="OUTSIDE_WINDOW",
        rule="R40",
        category="",
        evidence="outside the hours",
        digest="ba9876543210",
        expires_at=noon + timedelta(hours=9),
        due_at=noon + timedelta(hours=8),
        state=HoldState.DEFERRED,
        is_reviewed=True,
    )
    assert later == replace(moved, state=HoldState.DISCARDED)


async def test_a_move_from_another_state_changes_nothing(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held()])

    moved = await stores.quarantine.move(
        1, allowed=frozenset({HoldState.RELEASING}), to=HoldState.RELEASED, at=noon, note="no"
    )

    assert moved is None
    assert await stores.quarantine.get(1) == held()
    assert await stores.changes.changes(0) == []


async def test_a_move_of_an_unknown_message_is_none(stores: Stores, noon: datetime) -> None:
    assert await stores.quarantine.move(4, allowed=HELD, to=HoldState.EXPIRED, at=noon) is None


@pytest.mark.parametrize(
    ("is_asked", "receipt"), [(True, ReceiptState.DUE), (False, ReceiptState.NONE)]
)
async def test_a_receipt_is_due_only_where_it_was_asked_for(
    stores: Stores, held: Builder, noon: datetime, *, is_asked: bool, receipt: ReceiptState
) -> None:
    await stores.quarantine.hold([held(receipt_asked=is_asked)])

    moved = await stores.quarantine.move(
        1, allowed=HELD, to=HoldState.DISCARDED, at=noon, receipt=ReceiptState.DUE
    )

    assert moved is not None
    assert moved.receipt is receipt


async def test_of_many_movers_at_once_exactly_one_succeeds(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held()])

    moves = await asyncio.gather(
        *(
            stores.quarantine.move(1, allowed=HELD, to=state, at=noon)
            for state in sorted(FINAL_STATES) * 5
        )
    )

    (winner,) = filter(None, moves)
    assert await stores.quarantine.get(1) == winner
    assert len(await stores.changes.changes(0)) == 1


async def test_a_message_discarded_while_it_expires_ends_once(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(expires_at=noon)])
    desk = QuarantineDesk(stores.quarantine, MessageIds(worker=1))

    expired, discarded = await asyncio.gather(desk.expire_due(noon), desk.discard(1, "zhao", noon))

    assert len(expired) + isinstance(discarded, ActResult) == 1


async def test_when_a_message_came_to_be_held_again_is_kept_whatever_follows(
    database: Database, stores: Stores, held: Builder, noon: datetime
) -> None:
    again = noon + timedelta(minutes=1)
    store, everything = QuarantineStore(database, lambda: again), frozenset(HoldState)
    await stores.quarantine.hold([held()])

    left = await store.move(1, allowed=everything, to=HoldState.RELEASING, at=noon)
    back = await store.move(1, allowed=everything, to=HoldState.HELD, at=noon)
    over = await store.move(1, allowed=everything, to=HoldState.EXPIRED, at=noon)

    assert [one and one.held_again_at for one in (left, back, over)] == [None, again, again]


@pytest.mark.parametrize("state", sorted(REPLACEABLE_STATES))
async def test_a_held_message_is_replaced_whole(
    stores: Stores, database: Database, held: Builder, noon: datetime, state: HoldState
) -> None:
    later = noon + timedelta(minutes=1)
    await stores.quarantine.hold([held(state=state, due_at=noon)])
    replacement = Replacement(
        pdu=b"new",
        reason="OPTED_OUT",
        rule="OPT-OUT",
        category="",
        evidence="the subscriber refused",
        digest="ba9876543210",
        receipt_asked=False,
        expires_at=noon + timedelta(hours=1),
    )

    was_held = await QuarantineStore(database, lambda: later).replace_pdu(1, replacement)

    assert was_held
    assert await stores.quarantine.get(1) == held(
        pdu=b"new",
        reason="OPTED_OUT",
        rule="OPT-OUT",
        category="",
        evidence="the subscriber refused",
        digest="ba9876543210",
        receipt_asked=False,
        expires_at=noon + timedelta(hours=1),
        state=state,
        due_at=noon,
        held_again_at=later,
    )


@pytest.mark.parametrize("state", sorted(set(HoldState) - REPLACEABLE_STATES))
async def test_only_a_held_message_is_replaced(
    stores: Stores, held: Builder, noon: datetime, state: HoldState
) -> None:
    await stores.quarantine.hold([held(state=state)])
    replacement = Replacement(b"new", "", "", "", "", "", receipt_asked=True, expires_at=noon)

    assert not await stores.quarantine.replace_pdu(1, replacement)
    assert not await stores.quarantine.replace_pdu(404, replacement)
    assert await stores.quarantine.get(1) == held(state=state)


async def test_due_receipts_come_oldest_first_and_are_sent_once(
    stores: Stores, held: Builder
) -> None:
    due = [
        held(message_id=1, receipt=ReceiptState.DUE),
        held(message_id=2, receipt=ReceiptState.DUE, system_id="sp2"),
        held(message_id=3, receipt=ReceiptState.DUE),
    ]
    await stores.quarantine.hold([held(message_id=4), *reversed(due)])

    assert await stores.quarantine.due_receipts(None, 10) == due
    assert await stores.quarantine.due_receipts(None, 2) == due[:2]
    assert await stores.quarantine.due_receipts("sp2", 10) == [due[1]]
    assert await stores.quarantine.receipt_sent(1)
    assert not await stores.quarantine.receipt_sent(1)
    assert not await stores.quarantine.receipt_sent(4)
    assert not await stores.quarantine.receipt_sent(404)
    assert await stores.quarantine.due_receipts("sp1", 10) == [due[2]]


async def test_expired_are_those_over_time_that_cannot_have_reached_the_smsc(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    early = held(message_id=3, expires_at=noon - timedelta(seconds=1))
    exact = held(message_id=1, expires_at=noon, state=HoldState.RELEASE_REQUESTED)
    later = held(message_id=2, expires_at=noon + timedelta(microseconds=1))
    waiting = held(message_id=4, expires_at=noon, state=HoldState.DEFERRED)
    others = [
        held(message_id=10 + place, expires_at=noon, state=state)
        for place, state in enumerate(FINAL_STATES | {HoldState.RELEASING, HoldState.IN_DOUBT})
    ]
    await stores.quarantine.hold([exact, later, waiting, early, *others])

    assert await stores.quarantine.expired(noon, 10) == [early, exact, waiting]
    assert await stores.quarantine.expired(noon, 1) == [early]


async def test_released_ids_are_those_whose_receipt_is_still_to_come(
    stores: Stores, held: Builder
) -> None:
    await stores.quarantine.hold(
        [
            held(message_id=1, state=HoldState.RELEASED, smsc_message_id="a1"),
            held(message_id=2, state=HoldState.RELEASED, smsc_message_id="b2", system_id="sp2"),
            held(message_id=3, state=HoldState.RELEASED, receipt_asked=False),
            held(message_id=4),
        ]
    )

    released = await stores.quarantine.released_ids()

    assert released == [
        ReleasedId("sp2", "b2", 2, "13800138000"),
        ReleasedId("sp1", "a1", 1, "13800138000"),
    ]
    assert await stores.quarantine.released_ids(limit=1) == released[:1]


async def test_in_flight_are_those_written_and_not_answered(stores: Stores, held: Builder) -> None:
    releasing = [held(message_id=place, state=HoldState.RELEASING) for place in (1, 2)]
    await stores.quarantine.hold([*reversed(releasing), held(message_id=3)])

    assert await stores.quarantine.in_flight() == releasing
    assert await stores.quarantine.in_flight(limit=1) == releasing[:1]


async def test_what_is_held_of_a_campaign_is_walked_through_from_the_oldest(
    stores: Stores, held: Builder
) -> None:
    one = "c0123456789abcdef"
    await stores.quarantine.hold(
        [
            *(held(message_id=number, campaign=one) for number in (4, 2, 3, 1)),
            held(message_id=5, campaign=one, state=HoldState.RELEASED),
            held(message_id=6, campaign="cfedcba9876543210"),
            held(message_id=7, campaign=one, system_id="sp2"),
            held(message_id=8),
        ]
    )

    first = await stores.quarantine.held_of(one, limit=3)
    second = await stores.quarantine.held_of(one, after_id=first[-1])
    of_sp1 = await stores.quarantine.held_of(one, system_id="sp1", after_id=2)

    assert (first, second) == ([1, 2, 3], [4, 7])
    assert of_sp1 == [3, 4]


async def test_of_several_each_moves_that_stands_where_it_may(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold(
        [
            held(message_id=1, state=HoldState.RELEASED),
            held(message_id=2, note="seen"),
            held(message_id=3, receipt_asked=False),
            held(message_id=4),
        ]
    )

    moved = await stores.quarantine.move_each(
        (3, 1, 2, 99),
        allowed=HELD,
        to=HoldState.DISCARDED,
        at=noon,
        receipt=ReceiptState.DUE,
        is_reviewed=True,
    )
    again = await stores.quarantine.move_each((2, 3), allowed=HELD, to=HoldState.HELD, at=noon)
    nothing = await stores.quarantine.move_each((), allowed=HELD, to=HoldState.HELD, at=noon)

    assert [(one.message_id, one.state, one.note, one.receipt) for one in moved] == [
        (2, HoldState.DISCARDED, "seen", ReceiptState.DUE),
        (3, HoldState.DISCARDED, "", ReceiptState.NONE),
    ]
    assert all(one.is_reviewed for one in moved)
    assert again == nothing == []
    assert await stores.quarantine.get_many((2, 3)) == moved
    assert [one.state for one in await stores.quarantine.get_many((1, 4))] == [
        HoldState.RELEASED,
        HoldState.HELD,
    ]
    assert [change.key for change in await stores.changes.changes(0)] == ["2", "3"]
