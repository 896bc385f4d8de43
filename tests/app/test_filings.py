"""What other processes file, and what happens when it cannot be read."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date

import pytest

from gateway.app import followers
from gateway.app import gateway as composition
from gateway.app.gateway import Gateway
from gateway.domain.filings import Licence, Signature
from gateway.storage.change_feed import Change, ChangeFeed
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores, stores_of

LogLines = list[dict[str, object]]
Start = Callable[..., Awaitable[Gateway]]
Told = Callable[..., Awaitable[dict[str, object]]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

LICENCE = Licence("sp1", "粤B2-20200001", date(2099, 3, 31))


class FeedOfMoods(ChangeFeed):
    """A feed that cannot be read while it `is_down`."""

    is_down = False

    async def changes(self, after: int, limit: int = 1000) -> list[Change]:
        if self.is_down:
            raise StoreUnavailable("no disk")
        return await super().changes(after, limit)


async def test_what_was_filed_before_the_start_is_loaded(start: Start, told: Told) -> None:
    first = await start()
    await first.stores.filings.put([LICENCE, Signature("sp1", "示例商城")])
    await first.stop()

    await start()

    line = await told("filings.loaded", past=1)
    assert line["filings"] == 2


async def test_while_filings_cannot_be_read_the_last_known_hold(
    start: Start,
    told: Told,
    until: Until,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    log: LogLines,
) -> None:
    feed = FeedOfMoods(database)
    stores = replace(stores_of(database), changes=feed)

    async def given(_url: str, **_how: object) -> Stores:
        return stores

    monkeypatch.setattr(composition, "open_store", given)
    monkeypatch.setattr(followers, "_STALE_S", 0.0)
    await stores.filings.put([LICENCE])
    gateway = await start()
    known = gateway._knowledge.filings

    feed.is_down = True
    await told("filings.behind")
    held = known.of("sp1").is_licensed(0.0)
    was_current = known.is_current
    await stores.filings.put([Signature("sp1", "示例商城")])
    feed.is_down = False
    await until(lambda: known.of("sp1").has_signature("示例商城"))
    await until(lambda: known.is_current)

    assert held
    assert not was_current
    assert [line["event"] for line in log].count("filings.behind") == 1
