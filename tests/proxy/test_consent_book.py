"""Answers by message: what holds here is what the store will say after the next start."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from gateway.domain.consent import CLAIMED, Answer, ConsentAnswer
from gateway.domain.subscription import MessageEvidence
from gateway.policy.knowledge import ConsentSets
from gateway.proxy.consent_book import ConsentBook
from gateway.stores import Stores
from gateway.systems.consent.service import Claim, Claims, ConsentProof
from gateway.systems.subscriptions.dialogue import Word

NUMBER = 8613800138000
NOW = datetime(2013, 10, 1, 12, tzinfo=UTC)
WORD = Word(NUMBER, "sp1", "春晓", "10690001", "TD", MessageEvidence("1", "", NOW), "2")
AGREED, REFUSED = Answer.AGREED, Answer.REFUSED


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(seconds=2)])
async def test_r21_a_clock_that_was_ahead_takes_no_refusal_back(
    ahead: timedelta, stores: Stores
) -> None:
    """Or the refusal would hold until the next start, and then be gone."""
    store, sets = stores.consent, ConsentSets()
    await store.record((ConsentAnswer(NUMBER, "sp1", AGREED, NOW + ahead, "web", "form 1"),))
    book = ConsentBook(store, sets)

    is_news = await book.keep(book.apply(WORD, REFUSED, "message 1"), WORD)

    kept = await store.answer_of(NUMBER, "sp1")
    assert (is_news, kept and kept.answer) == (True, REFUSED)


async def test_r37_a_claim_that_came_first_takes_back_no_refusal_that_was_heard_before(
    stores: Stores,
) -> None:
    """The store was away when the subscriber refused, and the SP was the first to reach it."""
    store, sets = stores.consent, ConsentSets()
    book = ConsentBook(store, sets)
    given = book.apply(WORD, REFUSED, "message 1")
    proof = ConsentProof("op", NOW, "web", "ab" * 32, "促销", date(2014, 1, 1), ("m1",), "")
    later = NOW + timedelta(minutes=3)

    await Claims(store).take("sp1", [Claim(NUMBER, proof)], f"{CLAIMED}shop", later)
    is_news = await book.keep(given, WORD)

    kept = await store.answer_of(NUMBER, "sp1")
    assert (is_news, kept and kept.answer) == (True, REFUSED)
    assert sets.is_refused("sp1", NUMBER)


async def test_r37_an_answer_that_the_store_does_not_take_does_not_hold_here_either(
    stores: Stores,
) -> None:
    store, sets = stores.consent, ConsentSets()
    refusal = ConsentAnswer(NUMBER, "sp1", REFUSED, NOW + timedelta(seconds=2), "hall", "desk 7")
    await store.record((refusal,))
    book = ConsentBook(store, sets)

    word = replace(WORD, text="HF")
    is_news = await book.keep(book.apply(word, AGREED, "message 1"), word)

    assert not is_news
    assert sets.is_refused("sp1", NUMBER)
    assert await store.answer_of(NUMBER, "sp1") == refusal


@pytest.mark.parametrize("answer", [AGREED, REFUSED])
async def test_r27_a_word_to_the_hub_is_about_every_sp_and_consent_to_none(
    answer: Answer, stores: Stores
) -> None:
    store, sets = stores.consent, ConsentSets()
    book = ConsentBook(store, sets)

    word = replace(WORD, port="10086", is_hub=True)
    await book.keep(book.apply(word, answer, "message 1"), word)

    assert not sets.has_agreed("sp1", NUMBER)
    assert [sets.is_refused(scope, NUMBER) for scope in ("sp1", "sp2")] == [answer is REFUSED] * 2
    assert await store.answer_of(NUMBER, "sp1") is None


ABROAD, ABROAD_AS_MAINLAND = 14155550123, 8614155550123
FROM_ABROAD = replace(WORD, msisdn=ABROAD, other_msisdn=ABROAD_AS_MAINLAND)
FROM_EITHER = replace(WORD, msisdn=ABROAD_AS_MAINLAND, other_msisdn=ABROAD)


@pytest.mark.parametrize("word", [FROM_ABROAD, FROM_EITHER])
async def test_r21_a_refusal_holds_for_both_numbers_that_its_digits_may_be(
    word: Word, stores: Stores
) -> None:
    store, sets = stores.consent, ConsentSets()
    book = ConsentBook(store, sets)

    given = book.apply(word, REFUSED, "message 1")
    at_once = [sets.is_refused("sp1", one) for one in (ABROAD, ABROAD_AS_MAINLAND)]
    is_news = await book.keep(given, word)

    assert at_once == [True, True]
    assert is_news
    rows = await store.answers_of([ABROAD, ABROAD_AS_MAINLAND])
    assert [(row.msisdn, row.answer) for row in rows] == [
        (ABROAD, REFUSED),
        (ABROAD_AS_MAINLAND, REFUSED),
    ]


async def test_r27_an_agreement_from_abroad_is_nobody_elses(stores: Stores) -> None:
    store, sets = stores.consent, ConsentSets()
    book = ConsentBook(store, sets)

    await book.keep(book.apply(FROM_ABROAD, AGREED, "message 1"), FROM_ABROAD)

    assert sets.has_agreed("sp1", ABROAD)
    assert not sets.has_agreed("sp1", ABROAD_AS_MAINLAND)
    assert await store.answer_of(ABROAD_AS_MAINLAND, "sp1") is None


async def test_r37_the_own_later_word_of_whom_the_number_is_taken_for_stays(stores: Stores) -> None:
    store, sets = stores.consent, ConsentSets()
    later = NOW + timedelta(minutes=5)
    own = ConsentAnswer(ABROAD_AS_MAINLAND, "sp1", AGREED, later, "mo", "message 7")
    await store.record((own,))
    book = ConsentBook(store, sets, lambda: later)

    await book.keep(book.apply(FROM_ABROAD, REFUSED, "message 1"), FROM_ABROAD)

    assert await store.answer_of(ABROAD_AS_MAINLAND, "sp1") == own
    assert not sets.is_refused("sp1", ABROAD_AS_MAINLAND)
    assert sets.is_refused("sp1", ABROAD)


async def test_r23_a_yes_is_kept_with_its_end(stores: Stores) -> None:
    store, sets = stores.consent, ConsentSets()
    book = ConsentBook(store, sets)
    until = NOW + timedelta(days=365)

    word = replace(WORD, text="是")
    await book.keep(book.apply(word, AGREED, "request 7", until), word)

    kept = await store.answer_of(NUMBER, "sp1")
    assert kept is not None
    assert (kept.answer, kept.until) == (AGREED, until)


@pytest.mark.parametrize(("minutes", "is_agreed"), [(9, True), (11, False)])
async def test_r20_a_refusal_that_is_kept_late_writes_no_agreement_back_that_has_ended_since(
    minutes: int, stores: Stores, *, is_agreed: bool
) -> None:
    """The store was away, and another process recorded a later agreement meanwhile."""
    store, sets = stores.consent, ConsentSets()
    book = ConsentBook(store, sets, lambda: NOW + timedelta(minutes=minutes))
    given = book.apply(WORD, REFUSED, "message 1")
    since, until = NOW + timedelta(minutes=5), NOW + timedelta(minutes=10)
    await store.record((ConsentAnswer(NUMBER, "sp1", AGREED, since, "web", "form 1", until),))

    await book.keep(given, WORD)

    assert sets.has_agreed("sp1", NUMBER) is is_agreed
    assert not sets.is_refused("sp1", NUMBER)


async def test_r37_hf_takes_back_what_was_refused_of_its_port_and_of_categories(
    stores: Stores,
) -> None:
    store, sets = stores.consent, ConsentSets()
    book, word = ConsentBook(store, sets), replace(WORD, owned="10690001")
    parts = ("sp1 10690001", "sp1 10690002", "sp1 #loan", "sp2 10690001")
    for scope in parts:
        await book.keep(book.apply(word, REFUSED, "message 1", scope=scope), word)
    assert book.is_refused(word)
    back = replace(word, said=MessageEvidence("3", "", NOW + timedelta(minutes=1)))

    await book.keep(book.apply(back, AGREED, "message 3"), back)

    rows = {row.scope: row.answer for row in await store.answers_of([NUMBER])}
    assert [rows[scope] for scope in ("sp1", *parts)] == [
        *(AGREED, AGREED, REFUSED, AGREED),
        REFUSED,
    ]
    assert not book.is_refused(back)
    assert book.is_refused(replace(back, owned="10690002"))
