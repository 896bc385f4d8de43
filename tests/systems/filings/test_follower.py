"""What is at hand follows what is on file."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from gateway.domain.filings import Filing, Licence, PortScope, Signature
from gateway.policy.filings import Filings
from gateway.storage.change_feed import Change, ChangeFeed
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.filings import service
from gateway.systems.filings.service import FilingsFollower

LICENCE = Licence("shop", "粤B2-20200001", date(2027, 3, 31))
SIGNATURE = Signature("shop", "示例商城")
SCOPE = PortScope("bank", "10621234", "福建")


class Moody(ChangeFeed):
    """A feed that cannot be read while it `is_down`."""

    is_down = False

    async def changes(self, after: int, limit: int = 1000) -> list[Change]:
        if self.is_down:
            raise StoreUnavailable("no disk")
        return await super().changes(after, limit)


class Watched(Filings):
    """Filings that note in which threads they were compiled."""

    def __init__(self) -> None:
        super().__init__(ZoneInfo("Asia/Shanghai"))
        self.threads: list[int] = []

    def replace_some(self, by_sender: Mapping[str, Iterable[Filing]]) -> None:
        self.threads.append(threading.get_ident())
        super().replace_some(by_sender)

    def replace_all(self, by_sender: Mapping[str, Iterable[Filing]]) -> None:
        self.threads.append(threading.get_ident())
        super().replace_all(by_sender)


@pytest.fixture
def filings() -> Filings:
    return Filings(ZoneInfo("Asia/Shanghai"))


@pytest.fixture
def follower(stores: Stores, filings: Filings) -> FilingsFollower:
    return FilingsFollower(stores.filings, stores.changes, filings)


async def test_loading_takes_over_all_that_is_on_file(
    follower: FilingsFollower, stores: Stores, filings: Filings
) -> None:
    await stores.filings.put([LICENCE, SIGNATURE, SCOPE])

    loaded = await follower.load()

    assert loaded == 3
    assert filings.of("shop").has_signature("示例商城")
    assert filings.of("bank").province_of("10621234") == "福建"
    assert await follower.catch_up() == 0


@pytest.mark.parametrize("filing", [SIGNATURE, SCOPE])
async def test_what_is_filed_later_is_taken_over(
    follower: FilingsFollower, stores: Stores, filings: Filings, filing: Filing
) -> None:
    await follower.load()
    await stores.filings.put([filing])

    taken = await follower.catch_up()

    assert taken == 1
    assert len(filings) == 1
    assert await follower.catch_up() == 0


async def test_what_is_filed_is_compiled_while_the_loop_goes_on(stores: Stores) -> None:
    filings = Watched()
    follower = FilingsFollower(stores.filings, stores.changes, filings)

    await follower.load()
    await stores.filings.put([LICENCE])
    await follower.catch_up()

    assert len(filings.threads) == 2
    assert threading.get_ident() not in filings.threads
    assert filings.of("shop").licence_ends is not None


async def test_what_is_removed_is_gone_here_too(
    follower: FilingsFollower, stores: Stores, filings: Filings
) -> None:
    await stores.filings.put([LICENCE, SIGNATURE])
    await follower.load()
    await stores.filings.remove([SIGNATURE])

    await follower.catch_up()

    assert not filings.of("shop").has_signature("示例商城")
    assert filings.of("shop").is_licensed(0.0)


async def test_a_signature_that_has_ended_counts_as_not_on_file_from_the_next_day_on(
    stores: Stores, filings: Filings, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = date(2026, 5, 1)
    monkeypatch.setattr(service, "carriers_day", lambda: day)
    follower = FilingsFollower(stores.filings, stores.changes, filings)
    await stores.filings.put([replace(SIGNATURE, valid_until=day), LICENCE])
    await follower.load()
    on_its_last_day = filings.of("shop").has_signature("示例商城")

    day = date(2026, 5, 2)
    await follower.catch_up()
    after_it = filings.of("shop").has_signature("示例商城")
    await stores.filings.put([replace(SIGNATURE, valid_until=day)])
    await follower.catch_up()

    assert (on_its_last_day, after_it) == (True, False)
    assert filings.of("shop").has_signature("示例商城")
    assert filings.of("shop").licence_ends is not None


async def test_loading_again_forgets_who_has_nothing_on_file_any_more(
    follower: FilingsFollower, stores: Stores, filings: Filings
) -> None:
    await stores.filings.put([LICENCE, SCOPE])
    await follower.load()
    await stores.filings.remove([SCOPE])

    await follower.load()

    assert filings.of("bank").province_of("10621234") is None
    assert len(filings) == 1


async def test_while_the_store_cannot_be_read_what_is_at_hand_holds(
    database: Database, stores: Stores, filings: Filings
) -> None:
    feed = Moody(database)
    follower = FilingsFollower(stores.filings, feed, filings)
    await follower.load()
    filings.replace("shop", [SIGNATURE])

    feed.is_down = True
    with pytest.raises(StoreUnavailable):
        await follower.catch_up()
    was_current = filings.is_current
    feed.is_down = False
    await follower.catch_up()

    assert not was_current
    assert filings.is_current
    assert filings.of("shop").has_signature("示例商城")
