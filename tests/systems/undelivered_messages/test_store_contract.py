"""What gateway.systems.undelivered_messages promises, on every store."""

import asyncio
from datetime import datetime, timedelta

import pytest

from gateway.storage.database import Database
from gateway.stores import Stores, open_store
from gateway.systems.undelivered_messages import KEPT, UndeliveredStore

pytestmark = pytest.mark.every_store

TD, HELLO = b"\0\0\0\x12TD", b"\0\0\0\x15Hello"


async def test_what_is_kept_comes_back_in_order_until_it_is_delivered(stores: Stores) -> None:
    store = stores.undelivered
    numbers = [(await store.keep("sp1", pdu))[0] for pdu in (TD, HELLO)]
    await store.keep("sp2", TD)

    first, second = await store.first_of("sp1", 10)

    assert [first.number, second.number] == numbers
    assert (first.system_id, first.pdu, second.pdu) == ("sp1", TD, HELLO)
    assert await store.first_of("sp1", 1) == [first]
    assert await store.first_of("sp1", 10, {first.number}) == [second]
    assert await store.first_of("sp1", 10, after=first.number) == [second]
    assert await store.counts() == {"sp1": 2, "sp2": 1}
    assert await store.last_number() == second.number + 1
    assert [await store.delivered(some) for some in (numbers[:1], numbers, numbers)] == [1, 1, 0]
    assert await store.first_of("sp1", 10) == []
    assert await store.counts() == {"sp2": 1}


async def test_the_last_number_of_nothing_is_0(stores: Stores) -> None:
    assert await stores.undelivered.last_number() == 0


async def test_what_the_smsc_sends_again_is_kept_once_until_it_was_acknowledged(
    stores: Stores,
) -> None:
    store = stores.undelivered
    number, _ = await store.keep("sp1", TD)

    store.note_unanswered(number)
    again = await store.keep("sp1", TD)
    others, is_others = await store.keep("sp2", TD)
    await store.acknowledge(number)
    later, is_new = await store.keep("sp1", TD)

    assert again == (number, False)
    assert (is_others, is_new) == (True, True)
    assert len({number, others, later}) == 3


async def test_the_same_once_more_before_the_smsc_was_told_is_another_message(
    stores: Stores,
) -> None:
    store = stores.undelivered

    kept = await asyncio.gather(*(store.keep("sp1", TD) for _ in range(2)))
    for number, _ in kept:
        store.note_unanswered(number)
    again = await asyncio.gather(*(store.keep("sp1", TD) for _ in range(3)))

    assert [is_new for _, is_new in kept] == [True, True]
    assert again[:2] == [(number, False) for number, _ in kept]
    assert again[2][1]


async def test_what_is_too_old_is_forgotten(database: Database, noon: datetime) -> None:
    now = noon
    store = UndeliveredStore(database, lambda: now)
    await store.keep("sp1", TD)
    now += KEPT
    await store.keep("sp1", HELLO)

    kept = await store.forget_old()
    now += timedelta(seconds=1)

    assert kept == 0
    assert await store.forget_old() == 1
    assert [one.pdu for one in await store.first_of("sp1", 10)] == [HELLO]


async def test_what_is_kept_outlives_the_process(sqlite_url: str) -> None:
    first = await open_store(sqlite_url)
    number, _ = await first.undelivered.keep("sp1", TD)
    await first.close()

    second = await open_store(sqlite_url)

    assert [one.number for one in await second.undelivered.first_of("sp1", 9)] == [number]
    await second.close()
