"""Complaints by SMS are read in the format of the code that they were sent to (R80)."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.complaint_words import (
    ComplaintFormat,
    ComplaintWords,
    complaint_in,
    sender_in,
    status_query_in,
)

STAR, HASH, COLON = ComplaintFormat.STAR, ComplaintFormat.HASH, ComplaintFormat.COLON
COMMA, TWO_STEP = ComplaintFormat.COMMA, ComplaintFormat.TWO_STEP
PORT, MOBILE, BODY = "1069012340000", "13912345678", "刻章办照，加我微信"


def read(sender: str | None, body: str = BODY, on: date | None = None) -> ComplaintWords:
    return ComplaintWords(sender, body, on)


# P01 to P09 of the rule, each with what subscribers make of it.
VECTORS = [
    # P01: the number, a star, the text
    (STAR, f"{PORT}*{BODY}", read(PORT)),
    (STAR, f" {PORT} ＊ {BODY} ", read(PORT)),
    (STAR, f"{PORT}*满100*减50", read(PORT, "满100*减50")),
    (STAR, "95533*积分兑换", read("95533", "积分兑换")),
    (STAR, "106*积分兑换", read("106", "积分兑换")),
    # P02: the number, a space, the text
    (STAR, f"{PORT} {BODY}", read(PORT)),
    (STAR, f"{PORT}\u3000{BODY}", read(PORT)),
    (STAR, f"{PORT}\n95折大促", read(PORT, "95折大促")),
    (STAR, f"{PORT} 95折大促", read(PORT, "95折大促")),
    (STAR, f"139 1234 5678 {BODY}", read(MOBILE)),
    # P03 and P04: LJDXJB and two signs
    (HASH, f"LJDXJB#{PORT}#{BODY}", read(PORT)),
    (HASH, f"ljdxjb＃{PORT}＃{BODY}", read(PORT)),
    (HASH, f"ＬＪＤＸＪＢ # {PORT} # {BODY}", read(PORT)),
    (HASH, f"{PORT}#{BODY}", read(PORT)),
    # P05: the number, a colon, the whole text
    (COLON, f"{PORT}:{BODY}", read(PORT)),
    (COLON, f"{PORT}：活动：全场五折", read(PORT, "活动：全场五折")),
    # P06: +86, dashes and spaces, full-width signs and digits, what phones put around numbers
    (STAR, f"+86 139-1234-5678＊{BODY}", read(MOBILE)),
    (STAR, f"0086 13912345678*{BODY}", read(MOBILE)),
    (STAR, f"86-139-1234-5678*{BODY}", read(MOBILE)),
    (STAR, f"＋８６１３９１２３４５６７８＊{BODY}", read(MOBILE)),
    (STAR, f"\u202d+86 139 1234 5678\u202c*{BODY}", read(MOBILE)),
    (STAR, f"+86 139 1234 5678 {BODY}", read(MOBILE)),
    (STAR, f"(010) 6552-8888*{BODY}", read("01065528888")),
    # P07: no number
    (STAR, BODY, read(None)),
    (STAR, "2031 新年大促", read(None, "2031 新年大促")),
    (STAR, f"12*{BODY}", read(None, f"12*{BODY}")),
    (STAR, f"{'1' * 22}*{BODY}", read(None, f"{'1' * 22}*{BODY}")),
    (STAR, "", read(None, "")),
    (HASH, f"{PORT}*{BODY}", read(None, f"{PORT}*{BODY}")),
    (COLON, f"{PORT} {BODY}", read(None, f"{PORT} {BODY}")),
    # P08: text, sender, dd/mm/yy
    (
        COMMA,
        "Cheap credit, no papers, VK-QUIKPY, 09/11/26",
        read("VK-QUIKPY", "Cheap credit, no papers", date(2026, 11, 9)),
    ),
    (COMMA, f"Cheap credit，{PORT}，9/1/2026", read(PORT, "Cheap credit", date(2026, 1, 9))),
    (COMMA, "Cheap credit, vk-quikpy-p", read("VK-QUIKPY-P", "Cheap credit")),
    (COMMA, f"Cheap credit, {PORT}", read(PORT, "Cheap credit")),
    (COMMA, "Cheap credit, VK-QUIKPY, 31/02/26", read("VK-QUIKPY", "Cheap credit")),
    (COMMA, "Cheap credit, thanks", read(None, "Cheap credit, thanks")),
    (COMMA, f"Cheap, {'1' * 22}, 09/11/26", read(None, f"Cheap, {'1' * 22}, 09/11/26")),
    (
        COMMA,
        f"{'a, ' * 30}VK-QUIKPY, 09/11/26",
        read("VK-QUIKPY", ("a, " * 30)[:-2], date(2026, 11, 9)),
    ),
    # P09: the text comes first, however it begins
    (TWO_STEP, f"{PORT}*{BODY}", read(None, f"{PORT}*{BODY}")),
    (TWO_STEP, f" {BODY} ", read(None)),
]


@pytest.mark.parametrize(("form", "text", "wanted"), VECTORS)
def test_r80_a_complaint_is_read_in_the_format_of_its_code(
    form: ComplaintFormat, text: str, wanted: ComplaintWords
) -> None:
    assert complaint_in(text, form) == wanted


@pytest.mark.parametrize(
    ("text", "sender"),
    [
        (PORT, PORT),
        (f"号码是：{PORT}。", PORT),
        (f"ljdxjb#{PORT}", PORT),
        ("From: +86 139 1234 5678", MOBILE),
        ("it was from vk-quikpy", "VK-QUIKPY"),
        ("９５５３３", "95533"),
        ("加微信13912345678", None),
        ("12", None),
        ("不记得了", None),
        ("95533 or 95588", None),
        ("1" * 22, None),
        ("1" * 60, None),
        ("", None),
    ],
)
def test_r80_the_answer_to_the_question_is_a_number_and_nothing_else(
    text: str, sender: str | None
) -> None:
    assert sender_in(text) == sender


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("CX", 0),
        ("cx17", 17),
        ("查询 17", 17),
        ("查询举报：17。", 17),
        ("ＣＸ＃１７", 17),
        ("Status 4711", 4711),
        ("CX 1234567890123456789", None),
        ("cx17 please", None),
        ("查询余额", None),
        ("查询" + " " * 50, None),
        (f"{PORT}*查询", None),
        ("", None),
    ],
)
def test_r89_a_status_query_is_the_word_and_at_most_an_id(text: str, number: int | None) -> None:
    assert status_query_in(text) == number


PIECES = st.sampled_from(
    [PORT, "1", "+86", " ", "*", "＃", "：", ", ", "AB-", "01/02/26", "号码", "\u202d"]
)


@given(
    st.one_of(st.text(), st.lists(PIECES).map("".join), PIECES.map(lambda one: one * 20_000)),
    st.sampled_from(ComplaintFormat),
)
def test_r80_any_text_is_read(text: str, form: ComplaintFormat) -> None:
    read = complaint_in(text, form)

    assert len(read.body) <= len(text)
    assert read.sender is None or (read.sender.isascii() and 3 <= len(read.sender) <= 20)
    assert read.sender is not None or read.body == text.strip()
    answer = sender_in(text)
    assert answer is None or 3 <= len(answer) <= 20


@pytest.mark.parametrize("form", ComplaintFormat)
@pytest.mark.parametrize("piece", ["1-", "1 ", ",", ", a", "9", " ", "LJDXJB#", "AB-CD,"])
def test_r80_the_longest_text_costs_no_more_than_its_ends(
    form: ComplaintFormat, piece: str
) -> None:
    text = (piece * 65_000)[:65_000]

    assert complaint_in(text, form).body in {text.strip(), ""} or form is ComplaintFormat.COMMA
