"""When a yes ends, by the words of the request that it answers."""

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.systems.subscriptions import service
from gateway.systems.subscriptions.service import last_day_of

ASKED = date(2025, 11, 30)


@pytest.mark.parametrize(
    ("words", "last"),
    [
        ("为期一年", date(2026, 11, 30)),
        ("为期１年", date(2026, 11, 30)),
        ("为期半年", date(2026, 5, 30)),
        ("为期一年半", date(2027, 5, 30)),
        ("期限为三个月", date(2026, 2, 28)),
        ("有效期：12个月", date(2026, 11, 30)),
        ("有效期十二个月", date(2026, 11, 30)),
        ("有效期二十四个月", date(2027, 11, 30)),
        ("为期两周", date(2025, 12, 14)),
        ("为期一个星期", date(2025, 12, 7)),
        ("有效期90天", date(2026, 2, 28)),
        ("为期一个季度", date(2026, 2, 28)),
        ("为期半个月", date(2025, 12, 15)),
        ("为期一个半月", date(2026, 1, 14)),
        ("有效期至2026年6月30日", date(2026, 6, 30)),
        ("有效期到2026-06-30", date(2026, 6, 30)),
        ("for one year", date(2026, 11, 30)),
        ("For 6 months", date(2026, 5, 30)),
        ("valid for up to two weeks", date(2025, 12, 14)),
        ("until 2026/3/1", date(2026, 3, 1)),
        ("为期两年，最晚到2026年12月31日", date(2026, 12, 31)),
        ("2025年1月1日-2025年12月31日", date(2025, 12, 31)),
        ("2025.01.01-2025.12.31", date(2025, 12, 31)),
        ("2025/12/1 ～ 2026/2/28", date(2026, 2, 28)),
        ("有效期：2026-01-01至2026-12-31", date(2026, 12, 31)),
        ("有效期：2026-1-1 -- 2026-12-31", date(2026, 12, 31)),
        ("有效期：2025-12-31", date(2025, 12, 31)),
        ("有效期为2025年12月31日", date(2025, 12, 31)),
        ("有效期至2026年6月30日 - 2条/周", date(2026, 6, 30)),
        ("有效期至：2025-12-31", date(2025, 12, 31)),
        ("截至2024-10-01已有百万用户，为期一年", date(2026, 11, 30)),
        ("2026年1月1日至3月31日", date(2026, 3, 31)),
        ("有效期：2026年1月1日起至3月31日止", date(2026, 3, 31)),
        ("有效期：2026年1月1日起至2026年3月31日止", date(2026, 3, 31)),
        ("2026-01-01至03-31", date(2026, 3, 31)),
        ("有效期2026.1.1-3.31.", date(2026, 3, 31)),
        ("2026/1/1 ～ 3/31", date(2026, 3, 31)),
        ("2025年12月1日到2月28日", date(2026, 2, 28)),
        # A day that the month does not have is its last one.
        ("有效期至2026年2月30日", date(2026, 2, 28)),
        ("有效期至2028年2月31日", date(2028, 2, 29)),
        ("until 2026-06-31", date(2026, 6, 30)),
        ("2026年12月1日至2月29日", date(2027, 2, 28)),
        # The hours of a day are no end of a range, and keep none from being one.
        ("2026年1月1日0时至2026年12月31日24时", date(2026, 12, 31)),
        ("2026年1月1日0时至12月31日24时", date(2026, 12, 31)),
        ("2026年1月1日零时起至2026年6月30日二十四时止", date(2026, 6, 30)),
        ("2026年1月1日9:00-2026年6月30日18:00", date(2026, 6, 30)),
        ("2026-01-01 09:00:00 至 2026-06-30 18:00:00", date(2026, 6, 30)),
        ("2026.1.1 9:00-6.30 18:00", date(2026, 6, 30)),
        ("2026年1月1日上午9点至12月31日24时", date(2026, 12, 31)),
        ("2026年1月1日上午九点半到12月31日晚上8点30分", date(2026, 12, 31)),
        ("有效期：2026年1月1日（0时）起至2026年3月31日（24时）止", date(2026, 3, 31)),
        ("2026/1/1 9:00-18:00，有效期至2026/3/31", date(2026, 3, 31)),
        ("有效期至2026年6月30日9:00-18:00", date(2026, 6, 30)),
    ],
)
def test_r23_a_request_says_for_how_long_it_asks(words: str, last: date) -> None:
    text = f"【示例商城】是否同意接收优惠短信，每月不超过4条，{words}？三天内回复Y同意"

    assert last_day_of(text, ASKED) == last


