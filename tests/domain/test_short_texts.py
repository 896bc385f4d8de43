"""Texts cut to what one message has room for."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.outbound_message import chars_of, cut_to


def test_a_rare_character_takes_the_room_of_two() -> None:
    assert chars_of("开盘") == 2
    assert chars_of("𠀀🎉") == 4


@given(st.text(max_size=20), st.integers(-2, 20))
def test_a_cut_text_has_room_and_no_more_is_cut_than_must_be(text: str, room: int) -> None:
    cut = cut_to(text, room)

    assert text.startswith(cut)
    assert chars_of(cut) <= max(0, room)
    assert cut == text or chars_of(text[: len(cut) + 1]) > room


@given(st.text(st.characters(categories=["Cs"]), max_size=5))
def test_half_a_character_is_counted_and_not_refused(text: str) -> None:
    assert chars_of(text) == len(text)
