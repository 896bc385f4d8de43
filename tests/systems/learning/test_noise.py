import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gateway.systems.learning.training import spoilt


@given(st.text(max_size=50))
def test_nothing_is_spoilt_of_a_share_of_nothing(text: str) -> None:
    assert spoilt(text, 0.0, np.random.default_rng(1)) == text


@given(st.text("0123456789，。！ 🎉", max_size=50))
def test_numbers_and_signs_stay(text: str) -> None:
    assert spoilt(text, 1.0, np.random.default_rng(1)) == text


def test_han_are_replaced_in_all_ways() -> None:
    text = spoilt("代" * 1000, 1.0, np.random.default_rng(1))

    assert text.count("代") < 5
    assert 400 < sum(char.isascii() for char in text) < 1200
    assert 600 < sum("\u4e00" <= char <= "\u9fff" for char in text) < 1000


def test_half_of_the_letters_are_replaced_by_one() -> None:
    text = spoilt("a" * 1000, 1.0, np.random.default_rng(1))

    assert len(text) == 1000
    assert 450 < text.count("a") < 600


def test_the_same_seed_spoils_the_same() -> None:
    first, again = (spoilt("代开各类发票" * 9, 0.4, np.random.default_rng(7)) for _ in range(2))

    assert first == again
