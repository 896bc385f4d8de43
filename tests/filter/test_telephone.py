"""The number to call in a text."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.contacts import _PATTERNS, has_telephone, telephones_in
from gateway.filter.normalise.folding import normalise

NUMBERS = [
    "13800138000",
    "138 0013 8000",
    "138-0013-8000",
    "1 3 8 0 0 1 3 8 0 0 0",
    "+8613800138000",
    "86 13800138000",
    "0086-138-0013-8000",
    "4008208820",
    "400-820-8820",
    "４００－８２０－８８２０",
    "400点820点8820",
    "400·820·8820",
    "800-810-8888",
    "010-62345678",
    "（0591）8765432",
    "0591 87654321",
    "+86 10 6234 5678",
    "+861062345678",
    "0591-87654321转8",
    "95588",
    "9-5-5-8-8",
    "95105105",
    "96110",
    "962121",
]
CALLED = ["详询10086", "拨打12345", "咨询电话：12315", "热线10000", "客服10010"]
NONE = [
    "106900012345",
    "1069000123456",
    "10690001",
    "8610691234567890",
    "12520026138001380001",
    "订单号20251125138001380001",
    "编号138001380001",
    "满95588元",
    "¥95588",
    "95588积分",
    "950.5",
    "满10000减100",
    "10086积分兑换",
    "12345",
    "2025-11-25",
    "2025.11.25 13:00-15:00",
    "0591",
    "400-820-882",
    "010-12345678",
    "验证码730418",
    "",
]


@pytest.mark.parametrize("number", NUMBERS)
def test_r38_a_number_that_somebody_answers_is_one(number: str) -> None:
    assert has_telephone(number)
    assert has_telephone(f"【春晓书店】新书八折，垂询{number}，拒收请回复R")


@pytest.mark.parametrize("text", CALLED)
def test_r38_a_short_number_is_one_where_the_text_says_to_call_it(text: str) -> None:
    assert has_telephone(f"【某公司】{text}，拒收请回复R")


@pytest.mark.parametrize("text", NONE)
def test_r38_ports_sums_codes_and_dates_are_none(text: str) -> None:
    assert not has_telephone(text)
    assert not has_telephone(f"【春晓书店】新书八折{text}，拒收请回复R")


def test_r38_invisible_characters_between_the_digits_are_no_matter() -> None:
    assert has_telephone("400\u200b820\u20608820")


WIDE = str.maketrans("0123456789-+()", "０１２３４５６７８９－＋（）")


@given(st.text(alphabet="0123456789-+() 点4电话.,元95", max_size=60))
def test_the_width_of_a_number_is_no_matter(text: str) -> None:
    assert has_telephone(text.translate(WIDE)) is has_telephone(text)


@given(st.text(max_size=60))
def test_any_text_before_a_number_that_stands_apart_hides_it_from_nobody(text: str) -> None:
    assert has_telephone(f"{text}\n电话：\n13800138000")


@pytest.mark.parametrize("piece", ["1", "13 ", "400-", "95", "电话", "+86", "(0", "00", "9-"])
def test_a_long_text_takes_no_longer_for_what_it_repeats(piece: str) -> None:
    text = piece * (65_536 // len(piece))

    began = process_time()
    has_telephone(text)

    assert process_time() - began < 5.0  # a square of the length would take minutes


@pytest.mark.parametrize("number", NUMBERS)
def test_the_place_of_a_number_is_told(number: str) -> None:
    plain = normalise(f"【春晓书店】新书八折，垂询{number}，拒收请回复R")
    (start, end), *_ = telephones_in(plain)

    assert plain[start:end] in normalise(number)
    assert len(plain[start:end]) >= len(normalise(number)) - 3  # without a bracket or 转8


@given(st.text(st.sampled_from("0123456789-() +/.点拨打电话元\n"), max_size=40))
def test_what_is_looked_for_beforehand_hides_no_number(text: str) -> None:
    found = [
        one.span(one.lastindex or 0) for _, pattern in _PATTERNS for one in pattern.finditer(text)
    ]

    assert list(telephones_in(text)) == found
    assert has_telephone(text) is bool(found)
