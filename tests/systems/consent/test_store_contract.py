"""What gateway.systems.consent.sql promises, on every store."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest

from gateway.domain.consent import EVERY_SENDER, NUMBERS_AT_ONCE, Answer, ConsentAnswer
from gateway.storage.change_feed import ANSWERS_PER_CHANGE
from gateway.stores import Stores

pytestmark = pytest.mark.every_store

AnswerBuilder: TypeAlias = Callable[..., ConsentAnswer]

SUBSCRIBER = 8613800138000


async def test_an_answer_comes_back_as_it_was_given(stores: Stores, answer: AnswerBuilder) -> None:
    given = answer()

    await stores.consent.record([given])

    assert await stores.consent.answer_of(SUBSCRIBER, "sp1") == given
    assert await stores.consent.answer_of(SUBSCRIBER, "sp2") is None
    assert await stores.consent.answer_of(SUBSCRIBER, EVERY_SENDER) is None


@pytest.mark.parametrize("is_reversed", [False, True])
async def test_the_later_answer_holds_whichever_arrives_first(
    stores: Stores, answer: AnswerBuilder, noon: datetime, *, is_reversed: bool
) -> None:
    earlier = answer(answer=Answer.REFUSED)
    later = answer(answer=Answer.AGREED, since=noon + timedelta(microseconds=1))

    for given in (later, earlier) if is_reversed else (earlier, later):
        await stores.consent.record([given])

    assert await stores.consent.answer_of(SUBSCRIBER, "sp1") == later


@pytest.mark.parametrize("is_reversed", [False, True])
async def test_of_two_answers_of_one_moment_the_refusal_holds(
    stores: Stores, answer: AnswerBuilder, *, is_reversed: bool
) -> None:
    refused, agreed = answer(answer=Answer.REFUSED), answer(answer=Answer.AGREED)

    await stores.consent.record([agreed, refused] if is_reversed else [refused, agreed])

    assert await stores.consent.answer_of(SUBSCRIBER, "sp1") == refused


async def test_the_evidence_comes_back_with_the_answer(
    stores: Stores, answer: AnswerBuilder
) -> None:
    given = answer(answer=Answer.AGREED, evidence="order 7, request 8, confirmation 9")

    await stores.consent.record([given])

    assert await stores.consent.answer_of(SUBSCRIBER, "sp1") == given


@pytest.mark.parametrize("said", [Answer.AGREED, Answer.REFUSED])
@pytest.mark.parametrize("is_reversed", [False, True])
async def test_r37_what_an_sp_asserts_later_replaces_nothing_that_the_subscriber_said(
    stores: Stores, answer: AnswerBuilder, noon: datetime, said: Answer, *, is_reversed: bool
) -> None:
    own = answer(answer=said)
    asserted = answer(answer=Answer.ASSERTED, since=noon + timedelta(days=1), channel="import")

    for given in (asserted, own) if is_reversed else (own, asserted):
        await stores.consent.record([given])

    assert await stores.consent.answer_of(SUBSCRIBER, "sp1") == own


async def test_r26_an_asserted_agreement_is_on_record_as_one(
    stores: Stores, answer: AnswerBuilder
) -> None:
    last = await stores.consent.record([answer(answer=Answer.ASSERTED)])

    row = (SUBSCRIBER, "sp1", Answer.ASSERTED)
    assert [rows async for rows in stores.consent.all_answers()] == [[row]]
    assert await stores.consent.answers_changed(0, last) == [row]


async def test_recording_again_changes_nothing(stores: Stores, answer: AnswerBuilder) -> None:
    first = await stores.consent.record([answer()])
    second = await stores.consent.record([answer()])

    assert second > first
    assert [rows async for rows in stores.consent.all_answers()] == [
        [(SUBSCRIBER, "sp1", Answer.REFUSED)]
    ]


async def test_recording_nothing_makes_no_change(stores: Stores) -> None:
    assert await stores.consent.record([]) == 0
    assert await stores.changes.latest() == 0


async def test_every_answer_is_loaded_once_in_bounded_batches(
    stores: Stores, answer: AnswerBuilder
) -> None:
    given = [
        answer(msisdn=SUBSCRIBER + place // 3, scope=("", "sp1", "sp2")[place % 3])
        for place in range(25)
    ]
    await stores.consent.record(given)

    batches = [rows async for rows in stores.consent.all_answers(batch=10)]

    assert [len(rows) for rows in batches] == [10, 10, 5]
    assert sorted(row for rows in batches for row in rows) == sorted(
        (one.msisdn, one.scope, one.answer) for one in given
    )


async def test_a_large_import_is_one_change_per_thousand_answers(
    stores: Stores, answer: AnswerBuilder
) -> None:
    count = 2 * ANSWERS_PER_CHANGE + 1
    given = [answer(msisdn=SUBSCRIBER + place) for place in range(count)]

    last = await stores.consent.record(given)

    assert len(await stores.changes.changes(0)) == 3
    assert last == await stores.changes.latest()
    assert len(await stores.consent.answers_changed(0, last)) == count
    assert len(await stores.consent.answers_changed(last - 1, last)) == 1


async def test_a_changed_answer_stands_under_its_last_change_only(
    stores: Stores, answer: AnswerBuilder, noon: datetime
) -> None:
    first = await stores.consent.record([answer(), answer(scope="sp2")])
    later = noon + timedelta(seconds=1)
    second = await stores.consent.record([answer(answer=Answer.AGREED, since=later)])

    assert await stores.consent.answers_changed(0, first) == [(SUBSCRIBER, "sp2", Answer.REFUSED)]
    assert await stores.consent.answers_changed(first, second) == [
        (SUBSCRIBER, "sp1", Answer.AGREED)
    ]


async def test_a_change_without_effect_does_not_bring_an_old_answer_again(
    stores: Stores, answer: AnswerBuilder, noon: datetime
) -> None:
    first = await stores.consent.record([answer()])
    earlier = noon - timedelta(seconds=1)

    second = await stores.consent.record([answer(answer=Answer.AGREED, since=earlier)])

    assert await stores.consent.answers_changed(first, second) == []


async def test_all_that_some_numbers_answered_comes_back_in_one_read(
    stores: Stores, answer: AnswerBuilder
) -> None:
    own = answer(evidence="form 117")
    general = answer(scope=EVERY_SENDER, answer=Answer.REFUSED)
    others = answer(msisdn=SUBSCRIBER + 1)
    await stores.consent.record([own, others, general, answer(msisdn=SUBSCRIBER + 2)])

    found = await stores.consent.answers_of({SUBSCRIBER, SUBSCRIBER + 1, SUBSCRIBER + 9})

    assert found == [general, own, others]
    assert await stores.consent.answers_of(set()) == []


async def test_answers_of_as_many_numbers_as_may_be_asked_for_at_once(
    stores: Stores, answer: AnswerBuilder
) -> None:
    numbers = range(SUBSCRIBER, SUBSCRIBER + NUMBERS_AT_ONCE)
    await stores.consent.record([answer(msisdn=number) for number in numbers])

    found = await stores.consent.answers_of(numbers)

    assert [one.msisdn for one in found] == list(numbers)


async def test_r26_an_agreement_comes_back_with_its_end_which_a_later_one_may_move(
    stores: Stores, answer: AnswerBuilder, noon: datetime
) -> None:
    for_a_year = answer(answer=Answer.AGREED, until=noon + timedelta(days=365))
    for_ever = answer(answer=Answer.AGREED, since=noon + timedelta(days=1))

    await stores.consent.record([for_a_year])
    first = await stores.consent.answer_of(SUBSCRIBER, "sp1")
    await stores.consent.record([for_ever])

    assert first == for_a_year
    assert await stores.consent.answers_of([SUBSCRIBER]) == [for_ever]


async def test_r20_an_agreement_that_has_ended_is_none_among_the_answers(
    stores: Stores, answer: AnswerBuilder, noon: datetime
) -> None:
    ended = answer(answer=Answer.AGREED, until=noon + timedelta(days=1))
    running = answer(scope="sp2", answer=Answer.ASSERTED, until=noon + timedelta(days=365 * 1000))

    last = await stores.consent.record([ended, running])

    rows = [(SUBSCRIBER, "sp1", None), (SUBSCRIBER, "sp2", Answer.ASSERTED)]
    assert [rows async for rows in stores.consent.all_answers()] == [rows]
    assert sorted(await stores.consent.answers_changed(0, last), key=lambda row: row[1]) == rows


async def test_agreements_are_told_in_the_order_of_their_ends_a_page_at_a_time(
    stores: Stores, answer: AnswerBuilder, noon: datetime
) -> None:
    ends = {SUBSCRIBER + place: noon + timedelta(hours=place // 3) for place in range(12)}
    await stores.consent.record(
        [answer(msisdn=one, answer=Answer.AGREED, until=until) for one, until in ends.items()]
    )
    await stores.consent.record([answer(msisdn=SUBSCRIBER - 1, answer=Answer.AGREED)])
    place = (noon, -1, "")
    pages = []

    while page := await stores.consent.answers_ending(place, noon + timedelta(hours=2), 4):
        pages.append(page)
        place = page[-1]

    assert [len(page) for page in pages] == [4, 4, 1]
    told = [row for page in pages for row in page]
    assert [until for until, *_ in told] == sorted(until for until, *_ in told)
    assert {msisdn: until for until, msisdn, _ in told} == {
        one: until for one, until in ends.items() if until <= noon + timedelta(hours=2)
    }


@pytest.mark.parametrize("before", Answer)
@pytest.mark.parametrize("after", Answer)
@pytest.mark.parametrize("seconds", [-1, 0, 1])
async def test_an_answer_holds_over_another_as_the_domain_says(
    stores: Stores, answer: AnswerBuilder, before: Answer, after: Answer, seconds: int
) -> None:
    first = answer(answer=before)
    second = answer(answer=after, since=first.since + timedelta(seconds=seconds), channel="web")

    await stores.consent.record([first])
    await stores.consent.record([second])

    expected = second if second.holds_over(first) else first
    assert await stores.consent.answer_of(first.msisdn, first.scope) == expected


async def test_r31_the_words_that_ports_offer_are_kept_in_order_each_ports_anew(
    stores: Stores,
) -> None:
    words = stores.offered_words
    await words.keep({("sp1", "1069"): ["R", "TD"], ("sp1", "1070"): ["N"], ("sp2", "1069"): ["T"]})
    await words.keep({("sp1", "1069"): ["TD", "Q"], ("sp2", "1069"): []})

    assert await words.listed() == [
        ("sp1", "1069", "TD"),
        ("sp1", "1069", "Q"),
        ("sp1", "1070", "N"),
    ]
