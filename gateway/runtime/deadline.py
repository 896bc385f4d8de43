"""Deadlines for what answers us, which our own delay does not use up."""

import asyncio
from collections.abc import Set as AbstractSet
from typing import TypeVar

T = TypeVar("T")

_STEP_S = 0.1


async def wait_listening(awaited: AbstractSet[asyncio.Future[T]], deadline_s: float) -> float:
    """Wait until all are done, at most while the loop has listened for `deadline_s`.

    Returns for how many seconds it has listened. A step in which the loop stood still counts
    as 0.1 s, however long that was: an answer that lies ready was in time.
    """
    listened_s = 0.0
    while listened_s < deadline_s:
        step_s = min(_STEP_S, deadline_s - listened_s)
        _, pending = await asyncio.wait(awaited, timeout=step_s)
        if not pending:
            break
        listened_s += step_s
    return listened_s
