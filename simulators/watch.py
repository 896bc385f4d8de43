"""Waiting for something to become true without polling and without sleeping."""

import asyncio
from collections.abc import Callable


class Watch:
    """Wakes whoever waits for a condition each time its owner says that something changed."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def changed(self) -> None:
        """Let everyone who waits look again."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
        self._waiting.clear()

    async def until(self, is_met: Callable[[], bool], within_s: float) -> None:
        """Return once `is_met()`; raise TimeoutError when it is not within `within_s`."""
        async with asyncio.timeout(within_s):
            while not is_met():
                waiter = asyncio.get_running_loop().create_future()
                self._waiting.add(waiter)
                await waiter
