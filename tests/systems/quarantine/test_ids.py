"""Message ids that are given once, whatever the clock does."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.systems.quarantine.model import MessageIds, is_message_id

NOON = 1_764_072_000_000
CLOCKS = st.lists(st.integers(0, 10**13 - 10), min_size=1, max_size=50)


@given(CLOCKS, st.integers(0, 99))
def test_every_id_is_above_the_last_even_when_the_clock_steps_back(
    clock: list[int], worker: int
) -> None:
    ids = MessageIds(worker)

    issued = [ids.next_id(moment) for moment in clock]

    assert all(earlier < later for earlier, later in pairwise(issued))
    assert all(is_message_id(str(message_id)) for message_id in issued)
    assert max(issued) < 2**63


@given(CLOCKS, CLOCKS)
def test_a_new_run_goes_on_above_the_highest_id_of_the_last(
    before: list[int], after: list[int]
) -> None:
    earlier = MessageIds(1)
    highest = [earlier.next_id(moment) for moment in before][-1]

    later = MessageIds(1, after=highest)

    assert later.next_id(after[0]) > highest


@given(CLOCKS)
def test_two_workers_never_give_the_same_id(clock: list[int]) -> None:
    one, other = MessageIds(1), MessageIds(2)

    given_by_one = {one.next_id(moment) for moment in clock}
    given_by_other = {other.next_id(moment) for moment in clock}

    assert not given_by_one & given_by_other


def test_the_id_tells_when_and_where_it_was_given() -> None:
    assert MessageIds(7).next_id(NOON) == 8_1764072000000_07_000


def test_more_than_a_thousand_in_one_millisecond_borrow_from_the_next() -> None:
    ids = MessageIds(7)

    issued = [ids.next_id(NOON) for _ in range(1001)]

    assert issued[999] == 8_1764072000000_07_999
    assert issued[1000] == 8_1764072000001_07_000


@pytest.mark.parametrize("worker", [-1, 100])
def test_a_worker_without_room_in_the_id_is_refused(worker: int) -> None:
    with pytest.raises(ValueError, match="0 to 99"):
        MessageIds(worker)


@pytest.mark.parametrize("moment", [-1, 10**13])
def test_a_time_without_room_in_the_id_is_refused(moment: int) -> None:
    with pytest.raises(ValueError, match="milliseconds"):
        MessageIds(1).next_id(moment)


@pytest.mark.parametrize(
    "text",
    ["", "8", "81764072000000070000", "7176407200000007000", "8176407200000007OOO", "８" * 19],
)
def test_other_texts_are_no_id_of_ours(text: str) -> None:
    assert not is_message_id(text)
