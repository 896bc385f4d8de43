"""Simplified characters where the words this gateway knows have any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.simplified_letters import folded, simplified


@pytest.mark.parametrize(
    ("written", "meant"),
    [("退訂", "退订"), ("請回覆", "请回复"), ("恢復", "恢复"), ("絕", "绝"), ("stop", "stop")],
)
def test_traditional_spellings_come_out_simplified(written: str, meant: str) -> None:
    assert simplified(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("代開發票", "代开发票"),
        ("貸款秒批", "贷款秒批"),
        ("vіagrа", "viagra"),
        ("加νх群", "加vx群"),
    ],
)
def test_r62_what_looks_like_a_word_is_read_as_that_word(written: str, meant: str) -> None:
    assert folded(written) == meant


@given(st.text(st.characters(exclude_categories=())))
def test_simplifying_again_changes_nothing(text: str) -> None:
    for reading in (simplified, folded):
        once = reading(text)

        assert reading(once) == once
