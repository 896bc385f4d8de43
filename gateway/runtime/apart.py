"""Long work in a thread that leaves the loop its turns."""

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")

# A thread that computes keeps the interpreter for 5 ms by default before the loop gets it. In
# turns of half a millisecond the loop came to nothing for as long as the thread made many short
# calls of RE2 and numba, which let go of it by themselves.
_TURN_S = 0.0001
# What the work makes would set off full collections, 30 ms each with a full text cache. Young ones
# go on: left to the end, they would be one of 3 ms.
_YOUNG_PER_FULL = 1_000_000


async def apart(work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
    """Return what `work` does in a thread; messages wait for it a millisecond or two at most.

    That is, as long as no call in it is longer that keeps the interpreter to itself: sorting or
    copying a hundred thousand objects is one. Not for two at a time.
    """
    with _yielding():
        return await asyncio.to_thread(work, *args, **kwargs)


@contextmanager
def _yielding() -> Iterator[None]:
    turn_s, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(_TURN_S)
    gc.set_threshold(*thresholds[:2], _YOUNG_PER_FULL)
    try:
        yield
    finally:
        # A gateway that has started meanwhile has set its own, for good.
        if gc.get_threshold()[2] == _YOUNG_PER_FULL:
            gc.set_threshold(*thresholds)
        sys.setswitchinterval(turn_s)
