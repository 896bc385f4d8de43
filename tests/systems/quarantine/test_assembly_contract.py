"""What gateway.systems.quarantine.model promises of the parts of long messages, on every store."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

import pytest

from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.domain.verdict import Reason
from gateway.stores import Stores
from gateway.systems.quarantine.model import Grounds

pytestmark = pytest.mark.every_store

Builder: TypeAlias = Callable[..., HeldMessage]

DEFERRED = frozenset({HoldState.DEFERRED})
AWAITED = Reason.PARTS_AWAITED.value


@pytest.fixture
def part(held: Builder, noon: datetime) -> Builder:
    """Build a part that waits for the others; give what should be otherwise."""
    usual = {"state": HoldState.DEFERRED, "reason": AWAITED, "due_at": noon}
    return lambda **changes: held(**{**usual, **changes})


async def test_a_part_comes_back_with_its_place(stores: Stores, part: Builder) -> None:
    message = part(message_id=2, assembly=1, part=7)

    await stores.quarantine.hold([message])

    assert await stores.quarantine.get(2) == message


async def test_the_parts_of_a_message_come_in_their_order_whatever_their_state(
    stores: Stores, part: Builder
) -> None:
    third, first = part(message_id=1, assembly=1, part=3), part(message_id=2, assembly=1, part=1)
    again = part(message_id=4, assembly=1, part=1, state=HoldState.RELEASED)
    await stores.quarantine.hold([third, first, again, part(message_id=3, assembly=3, part=2)])

    assert await stores.quarantine.parts_of(1) == [first, again, third]
    assert await stores.quarantine.parts_of(99) == []


async def test_what_is_no_part_has_no_others(stores: Stores, held: Builder) -> None:
    await stores.quarantine.hold([held(message_id=1), held(message_id=2)])

    assert await stores.quarantine.parts_of(0) == []


async def test_parts_that_wait_for_others_come_by_id_in_pages(
    stores: Stores, part: Builder
) -> None:
    waiting = [part(message_id=n, assembly=n, part=1) for n in (1, 2, 3)]
    others = [
        part(message_id=4, assembly=4, part=1, reason="OUTSIDE_WINDOW"),
        part(message_id=5, assembly=5, part=1, state=HoldState.HELD),
        part(message_id=6),
    ]
    await stores.quarantine.hold([*others, *reversed(waiting)])

    assert await stores.quarantine.awaiting() == waiting
    assert await stores.quarantine.awaiting(limit=2) == waiting[:2]
    assert await stores.quarantine.awaiting(after_id=2) == waiting[2:]


async def test_several_move_in_one_and_each_makes_a_change(
    stores: Stores, part: Builder, noon: datetime
) -> None:
    both = [part(message_id=n, assembly=1, part=n) for n in (1, 2)]
    await stores.quarantine.hold(both)

    moved = await stores.quarantine.move_together(
        [2, 1], allowed=DEFERRED, to=HoldState.RELEASE_REQUESTED, at=noon
    )

    assert moved == [replace(one, state=HoldState.RELEASE_REQUESTED) for one in both]
    assert [await stores.quarantine.get(n) for n in (1, 2)] == moved
    assert sorted(change.key for change in await stores.changes.changes(0)) == ["1", "2"]


async def test_those_that_stand_elsewhere_stay_there(
    stores: Stores, part: Builder, noon: datetime
) -> None:
    waiting = part(message_id=1, assembly=1, part=1)
    released = part(message_id=2, assembly=1, part=2, state=HoldState.RELEASED)
    await stores.quarantine.hold([waiting, released])

    moved = await stores.quarantine.move_together(
        [1, 2, 3], allowed=DEFERRED, to=HoldState.CANCELLED, at=noon
    )

    assert [one.message_id for one in moved] == [1]
    assert await stores.quarantine.get(2) == released


async def test_none_moves_unless_the_first_does(
    stores: Stores, part: Builder, noon: datetime
) -> None:
    waiting = part(message_id=1, assembly=1, part=1)
    await stores.quarantine.hold(
        [waiting, part(message_id=2, assembly=1, part=2, state=HoldState.RELEASED)]
    )

    for first in (2, 3):
        moved = await stores.quarantine.move_together(
            [first, 1], allowed=DEFERRED, to=HoldState.CANCELLED, at=noon
        )
        assert moved == []
    nothing = await stores.quarantine.move_together(
        [], allowed=DEFERRED, to=HoldState.CANCELLED, at=noon
    )

    assert nothing == []
    assert await stores.quarantine.get(1) == waiting
    assert await stores.changes.latest() == 0


async def test_what_a_move_leaves_on_one_it_leaves_on_all(
    stores: Stores, part: Builder, noon: datetime
) -> None:
    asking = part(message_id=1, assembly=1, part=1, receipt_asked=True)
    silent = part(message_id=2, assembly=1, part=2, receipt_asked=False)
    await stores.quarantine.hold([asking, silent])
    grounds = Grounds("CONTENT", "K-1", "fraud", "word", "d" * 12, noon)

    moved = await stores.quarantine.move_together(
        [1, 2],
        allowed=DEFERRED,
        to=HoldState.REFUSED,
        at=noon,
        note="judged again",
        receipt=ReceiptState.DUE,
        grounds=grounds,
        is_reviewed=True,
    )

    assert [one.receipt for one in moved] == [ReceiptState.DUE, ReceiptState.NONE]
    for one in moved:
        assert (one.note, one.reason, one.rule, one.due_at) == (
            "judged again",
            "CONTENT",
            "K-1",
            None,
        )
        assert one.is_reviewed


async def test_a_receipt_may_be_marked_for_all(
    stores: Stores, part: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([part(message_id=n, assembly=1, part=n) for n in (1, 2)])

    moved = await stores.quarantine.move_together(
        [1, 2], allowed=DEFERRED, to=HoldState.RELEASED, at=noon, receipt=ReceiptState.SENT
    )

    assert {one.receipt for one in moved} == {ReceiptState.SENT}


async def test_of_two_that_move_the_same_parts_one_moves_them_all(
    stores: Stores, part: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([part(message_id=n, assembly=1, part=n) for n in range(1, 9)])

    moves = [
        stores.quarantine.move_together(
            ids, allowed=DEFERRED, to=HoldState.RELEASE_REQUESTED, at=noon
        )
        for ids in ([*range(1, 9)], [*range(8, 0, -1)])
    ]
    results = await asyncio.gather(*moves)

    assert sorted(map(len, results)) == [0, 8]