@pytest.mark.parametrize(
    "words",
    [
        "长期有效",
        "每三个月一条",
        "三天内回复",
        "有效期至2026年13月40日",
        "为期0天",
        "为期9999年",
        "截至2024-10-01已有百万用户",
        "到2025年11月30日已有百万用户",
        "2026年1月1日开业",
        "有效期至2026年12月311日",
        "2026年1月1日至3月311日",
        "2026年1月1日至13月1日",
        "2026年1月1日到3.5折封顶",
        "2026.1.1-3.5.7",
        "有效期至2026年2月0日",
        "有效期至2026年2月32日",
        "2026年1月1日9:00-18:00可退订",
        "2026年1月1日上午9点至12点可退订",
        "2026年1月1日9:00-12.5折封顶",
    ],
)
def test_where_no_end_is_understood_there_is_none(words: str) -> None:
    assert last_day_of(f"是否同意接收优惠短信，{words}，回复Y同意", ASKED) is None


@given(
    st.dates(date(1990, 1, 1), date(9000, 1, 1)),
    st.integers(1, 364).map(lambda days: timedelta(days=days)),
    st.sampled_from(["年月日", "--", "..", "//"]),
    st.sampled_from(["至", "到", "-", " ~ ", "——", "起至"]),
    st.sampled_from(["", "有效期"]),
)
def test_the_second_day_of_a_range_needs_no_year(
    first: date, length: timedelta, marks: str, to: str, what: str
) -> None:
    last = first + length
    year, month, day = marks[0], marks[1], marks[2:]
    said = f"{first.year}{year}{first.month}{month}{first.day}{day}"
    said += f"{to}{last.month}{month}{last.day}{day}"

    assert last_day_of(f"{what}{said}", first) == last


@given(st.text(max_size=60), st.dates(date(1990, 1, 1), date(9000, 1, 1)))
def test_no_text_is_too_strange(text: str, asked: date) -> None:
    last = last_day_of(text, asked)

    assert last is None or isinstance(last, date)


@given(
    st.text("为期限有效一二两三四五六七八九十半个0123456789天日周星月季度年至到-.", max_size=20),
    st.dates(date(1990, 1, 1), date(9000, 1, 1)),
)
def test_no_words_of_periods_are_too_strange(text: str, asked: date) -> None:
    last_day_of(f"为期{text}", asked)


@given(
    st.text("2026年1月3日至到起-/. 上午9点时:0半零()", max_size=40),
    st.dates(date(1990, 1, 1), date(9000, 1, 1)),
)
def test_no_days_and_hours_are_too_strange(text: str, asked: date) -> None:
    last_day_of(f"有效期至2026年{text}", asked)


@given(
    st.dates(date(2026, 1, 1), date(2026, 6, 30)),
    st.dates(date(2026, 7, 1), date(2026, 12, 31)),
    st.sampled_from(["", " ", "上午", "(", " 凌晨"]),
    st.sampled_from(["9:00", "09:30:00", "0时", "24点", "9点30分", "十二点整"]),
    st.sampled_from(["至", "-", "起至"]),
)
def test_a_range_ends_as_it_does_without_its_hours(
    first: date, last: date, before: str, hour: str, to: str
) -> None:
    at = f"{before}{hour}{')' if before == '(' else ''}"
    said = (f"{one.year}年{one.month}月{one.day}日{at}" for one in (first, last))

    assert last_day_of(to.join(said), ASKED) == last


def test_nothing_in_a_text_is_looked_through_again_and_again() -> None:
    patterns = [one.pattern for one in vars(service).values() if isinstance(one, re.Pattern)]

    assert patterns
    assert [one for one in patterns if re.search(r"[*+]|,\}", one)] == []
