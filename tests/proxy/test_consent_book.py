"""Answers by message: what holds here is what the store will say after the next start."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from gateway.domain.consent import CLAIMED, Answer, ConsentAnswer
from gateway.domain.consent_proof import ConsentProof
from gateway.domain.subscription import Said
from gateway.policy.consent_sets import ConsentSets
from gateway.proxy.consent_book import ConsentBook
from gateway.stores.open import memory_stores
from gateway.systems.consent.claims import Claim, Claims
from gateway.systems.subscriptions.word import Word

NUMBER = 8613800138000
NOW = datetime(2013, 10, 1, 12, tzinfo=UTC)
WORD = Word(NUMBER, "sp1", "春晓", "10690001", "TD", Said("1", "", NOW), "2")
AGREED, REFUSED = Answer.AGREED, Answer.REFUSED


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(seconds=2)])
async def test_r21_a_clock_that_was_ahead_takes_no_refusal_back(ahead: timedelta) -> None:
    """Or the refusal would hold until the next start, and then be gone."""
    store, sets = memory_stores().consent, ConsentSets()
    await store.record((ConsentAnswer(NUMBER, "sp1", AGREED, NOW + ahead, "web", "form 1"),))
    book = ConsentBook(store, sets)

    is_news = await book.keep(book.apply(WORD, REFUSED, "message 1"))

    kept = await store.answer_of(NUMBER, "sp1")
    assert (is_news, kept and kept.answer) == (True, REFUSED)


async def test_r37_a_claim_that_came_first_takes_back_no_refusal_that_was_heard_before() -> None:
    """The store was away when the subscriber refused, and the SP was the first to reach it."""
    store, sets = memory_stores().consent, ConsentSets()
    book = ConsentBook(store, sets)
    given = book.apply(WORD, REFUSED, "message 1")
    proof = ConsentProof("op", NOW, "web", "ab" * 32, "促销", date(2014, 1, 1), ("m1",), "")
    later = NOW + timedelta(minutes=3)

    await Claims(store).take("sp1", [Claim(NUMBER, proof)], f"{CLAIMED}shop", later)
    is_news = await book.keep(given)

    kept = await store.answer_of(NUMBER, "sp1")
    assert (is_news, kept and kept.answer) == (True, REFUSED)
    assert sets.is_refused("sp1", NUMBER)


async def test_r37_an_answer_that_the_store_does_not_take_does_not_hold_here_either() -> None:
    store, sets = memory_stores().consent, ConsentSets()
    refusal = ConsentAnswer(NUMBER, "sp1", REFUSED, NOW + timedelta(seconds=2), "hall", "desk 7")
    await store.record((refusal,))
    book = ConsentBook(store, sets)

    is_news = await book.keep(book.apply(replace(WORD, text="HF"), AGREED, "message 1"))

    assert not is_news
    assert sets.is_refused("sp1", NUMBER)
    assert await store.answer_of(NUMBER, "sp1") == refusal


@pytest.mark.parametrize("answer", [AGREED, REFUSED])
async def test_r27_a_word_to_the_hub_is_about_every_sp_and_consent_to_none(answer: Answer) -> None:
    store, sets = memory_stores().consent, ConsentSets()
    book = ConsentBook(store, sets)

    await book.keep(book.apply(replace(WORD, port="10086", is_hub=True), answer, "message 1"))

    assert not sets.has_agreed("sp1", NUMBER)
    assert [sets.is_refused(scope, NUMBER) for scope in ("sp1", "sp2")] == [answer is REFUSED] * 2
    assert await store.answer_of(NUMBER, "sp1") is None
