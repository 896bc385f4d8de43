"""Finding a text among many by bands of its signs."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.campaigns import BandIndex
from gateway.filter.fingerprints import SIGNS, Signs
from gateway.kernel.fingerprint_loops import BANDS, ENOUGH
from tests.kernel.forms import Form, in_both_forms


def signs(seed: int) -> Signs:
    return np.random.Generator(np.random.PCG64(seed)).integers(1, 2**32, SIGNS, dtype=np.uint32)


def test_an_empty_index_finds_nothing() -> None:
    assert BandIndex(4).most_alike(signs(1)) == (-1, 0)


def test_a_text_is_found_by_all_its_signs() -> None:
    index = BandIndex(4)
    index.put(2, signs(1))

    assert index.most_alike(signs(1)) == (2, SIGNS)


def test_one_band_in_common_is_enough_to_be_compared() -> None:
    index = BandIndex(1_024)
    index.put(7, signs(1))
    changed = signs(2)
    changed[4:6] = signs(1)[4:6]

    assert index.most_alike(changed) == (7, 2)


def test_the_likest_of_several_is_told() -> None:
    index = BandIndex(1_024)
    nearer, farther = signs(1), signs(1)
    nearer[SIGNS - 4 :] = 1
    farther[: 2 * BANDS - 2] = 1
    index.put(0, farther)
    index.put(1, nearer)

    assert index.most_alike(signs(1)) == (1, SIGNS - 4)


@pytest.mark.parametrize("texts", [2, 3, 100])
def test_an_index_of_any_size_keeps_what_is_there(texts: int) -> None:
    index = BandIndex(texts)
    index.put(0, signs(0))
    for number in range(1, 50 * texts):
        index.put(1 + number % (texts - 1), signs(number))

    assert index.most_alike(signs(0)) == (0, SIGNS)


def test_what_is_there_no_more_leaves_its_buckets_to_others() -> None:
    index = BandIndex(1)
    for number in range(20):
        index.put(0, signs(number))

    assert index.most_alike(signs(19)) == (0, SIGNS)


def sharing(seed: int, with_: Signs, *bands: int) -> Signs:
    """Return signs of their own, but for these bands."""
    made = signs(seed)
    for band in bands:
        made[2 * band : 2 * band + 2] = with_[2 * band : 2 * band + 2]
    return made


def test_what_shares_a_band_with_each_of_many_has_room_all_the_same() -> None:
    index = BandIndex(64)
    for band in range(BANDS):
        index.put(band, sharing(100 + band, signs(1), band))
    index.put(40, signs(1))

    assert index.most_alike(signs(1)) == (40, SIGNS)
    changed = sharing(2, signs(1), *range(BANDS // 2 + 1))
    assert index.most_alike(changed)[0] == 40


def test_what_makes_room_for_another_keeps_as_much() -> None:
    index = BandIndex(64)
    index.put(0, signs(1))
    for slot in range(1, 40):
        index.put(slot, sharing(slot, signs(1), *range(BANDS)))

    assert {index.most_alike(sharing(99, signs(1), band))[1] for band in range(BANDS)} == {2}
    index.put(50, sharing(99, signs(1), *range(BANDS - 2)))
    assert index.most_alike(signs(1))[0] == 0


@pytest.mark.parametrize("slot", [-1, 4])
@in_both_forms
def test_nothing_is_put_where_there_is_no_slot(form: Form, slot: int) -> None:
    with form(), pytest.raises(IndexError):
        BandIndex(4).put(slot, signs(1))


def test_a_cleared_slot_agrees_with_nothing() -> None:
    index = BandIndex(4)
    index.put(2, signs(1))
    index.clear(2)

    assert index.most_alike(signs(1)) == (-1, 0)


@in_both_forms
@given(texts=st.lists(st.lists(st.integers(1, 3), min_size=SIGNS, max_size=SIGNS), max_size=6))
def test_a_text_is_compared_with_those_that_stand_where_its_bands_belong(
    form: Form, texts: list[list[int]]
) -> None:
    rows = [np.array(one, np.uint32) for one in texts]
    index = BandIndex(8)
    standing: dict[tuple[int, int], int] = {}

    with form():
        for slot, row in enumerate(rows):
            found = index.most_alike(row)
            index.put(slot, row)

            places = [
                (band, (int(row[2 * band]) | int(row[2 * band + 1]) << 32) % 31)
                for band in range(BANDS)
            ]
            candidates = {standing[place] for place in places if place in standing}
            alike = [(int(np.count_nonzero(rows[one] == row)), -one) for one in candidates]
            agreeing, negative = max(alike, default=(0, 1))
            assert found == ((-negative, agreeing) if agreeing else (-1, 0))
            standing = dict.fromkeys(places, slot) | standing
            for place in places:
                held = Counter(standing.values())
                if held[slot] < ENOUGH and held[standing[place]] > held[slot] + 1:
                    standing[place] = slot
