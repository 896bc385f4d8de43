"""Innocent texts of the trade gain no finding by all that is read through disguises."""

from collections import Counter
from pathlib import Path

import pytest

from gateway.filter.keywords.index import KeywordIndex
from gateway.filter.links import links_of
from gateway.filter.normalise.views import Views
from gateway.policy.bundle import Bundle
from gateway.settings.bundles.bundle import load_bundle
from tests.promises.disguises.carriers import CARRIERS
from tests.promises.disguises.codings import CODINGS
from tests.promises.disguises.trial import BUNDLE, Combination, Outcome, outcomes
from tests.promises.disguises.words import WORDS
from tests.promises.innocents.texts import innocent_texts

TEXTS = tuple(innocent_texts())
SHIPPED = load_bundle(Path("policies"))


def test_there_are_two_thousand_texts_of_many_structures_and_languages() -> None:
    assert len({one.text for one in TEXTS}) == len(TEXTS) >= 2_000
    assert len({(one.language, one.frame) for one in TEXTS}) >= 250
    by_language = Counter(one.language for one in TEXTS)
    assert by_language["zh"] >= 1_200
    assert by_language["en"] >= 300
    assert len(by_language) >= 6


@pytest.mark.parametrize("bundle", [SHIPPED, BUNDLE], ids=["as shipped", "forty words"])
def test_no_innocent_text_has_a_word_of_the_lists(bundle: Bundle) -> None:
    index = KeywordIndex(bundle.keyword_lists)

    found = {
        one.text: [hit.word for hit in hits] for one in TEXTS if (hits := index.search([one.text]))
    }

    assert found == {}
    assert index.search([bundle.keyword_lists[0].words[0]])


def test_no_link_of_an_innocent_text_is_found_in_disguise() -> None:
    links = [link for one in TEXTS for link in links_of(Views(one.text))]

    assert len(links) >= 50
    assert [link.host for link in links if link.is_disguised or link.is_look_alike] == []


def test_no_innocent_text_is_stopped_for_what_the_catalogue_hides() -> None:
    ucs2, submit = CODINGS[0], CARRIERS[1]

    found = list(outcomes(Combination(one.text, ucs2, submit, WORDS[0]) for one in TEXTS))

    assert {outcome for _, outcome in found} == {Outcome.FORWARDED}
    assert len(found) == len(TEXTS)
