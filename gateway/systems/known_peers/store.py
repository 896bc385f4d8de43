"""The store of the addresses that SPs have bound from: whom a lock-out of others spares."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol


class KnownPeer(NamedTuple):
    """When an SP last bound from `origin`: an IPv4 address, or the /64 of an IPv6 address."""

    system_id: str
    origin: str
    bound_at: datetime


class KnownPeerStore(Protocol):
    """Every call may be repeated, and raises StoreUnavailable when the store does not answer."""

    async def note(self, peers: Sequence[KnownPeer]) -> None:
        """Keep peers; one of the same system_id and origin is kept once, with the later time."""

    async def listed(self, after: datetime, limit: int) -> list[KnownPeer]:
        """Return the `limit` that bound last, of those after a moment, the oldest first."""

    async def forget(self, before: datetime, keep: int) -> int:
        """Delete what is older, and all but the newest `keep`; return how many."""
