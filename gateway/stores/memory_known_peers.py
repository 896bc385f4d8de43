"""The in-memory twin of the store of known peers (contract: gateway.ports.known_peers)."""

from collections.abc import Sequence
from datetime import datetime

from gateway.ports.known_peers import KnownPeer


class MemoryKnownPeers:
    """Twin of the store of known peers."""

    def __init__(self) -> None:
        self._peers: dict[tuple[str, str], KnownPeer] = {}

    async def note(self, peers: Sequence[KnownPeer]) -> None:
        for peer in peers:
            key = (peer.system_id, peer.origin)
            before = self._peers.get(key)
            if before is None or before.bound_at < peer.bound_at:
                self._peers[key] = peer

    async def listed(self, after: datetime, limit: int) -> list[KnownPeer]:
        newest = [peer for peer in self._newest_first() if peer.bound_at > after]
        return newest[:limit][::-1]

    async def forget(self, before: datetime, keep: int) -> int:
        newest = [peer for peer in self._newest_first() if peer.bound_at >= before][:keep]
        gone = len(self._peers) - len(newest)
        self._peers = {(peer.system_id, peer.origin): peer for peer in newest}
        return gone

    def _newest_first(self) -> list[KnownPeer]:
        return sorted(
            self._peers.values(),
            key=lambda peer: (peer.bound_at, peer.system_id, peer.origin),
            reverse=True,
        )
