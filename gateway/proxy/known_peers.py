"""Store the addresses that SPs bind from, so that they are still known after a restart."""

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
# A peer that binds repeatedly is written once an hour.
_STALE = timedelta(hours=1)


class KnownPeers:
    """Loads stored peers into `lockouts` and writes new ones, not within the tick."""

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
        """Load the peers that bound in the last week. Raises StoreUnavailable."""
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
        """Write new peers every second until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.write()

    async def write(self) -> None:
        """Write new peers; at most MAX_PEERS wait while the store does not answer."""
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
