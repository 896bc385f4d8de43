"""What a reviewer sees of a text without a reason has nobody's number in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.console.held_review import masked_numbers


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("张女士13812345678，黑户可贷", "张女士138****5678，黑户可贷"),
        ("联系+86 138-1234-5678", "联系+86 1**-****-5678"),
        ("电话１３８１２３４５６７８", "电话１３８****５６７８"),
        ("加一三八一二三四五六七八", "加一三八****五六七八"),
        ("①③⑧①②③④⑤⑥⑦⑧来电", "①③⑧****⑤⑥⑦⑧来电"),
        ("打1.3.8.1.2.3.4.5.6.7.8", "打1.3.8.*.*.*.*.5.6.7.8"),
        ("1\u200b3812345678", "1\u200b38****5678"),
        ("座机 010-8765432", "座机 ***-*****32"),
        ("身份证110101199003078888", "身份证110***********8888"),
        ("验证码482913，5分钟内有效", "验证码482913，5分钟内有效"),
        ("2013年11月25日到账5000元", "2013年11月25日到账5000元"),
        ("https://a.cn/x7", "https://a.cn/x7"),
        ("", ""),
    ],
)
def test_numbers_of_eight_figures_and_more_are_masked_however_they_are_written(
    text: str, shown: str
) -> None:
    assert masked_numbers(text) == shown


@given(st.text())
def test_a_text_keeps_its_length_and_all_that_is_no_figure(text: str) -> None:
    shown = masked_numbers(text)

    assert len(shown) == len(text)
    assert all(new in (old, "*") for old, new in zip(text, shown, strict=True))
    assert masked_numbers(shown) == shown


@given(st.text("，你好 "), st.from_regex("1[3-9][0-9]{9}", fullmatch=True), st.text("，你好 "))
def test_no_mobile_number_is_ever_seen_whole(before: str, number: str, behind: str) -> None:
    assert number not in masked_numbers(before + number + behind)
