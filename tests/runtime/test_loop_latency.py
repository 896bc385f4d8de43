"""Long work in a thread beside the loop."""

import gc
import sys
import threading

import pytest

from gateway.runtime.tasks import to_thread


def now() -> tuple[float, tuple[int, int, int], int]:
    return sys.getswitchinterval(), gc.get_threshold(), threading.get_ident()


async def test_work_apart_gives_the_loop_its_turns_and_leaves_all_as_it_was() -> None:
    before = now()

    turn_s, (young, middle, full), thread = await to_thread(now)

    assert turn_s < 0.001 < before[0]
    assert (young, middle) == before[1][:2]
    assert full > 100_000
    assert thread != before[2]
    assert now() == before


async def test_what_fails_apart_is_raised_and_leaves_all_as_it_was() -> None:
    before = now()

    with pytest.raises(ZeroDivisionError):
        await to_thread(divmod, 1, 0)

    assert now() == before


async def test_a_collector_that_is_off_stays_off() -> None:
    gc.disable()
    try:
        assert not await to_thread(gc.isenabled)
        assert not gc.isenabled()
    finally:
        gc.enable()


async def test_how_often_all_is_looked_over_from_now_on_may_be_set_meanwhile() -> None:
    before = gc.get_threshold()
    try:
        # As a gateway does that has started while a reload went on.
        await to_thread(gc.set_threshold, *before[:2], 100)
        assert gc.get_threshold() == (*before[:2], 100)
    finally:
        gc.set_threshold(*before)
