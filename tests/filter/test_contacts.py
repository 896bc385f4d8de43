"""Chat accounts, telephone numbers and mail addresses, however they are written."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.contacts import Contact, ContactKind, contacts_of
from gateway.filter.normalise.views import Views

any_text = st.text(st.characters(exclude_categories=()))
_PIECES = """
    加微信 QQ : 1 38 0013 8000 - a _ @ . 零 o 𝟏 ① \u200b 400 95588 点 字 验证码 tg \u0301
    """
reached_text = st.lists(st.sampled_from([" ", *_PIECES.split()]), max_size=30).map("".join)


def only(text: str) -> Contact:
    (contact,) = contacts_of(Views(text))
    return contact


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("加微信13800138000", ContactKind.WECHAT, "13800138000"),
        ("加V信：abc_12345办理", ContactKind.WECHAT, "abc_12345"),
        ("薇❤信 ab12345", ContactKind.WECHAT, "ab12345"),
        ("WeChat: johnsmith", ContactKind.WECHAT, "johnsmith"),
        ("威信号是ab-123-c", ContactKind.WECHAT, "ab-123-c"),
        ("QQ:1234567", ContactKind.QQ, "1234567"),
        ("Q Q 1234567", ContactKind.QQ, "1234567"),
        ("Q群：88888888", ContactKind.QQ, "88888888"),
        ("Q804631520", ContactKind.QQ, "804631520"),
        ("纸飞机@abcdef", ContactKind.MESSENGER, "abcdef"),
        ("telegram: ab_cd1", ContactKind.MESSENGER, "ab_cd1"),
        ("电话13800138000", ContactKind.MOBILE, "13800138000"),
        ("+86 138 0013 8000", ContactKind.MOBILE, "13800138000"),
        ("0086-138-0013-8000", ContactKind.MOBILE, "13800138000"),
        ("详询400-820-8820", ContactKind.TOLL_FREE, "4008208820"),
        ("详询95588", ContactKind.SERVICE_LINE, "95588"),
        ("拨打12315", ContactKind.SERVICE_LINE, "12315"),
        ("（0591）8765432", ContactKind.LANDLINE, "05918765432"),
        ("发到user@qq.com", ContactKind.EMAIL, "user@qq.com"),
    ],
)
def test_a_contact_is_told_as_it_is_dialled(text: str, kind: ContactKind, value: str) -> None:
    for around in (text, f"【某店】新品上市，{text}，回T退订"):
        contact = only(around)

        assert (contact.kind, contact.value, contact.is_disguised) == (kind, value, False)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("一三八零零一三八零零零", "13800138000"),
        ("幺三八零零幺三八零零零", "13800138000"),
        ("壹叁捌零零壹叁捌零零零", "13800138000"),
        ("138O0138OOO", "13800138000"),
        ("l3800l38000", "13800138000"),
        ("①③⑧００①③８０００", "13800138000"),
        ("1️⃣3️⃣8️⃣0️⃣0️⃣1️⃣3️⃣8️⃣0️⃣0️⃣0️⃣", "13800138000"),
        ("OIO—59765596", "01059765596"),
    ],
)
def test_digits_in_other_clothes_are_read(written: str, value: str) -> None:
    text = f"联系电话{written}，先到先得"
    contact = only(text)

    assert (contact.value, contact.is_disguised) == (value, True)
    assert text[contact.start : contact.end] == written


@pytest.mark.parametrize(
    "written", ["扣扣 1 2 3 4 5 6 7", "Q.Q.1.2.3.4.5.6.7", "Q Q 1 2 3 4 5 6 7"]
)
def test_spaced_digits_of_an_account_are_one_number(written: str) -> None:
    contact = only(written)

    assert (contact.kind, contact.value) == (ContactKind.QQ, "1234567")
    assert contact.is_disguised


def test_an_account_among_invisible_characters_keeps_its_place() -> None:
    text = "加\u200b薇\u2060信：\ufeffab\u200b12345 哦"
    contact = only(text)

    assert contact.value == "ab12345"
    assert text[contact.start : contact.end] == "ab\u200b12345"
    assert contact.is_disguised


@pytest.mark.parametrize(
    "text",
    [
        "",
        "使用微信支付12.50元",
        "关注微信公众号，加v了解详情",
        "wechat pay accepted",
        "QQ邮箱与QQ音乐会员",
        "q4 20251231",
        "实扣1422.49元",
        "飞机票12345678已出",
        "1069000123456",
        "订单号20251125138001380001",
        "2025-11-25 13:00-15:00",
        "验证码730418",
        "支付验证码为954661",
        "your code is 954661",
        "e95555",
        "13点8分0013点8000",
        "lolololololo oooooooo",
        "l38ool38ooo",
        "一二三四五六七八九十",
        "二〇二五年十一月二十五日",
        "共118元起，满1000减138",
        "一三五、二四六、一三五",
        "a@b",
    ],
)
def test_prices_dates_codes_ports_and_orders_are_no_contacts(text: str) -> None:
    assert contacts_of(Views(text)) == ()


def test_a_number_that_is_named_counts_as_what_it_is_named() -> None:
    text = "加微信13800138000或QQ 1234567，电话010-62345678"

    assert [(one.kind, text[one.start : one.end]) for one in contacts_of(Views(text))] == [
        (ContactKind.WECHAT, "13800138000"),
        (ContactKind.QQ, "1234567"),
        (ContactKind.LANDLINE, "010-62345678"),
    ]


def test_no_whole_number_is_shown_in_evidence() -> None:
    mobile, account = only("电话13800138000"), only("加V信:abc_12345")

    assert (mobile.masked, account.masked) == ("138****8000", "ab***")
    assert "13800138000" not in repr(mobile)


@given(st.one_of(any_text, reached_text))
def test_any_text_is_read_and_places_are_in_it(text: str) -> None:
    passed = 0
    for contact in contacts_of(Views(text)):
        assert passed <= contact.start < contact.end <= len(text)
        assert contact.value
        assert contact.value.isascii()
        passed = contact.end


@pytest.mark.parametrize(
    "piece",
    [
        "1-",
        "一",
        "加v",
        "qq",
        "a@",
        "微信:",
        "o0",
        "a-",
        "微信a",
        "1 3 8 ",
        "tg",
        ".c",
        "13800138000 ",
    ],
)
def test_the_longest_payload_takes_milliseconds(piece: str) -> None:
    text = Views(piece * (65_000 // len(piece)))

    before = process_time()
    contacts_of(text)

    assert process_time() - before < 5.0
