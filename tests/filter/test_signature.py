"""The sender's name in 【】."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.traffic_class import signature_of


@pytest.mark.parametrize(
    "text",
    [
        "【商城】您的订单已发货",
        "您的订单已发货【商城】",
        "  【商城】您的订单已发货",
        "\ufeff【商城】您的订单已发货",
        "您的订单已发货【商城】\r\n",
        "【 商城 】您的订单已发货",
        "【商城】",
    ],
)
def test_r12_the_name_stands_before_or_after_the_text(text: str) -> None:
    assert signature_of(text) == "商城"


def test_r12_the_name_in_front_is_the_signature_when_there_are_two() -> None:
    assert signature_of("【商城】您的订单已发货【快递】") == "商城"


def test_r12_a_name_inside_the_text_is_no_signature() -> None:
    assert signature_of("您在【商城】的订单已发货") is None


def test_r12_a_name_behind_is_the_signature_when_the_one_in_front_is_none() -> None:
    assert signature_of("【】您的订单已发货【商城】") == "商城"


@pytest.mark.parametrize("brackets", ["[商城]", "「商城」", "〔商城〕", "(商城)", "［商城］"])
def test_r12_other_brackets_are_no_signature(brackets: str) -> None:
    assert signature_of(f"{brackets}您的订单已发货") is None


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("商", False),
        ("商城", True),
        ("商" * 32, True),
        ("商" * 33, False),
        ("", False),
        ("  ", False),
    ],
)
def test_r12_a_name_has_2_to_32_characters(name: str, *, is_one: bool) -> None:
    assert (signature_of(f"【{name}】您好") == name) is is_one
    assert (signature_of(f"您好【{name}】") == name) is is_one


@pytest.mark.parametrize("text", ["", "【商城", "商城】", "您好】", "【" * 1000])
def test_brackets_that_do_not_match_are_no_signature(text: str) -> None:
    assert signature_of(text) is None


@given(st.text(st.sampled_from("【】商城 a\n\ufeff"), max_size=80))
def test_whatever_is_found_stands_in_the_text_between_brackets(text: str) -> None:
    name = signature_of(text)

    assert name is None or (name in text and 2 <= len(name) <= 32 and "【" not in name)
