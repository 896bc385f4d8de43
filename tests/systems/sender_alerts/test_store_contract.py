"""What gateway.systems.sender_alerts promises, on every store."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.stores import Stores
from gateway.systems.sender_alerts import AlertKind, SenderAlert

pytestmark = pytest.mark.every_store


async def test_an_alert_is_on_record_once_and_told_once(stores: Stores, noon: datetime) -> None:
    first = SenderAlert("sp1", AlertKind.WARNING, "7", '{"code":"W1"}', noon)
    later = replace(first, kind=AlertKind.ENDING, about="licence", at=noon + timedelta(hours=1))
    other = replace(first, system_id="sp2")
    store, since = stores.sender_alerts, noon - timedelta(days=3)

    await store.add([later, first, other])
    await store.add([replace(first, fields="{}", at=noon + timedelta(hours=2))])
    await store.add([])
    waiting = await store.untold(["sp1"], since)
    await store.told([first], noon)
    await store.add([first])

    assert waiting == [first, later]
    assert await store.untold(["sp1", "sp2"], since) == [other, later]
    assert await store.untold(["sp1", "sp2"], noon) == [later]
    assert await store.untold([], since) == []


async def test_old_alerts_are_forgotten_told_or_not(stores: Stores, noon: datetime) -> None:
    old = SenderAlert("sp1", AlertKind.THROTTLED, "2026-05-01", "{}", noon - timedelta(seconds=1))
    new = replace(old, about="2026-05-02", at=noon)
    await stores.sender_alerts.add([old, new])

    gone = await stores.sender_alerts.forget(noon)

    assert gone == 1
    assert await stores.sender_alerts.untold(["sp1"], noon - timedelta(days=9)) == [new]
