"""What people decide of many messages at once."""

from collections.abc import Callable
from datetime import datetime
from typing import NoReturn, TypeAlias

import pytest

from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.quarantine.service import ActResult, Outcome, QuarantineDesk
from gateway.systems.quarantine.sql import QuarantineStore

Builder: TypeAlias = Callable[..., HeldMessage]


def told(outcomes: list[Outcome]) -> list[tuple[int, HoldState | None]]:
    """Return whom the outcomes are of, and where each stands; what was not done is negative."""
    return [
        (one.message.message_id, one.message.state)
        if isinstance(one, ActResult)
        else (-one.message_id, one.state)
        for one in outcomes
    ]


async def test_of_many_each_is_asked_for_once_and_the_others_tell_why_not(
    desk: QuarantineDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold(
        [held(message_id=1), held(message_id=2, state=HoldState.DISCARDED), held(message_id=3)]
    )

    first = await desk.request_release_each((3, 2, 1, 9), "zhao", noon)
    second = await desk.request_release_each((1, 3), "qian", noon)

    asked = HoldState.RELEASE_REQUESTED
    assert told(first) == [(1, asked), (-2, HoldState.DISCARDED), (3, asked), (-9, None)]
    assert told(second) == [(-1, asked), (-3, asked)]
    kept = await stores.quarantine.get_many((1, 3))
    assert {one.note for one in kept} == {"release asked by zhao"}
    assert all(one.is_reviewed for one in kept)


async def test_many_are_dropped_and_their_receipts_are_due(
    desk: QuarantineDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1), held(message_id=2, receipt_asked=False)])

    outcomes = await desk.discard_each((1, 2), "zhao", noon)

    assert told(outcomes) == [(1, HoldState.DISCARDED), (2, HoldState.DISCARDED)]
    kept = await stores.quarantine.get_many((1, 2))
    assert [one.receipt for one in kept] == [ReceiptState.DUE, ReceiptState.NONE]
    assert {one.note for one in kept} == {"discarded by zhao"}


async def test_parts_take_each_other_along_and_each_is_told_of_once(
    desk: QuarantineDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    parts = [held(message_id=number, assembly=2, part=number) for number in (2, 3, 4)]
    await stores.quarantine.hold([held(message_id=1), *parts, held(message_id=5)])

    outcomes = await desk.discard_each((1, 2, 3), "zhao", noon)

    assert told(outcomes) == [(number, HoldState.DISCARDED) for number in (1, 2, 3, 4)]


async def test_of_parts_that_stand_apart_those_are_moved_that_may(
    desk: QuarantineDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    released = held(message_id=1, assembly=1, part=1, state=HoldState.RELEASED)
    await stores.quarantine.hold([released, held(message_id=2, assembly=1, part=2)])

    outcomes = await desk.discard_each((1, 2), "zhao", noon)

    assert told(outcomes) == [(-1, HoldState.RELEASED), (2, HoldState.DISCARDED)]


async def test_what_fails_for_one_part_is_raised_once_all_have_ended(
    desk: QuarantineDesk,
    stores: Stores,
    held: Builder,
    noon: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object, **__: object) -> NoReturn:
        raise StoreUnavailable("no answer in time")

    await stores.quarantine.hold(
        [held(message_id=1), *(held(message_id=n, assembly=2, part=n - 1) for n in (2, 3))]
    )
    monkeypatch.setattr(QuarantineStore, "move_together", fail)

    with pytest.raises(StoreUnavailable):
        await desk.discard_each((1, 2), "zhao", noon)

    states = [one.state for one in await stores.quarantine.get_many((1, 2))]
    assert states == [HoldState.DISCARDED, HoldState.HELD]
