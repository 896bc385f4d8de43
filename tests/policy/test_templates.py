"""Which texts were made from a template (R12)."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.filings import Template, TemplateKind, problems_of
from gateway.policy.filings import TemplateIndex

# What NFKC and case folding leave alone, so that a value is as long as it is written.
LITERAL = st.text(alphabet="您的验证码订单号已发货ab1 ，、", min_size=1, max_size=12)
VALUE = st.text(alphabet="张三李四ab12，验证码", min_size=1, max_size=8)


def template(text: str, max_variable: int = 8, name: str = "T1") -> Template:
    return Template("shop", name, TemplateKind.VERIFICATION, text, max_variable)


def matches(pattern: str, text: str, max_variable: int = 8) -> bool:
    return TemplateIndex([template(pattern, max_variable)]).match(text) is not None


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("您的验证码{1}", "您的验证码1234"),
        ("您的验证码{1}", "您的验证码12345678"),
        ("您的验证码{1}", " 您的验证码1234\r\n"),
        ("您的验证码{1},请勿外传", "您的验证码１２３４，请勿外传"),
        ("{1}先生您好", "张先生您好"),
        ("您好,{1}号{2}已到", "您好,号号号已到"),
        ("欢迎光临", "欢迎光临"),
        ("第一行{1}\n第二行", "第一行1\r\n第二行"),
        ("Code {1} OK", "code 12 ok"),
        ("详见www.shop.cn/a 单号{1}", "详见www.shop.cn/a 单号12"),
        ("用时{1}公里", "用时5.5km公里"),
    ],
)
def test_a_text_made_from_a_template_is_known(pattern: str, text: str) -> None:
    assert matches(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("您的验证码{1}", "您的验证码"),
        ("您的验证码{1}", "您的验证码123456789"),
        ("您的验证码{1}", "你的验证码1234"),
        ("您的验证码{1}请勿外传", "您的验证码1234"),
        ("您的验证码{1}请勿外传", "您的验证码请勿外传"),
        ("您好,{1}号{2}已到", "您好,号号已到"),
        ("您好,{1}号{2}已到", "您好,一二三四已到"),
        ("您好{1}到{2}到了", "您好王王到到了"),
        ("欢迎光临", "欢迎光临寒舍"),
        ("欢迎光临", "欢迎"),
        ("订单{1}单号{2}好", "订单好"),
        ("您的验证码{1}", ""),
        ("您的验证码{1}", "您" * 40),
    ],
)
def test_any_other_text_is_not(pattern: str, text: str) -> None:
    assert not matches(pattern, text)


@pytest.mark.parametrize(
    "value",
    ["http://x", "t.cn/x", "ｔ．ｃｎ", "见t.cn好", "1.2.3.4", "【贷款】", "【", "】", "a.\u200bcn"],
)
def test_r12_no_variable_holds_a_link_or_a_signature(value: str) -> None:
    assert not matches("您的验证码{1}", f"您的验证码{value}", 20)
    assert not matches("订单{1}已发货", f"订单{value}已发货", 20)
    assert not matches("订单{1}发货{2}好", f"订单1发货{value}好", 20)


def test_a_link_may_not_begin_in_the_template_and_end_in_a_variable() -> None:
    assert not matches("见{1}cn好", "见t.cn好")


def test_the_place_of_a_piece_is_chosen_so_that_the_rest_fits() -> None:
    # The first b leaves too much to the second variable, the second one does not.
    assert matches("a{1}b{2}c好吗", "axbbyyc好吗", 2)
    assert not matches("a{1}b{2}c好吗", "axbyyyc好吗", 2)


def test_of_several_templates_the_one_that_says_most_is_told() -> None:
    broad, close = template("您的{1}已到", name="A"), template("您的包裹{1}已到", name="B")
    same = template("您的包裹{1}已到", name="C")

    found = TemplateIndex([broad, same, close]).match("您的包裹12已到")

    assert found is not None
    assert (found.id, found.kind) == ("B", TemplateKind.VERIFICATION)


@pytest.mark.parametrize(
    "beginning", ["Ab", "Café", "ABCDEF", "一二三四五六", "abcde\u0301f", "一\u200b二三四五六七"]
)
def test_a_text_is_known_by_its_beginning_in_normal_form(beginning: str) -> None:
    for written in (beginning, beginning.upper(), beginning.lower(), "\u200b" + beginning):
        assert matches(beginning + "您好{1}", f"{written}您好王先生")


def test_without_templates_no_text_is_known() -> None:
    index = TemplateIndex([])

    assert index.match("") is None
    assert index.match("您的验证码1234") is None


def test_templates_with_any_beginning_stand_side_by_side() -> None:
    texts = ["{1}先生您好", "您好{1}先生", "您的验证码{1}", "您的验证码{1}请勿外传", "好的"]
    index = TemplateIndex([template(text, name=text) for text in texts])

    for text in texts:
        found = index.match(text.replace("{1}", "王"))
        assert found is not None
        assert found.id == text


@given(st.data(), st.lists(LITERAL, min_size=1, max_size=6))
def test_whatever_is_made_from_a_template_is_known(data: st.DataObject, pieces: list[str]) -> None:
    text = pieces[0]
    for number, piece in enumerate(pieces[1:], 1):
        text += f"{{{number}}}{piece}"
    filed = template(text)
    if problems_of(filed):
        return
    made = pieces[0]
    for piece in pieces[1:]:
        made += data.draw(VALUE) + piece

    assert TemplateIndex([filed]).match(made) is not None


@given(st.text(max_size=60), st.text(alphabet="ab{}1【】.c", max_size=20))
def test_no_text_and_no_template_are_too_odd(text: str, pattern: str) -> None:
    found = TemplateIndex([template(pattern)]).match(text)

    assert found is None or found.id == "T1"


@given(LITERAL, VALUE)
def test_a_text_that_says_more_is_not_made_from_the_template(piece: str, value: str) -> None:
    assert not matches(f"{piece.strip()}订{{1}}完", f"{piece.strip()}订{value}完了")


def test_the_worst_text_costs_no_more_than_its_length_warrants() -> None:
    variables = "".join(f"{{{number}}}aa" for number in range(1, 11))
    index = TemplateIndex([template(f"aa{variables}b", 64)])

    began = process_time()
    for _ in range(20):
        assert index.match("a" * 600) is None
    took_s = process_time() - began

    assert took_s < 5.0  # tried one way after the other, it would outlast us all


def test_a_text_longer_than_any_template_costs_nothing() -> None:
    index = TemplateIndex([template("您的验证码{1}")])

    began = process_time()
    for _ in range(1000):
        assert index.match("您的验证码" + "www.a.cn" * 10_000) is None

    assert process_time() - began < 5.0
