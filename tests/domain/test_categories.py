"""The tree of contents is one tree, and every word in it has one meaning."""

import pytest

from gateway.domain.categories import (
    CATEGORIES,
    category_of,
    covered_by,
    likely_category,
    lineage_of,
)


def test_every_category_hangs_on_one_of_the_three_roots() -> None:
    roots = {category.id for category in CATEGORIES if not category.parent}

    assert roots == {"commercial", "illegal", "nuisance"}
    assert {list(lineage_of(category.id))[-1] for category in CATEGORIES} == roots


def test_no_two_categories_answer_to_one_word() -> None:
    words = [
        (word, category.id)
        for category in CATEGORIES
        for word in (category.id, category.name, *category.aliases)
    ]

    found = [(word, category_of(word)) for word, _ in words]

    assert [(word, category.id) for word, category in found if category] == words


@pytest.mark.parametrize(
    ("word", "identity"),
    [
        ("房产", "real_estate"),
        ("房产中介", "real_estate"),
        ("房產", "real_estate"),
        ("Real Estate", "real_estate"),
        ("real-estate", "real_estate"),
        (" 贷款 ", "loan"),
        ("诈骗", "fraud"),
    ],
)
def test_a_category_is_known_by_the_words_people_use(word: str, identity: str) -> None:
    category = category_of(word)

    assert category is not None
    assert category.id == identity


@pytest.mark.parametrize("word", ["", "天气", "房", "房产中介公司"])
def test_another_word_is_no_category(word: str) -> None:
    assert category_of(word) is None
    assert list(lineage_of(word)) == []


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("fraudd", "fraud"),
        ("Gambeling", "gambling"),
        ("fraud-prise", "fraud_prize"),
        ("scamm", "fraud"),
        ("lure", None),
        ("our own word", None),
        ("", None),
    ],
)
def test_a_slip_is_taken_for_what_it_is_spelt_much_like(slip: str, meant: str | None) -> None:
    likely = likely_category(slip)

    assert (likely and likely.id) == meant


def test_a_lineage_goes_from_the_category_up_to_its_root() -> None:
    assert list(lineage_of("中奖")) == ["fraud_prize", "fraud", "illegal"]


def test_a_category_covers_itself_and_what_lies_below_it() -> None:
    assert covered_by("loan") == covered_by("贷款") == {"loan"}
    assert {"illegal", "fraud", "fraud_prize", "drugs"} < covered_by("illegal")
    assert "fraud_prize" in covered_by("诈骗")
    assert "drugs" not in covered_by("诈骗")
    assert covered_by("our own word") == {"our own word"}
