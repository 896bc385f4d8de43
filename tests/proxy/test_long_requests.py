"""Requests so long that judging one takes many ticks' time."""

from gateway.dataplane.link import Link
from gateway.proxy.tick import LongRequests
from gateway.session.operations import Side


def session(number: int, system_id: str) -> Link:
    link = Link(number, Side.ESME, 10, 0.0)
    link.system_id = system_id
    return link


def test_the_next_is_due_when_three_times_as_long_has_passed() -> None:
    waiting = LongRequests()
    at_once = waiting.due_in(10.0)

    waiting.judged(10.0, 0.5)

    assert at_once == 0
    assert [waiting.due_in(at) for at in (10.0, 11.0, 11.5, 99.0)] == [1.5, 0.5, 0, 0]


def test_after_one_that_was_no_dearer_than_a_tick_the_next_is_due_at_once() -> None:
    waiting = LongRequests()

    waiting.judged(10.0, 0.002)

    assert waiting.due_in(10.0) == 0


def test_senders_take_turns_however_many_sessions_one_has_waiting() -> None:
    waiting = LongRequests()
    for number in range(10):
        waiting.add(session(number, "heavy"))
    light = session(99, "light")
    waiting.add(light)

    turns = [waiting.take() for _ in range(2)]

    assert light in turns
    assert len(waiting) == 9


def test_a_session_that_is_gone_has_no_turn() -> None:
    waiting = LongRequests()
    gone, there = session(1, "sp1"), session(2, "sp2")
    waiting.add(gone)
    waiting.add(there)
    waiting.add(there)

    waiting.remove(gone)
    waiting.remove(gone)

    assert waiting.take() is there
    assert len(waiting) == 0
