"""Simplified characters where the words this gateway knows have any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.simplified import simplified, traditional


@pytest.mark.parametrize(
    ("written", "meant"),
    [("退訂", "退订"), ("請回覆", "请回复"), ("恢復", "恢复"), ("絕", "绝"), ("stop", "stop")],
)
def test_traditional_spellings_come_out_simplified(written: str, meant: str) -> None:
    assert simplified(written) == meant


@pytest.mark.parametrize("word", ["退订", "优惠券", "验证码", "领红包", "恢复", "sale"])
def test_the_traditional_spelling_of_a_word_is_read_as_that_word(word: str) -> None:
    assert simplified(traditional(word)) == word


@given(st.text(st.characters(exclude_categories=())))
def test_simplifying_again_changes_nothing(text: str) -> None:
    once = simplified(text)

    assert simplified(once) == once
    assert len(once) == len(text)
