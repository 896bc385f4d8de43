"""What is done to one part of a long message is done to all."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

import pytest

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.stores import Stores
from gateway.systems.quarantine.model import Grounds
from gateway.systems.quarantine.service import ActResult, NotDone, Outcome, QuarantineDesk

Builder: TypeAlias = Callable[..., HeldMessage]

IDS = (1, 2, 3)


@pytest.fixture
def parts(held: Builder) -> Callable[..., list[HeldMessage]]:
    """Build three parts in a state; the last of them came first."""
    return lambda state=HoldState.HELD: [
        held(message_id=one, assembly=1, part=4 - one, state=state) for one in IDS
    ]


async def states(stores: Stores) -> list[HoldState]:
    found = [await stores.quarantine.get(one) for one in IDS]
    return [one.state for one in found if one is not None]


def in_order(outcome: Outcome) -> list[int]:
    assert isinstance(outcome, ActResult)
    return [one.message_id for one in outcome.together]


async def test_who_releases_one_releases_all_in_their_order(
    desk: QuarantineDesk, stores: Stores, parts: Callable[..., list[HeldMessage]], noon: datetime
) -> None:
    await stores.quarantine.hold(parts())

    outcome = await desk.request_release(2, "zhao", noon)

    assert in_order(outcome) == [3, 2, 1]
    assert isinstance(outcome, ActResult)
    assert {one.is_reviewed for one in outcome.together} == {True}
    assert await states(stores) == [HoldState.RELEASE_REQUESTED] * 3


async def test_who_discards_or_cancels_one_does_it_to_all(
    desk: QuarantineDesk, stores: Stores, parts: Callable[..., list[HeldMessage]], noon: datetime
) -> None:
    await stores.quarantine.hold(parts(HoldState.DEFERRED))

    assert in_order(await desk.cancel(3, "sp1", noon)) == [3, 2, 1]
    again = await desk.discard(1, "zhao", noon)

    assert isinstance(again, NotDone)
    assert again.state is HoldState.CANCELLED
    assert await states(stores) == [HoldState.CANCELLED] * 3


async def test_when_the_time_of_one_is_over_all_expire(
    desk: QuarantineDesk, stores: Stores, parts: Callable[..., list[HeldMessage]]
) -> None:
    kept = parts()
    await stores.quarantine.hold(kept)

    expired = await desk.expire_due(kept[0].expires_at)

    assert [one.message_id for one in expired] == [3, 2, 1]
    assert await states(stores) == [HoldState.EXPIRED] * 3


async def test_those_that_were_released_stay_so(
    desk: QuarantineDesk, stores: Stores, parts: Callable[..., list[HeldMessage]], noon: datetime
) -> None:
    first, second, third = parts(HoldState.IN_DOUBT)
    await stores.quarantine.hold([first, second, third])
    await desk.confirm(2, "4711", noon)

    outcome = await desk.request_release(1, "zhao", noon)
    refused = await desk.request_release(2, "zhao", noon)

    assert in_order(outcome) == [3, 1]
    assert isinstance(refused, NotDone)


async def test_a_part_in_doubt_goes_out_again_only_where_that_is_said_of_one_in_doubt(
    desk: QuarantineDesk, stores: Stores, parts: Callable[..., list[HeldMessage]], noon: datetime
) -> None:
    first, second, third = parts()
    doubtful = [replace(one, state=HoldState.IN_DOUBT) for one in (second, third)]
    await stores.quarantine.hold([first, *doubtful])

    held = await desk.request_release(first.message_id, "zhao", noon)
    in_doubt = await desk.request_release(second.message_id, "zhao", noon)

    assert in_order(held) == [first.message_id]
    assert in_order(in_doubt) == [third.message_id, second.message_id]


async def test_what_waits_is_taken_together_once(
    desk: QuarantineDesk, stores: Stores, parts: Callable[..., list[HeldMessage]], noon: datetime
) -> None:
    await stores.quarantine.hold(parts(HoldState.DEFERRED))

    taken = await desk.take(1, noon)
    again = await desk.take(1, noon)
    begun = await desk.begin_release(3, noon, others=(2, 1))
    late = await desk.take(1, noon)

    assert [one.message_id for one in taken.ready] == [3, 2, 1]
    assert again == taken
    assert in_order(begun) == [3, 2, 1]
    assert (late.ready, late.others) == ([], begun.together if isinstance(begun, ActResult) else [])


async def test_a_verdict_on_one_is_one_on_all(
    desk: QuarantineDesk, stores: Stores, parts: Callable[..., list[HeldMessage]], noon: datetime
) -> None:
    grounds = Grounds("CONTENT", "K-1", "fraud", "word", "d" * 12, noon)
    await stores.quarantine.hold(parts(HoldState.RELEASE_REQUESTED))

    held = await desk.hold(1, grounds, "judged again", noon, others=(2, 3))
    nothing = await desk.refuse(1, "judged again", noon, others=(2, 3))

    assert in_order(held) == [3, 2, 1]
    assert isinstance(held, ActResult)
    assert {one.reason for one in held.together} == {"CONTENT"}
    assert isinstance(nothing, NotDone)
    assert await states(stores) == [HoldState.HELD] * 3


@pytest.mark.parametrize("act", ["request_release", "discard", "cancel"])
async def test_of_nothing_there_are_no_other_parts(
    desk: QuarantineDesk, noon: datetime, act: str
) -> None:
    outcome = await getattr(desk, act)(404, "zhao", noon)

    assert outcome == NotDone(404, None, "there is no such message")
