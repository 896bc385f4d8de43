"""Long work in a thread beside the loop."""

import gc
import sys
import threading

import pytest

from gateway.runtime.apart import apart


def now() -> tuple[float, bool, int]:
    return sys.getswitchinterval(), gc.isenabled(), threading.get_ident()


async def test_work_apart_gives_the_loop_its_turns_and_leaves_all_as_it_was() -> None:
    before = now()

    turn_s, collects, thread = await apart(now)

    assert turn_s < 0.001 < before[0]
    assert not collects
    assert thread != before[2]
    assert now() == before


async def test_what_fails_apart_is_raised_and_leaves_all_as_it_was() -> None:
    before = now()

    with pytest.raises(ZeroDivisionError):
        await apart(divmod, 1, 0)

    assert now() == before


async def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        await apart(now)

        assert not gc.isenabled()
    finally:
        gc.enable()
