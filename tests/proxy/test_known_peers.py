"""From where SPs have bound: kept across a restart."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from gateway.proxy import gate
from gateway.proxy.gate import KnownPeers
from gateway.session.stranger_limits import KNOWN_S, Lockouts
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.systems.known_peers import KnownPeer, KnownPeerStore

NOON = datetime(2025, 11, 25, 12, tzinfo=UTC)
SP = "192.0.2.1"


class Wall:
    now = NOON

    def __call__(self) -> datetime:
        return self.now


class Failing(KnownPeerStore):
    is_down = False

    async def note(self, peers: Sequence[KnownPeer]) -> None:
        if self.is_down:
            raise StoreUnavailable("locked")
        await super().note(peers)


async def test_whoever_bound_before_a_restart_is_known_behind_it_for_the_rest_of_a_week(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate, "monotonic", lambda: 1000.0)
    store, wall = KnownPeerStore(database), Wall()
    before = KnownPeers(store, Lockouts(10), wall)
    before.bound("sp1", SP)
    await before.write()

    wall.now += timedelta(days=3)
    lockouts = Lockouts(10)
    await KnownPeers(store, lockouts, wall).load()

    assert lockouts.is_known(SP, 1000.0)
    assert lockouts.is_known(SP, 1000.0 + KNOWN_S - 3 * 86_400 - 1)
    assert not lockouts.is_known(SP, 1000.0 + KNOWN_S - 3 * 86_400)
    assert not lockouts.is_known("192.0.2.2", 1000.0)


async def test_an_sp_that_binds_again_and_again_is_written_once_an_hour(database: Database) -> None:
    store, wall = KnownPeerStore(database), Wall()
    peers = KnownPeers(store, Lockouts(10), wall)

    for _ in range(59):
        peers.bound("sp1", SP)
        await peers.write()
        wall.now += timedelta(minutes=1)
    within = await store.listed(NOON - timedelta(days=1), 10)
    wall.now += timedelta(minutes=1)
    peers.bound("sp1", SP)
    await peers.write()

    assert [peer.bound_at for peer in within] == [NOON]
    assert [peer.bound_at for peer in await store.listed(NOON, 10)] == [wall.now]


async def test_what_a_store_does_not_take_waits_and_is_bounded(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate, "MAX_PEERS", 2)
    store = Failing(database)
    peers = KnownPeers(store, Lockouts(10), Wall())
    store.is_down = True
    for number in range(1, 9):
        peers.bound("sp1", f"192.0.2.{number}")
    await peers.write()

    store.is_down = False
    await peers.write()

    kept = await store.listed(NOON - timedelta(days=1), 10)
    assert [peer.origin for peer in kept] == ["192.0.2.1", "192.0.2.2"]


async def test_peers_of_more_than_a_week_ago_are_forgotten(database: Database) -> None:
    store, wall = KnownPeerStore(database), Wall()
    await store.note([KnownPeer("sp1", SP, NOON - timedelta(days=8))])

    await KnownPeers(store, Lockouts(10), wall).write()

    assert await store.listed(NOON - timedelta(days=30), 10) == []
