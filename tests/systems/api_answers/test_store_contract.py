"""What gateway.systems.api_answers promises, on every store."""

import asyncio
from datetime import datetime, timedelta

import pytest

from gateway.stores import Stores
from gateway.systems import api_answers
from gateway.systems.api_answers import KEPT_FOR
from gateway.web.idempotency import KeptAnswer

pytestmark = pytest.mark.every_store


async def test_a_key_stands_for_one_request_and_then_for_its_answer(stores: Stores) -> None:
    store = stores.api_answers

    asked = await asyncio.gather(*(store.reserve("shop", "k1", "r1") for _ in range(5)))
    await store.keep("k1", 201, '{"号码":1}'.encode())
    again = await store.reserve("shop", "k1", "r2")

    assert sorted(asked, key=str) == [KeptAnswer("r1")] * 4 + [None]
    assert again == KeptAnswer("r1", 201, '{"号码":1}'.encode())


async def test_a_key_is_free_again_once_it_was_forgotten(stores: Stores) -> None:
    store = stores.api_answers
    await store.reserve("shop", "k1", "r1")

    await store.forget("k1")

    assert await store.reserve("shop", "k1", "r2") is None


async def test_an_answer_is_kept_for_a_day(
    stores: Stores, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, now = stores.api_answers, noon
    monkeypatch.setattr(store, "_utcnow", lambda: now)
    await store.reserve("shop", "k1", "r1")
    now += KEPT_FOR - timedelta(seconds=1)
    almost = await store.reserve("shop", "k1", "r1")
    now += timedelta(seconds=1)

    assert almost == KeptAnswer("r1")
    assert await store.reserve("shop", "k1", "r1") is None


async def test_of_one_client_only_so_many_are_kept(
    stores: Stores, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, now = stores.api_answers, noon
    monkeypatch.setattr(store, "_utcnow", lambda: now)
    monkeypatch.setattr(api_answers, "KEPT_OF_CLIENT", 3)
    await store.reserve("other", "o1", "r")
    for number in range(1, 5):
        now += timedelta(seconds=1)
        await store.reserve("shop", f"k{number}", "r")

    assert [await store.reserve("shop", f"k{one}", "r") for one in (2, 3, 4)] == [
        KeptAnswer("r")
    ] * 3
    assert await store.reserve("other", "o1", "r") == KeptAnswer("r")
    assert await store.reserve("shop", "k1", "r") is None
