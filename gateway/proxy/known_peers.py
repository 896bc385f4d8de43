"""Keeps in the store from where SPs have bound, so that a restart makes no strangers of them."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NoReturn

from gateway.ports.errors import StoreUnavailable
from gateway.ports.known_peers import KnownPeer, KnownPeerStore
from gateway.runtime.clock import monotonic, utcnow
from gateway.session.addresses import origin_of
from gateway.session.lockout import KNOWN_S, Lockouts

MAX_PEERS = 10_000

_EVERY_S = 1.0
_AGE = timedelta(seconds=KNOWN_S)
# A peer that binds again and again is written once an hour.
_STALE = timedelta(hours=1)


class KnownPeers:
    """Loads what is kept into `lockouts`, and writes what is new, never within the tick."""

    def __init__(
        self, store: KnownPeerStore, lockouts: Lockouts, now: Callable[[], datetime] = utcnow
    ) -> None:
        self._store = store
        self._lockouts = lockouts
        self._now = now
        self._written: dict[tuple[str, str], datetime] = {}
        self._waiting: dict[tuple[str, str], datetime] = {}
        self._pruned_at: datetime | None = None

    async def load(self) -> None:
        """Know again whoever bound in the last week. Raises StoreUnavailable."""
        now, at = self._now(), monotonic()
        for peer in await self._store.listed(now - _AGE, MAX_PEERS):
            age_s = max(0.0, (now - peer.bound_at).total_seconds())
            self._lockouts.know(peer.origin, peer.system_id, at - age_s)
            self._written[peer.system_id, peer.origin] = peer.bound_at

    def bound(self, system_id: str, address: str) -> None:
        """Note that an SP has bound from `address`."""
        key, now = (system_id, origin_of(address)), self._now()
        written = self._written.get(key)
        is_fresh = written is not None and now - written < _STALE
        if not is_fresh and len(self._waiting) < MAX_PEERS:
            self._waiting[key] = now

    async def keep(self) -> NoReturn:
        """Write what is new each second, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.write()

    async def write(self) -> None:
        """Write what is new; while the store does not answer it waits, MAX_PEERS of it."""
        waiting = dict(self._waiting)
        try:
            await self._store.note([KnownPeer(*key, at) for key, at in waiting.items()])
            await self._prune()
        except StoreUnavailable:
            return
        for key, at in waiting.items():
            self._written[key] = at
            if self._waiting.get(key) == at:
                del self._waiting[key]

    async def _prune(self) -> None:
        now = self._now()
        if self._pruned_at is not None and now - self._pruned_at < _STALE:
            return
        await self._store.forget(now - _AGE, MAX_PEERS)
        self._written = {key: at for key, at in self._written.items() if now - at < _STALE}
        self._pruned_at = now
