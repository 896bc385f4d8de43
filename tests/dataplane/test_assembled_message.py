"""A long message put together from its parts, in whatever order and state they come."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dataplane.carriers import Carrier, assembled, read_carrier
from simulators import builders
from tests.dataplane.conftest import long_advert


def carriers(*texts: str | bytes, total: int | None = None, data_coding: int = 8) -> list[Carrier]:
    parts = long_advert(texts, total=total, data_coding=data_coding)
    return [read_carrier(part) for part in parts]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_whole_text_comes_first_whatever_the_order(order: tuple[int, ...]) -> None:
    found = carriers("您好，", "代开", "发票")

    message = assembled([found[place] for place in order])

    assert message.texts[0] == "您好，代开发票"
    assert message.is_whole
    assert not message.is_unreadable


def test_a_character_cut_in_two_is_read() -> None:
    octets = builders.ucs2("代开发票")

    message = assembled(carriers(octets[:3], octets[3:]))

    assert "代开发票" in message.texts


def test_of_two_with_one_number_either_is_read_beside_its_neighbours() -> None:
    first, second = carriers("您好代", "开发票")
    other, _ = carriers("早上好", "开发票")

    message = assembled([first, other, second])

    assert "您好代开发票" in message.texts
    assert "早上好开发票" in message.texts


def test_what_stands_on_either_side_of_a_gap_is_read_apart() -> None:
    first, _, third = carriers("代开", "", "发票")

    message = assembled([third, first])

    assert not message.is_whole
    assert "代开" in message.texts
    assert "发票" in message.texts
    assert "代开发票" not in message.texts


def test_parts_in_codings_of_their_own_are_read_together() -> None:
    (first, _) = carriers("您好代", "")
    (_, second) = carriers("", "开发票".encode("gbk"), data_coding=15)

    assert assembled([first, second]).texts[0] == "您好代开发票"


def test_a_part_without_a_text_is_a_part_all_the_same() -> None:
    message = assembled(carriers("代开", b"", "发票"))

    assert message.is_whole
    assert message.texts[0] == "代开发票"


def test_a_part_nobody_can_read_is_told_of() -> None:
    assert assembled(carriers(b"\xfd", "您好")).is_unreadable


def test_far_more_than_the_reach_of_a_part_is_read_whole() -> None:
    message = assembled(carriers("代", *["长" * 60] * 100, "开"))

    assert message.texts[0] == "代" + "长" * 6000 + "开"


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=6), st.integers(0, 255), st.data())
def test_any_parts_in_any_order_are_put_together(
    pieces: list[bytes], data_coding: int, data: st.DataObject
) -> None:
    found = carriers(*pieces, data_coding=data_coding)
    order = data.draw(st.permutations(found))

    message = assembled(order)

    assert message.is_whole
    assert set(message.texts) == set(assembled(found).texts)
