"""What gateway.systems.known_peers promises, on every store."""

from datetime import datetime, timedelta

import pytest

from gateway.stores import Stores, open_store
from gateway.systems.known_peers import KnownPeer

pytestmark = pytest.mark.every_store

DAY = timedelta(days=1)


async def test_peers_come_back_the_oldest_first(stores: Stores, noon: datetime) -> None:
    peers = [KnownPeer(f"sp{n}", "2001:db8::/64", noon + n * DAY) for n in range(3)]

    await stores.known_peers.note(peers[::-1])
    await stores.known_peers.note([])

    assert await stores.known_peers.listed(noon - DAY, 10) == peers
    assert await stores.known_peers.listed(noon, 10) == peers[1:]
    assert await stores.known_peers.listed(noon - DAY, 2) == peers[1:]


async def test_the_later_time_of_one_peer_counts_whichever_comes_first(
    stores: Stores, noon: datetime
) -> None:
    earlier, later = (KnownPeer("sp1", "192.0.2.1", noon + n * DAY) for n in range(2))

    for peer in (earlier, later, earlier):
        await stores.known_peers.note([peer])

    assert await stores.known_peers.listed(noon - DAY, 10) == [later]


async def test_old_peers_and_those_past_the_bound_are_forgotten(
    stores: Stores, noon: datetime
) -> None:
    peers = [KnownPeer("sp1", f"192.0.2.{n}", noon + n * DAY) for n in range(6)]
    await stores.known_peers.note(peers)

    assert await stores.known_peers.forget(noon + 2 * DAY, keep=3) == 3
    assert await stores.known_peers.forget(noon + 2 * DAY, keep=3) == 0
    assert await stores.known_peers.listed(noon, 10) == peers[3:]


async def test_known_peers_outlive_the_process(sqlite_url: str, noon: datetime) -> None:
    peer = KnownPeer("sp1", "192.0.2.1", noon)
    first = await open_store(sqlite_url)
    await first.known_peers.note([peer])
    await first.close()

    second = await open_store(sqlite_url)
    try:
        assert await second.known_peers.listed(noon - DAY, 10) == [peer]
    finally:
        await second.close()
