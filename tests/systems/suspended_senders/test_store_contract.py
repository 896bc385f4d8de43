"""What gateway.systems.suspended_senders promises, on every store."""

from dataclasses import replace
from datetime import datetime

import pytest

from gateway.domain.live import SuspendedSender
from gateway.stores import Stores

pytestmark = pytest.mark.every_store


async def test_an_sp_is_suspended_until_it_is_resumed(stores: Stores, noon: datetime) -> None:
    first = SuspendedSender("sp1", noon, "wu", "case 12")
    other = SuspendedSender("sp0", noon, "lin", "case 13")
    store = stores.suspended_senders

    for one in (first, other, replace(first, note="case 14")):
        await store.suspend(one)
    suspended = await store.listed()
    await store.resume("sp1")
    await store.resume("sp1")

    assert suspended == [other, replace(first, note="case 14")]
    assert await store.listed() == [other]


async def test_an_smsc_is_drained_until_it_is_resumed(stores: Stores) -> None:
    store = stores.drained_smscs

    for name in ("b", "a", "b"):
        await store.drain(name)
    drained = await store.listed()
    await store.resume("b")

    assert drained == ["a", "b"]
    assert await store.listed() == ["a"]
