"""Waiting in real time: for what tells nobody when it changes, and between messages of a load.

No other module of the tests sleeps, and none asks again in every turn of its loop: on a machine of
two cores that takes the time of what is waited for. Clocks are passed on; what can tell of a change
is awaited (`simulators.watch`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import repeat
from typing import TypeVar

T = TypeVar("T")

WITHIN_S = 120.0
LONG_S = 1800.0  # for what depends on a load, on a machine that has much else to do
_TURNS = 20  # of the loop: what another task of it does takes no more
_FIRST_S, _LONGEST_S = 0.001, 0.02


async def eventually(
    probe: Callable[[], Awaitable[bool]], within_s: float = WITHIN_S, every_s: float = 0.05
) -> None:
    """Wait for what only asking again can tell; raise TimeoutError when it is not `within_s`."""
    async with asyncio.timeout(within_s):
        while not await probe():  # noqa: ASYNC110 - nothing sets an event
            await asyncio.sleep(every_s)


async def until(is_met: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    """Wait for a condition of this process; raise TimeoutError when it is not `within_s`."""
    async with asyncio.timeout(within_s):
        pauses = _pauses()
        while not is_met():  # noqa: ASYNC110 - what it waits for sets no event
            await asyncio.sleep(next(pauses))


async def poll(look: Callable[[], Awaitable[T | None]], within_s: float = WITHIN_S) -> T:
    """Return what `look` finds, as soon as it is not None; raise TimeoutError after `within_s`."""
    async with asyncio.timeout(within_s):
        pauses = _pauses()
        while (sought := await look()) is None:  # noqa: ASYNC110 - as above
            await asyncio.sleep(next(pauses))
    return sought


def _pauses() -> Iterator[float]:
    """Give how long to wait before it is asked again: not at all, then longer and longer."""
    yield from repeat(0.0, _TURNS)
    pause_s = _FIRST_S
    while True:
        yield pause_s
        pause_s = min(1.5 * pause_s, _LONGEST_S)


async def pause(seconds: float) -> None:
    """Wait until the next message or fault of a load is due; nothing is expected of it."""
    await asyncio.sleep(max(0.0, seconds))


def pause_thread(seconds: float) -> None:
    """Wait as `pause` does, in a thread of a load without a loop."""
    time.sleep(max(0.0, seconds))
