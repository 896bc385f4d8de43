"""One after the other for each subscriber, side by side for different ones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Gives out turns by key, in the order they were asked for; keeps nothing of a key at rest."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[asyncio.Lock, list[None]]] = {}

    @asynccontextmanager
    async def of(self, key: int) -> AsyncIterator[None]:
        """Wait for the turn of `key`, and have it inside."""
        lock, users = self._waiting.setdefault(key, (asyncio.Lock(), []))
        users.append(None)
        try:
            async with lock:
                yield
        finally:
            users.pop()
            if not users:
                del self._waiting[key]
