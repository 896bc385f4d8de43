"""Finding a text among many by bands of its signs."""

import numpy as np
import pytest

from gateway.filter.bands import BANDS, BandIndex
from gateway.filter.fingerprints import SIGNS, Signs


def signs(seed: int) -> Signs:
    return np.random.Generator(np.random.PCG64(seed)).integers(1, 2**32, SIGNS, dtype=np.uint32)


def put(index: BandIndex, slot: int, some: Signs) -> None:
    index.put(slot, some, index.buckets_of(some))


def found(index: BandIndex, some: Signs) -> tuple[int, int]:
    return index.most_alike(some, index.buckets_of(some))


def test_an_empty_index_finds_nothing() -> None:
    assert found(BandIndex(4), signs(1)) == (-1, 0)


def test_a_text_is_found_by_all_its_signs() -> None:
    index = BandIndex(4)
    put(index, 2, signs(1))

    assert found(index, signs(1)) == (2, SIGNS)


def test_one_band_in_common_is_enough_to_be_compared() -> None:
    index = BandIndex(1_024)
    put(index, 7, signs(1))
    changed = signs(2)
    changed[4:6] = signs(1)[4:6]

    assert found(index, changed) == (7, 2)


def test_the_likest_of_several_is_told() -> None:
    index = BandIndex(1_024)
    nearer, farther = signs(1), signs(1)
    nearer[SIGNS - 4 :] = 1
    farther[: 2 * BANDS - 2] = 1
    put(index, 0, farther)
    put(index, 1, nearer)

    assert found(index, signs(1)) == (1, SIGNS - 4)


@pytest.mark.parametrize("texts", [1, 2, 3, 100])
def test_an_index_of_any_size_keeps_what_came_last(texts: int) -> None:
    index = BandIndex(texts)
    for number in range(3 * texts):
        put(index, number % texts, signs(number))

    assert found(index, signs(3 * texts - 1)) == (texts - 1, SIGNS)


def test_a_cleared_slot_agrees_with_nothing() -> None:
    index = BandIndex(4)
    put(index, 2, signs(1))
    index.clear(2)

    assert found(index, signs(1)) == (-1, 0)
