"""What a classifier says of texts that personal numbers send."""

from dataclasses import replace

import pytest

from gateway.filter.classifier.score import TextClass, score_as_personal
from gateway.filter.facts import TextFacts
from tests.policy.scorers import INNOCENT, OFFER, PRIZE, WordScorer

FOREIGN = replace(PRIZE, text_class=TextClass.FOREIGN)


def facts_of(*texts: str) -> TextFacts:
    return TextFacts((), texts)


def test_r61_all_texts_of_a_tick_are_asked_about_at_once_and_each_once() -> None:
    scorer = WordScorer(personal={"领奖": OFFER})
    prize, visit = facts_of("周末去领奖", "领什么"), facts_of("周末来玩")

    score_as_personal([prize, visit, prize], scorer)

    assert prize.personal == (OFFER, INNOCENT)
    assert visit.personal == (INNOCENT,)
    assert scorer.persons == [["周末去领奖", "领什么", "周末来玩"]]


def test_r61_of_a_foreign_text_nothing_is_asked_anew() -> None:
    scorer, foreign, unreadable = WordScorer(), facts_of("win a casino"), facts_of("")
    foreign.scored, unreadable.scored = (FOREIGN,), ()

    score_as_personal([foreign, unreadable], scorer)

    assert (foreign.personal, unreadable.personal) == ((FOREIGN,), ())
    assert scorer.persons == []


def test_r61_who_fails_is_told_and_nothing_is_noted() -> None:
    good, bad = facts_of("周末去领奖"), facts_of("坏了")

    with pytest.raises(RuntimeError):
        score_as_personal([good, bad], WordScorer())

    assert (good.personal, bad.personal) == (None, None)
