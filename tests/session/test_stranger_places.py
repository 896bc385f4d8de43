"""Places of strangers: a newcomer gets one, and a crowd pays for its own members."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.session.stranger_limits import StrangerPlaces

CROWD, SP = "203.0.113.9", "192.0.2.1"


def test_an_address_with_all_its_places_loses_the_one_that_waits_longest() -> None:
    places: StrangerPlaces[int] = StrangerPlaces(total=8, of_one=2)

    gone = [places.enter(number, CROWD) for number in range(4)]

    assert gone == [None, None, 0, 1]
    assert len(places) == 2


def test_where_all_places_are_taken_the_largest_crowd_pays_for_a_newcomer() -> None:
    places: StrangerPlaces[str] = StrangerPlaces(total=4, of_one=3)
    places.enter("sp", SP)
    for number in range(3):
        places.enter(f"crowd{number}", CROWD)

    assert places.enter("newcomer", "192.0.2.2") == "crowd0"
    assert "sp" in places
    assert "crowd0" not in places


def test_a_place_that_was_left_is_free_and_leaving_may_be_repeated() -> None:
    places: StrangerPlaces[int] = StrangerPlaces(total=1, of_one=1)
    places.enter(1, SP)

    places.leave(1)
    places.leave(1)

    assert len(places) == 0
    assert places.enter(2, CROWD) is None


@pytest.mark.parametrize(("total", "of_one"), [(0, 1), (1, 0)])
def test_limits_without_a_place_are_refused(total: int, of_one: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        StrangerPlaces[int](total, of_one)


@given(st.lists(st.integers(0, 5), max_size=100), st.integers(1, 8), st.integers(1, 8))
def test_neither_limit_is_ever_exceeded_and_the_newcomer_is_always_in(
    origins: list[int], total: int, of_one: int
) -> None:
    places: StrangerPlaces[int] = StrangerPlaces(total, of_one)
    here: dict[int, int] = {}
    for key, origin in enumerate(origins):
        gone = places.enter(key, str(origin))
        here[key] = origin
        if gone is not None:
            del here[gone]

        assert key in places
        assert len(places) == len(here) <= total
        assert max(list(here.values()).count(one) for one in here.values()) <= of_one
