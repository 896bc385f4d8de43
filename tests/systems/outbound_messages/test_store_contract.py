"""What gateway.systems.outbound_messages promises, on every store."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest

from gateway.domain.outbound_message import (
    MAX_ATTEMPTS,
    NewOutboundMessage,
    OutboundKind,
    OutboundState,
)
from gateway.storage.change_feed import ChangeKind
from gateway.stores import Stores, open_store

pytestmark = pytest.mark.every_store

OutboundBuilder: TypeAlias = Callable[..., NewOutboundMessage]

MINUTE = timedelta(minutes=1)
PORTS = ("10690001", "10086")


@pytest.fixture
def outbound(noon: datetime) -> OutboundBuilder:
    """Build a request that an order be confirmed; give what should be otherwise."""
    usual = NewOutboundMessage(
        "10690001", 8613800138000, "请回是", OutboundKind.ORDER, "r1", noon, noon + 30 * MINUTE
    )
    return lambda **changes: replace(usual, **changes)


async def test_an_outbound_message_waits_and_is_announced(
    stores: Stores, outbound: OutboundBuilder
) -> None:
    number = await stores.outbound_messages.add(outbound())

    kept = await stores.outbound_messages.get(number)
    assert kept is not None
    assert (kept.port, kept.msisdn, kept.text) == ("10690001", 8613800138000, "请回是")
    assert (kept.state, kept.attempts) == (OutboundState.WAITING, 0)
    assert await stores.outbound_messages.waiting_ports() == {"10690001"}
    assert [(one.kind, one.key) for one in await stores.changes.changes(0)] == [
        (ChangeKind.ERRAND, str(number))
    ]


async def test_what_waits_is_taken_in_order_from_the_ports_that_are_asked_for(
    stores: Stores, outbound: OutboundBuilder, noon: datetime
) -> None:
    first, second, other, third = [
        await stores.outbound_messages.add(outbound(port=port))
        for port in ("10690001", "10690001", "10690002", "10086")
    ]

    some = await stores.outbound_messages.take_waiting(noon, noon + MINUTE, PORTS, 2)
    rest = await stores.outbound_messages.take_waiting(noon, noon + MINUTE, PORTS, 9)

    assert [one.number for one in some] == [first, second]
    assert [one.number for one in rest] == [third]
    left = await stores.outbound_messages.get(other)
    assert left is not None
    assert left.attempts == 0


async def test_codes_and_orders_go_before_answers_to_complaints(
    stores: Stores, outbound: OutboundBuilder, noon: datetime
) -> None:
    kinds = OutboundKind.COMPLAINT, OutboundKind.COMPLAINT, OutboundKind.CODE, OutboundKind.ORDER
    numbers = [await stores.outbound_messages.add(outbound(kind=kind)) for kind in kinds]

    some = await stores.outbound_messages.take_waiting(noon, noon + MINUTE, PORTS, 3)
    rest = await stores.outbound_messages.take_waiting(noon, noon + MINUTE, PORTS, 3)

    assert [one.number for one in some] == [numbers[2], numbers[3], numbers[0]]
    assert [one.number for one in rest] == [numbers[1]]


async def test_r40_what_must_not_be_sent_yet_waits(
    stores: Stores, outbound: OutboundBuilder, noon: datetime
) -> None:
    later = noon + 10 * MINUTE
    number = await stores.outbound_messages.add(outbound(not_before=later))

    early = await stores.outbound_messages.take_waiting(later - MINUTE, later, PORTS, 9)
    due = await stores.outbound_messages.take_waiting(later, later + MINUTE, PORTS, 9)

    assert (early, [one.number for one in due]) == ([], [number])


async def test_of_many_processes_one_takes_an_errand(
    stores: Stores, outbound: OutboundBuilder, noon: datetime
) -> None:
    number = await stores.outbound_messages.add(outbound())

    taken = await asyncio.gather(
        *(stores.outbound_messages.take_waiting(noon, noon + MINUTE, PORTS, 5) for _ in range(5))
    )

    assert sorted(len(some) for some in taken) == [0, 0, 0, 0, 1]
    assert [one.number for some in taken for one in some] == [number]


async def test_what_a_process_took_and_died_with_is_taken_again(
    stores: Stores, outbound: OutboundBuilder, noon: datetime
) -> None:
    await stores.outbound_messages.add(outbound())

    (first,) = await stores.outbound_messages.take_waiting(noon, noon + MINUTE, PORTS, 5)
    (again,) = await stores.outbound_messages.take_waiting(
        noon + MINUTE, noon + 2 * MINUTE, PORTS, 5
    )

    assert again == replace(first, attempts=2)


async def test_a_text_that_came_to_nothing_is_free_again_when_it_was_put_back(
    stores: Stores, outbound: OutboundBuilder, noon: datetime
) -> None:
    number = await stores.outbound_messages.add(outbound())
    await stores.outbound_messages.take_waiting(noon, noon + MINUTE, PORTS, 5)

    later = noon + timedelta(seconds=5)
    await stores.outbound_messages.put_back(number, later, was_written=False)

    assert await stores.outbound_messages.take_waiting(noon, noon + MINUTE, PORTS, 5) == []
    (taken,) = await stores.outbound_messages.take_waiting(later, noon + MINUTE, PORTS, 5)
    assert taken.attempts == 1


async def test_an_outbound_message_ends_once(
    stores: Stores, outbound: OutboundBuilder, noon: datetime
) -> None:
    number = await stores.outbound_messages.add(outbound())
    await stores.outbound_messages.take_waiting(noon, noon + MINUTE, PORTS, 5)

    assert await stores.outbound_messages.finish(number, OutboundState.SENT, "7F01")
    assert not await stores.outbound_messages.finish(number, OutboundState.REFUSED)
    assert not await stores.outbound_messages.finish(number + 1, OutboundState.SENT)
    await stores.outbound_messages.put_back(number, noon, was_written=True)
    await stores.outbound_messages.put_back(number + 1, noon, was_written=True)

    kept = await stores.outbound_messages.get(number)
    assert kept is not None
    assert (kept.state, kept.message_id, kept.text) == (OutboundState.SENT, "7F01", "请回是")
    assert await stores.outbound_messages.waiting_ports() == set()
    assert await stores.outbound_messages.take_waiting(noon + MINUTE, noon, PORTS, 5) == []


@pytest.mark.parametrize("state", [OutboundState.SENT, OutboundState.REFUSED])
async def test_r51_a_code_cannot_be_read_any_more_once_it_was_sent(
    stores: Stores, outbound: OutboundBuilder, state: OutboundState
) -> None:
    number = await stores.outbound_messages.add(
        outbound(kind=OutboundKind.CODE, text="验证码482913")
    )

    await stores.outbound_messages.finish(number, state)

    kept = await stores.outbound_messages.get(number)
    assert kept is not None
    assert kept.text == ""


async def test_what_could_not_be_sent_in_time_expires_and_is_told_of(
    stores: Stores, outbound: OutboundBuilder, noon: datetime
) -> None:
    late = await stores.outbound_messages.add(
        outbound(kind=OutboundKind.CODE, not_after=noon + MINUTE)
    )
    await stores.outbound_messages.add(outbound())

    assert await stores.outbound_messages.expire(noon, 5) == []
    taken = await stores.outbound_messages.take_waiting(noon + MINUTE, noon + 2 * MINUTE, PORTS, 5)
    ended = await stores.outbound_messages.expire(noon + MINUTE, 5)

    assert late not in [one.number for one in taken]
    assert [(one.number, one.state, one.text) for one in ended] == [
        (late, OutboundState.EXPIRED, "")
    ]
    assert await stores.outbound_messages.get(late) == ended[0]


async def test_what_is_under_way_past_its_time_is_let_be_until_the_claim_is_over(
    stores: Stores, outbound: OutboundBuilder, noon: datetime
) -> None:
    number = await stores.outbound_messages.add(outbound(not_after=noon + MINUTE))
    await stores.outbound_messages.take_waiting(noon, noon + 2 * MINUTE, PORTS, 5)

    assert await stores.outbound_messages.expire(noon + MINUTE, 5) == []
    assert [one.number for one in await stores.outbound_messages.expire(noon + 2 * MINUTE, 5)] == [
        number
    ]


async def test_what_is_never_answered_is_sent_a_few_times_and_no_more(
    stores: Stores, outbound: OutboundBuilder, noon: datetime
) -> None:
    number = await stores.outbound_messages.add(outbound())
    for _ in range(MAX_ATTEMPTS):
        await stores.outbound_messages.take_waiting(noon, noon + MINUTE, PORTS, 5)
        await stores.outbound_messages.put_back(number, noon, was_written=True)

    assert await stores.outbound_messages.take_waiting(noon, noon + MINUTE, PORTS, 5) == []
    (ended,) = await stores.outbound_messages.expire(noon, 5)
    assert (ended.number, ended.state) == (number, OutboundState.EXPIRED)


async def test_what_is_done_is_forgotten_and_what_waits_is_not(
    stores: Stores, outbound: OutboundBuilder, noon: datetime
) -> None:
    done, waiting = (
        await stores.outbound_messages.add(outbound()),
        await stores.outbound_messages.add(outbound()),
    )
    young = await stores.outbound_messages.add(outbound(created_at=noon + MINUTE))
    await stores.outbound_messages.finish(done, OutboundState.SENT)
    await stores.outbound_messages.finish(young, OutboundState.SENT)

    assert await stores.outbound_messages.forget(noon + MINUTE) == 1

    assert await stores.outbound_messages.get(done) is None
    assert await stores.outbound_messages.get(waiting) is not None
    assert await stores.outbound_messages.get(young) is not None


async def test_an_outbound_message_outlives_the_process_that_asked_for_it(
    sqlite_url: str, outbound: OutboundBuilder, noon: datetime
) -> None:
    asking = await open_store(sqlite_url)
    number = await asking.outbound_messages.add(outbound())
    await asking.close()

    sending = await open_store(sqlite_url)
    (taken,) = await sending.outbound_messages.take_waiting(noon, noon + MINUTE, PORTS, 5)
    await sending.close()

    assert taken.number == number
