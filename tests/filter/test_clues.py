"""A pattern is tried where its clue is found, and finds nothing where it is not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter import links
from gateway.filter.batch_views import CLUE_KINDS, CLUE_ROWS, CLUE_RUNS, views_of
from gateway.filter.contacts import contacts_of
from gateway.filter.links import links_of
from gateway.filter.normalise.views import (
    CLOTHES_OF,
    CONTACT,
    DIALLED,
    DOTTED,
    DRESSED,
    EMAIL,
    EVERY,
    LINK,
    MESSENGER,
    PORTED,
    QQ,
    WECHAT,
    Views,
)
from gateway.kernel import view_loops
from gateway.kernel.code_points import joined
from tests.kernel.forms import Form, in_both_forms

any_text = st.text(st.characters(exclude_categories=()), max_size=40)
_LINKED = """
    www . 。 点 · • com cn top a 1 2.3.4.5 http: ftp // / \\ [.] 【点】 (dot) dot { } < > : :80 ? #
    xn-- ． ｃ ③ － 中国
    """
_REACHED = """
    微信 威信 薇x 维信 v信 VX wx wechat weixin 加v 加薇 ➕v +V QQ q·q q群 扣扣 抠抠 球球 企鹅
    扣裙 扣群 tg telegram WhatsApp skype potato 飞机 电报 蝙蝠 土豆 号 : ： ab_123 abcdef 1234567
    @ qq.com 95588 9-6-1-1-8 12315 10086 拨打 电话 call 13800138000 1 38 0013 8000 400 — ( ) 010
    +86 元 码 一 三 八 零 幺 洞 勾 o l i ① ８ 𝟏 \u200b \u0301 字 e
    """
written = st.lists(
    st.sampled_from([" ", " ", *_LINKED.split(), *_REACHED.split()]), max_size=20
).map("".join)


def clues_among(texts: list[str]) -> list[int]:
    codes, bounds = joined(texts)
    made = np.stack([np.diff(bounds)] * 2, axis=1)
    view_loops.write_clues(codes, CLUE_KINDS, CLUE_ROWS, CLUE_RUNS, made, 1)
    found: list[int] = made[:, 1].tolist()
    return found


def clues_in(text: str) -> int:
    return clues_among([text])[0]


@given(st.lists(written | any_text, max_size=4))
def test_nothing_is_missed_for_want_of_a_clue(texts: list[str]) -> None:
    for seen in views_of(texts):
        whole = Views(seen.raw)

        assert whole.clues == EVERY
        assert links_of(seen) == links_of(whole)
        assert contacts_of(seen) == contacts_of(whole)


_SPELLINGS = """
    QQ q.q q·q 扣扣 抠抠 球球 企鹅 扣群 扣裙 扣号 q群 Q: q： q
    微信 威信 薇信 徽信 维信 微x 威X 薇x v信 VX wx WeChat weixin 加v 加薇 加威 ➕v +v
    Telegram tg WhatsApp skype potato 纸飞机 飞机号 飞机 电报 蝙蝠 土豆
    """
_DOTS = [
    *(".", "。", "·", "•", "点", " .", " . ", " 点 ", " dot ", " • "),
    *(f"[{dot}]" for dot in (".", "。", "点", "dot", " . ", " dot ")),
    *("(点)", "{.}", "<点>", "【.】", " [.] ", "【 点 】 "),
]


@pytest.mark.parametrize("word", _SPELLINGS.split())
def test_every_spelling_of_an_account_has_its_clue(word: str) -> None:
    text = f"有事{word}1234567"

    assert contacts_of(views_of([text])[0]) == contacts_of(Views(text)) != ()


@pytest.mark.parametrize("gap", [*" -.·•‧∙・点/()‐–—―~_", "", " (", "--"])
@pytest.mark.parametrize("number", ["138{}0013{}8000", "400{0}820{0}8820", "(010){}6234{}5678"])
def test_every_gap_in_a_number_has_its_clue(number: str, gap: str) -> None:
    text = f"有事找{number.format(gap, gap)}我"

    assert contacts_of(views_of([text])[0]) == contacts_of(Views(text)) != ()


@pytest.mark.parametrize(
    "contact",
    [
        "95588",
        "9-5588",
        "9–5-5‐8—8",
        "96110",
        "9-6-1-1-8",
        "拨打12315",
        "call 10086",
        "user@qq.com",
    ],
)
def test_every_short_contact_has_its_clue(contact: str) -> None:
    for text in (contact, f"有事{contact}我"):
        assert contacts_of(views_of([text])[0]) == contacts_of(Views(text)) != ()


@pytest.mark.parametrize("digit", [*"".join(CLOTHES_OF), "①", "８", "𝟏"])
def test_every_digit_in_other_clothes_has_its_clue(digit: str) -> None:
    for text in (f"有事1380013800{digit}我", f"010-6234{digit}123", f"40088{digit}8820"):
        assert contacts_of(views_of([text])[0]) == contacts_of(Views(text))


@pytest.mark.parametrize("dot", _DOTS)
def test_every_dot_has_its_clue(dot: str) -> None:
    for text in (f"www{dot}icbc{dot}com", f"请到icbc{dot}com看", f"888{dot}cn"):
        assert links_of(views_of([text])[0]) == links_of(Views(text)) != ()


@pytest.mark.parametrize(
    "link",
    [
        "http://工行.com",
        "ftp:/a.cn",
        "hxxps: \\\\a.cn",
        "http : // a.cn",
        "http: //工行.com",
        "www.工行.com",
        "1.2.3.4:80",
        "1.2.3.4/a",
    ],
)
def test_every_scheme_and_number_has_its_clue(link: str) -> None:
    text = f"请看{link} 吧"

    assert links_of(views_of([text])[0]) == links_of(Views(text)) != ()


@pytest.mark.parametrize(
    ("text", "clue"),
    [
        ("http://a", LINK),
        ("hxxp: \\a", LINK),
        ("wwwa", LINK),
        ("a.c", LINK),
        ("a .c", LINK),
        ("a . c", LINK),
        ("a 点 c", LINK),
        ("a dot c", LINK),
        ("a[.]c", LINK),
        ("a ( 点 ) c", LINK),
        ("1.2", DOTTED),
        ("4:8", PORTED),
        ("qq", QQ),
        ("扣裙", QQ),
        ("微信", WECHAT),
        ("+v", WECHAT),
        ("wechat", WECHAT),
        ("telegram", MESSENGER),
        ("电报", MESSENGER),
        ("a@b", EMAIL),
        ("详询95588", DIALLED),
        ("9-5588", DIALLED),
        ("洽12315", DIALLED),
        ("1 380-0138.000", DIALLED),
        ("一三八零零幺三", DRESSED),
        ("l380013", DRESSED),
        ("138oo13 ok", DRESSED),
    ],
)
@in_both_forms
def test_a_clue_is_found(form: Form, text: str, clue: int) -> None:
    with form():
        assert clues_in(text) & clue
        assert clues_in(f"字 {text} 字") & clue


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c",
        "您的验证码是482915,5分钟内有效",
        "your code is 482915. it expires in 5 minutes",
        "it will be 12.50, ok?",
        "【某店】vip会员日",
        "the end. call me",
        "一二三四五六字",
        "423466 is it",
        "138 0013 80    00",
        "323456789字0",
        "hello",
    ],
)
@in_both_forms
def test_most_texts_have_none(form: Form, text: str) -> None:
    with form():
        assert not clues_in(text) & (LINK | CONTACT)


@in_both_forms
@given(texts=st.lists(written, max_size=4))
def test_a_text_has_the_same_clues_alone_and_among_others(form: Form, texts: list[str]) -> None:
    with form():
        assert clues_among(texts) == list(map(clues_in, texts))


def test_every_ending_of_a_host_begins_with_a_letter() -> None:
    # The clue of a dot asks for one; in other scripts only a scheme or www begins a link.
    endings = {name.rpartition(".")[2] for name in links._SUFFIXES._publicsuffix}

    assert all(one[0].isalpha() for one in endings if one)
