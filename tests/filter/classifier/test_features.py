import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.filter.classifier.linear import (
    BUCKETS,
    CATEGORY_GRAMS,
    SIGNS,
    SPAM_GRAMS,
    Grams,
    NgramView,
    as_table,
    buckets_of,
    levels_of,
    signs_of,
)
from gateway.filter.normalise.views import Views
from gateway.kernel import gram_loops
from tests.filter.classifier import plainly
from tests.kernel.forms import Form, in_both_forms

TEXTS = st.text(st.characters(), max_size=40)  # lone surrogates too


def grams(text: str, view: NgramView, length: int) -> list[int]:
    """Return the buckets of one view and length."""
    for level in levels_of(Views(text), SPAM_GRAMS):
        if level.length == length and level.view is view:
            return list(level.buckets.tolist())
    return []


@in_both_forms
@given(texts=st.lists(TEXTS, max_size=4), kind=st.sampled_from([SPAM_GRAMS, CATEGORY_GRAMS]))
def test_a_batch_has_the_n_grams_of_its_texts(
    form: Form, texts: list[str], kind: tuple[Grams, ...]
) -> None:
    batch = [Views(text) for text in texts]

    with form():
        buckets, counts = buckets_of(batch, kind)

    expected = [plainly.buckets(text, kind) for text in batch]
    assert counts.tolist() == [len(one) for one in expected]
    assert buckets.tolist() == [bucket for one in expected for bucket in one]
    assert all(0 <= bucket < BUCKETS for bucket in buckets.tolist())


@in_both_forms
@example(text="xx")
@example(text="a**")
@example(text="x*x1")
@given(text=TEXTS)
def test_the_levels_are_the_n_grams_of_a_text_one_length_after_the_other(
    form: Form, text: str
) -> None:
    seen = Views(text)

    with form():
        levels = list(levels_of(seen, SPAM_GRAMS))

    found = [bucket for level in levels for bucket in level.buckets.tolist()]
    assert list(plainly.distinct(found)) == plainly.buckets(seen, SPAM_GRAMS)
    for level in levels:
        written = seen.sound if level.view is NgramView.SOUND else seen.folded
        assert ((level.ends - level.starts) >= level.length).all()
        assert level.starts.min(initial=0) >= 0
        assert level.ends.max(initial=0) <= len(written) + 2


@in_both_forms
@given(texts=st.lists(TEXTS, max_size=4))
def test_signs_are_those_that_are_counted_by_hand(form: Form, texts: list[str]) -> None:
    batch = [Views(text) for text in texts]

    with form():
        signs = signs_of(batch)

    assert signs.shape == (len(batch), len(SIGNS))
    for text, found in zip(batch, signs.tolist(), strict=True):
        assert found == pytest.approx(plainly.signs(text), abs=1e-6)


def test_each_view_goes_by_its_number_in_the_loops() -> None:
    numbers = {view: getattr(gram_loops, view.name) for view in NgramView}

    assert as_table([Grams(view, 3) for view in NgramView]).tolist() == [
        [numbers[view], 3] for view in NgramView
    ]


def test_short_numbers_differ_in_the_folded_view_alone() -> None:
    assert grams("回复1", NgramView.FOLDED, 3) != grams("回复2", NgramView.FOLDED, 3)
    assert grams("回复1", NgramView.SOUND, 3) == grams("回复2", NgramView.SOUND, 3)


def test_a_long_number_is_known_by_how_many_digits_it_has() -> None:
    one, other, longer = (
        grams(text, NgramView.FOLDED, 3) for text in ("电1234567找", "电7654321找", "电12345678找")
    )

    assert one == other
    assert one != longer


@pytest.mark.parametrize("masked", ["pay xxx元", "pay ***元"])
def test_what_was_put_in_place_of_a_number_is_one(masked: str) -> None:
    numbers = grams("pay 123元", NgramView.SOUND, 2)

    assert grams(masked, NgramView.SOUND, 2) == numbers


def test_a_single_x_is_a_letter() -> None:
    assert grams("x光", NgramView.SOUND, 1) != grams("0光", NgramView.SOUND, 1)


def test_what_is_said_twice_counts_once() -> None:
    (once, twice), counts = (
        [buckets_of([Views(text)], SPAM_GRAMS)[place].tolist() for text in ("哈" * 7, "哈" * 50)]
        for place in (0, 1)
    )

    assert once == twice
    assert counts == [[len(once)], [len(once)]]


def test_a_homophone_sounds_the_same_and_looks_different() -> None:
    assert grams("发票", NgramView.SOUND, 2) == grams("发飘", NgramView.SOUND, 2)
    assert grams("发票", NgramView.FOLDED, 2) != grams("发飘", NgramView.FOLDED, 2)


def test_the_same_characters_of_two_views_are_two_n_grams() -> None:
    assert grams("代开", NgramView.FOLDED, 1) != grams("代开", NgramView.SOUND, 1)


def test_the_han_view_leaves_all_else_out() -> None:
    han = (Grams(NgramView.HAN, 3),)
    plain, mixed = (
        [level.buckets.tolist() for level in levels_of(Views(text), han)]
        for text in ("代开发票", "代 开8发,票!")
    )

    assert plain == mixed


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_signs_are_shares(texts: list[str]) -> None:
    signs = signs_of([Views(text) for text in texts])

    assert signs.shape == (len(texts), len(SIGNS))
    assert ((signs >= 0) & (signs <= 1)).all()
    assert (signs[:, -1] == 1).all()


def test_signs_say_what_a_text_is_made_of() -> None:
    ((length, digits, small, capitals, han, others, signature, _),) = signs_of(
        [Views("【店】AB12")]
    ).tolist()

    assert 0 < length < 0.5
    assert digits == pytest.approx(2 / 7)
    assert small == pytest.approx(2 / 7)  # folded
    assert capitals == pytest.approx(2 / 7)
    assert han == pytest.approx(1 / 7)
    assert others == pytest.approx(2 / 7)
    assert signature == 1


def test_a_disguised_number_is_a_number() -> None:
    plain, disguised = signs_of([Views("加微信12345"), Views("加微信①②③４５")])

    assert plain.tolist() == disguised.tolist()


def test_sixty_thousand_characters_take_no_longer_than_their_number() -> None:
    buckets, _ = buckets_of([Views("发票\u0301" * 21_000)], SPAM_GRAMS)

    assert len(buckets) < 13 * 63_000
