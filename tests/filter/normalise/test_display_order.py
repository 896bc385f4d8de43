"""Texts in the order in which a handset shows them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.filter.normalise.shapes import display_orders, displayed
from tests.kernel.forms import Form, in_both_forms

MARKS = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
texts = st.text(st.sampled_from([*MARKS, *"ab1٣代开发שا؛ ,.+$()[]\n\t\u05b0्कि"]), max_size=24)
visible = str.maketrans("", "", MARKS)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("\u202e票发开代\u202c", "代开发票"),
        ("buy \u202eargaiv\u202c now", "buy viagra now"),
        ("\u202e\u202e票发开代\u202c\u202c", "代开发票"),
        ("\u202e票发开代", "代开发票"),
        ("\u202c\u2069\u202e票发开代\u202c", "代开发票"),
        ("\u2066\u202e票发开代\u2069 x", "代开发票 x"),
        ("\u2068\u202e票发开代\u202c\u2069", "代开发票"),
        ("a\u202e\u202d发票\u202c开代\u202c", "a代开发票"),
        ("\u202b票\u200f发\u200f开\u200f代\u202c", "代开发票"),
        ("\u200f票؛发؛开؛代", "代؛开؛发؛票"),
        ("\u200f(票)(发)(开)(代)", ")代()开()发()票("),
        ("\u2067票\u200f\u2066发开\u2069\u200f代", "代发开票"),
        ("\u202e3+2\u202c", "2+3"),
        ("\u202eर्जक\u202c", "कर्ज"),
        ("שלום \u202e票开\u202c", "开票 שלום"),
        ("\u202eab\n\u202edc", "ba\ncd"),
        ("\u202e票\u200b发\u200b开代\u202c", "代开发票"),
        ("\u200f票\u200f1,2", "1,2票"),
        ("\u200f票\u200f١,٢", "١,٢票"),
        ("\u200f票\u200f1,٢", "٢,1票"),
        ("\u200f票\u200f1+2", "1+2票"),
        ("\u200f票\u061c1+2", "2+1票"),
        ("\u200f票\u200f$1", "$1票"),
        ("\u200f票\u200f1$", "1$票"),
        ("\u200f票\u200f$代", "代$票"),
        ("\u05b0של \u202e票开\u202c", "开票 \u05b0של"),
        ("\u200fa(שb)", ")bש(a"),
        ("\u200f(a[b)c", "c)a[b("),  # the pair is found past what nothing closes
    ],
)
@in_both_forms
def test_marks_change_the_order_in_which_a_text_is_read(form: Form, text: str, read: str) -> None:
    with form():
        shown = displayed(text)

    assert shown[0].translate(visible) == read


def test_overrides_that_follow_each_other_are_one_or_two() -> None:
    shown = displayed("\u202e开代\u202c\u202e票发\u202c")

    assert [one.translate(visible) for one in shown] == ["发票代开", "代开发票"]


@pytest.mark.parametrize(
    "text", ["", "代开发票", "abc\u200f", "שלום עולם", "\u202b代开\u202c", "a\u202c"]
)
def test_a_text_that_is_read_as_it_is_written_has_no_other_order(text: str) -> None:
    assert displayed(text) == []


@in_both_forms
@example(text="\u05e9\u093f\u05b01")  # a mark of another direction within a cluster
@example(text="\u05e9(+)a")  # a pair of brackets with no direction in it
@given(text=texts)
def test_no_character_that_shows_is_lost_or_doubled(form: Form, text: str) -> None:
    with form():
        orders = display_orders(text)

    for order in orders:
        assert len(set(order)) == len(order)
        left = sorted(set(range(len(text))) - set(order))
        assert "".join(text[at] for at in left).strip(MARKS) == ""


@pytest.mark.parametrize("depth", [60, 63, 125, 400])
@in_both_forms
def test_embeddings_past_the_deepest_are_read_as_if_they_were_not_there(
    form: Form, depth: int
) -> None:
    isolates = "\u2067\u2066" * depth + "\u2067票\u200f代" + "\u2069" * (2 * depth + 1)
    embeddings = "\u202b\u202a" * depth + "\u202e票代" + "\u202c" * (2 * depth + 1) + "x"
    brackets = "\u200f" + "(" * depth + "a" + ")" * depth

    for text in (isolates, embeddings, brackets, "\u202a" * depth + "\u2067a\u202e\u2069\u202cb"):
        with form():
            shown = displayed(text)
        assert all(
            sorted(one.translate(visible)) == sorted(text.translate(visible)) for one in shown
        )


@in_both_forms
def test_what_ends_an_embedding_in_an_isolate_past_the_deepest_ends_nothing(form: Form) -> None:
    deepest = "\u202b\u202a" * 62 + "\u202e"
    text = f"{deepest}\u2067票发\u202c开代\u2069"

    with form():
        shown = displayed(text)

    assert shown[0].translate(visible) == "代开发票"


@pytest.mark.parametrize(
    "unit", ["\u200f代", "\u202e代\u202c", "\u2067代", "\n\u200f", "(\u200f", "\u2068"]
)
def test_sixty_five_thousand_marks_take_a_moment(unit: str) -> None:
    text = (unit * 33_000)[:65_000]

    assert all(len(order) <= len(text) for order in display_orders(text))
