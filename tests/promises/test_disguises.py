"""R62, no bypass: a refused word is refused in every disguise, coding and carrier.

The whole product is tried by benchmarks/disguises.py. Here each disguise meets each word, each
carrier and each coding, and each coding each carrier; what is not paired is drawn with a seed.
"""

import random
from collections.abc import Iterable, Iterator

import pytest

from tests.promises.disguises.carriers import CARRIERS, Carrier
from tests.promises.disguises.catalogue import DISGUISES
from tests.promises.disguises.codings import CODINGS, Coding
from tests.promises.disguises.disguise import Disguise, Kind
from tests.promises.disguises.trial import (
    Combination,
    Outcome,
    counts,
    is_writable,
    missed,
    outcomes,
)
from tests.promises.disguises.words import WORDS, Script, Word

UCS2, SUBMIT = CODINGS[0], CARRIERS[0]


def _disguised(disguise: Disguise) -> list[tuple[Word, str]]:
    return [(word, text) for word in WORDS if (text := disguise.of(word)) is not None]


def _draws(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same draws on every machine


def _all_refused(combinations: Iterable[Combination]) -> None:
    found = list(outcomes(combinations))

    assert found
    assert missed(found).most_common(40) == []


def test_the_catalogue_is_as_wide_as_promised() -> None:
    assert len(DISGUISES) >= 60
    assert len({one.name for one in DISGUISES}) == len(DISGUISES)
    assert {one.kind for one in DISGUISES} == set(Kind)
    assert len(CARRIERS) >= 12
    assert len(CODINGS) >= 8
    assert len(WORDS) == 40
    assert {word.script for word in WORDS} == set(Script)


@pytest.mark.parametrize("disguise", DISGUISES, ids=lambda one: one.name)
def test_r62_a_word_in_disguise_is_refused_like_the_plain_word(disguise: Disguise) -> None:
    _all_refused(
        Combination(text, UCS2, SUBMIT, word, disguise) for word, text in _disguised(disguise)
    )


@pytest.mark.parametrize("carrier", CARRIERS, ids=lambda one: one.name)
def test_r62_every_disguise_is_seen_through_in_every_carrier(carrier: Carrier) -> None:
    choice = _draws(carrier.name)

    def combinations() -> Iterator[Combination]:
        for disguise in DISGUISES:
            word, text = choice.choice(_disguised(disguise))
            yield Combination(text, UCS2, carrier, word, disguise)

    _all_refused(combinations())


@pytest.mark.parametrize("coding", CODINGS, ids=lambda one: one.name)
def test_r62_every_disguise_is_seen_through_in_every_coding(coding: Coding) -> None:
    choice = _draws(coding.name)
    carriers = [one for one in CARRIERS if not one.is_wrong]

    def combinations() -> Iterator[Combination]:
        for disguise in DISGUISES:
            fit = [one for one in _disguised(disguise) if is_writable(one[1], coding)]
            if fit:
                word, text = choice.choice(fit)
                yield Combination(text, coding, choice.choice(carriers), word, disguise)

    _all_refused(combinations())


@pytest.mark.parametrize("coding", CODINGS, ids=lambda one: one.name)
def test_r62_a_plain_word_is_refused_in_every_coding_and_carrier(coding: Coding) -> None:
    choice = _draws(coding.name)
    fit = [word for word in WORDS if is_writable(word.within(word.text), coding)]

    _all_refused(
        Combination(word.within(word.text), coding, carrier, word)
        for carrier in CARRIERS
        for word in choice.sample(fit, min(4, len(fit)))
    )


@pytest.mark.parametrize("coding", CODINGS, ids=lambda one: one.name)
def test_what_stands_around_the_words_passes_in_every_coding_and_carrier(coding: Coding) -> None:
    choice = _draws(coding.name)
    by_script = {word.script: word for word in WORDS}
    fit = [word for word in by_script.values() if is_writable(word.innocent, coding)]

    found = outcomes(
        Combination(word.innocent, coding, carrier, word)
        for carrier in CARRIERS
        if not carrier.is_wrong
        for word in choice.sample(fit, min(3, len(fit)))
    )

    assert set(counts(found)) == {Outcome.FORWARDED}
