"""What a text tells the subscriber to reply to be rid of it (R30, R31)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.optout_hint import advertised

# The vectors of the rule catalogue.
VECTORS = [
    ("A01", "【滴滴】打车65折拒收请回复R", "R"),
    ("A02", "【商城】满300减50,回T退订", "T"),
    ("A04", "新品上市,回复TD退订", "TD"),
    ("A05", "会员日福利 退订请回复TD", "TD"),
    ("A07", "Flash sale! Reply STOP to opt out", "STOP"),
    ("A08", "您的验证码是123456,5分钟内有效", None),
    ("A10", "拒收回r", "R"),
]


@pytest.mark.parametrize(
    ("text", "want"), [row[1:] for row in VECTORS], ids=[v[0] for v in VECTORS]
)
def test_r31_the_vectors_of_the_catalogue(text: str, want: str | None) -> None:
    assert advertised(text) == want


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("回t退", "T"),
        ("退回T", "T"),
        ("退订回N", "N"),
        ("退订回D", "D"),
        ("回N退订", "N"),
        ("TD退订", "TD"),
        ("回复TD退订", "TD"),
        ("退订请回复TD", "TD"),
        ("退订请编辑短信TD发送到10690001", "TD"),
        ("回QX取消", "QX"),
        ("取消请回复QX", "QX"),
        ("不再接收请回复N", "N"),
        ("不再订阅请回复N", "N"),
        ("不再推送，回复TD即可", "TD"),
        ("取消订阅请发送Q", "Q"),
        ("回复“N”可退订", "N"),
        ("退订请直接回复：TD01", "TD01"),
        ("全场特价 退订T", "T"),
        ("全场特价，T退订", "T"),
        ("拒收R", "R"),
        ("退订回复0", "0"),
        ("退订回00000", "00000"),
        ("TDD退订", "TDD"),
        ("回复短信即视为您同意办理，拒收请回复R", "R"),
        ("确认请回复Y，退订请回复N", "N"),
    ],
)
def test_r30_a_chinese_hint_is_read_in_every_wording(text: str, want: str) -> None:
    assert advertised(text) == want


@pytest.mark.parametrize(
    "text",
    [
        "拒收請回覆Ｒ",
        "拒收 请 回复 R",
        "拒\u200b收请回复R",
        "拒收请回复【R】",
        "拒收请回复「r」",
        "拒、收请回复 -R-",
    ],
)
def test_r62_a_hint_is_read_in_every_width_case_spacing_and_script(text: str) -> None:
    assert advertised(text) == "R"


@pytest.mark.parametrize("text", ["退订回T D", "退订回t.d", "退订回T-D", "退 订 回 Ｔ Ｄ"])
def test_r31_a_token_with_something_between_its_letters_is_that_token(text: str) -> None:
    assert advertised(text) == "TD"


@pytest.mark.parametrize("text", ["退订请回复“退订”", "不需要请回复退订", "请回复拒收"])
def test_r30_a_word_in_han_to_reply_with_comes_back_as_td(text: str) -> None:
    assert advertised(text) == "TD"


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("Text STOP to 12345 to opt-out", "STOP"),
        ("Reply 'STOP' to unsubscribe", "STOP"),
        ("reply stop 2 stop", "STOP"),
        ("To opt out reply STOP", "STOP"),
        ("To stop, text END", "END"),
        ("Unsubscribe: reply with OUT", "OUT"),
        ("STOP to end", "STOP"),
        ("STOP2END", "STOP"),
        ("Stop to quit", "STOP"),
        ("Optout: STOP", "STOP"),
        ("Reply N to opt out", "N"),
        ("Text END to end msgs", "END"),
        ("Reply CANCEL to cancel your subscription", "CANCEL"),
        ("STOP SMS au 36111", "STOP"),
        ("STOP au 36111", "STOP"),
    ],
)
def test_r30_an_english_or_french_hint_is_read(text: str, want: str) -> None:
    assert advertised(text) == want


@pytest.mark.parametrize(
    "text",
    [
        "您的退订验证码是TD12,请勿泄露",
        "您正在退订业务,验证码123456",
        "退订业务请回复1234",
        "退订请回复123456确认",
        "回复验证码1234退订",
        "验证码 R1234 拒绝告知他人",
        "验证码123456,拒收骚扰",
    ],
)
def test_a_verification_code_is_no_hint_even_one_for_opting_out(text: str) -> None:
    assert advertised(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "退货请回复T",
        "回复T退款",
        "回T退票",
        "退款回复TK查询",
        "酒店退改签回复TD",
        "衬衫T退换货",
        "确认预约请回复1,取消请回复2",
        "请拒收快递,回复R",
        "您的包裹可拒收,详询4001234567",
        "Reply CANCEL to cancel your appointment",
        "Reply C to cancel",
        "Reply YES to confirm or NO to cancel",
        "Next stop: reply A to board",
    ],
)
def test_a_reply_that_cancels_a_booking_or_a_purchase_is_no_hint(text: str) -> None:
    assert advertised(text) is None


@pytest.mark.parametrize(
    "text", ["", "退订", "退订请拨打10086", "如需帮助请回复H", "退订请登录官网"]
)
def test_r30_no_token_to_reply_is_no_hint(text: str) -> None:
    assert advertised(text) is None


@pytest.mark.parametrize("padding", ["好", "\u200b", "\ufdfa"])
def test_a_hint_is_read_however_much_stands_before_it(padding: str) -> None:
    assert advertised(padding * 30_000 + "回T退订") == "T"


pieces = st.sampled_from(
    ["回复", "退订", "退", "拒收", "取消", "td", "R", " ", ",", "1", "reply", "stop", "to ", "请"]
)


@given(st.one_of(st.text(st.characters(exclude_categories=())), st.lists(pieces).map("".join)))
def test_any_text_gives_nothing_or_a_short_token_in_ascii(text: str) -> None:
    token = advertised(text)

    assert token is None or (token.isascii() and token.isalnum() and token == token.upper())
    assert len(token or "") <= 14


@pytest.mark.parametrize(
    "unit",
    [
        "回复",
        "退订",
        "退订请",
        "stop ",
        "reply ",
        "回复t",
        "t d",
        "\ufdfa",
        "opt out ",
        "reply stop to ",
    ],
)
def test_no_repetition_makes_the_search_slow(unit: str) -> None:
    text = unit * 20_000

    for _ in range(20):
        advertised(text)
