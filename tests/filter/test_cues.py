"""The cues of a text, added up in a tick."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.batch_views import CUE_KINDS, CUE_WORDS
from gateway.kernel import view_loops
from gateway.kernel.code_points import joined
from gateway.kernel.view_loops import NAMED, PROMOTION, RELIEF, TOLD
from tests.kernel.forms import Form, in_both_forms

_PIECES = [*"【】活动优惠券退-,字9\U00020000", "活动", "优惠券", "订单", "验证码", "stop", "code"]
cued = st.lists(st.sampled_from(_PIECES), max_size=12).map("".join)


def told_among(texts: list[str]) -> list[list[int]]:
    codes, bounds = joined(texts)
    made = np.stack([np.diff(bounds)] * (1 + TOLD), axis=1)
    view_loops.write_cues(codes, CUE_KINDS, CUE_WORDS, made, 1)
    told: list[list[int]] = made[:, 1:].tolist()
    return told


@pytest.mark.parametrize(
    ("text", "named", "promotion", "relief"),
    [
        ("", 0, 0, 0),
        ("您好", 0, 0, 0),
        ("活动报名", 0, 10, 0),
        ("活动,活动", 0, 5, 0),
        ("活,动报-名", 0, 10, 0),
        ("优惠券", 0, 20, 0),
        ("您的订单余额", 0, 0, -10),
        ("【活动】报名", 4, 5, 0),
        ("【】报名", 2, 5, 0),
        ("【活动", 0, 5, 0),
        ("您好【活动】", 0, 5, 0),
    ],
)
@in_both_forms
def test_words_weigh_once_and_those_of_the_name_in_front_do_not(
    form: Form, text: str, named: int, promotion: int, relief: int
) -> None:
    with form():
        (told,) = told_among([text])

    assert (told[NAMED], told[PROMOTION], told[RELIEF]) == (named, promotion, relief)


@in_both_forms
@given(texts=st.lists(cued, max_size=4))
def test_a_text_comes_to_the_same_alone_and_among_others(form: Form, texts: list[str]) -> None:
    with form():
        assert told_among(texts) == [told_among([text])[0] for text in texts]
