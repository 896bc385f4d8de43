"""A link's sequence numbers, and what it remembers of its requests."""

import pytest

from gateway.dataplane.link import Link
from gateway.session.operations import Side
from gateway.smpp.commands import CommandId
from tests.dataplane.conftest import World, smsc

LAST = 0x7FFFFFFF


def link(**changes: int) -> Link:
    made = Link(1, Side.SMSC, 10, 0.0)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def asked(on: Link, now: float = 0.0) -> int:
    return on.register(None, 1, CommandId.SUBMIT_SM, now, None)


def test_numbers_count_from_one() -> None:
    assert [link().next_sequence(), *map(asked, [link(sequence=41)])] == [1, 42]


def test_numbers_wrap_to_one() -> None:
    wrapping = link(sequence=LAST - 1)

    assert [wrapping.next_sequence() for _ in range(3)] == [LAST, 1, 2]


def test_a_number_is_not_given_again_while_it_is_outstanding() -> None:
    busy = link()
    first, second, third = (asked(busy) for _ in range(3))
    busy.outstanding.pop(second)
    busy.sequence = LAST

    assert [asked(busy), asked(busy)] == [second, third + 1]
    assert first == 1


def test_a_request_is_noted_with_who_asked() -> None:
    asker, target = Link(1, Side.ESME, 10, 0.0), link()

    own = target.register(asker, 0xFFFFFFFF, CommandId.DATA_SM, 5.0, "errand")

    assert target.outstanding == {own: (asker, 0xFFFFFFFF, CommandId.DATA_SM, 5.0, "errand")}


def test_a_request_given_up_is_known_when_its_answer_comes_late() -> None:
    slow = link()
    own = asked(slow)

    entry = slow.give_up(own)

    assert slow.outstanding == {}
    assert slow.late == {own: entry}


def test_what_is_late_is_bounded_and_the_oldest_goes_first() -> None:
    slow = link()
    given_up = [asked(slow) for _ in range(1002)]

    for own in given_up:
        slow.give_up(own)

    assert list(slow.late) == given_up[2:]


@pytest.mark.parametrize(("held", "outstanding", "room"), [(0, 0, 3), (1, 1, 1), (2, 1, 0)])
def test_a_window_holds_what_is_held_and_what_is_on_its_way(
    held: int, outstanding: int, room: int
) -> None:
    session = World().session(window=3)
    session.held = held
    for _ in range(outstanding):
        asked(smsc(session))

    assert session.room() == room


def test_without_an_smsc_only_what_is_held_takes_room() -> None:
    session = Link(1, Side.ESME, 3, 0.0)
    session.held = 1

    assert session.room() == 2
