"""Waiting in real time: for another process, which tells nobody, and between messages of a load.

No other module of the tests sleeps: what happens in their own process is waited for by its state
(`simulators.watch`, the fixture `until`), and clocks are passed on.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

WITHIN_S = 120.0
LONG_S = 1800.0  # for what depends on a load, on a machine that has much else to do


async def eventually(
    probe: Callable[[], Awaitable[bool]], within_s: float = WITHIN_S, every_s: float = 0.05
) -> None:
    """Wait for what only asking again can tell; raise TimeoutError when it is not `within_s`."""
    async with asyncio.timeout(within_s):
        while not await probe():  # noqa: ASYNC110 - the answer lies in another process
            await asyncio.sleep(every_s)


async def pause(seconds: float) -> None:
    """Wait until the next message or fault of a load is due; nothing is expected of it."""
    await asyncio.sleep(max(0.0, seconds))


def pause_thread(seconds: float) -> None:
    """Wait as `pause` does, in a thread of a load without a loop."""
    time.sleep(max(0.0, seconds))
