"""What counts as a link, however it is written, and what only looks like one."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.filings import link_spans


def links(text: str) -> list[str]:
    return [text[start:end] for start, end in link_spans(text)]


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("点击http://x查看", "http://x"),
        ("点击https:x查看", "https:x"),
        ("app://open好", "://open"),
        ("见www.shop.cn/a?b=1,谢谢", "www.shop.cn/a?b=1,"),
        ("上t.cn看", "t.cn"),
        ("上t。cn看", "t。cn"),
        ("去163.com看", "163.com"),
        ("去例子.com看", ".com"),
        ("写信a@b.example.org", "b.example.org"),
        ("访问10.1.2.3:8080/a好", "10.1.2.3:8080/a"),
        ("长5.5km,http://x好", "http://x"),
    ],
)
def test_a_link_is_found_however_it_is_written(text: str, link: str) -> None:
    assert links(text) == [link]


@pytest.mark.parametrize(
    "text",
    ["", "您的验证码1234", "长5.5km", "价12.30元", "2026.11.25", "v1.5beta", "1.2.3.4.5", "好。ok"],
)
def test_lengths_prices_and_dates_are_no_links(text: str) -> None:
    assert links(text) == []


def test_links_are_told_from_left_to_right() -> None:
    assert links("a.cn 或 b.cn") == ["a.cn", "b.cn"]


@pytest.mark.parametrize(
    "link",
    [
        "https://good.com@evil.top/x",
        "http://evil%2etop/",
        "http://3639554370/",
        "http://0xd8.0xef.0x31.0x42/",
        "http://[2001:db8::1]/",
        "https:///evil.top",
        r"http:\\evil.top",
        "hxxp://evil.top",
    ],
)
def test_a_link_is_one_whatever_stands_for_its_host(link: str) -> None:
    assert links(f"点击{link}查看") == [link]


@given(st.text(alphabet="a1.。:/ 好-wht", max_size=200))
def test_spans_lie_in_the_text_and_never_overlap(text: str) -> None:
    end = 0
    for start, stop in link_spans(text):
        assert end <= start < stop <= len(text)
        end = stop


@pytest.mark.parametrize("piece", ["a", "a.", "1.1 ", "https", "www", ":/", "a。", "-.", "1."])
def test_no_text_takes_more_time_than_its_length_warrants(piece: str) -> None:
    text = piece * (20_000 // len(piece))

    began = process_time()
    list(link_spans(text))

    assert process_time() - began < 5.0  # quadratic, it would take minutes
