"""What gateway.systems.optout_notices.model promises, on every store."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer, scope_of
from gateway.domain.records import NewPurge
from gateway.runtime.clock import utcnow
from gateway.stores import Stores
from gateway.systems.ended_relations import FORGOTTEN, EndedRelation
from gateway.systems.optout_notices import sql as notice_sql
from gateway.systems.optout_notices.model import Notice, NoticeBatch, NoticeStanding
from tests.memory_stores import memory_stores

pytestmark = pytest.mark.every_store

AnswerBuilder: TypeAlias = Callable[..., ConsentAnswer]

SUBSCRIBER = 8613800138000
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
OTHER_SP = "sp2"


async def next_batch(stores: Stores, limit: int = 500) -> NoticeBatch:
    batch = await stores.notices.next_batch("sp1", limit)
    assert batch is not None
    return batch


def numbers_of(batch: NoticeBatch) -> list[int]:
    return [notice.msisdn for notice in batch.notices]


async def test_r36_a_refusal_is_told_to_its_sp_with_when_and_how(
    stores: Stores, answer: AnswerBuilder, noon: datetime
) -> None:
    await stores.consent.record([answer(channel="hall", evidence="op17")])

    batch = await stores.notices.next_batch("sp1")

    notice = Notice(SUBSCRIBER, Answer.REFUSED, noon, "hall", "sp1")
    assert batch == NoticeBatch(1, (notice,), is_last=True)
    assert not notice.is_for_every_sender
    assert await stores.notices.next_batch(OTHER_SP) is None


@pytest.mark.parametrize("channel", ["complaint", "customer_service", "linkage"])
async def test_an_sp_does_not_learn_who_complained(
    stores: Stores, answer: AnswerBuilder, channel: str
) -> None:
    await stores.consent.record([answer(channel=channel, evidence="complaint 17")])

    (notice,) = (await next_batch(stores)).notices

    assert (notice.answer, notice.channel) == (Answer.REFUSED, "carrier")


async def test_r36_a_refusal_of_every_sp_is_told_to_each_that_the_number_answered(
    stores: Stores, answer: AnswerBuilder
) -> None:
    await stores.consent.record(
        [answer(answer=Answer.AGREED), answer(scope=OTHER_SP), answer(scope=EVERY_SENDER)]
    )

    for system_id in ("sp1", OTHER_SP):
        batch = await stores.notices.next_batch(system_id)
        assert batch is not None
        assert sorted(notice.is_for_every_sender for notice in batch.notices) == [False, True]


async def test_r36_who_refused_a_port_and_then_every_sp_is_told_to_the_sp_of_the_port(
    stores: Stores, answer: AnswerBuilder
) -> None:
    await stores.consent.record([answer(scope=scope_of("sp1", "106900001"))])
    await stores.consent.record([answer(scope=EVERY_SENDER)])

    batch = await next_batch(stores)

    assert sorted(notice.is_for_every_sender for notice in batch.notices) == [False, True]
    assert await stores.notices.next_batch("sp") is None
    assert await stores.notices.next_batch("sp11") is None


async def test_r73_a_stranger_who_refuses_every_sp_is_told_to_none(
    stores: Stores, answer: AnswerBuilder
) -> None:
    await stores.consent.record([answer(scope=EVERY_SENDER), answer(scope=OTHER_SP)])
    await stores.consent.record([answer(msisdn=SUBSCRIBER + 1, answer=Answer.ASSERTED)])
    await stores.consent.record([answer(msisdn=SUBSCRIBER + 1, scope=EVERY_SENDER)])

    assert await stores.notices.waiting_since("sp1") is None
    assert await stores.notices.next_batch("sp1") is None
    assert await stores.notices.skip_before("sp1", utcnow() + HOUR) == 0


async def test_what_is_given_up_counts_no_strangers(stores: Stores, answer: AnswerBuilder) -> None:
    strangers = [answer(msisdn=SUBSCRIBER + place, scope=EVERY_SENDER) for place in range(9)]
    await stores.consent.record([*strangers, answer()])

    assert await stores.notices.skip_before("sp1", utcnow() + HOUR) == 2


async def test_what_stands_behind_many_strangers_is_heard(
    stores: Stores, answer: AnswerBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notice_sql, "_ANSWERS_PER_PAGE", 3)
    monkeypatch.setattr(notice_sql, "_PAGES_AT_ONCE", 2)
    strangers = [answer(msisdn=SUBSCRIBER + place, scope=EVERY_SENDER) for place in range(20)]
    await stores.consent.record(strangers)
    assert await stores.notices.waiting_since("sp1") is None
    await stores.consent.record([answer(msisdn=SUBSCRIBER - 1)])

    assert await stores.notices.waiting_since("sp1") is None  # too far to look for it
    batch = await next_batch(stores, 1)

    assert (batch.batch_id, numbers_of(batch), batch.is_last) == (1, [SUBSCRIBER - 1], True)
    assert await stores.notices.waiting_since("sp1") is not None
    assert await next_batch(stores, 1) == batch
    assert await stores.notices.acknowledge("sp1", 1)
    assert await stores.notices.next_batch("sp1") is None


async def test_a_batch_goes_on_past_strangers_to_the_next_that_is_told(
    stores: Stores, answer: AnswerBuilder
) -> None:
    scopes = ["sp1", EVERY_SENDER, EVERY_SENDER, "sp1", EVERY_SENDER, "sp1", EVERY_SENDER]
    for place, scope in enumerate(scopes):
        await stores.consent.record([answer(msisdn=SUBSCRIBER + place, scope=scope)])

    first = await next_batch(stores, 2)
    await stores.notices.acknowledge("sp1", first.batch_id)
    second = await next_batch(stores, 2)

    assert (numbers_of(first), first.is_last) == ([SUBSCRIBER, SUBSCRIBER + 3], False)
    assert (numbers_of(second), second.is_last) == ([SUBSCRIBER + 5], True)


async def test_r37_that_a_subscriber_came_back_is_told_and_an_assertion_is_not(
    stores: Stores, answer: AnswerBuilder
) -> None:
    await stores.consent.record([answer(msisdn=SUBSCRIBER + 1, answer=Answer.ASSERTED)])
    assert await stores.notices.next_batch("sp1") is None
    assert await stores.notices.waiting_since("sp1") is None

    await stores.consent.record([answer(answer=Answer.AGREED, channel="mo")])

    assert [one.answer for one in (await next_batch(stores)).notices] == [Answer.AGREED]


async def test_r37_the_same_batch_comes_again_until_it_is_acknowledged(
    stores: Stores, answer: AnswerBuilder
) -> None:
    await stores.consent.record([answer(msisdn=SUBSCRIBER + place) for place in range(3)])

    first = await next_batch(stores, 2)
    await stores.consent.record([answer(msisdn=SUBSCRIBER + 9)])
    again = await next_batch(stores, 500)

    assert first.batch_id == 1
    assert not first.is_last
    assert again == first

    assert await stores.notices.acknowledge("sp1", 1)
    rest = await next_batch(stores)

    assert (rest.batch_id, rest.is_last) == (2, True)
    assert numbers_of(rest) == [SUBSCRIBER + 2, SUBSCRIBER + 9]


async def test_an_acknowledgement_is_repeated_without_harm(
    stores: Stores, answer: AnswerBuilder
) -> None:
    await stores.consent.record([answer(msisdn=SUBSCRIBER + place) for place in range(2)])
    await next_batch(stores, 1)

    assert await stores.notices.acknowledge("sp1", 1)
    assert await stores.notices.acknowledge("sp1", 1)
    second = await next_batch(stores)
    assert await stores.notices.acknowledge("sp1", 1)

    assert await next_batch(stores) == second
    assert numbers_of(second) == [SUBSCRIBER + 1]


async def test_nobody_acknowledges_what_was_never_given(
    stores: Stores, answer: AnswerBuilder
) -> None:
    await stores.consent.record([answer()])
    await next_batch(stores)

    assert not await stores.notices.acknowledge("sp1", 2)
    assert not await stores.notices.acknowledge("sp1", 0)
    assert not await stores.notices.acknowledge("sp1", -1)
    assert not await stores.notices.acknowledge(OTHER_SP, 1)
    assert numbers_of(await next_batch(stores)) == [SUBSCRIBER]


async def test_an_answer_that_changes_while_it_waits_is_told_once_as_it_is_then(
    stores: Stores, answer: AnswerBuilder, noon: datetime
) -> None:
    await stores.consent.record([answer(msisdn=SUBSCRIBER + place) for place in range(2)])
    first = await next_batch(stores)
    await stores.consent.record([answer(answer=Answer.AGREED, since=noon + SECOND)])

    again = await next_batch(stores)
    await stores.notices.acknowledge("sp1", again.batch_id)
    then = await next_batch(stores)

    assert numbers_of(first) == [SUBSCRIBER, SUBSCRIBER + 1]
    assert (again.batch_id, numbers_of(again), again.is_last) == (1, [SUBSCRIBER + 1], False)
    assert [(one.msisdn, one.answer) for one in then.notices] == [(SUBSCRIBER, Answer.AGREED)]


async def test_a_batch_of_which_everything_changed_is_replaced_by_the_next(
    stores: Stores, answer: AnswerBuilder, noon: datetime
) -> None:
    await stores.consent.record([answer()])
    await next_batch(stores)
    await stores.consent.record([answer(answer=Answer.AGREED, since=noon + SECOND)])

    then = await next_batch(stores)

    assert (then.batch_id, [one.answer for one in then.notices]) == (2, [Answer.AGREED])
    assert await stores.notices.acknowledge("sp1", 1)
    assert await next_batch(stores) == then


async def test_a_change_of_a_thousand_answers_is_cut_exactly(
    stores: Stores, answer: AnswerBuilder
) -> None:
    given = [
        answer(msisdn=SUBSCRIBER + place, scope=scope)
        for place in range(0, 1000, 2)
        for scope in ("sp1", EVERY_SENDER, OTHER_SP)
    ]
    await stores.consent.record(given)
    heard: list[tuple[int, str]] = []

    while (batch := await stores.notices.next_batch("sp1", 70)) is not None:
        assert len(batch.notices) <= 70
        heard += [(notice.msisdn, notice.scope) for notice in batch.notices]
        assert batch.is_last is (len(heard) == 1000)
        assert await next_batch(stores, 70) == batch
        assert await stores.notices.acknowledge("sp1", batch.batch_id)

    told = [(one.msisdn, one.scope) for one in given if one.scope != OTHER_SP]
    assert sorted(heard) == sorted(told)
    assert len(set(heard)) == len(heard)


Recorded: TypeAlias = list[list[tuple[tuple[int, str], Answer]]]

# Of these 1 and 2 have answered sp1 before anything is heard, and the others never do.
KNOWN = (1, 2)
WHOSE = [
    *((msisdn, "sp1") for msisdn in KNOWN),
    *((msisdn, scope) for msisdn in (1, 2, 3, 4) for scope in (OTHER_SP, EVERY_SENDER)),
]


@given(
    recorded=st.lists(
        st.lists(
            st.tuples(st.sampled_from(WHOSE), st.sampled_from(Answer)),
            max_size=6,
            unique_by=lambda row: row[0],
        ),
        max_size=6,
    ),
    limit=st.integers(1, 4),
    steps=st.lists(st.booleans(), max_size=12),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_comes_between_every_last_answer_is_heard(
    noon: datetime, recorded: Recorded, limit: int, steps: list[bool]
) -> None:
    async with memory_stores() as stores:
        heard: dict[tuple[int, str], Answer] = {}
        before = noon - SECOND
        await stores.consent.record(
            [ConsentAnswer(one, "sp1", Answer.AGREED, before, "mo") for one in KNOWN]
        )

        async def hear() -> bool:
            batch = await stores.notices.next_batch("sp1", limit)
            if batch is None:
                return False
            heard.update({(one.msisdn, one.scope): one.answer for one in batch.notices})
            return await stores.notices.acknowledge("sp1", batch.batch_id)

        for minute, rows in enumerate(recorded):
            since = noon + timedelta(minutes=minute)
            await stores.consent.record(
                [ConsentAnswer(*whose, answer, since, "mo") for whose, answer in rows]
            )
            if minute < len(steps) and steps[minute]:
                await stores.notices.next_batch("sp1", limit)
            elif minute % 2:
                await hear()
        while await hear():
            pass

        on_record = [one async for page in stores.consent_lists.listed() for one in page]
        assert heard == {
            (one.msisdn, one.scope): one.answer
            for one in on_record
            if one.scope != OTHER_SP and one.answer is not Answer.ASSERTED and one.msisdn in KNOWN
        }


async def test_readers_at_the_same_time_are_given_the_same_batch(
    stores: Stores, answer: AnswerBuilder
) -> None:
    await stores.consent.record([answer(msisdn=SUBSCRIBER + place) for place in range(5)])

    batches = await asyncio.gather(*(stores.notices.next_batch("sp1", 2) for _ in range(8)))

    assert [batch and batch.batch_id for batch in batches] == [1] * 8
    assert len(set(batches)) == 1


async def test_r71_a_refusal_is_told_although_it_is_forgotten_how_it_was_given(
    stores: Stores, answer: AnswerBuilder, noon: datetime
) -> None:
    await stores.consent.record([answer()])
    relation = EndedRelation(SUBSCRIBER, "sp1", noon, noon)
    purge = NewPurge("relations", noon, noon + HOUR, 0, noon, "daily")
    assert await stores.ended_relations.forget([relation], purge) == 1

    batch = await next_batch(stores)

    assert [(one.answer, one.channel) for one in batch.notices] == [(Answer.REFUSED, FORGOTTEN)]


async def test_who_waits_is_told_since_when(stores: Stores, answer: AnswerBuilder) -> None:
    assert await stores.notices.waiting_since("sp1") is None
    before = utcnow()
    await stores.consent.record([answer()])
    after = utcnow()
    await stores.consent.record([answer(msisdn=SUBSCRIBER + 1)])

    since = await stores.notices.waiting_since("sp1")
    batch = await next_batch(stores)
    given = await stores.notices.waiting_since("sp1")
    await stores.notices.acknowledge("sp1", batch.batch_id)

    assert since is not None
    assert before <= since <= after
    assert given == since
    assert await stores.notices.waiting_since("sp1") is None


async def test_what_waits_longer_than_changes_are_kept_waits_since_the_oldest_of_them(
    stores: Stores, answer: AnswerBuilder
) -> None:
    await stores.consent.record([answer()])
    await stores.consent.record([answer(scope=OTHER_SP)])
    oldest = (await stores.changes.changes(0))[-1]
    await stores.changes.prune(utcnow() + HOUR)

    assert await stores.notices.waiting_since("sp1") == oldest.at


async def test_r37_what_came_before_a_time_is_given_up_and_counted(
    stores: Stores, answer: AnswerBuilder
) -> None:
    old = [answer(msisdn=SUBSCRIBER + place) for place in range(3)]
    await stores.consent.record([*old, answer(scope=EVERY_SENDER), answer(scope=OTHER_SP)])
    given = await next_batch(stores, 2)
    between = utcnow()
    await stores.consent.record([answer(msisdn=SUBSCRIBER + 9)])

    assert await stores.notices.skip_before("sp1", between) == 4
    assert await stores.notices.skip_before("sp1", between) == 0

    rest = await next_batch(stores)
    assert numbers_of(rest) == [SUBSCRIBER + 9]
    assert rest.batch_id == given.batch_id + 1
    assert await stores.notices.acknowledge("sp1", given.batch_id)
    assert await next_batch(stores) == rest
    assert await stores.notices.next_batch(OTHER_SP) is not None


async def test_all_that_waits_can_be_given_up(stores: Stores, answer: AnswerBuilder) -> None:
    assert await stores.notices.skip_before("sp1", utcnow()) == 0
    await stores.consent.record([answer()])

    assert await stores.notices.skip_before("sp1", utcnow() + HOUR) == 1
    assert await stores.notices.next_batch("sp1") is None
    await stores.consent.record([answer(msisdn=SUBSCRIBER + 1)])
    assert numbers_of(await next_batch(stores)) == [SUBSCRIBER + 1]


async def test_failures_are_counted_until_a_batch_is_taken(
    stores: Stores, answer: AnswerBuilder, noon: datetime
) -> None:
    assert await stores.notices.standing_of("sp1") == NoticeStanding("sp1")
    await stores.consent.record([answer()])
    batch = await next_batch(stores)
    for minute in range(2):
        at = noon + timedelta(minutes=minute)
        await stores.notices.note_failure("sp1", "HTTP 503", at=at, next_try_at=at + SECOND)

    failing = await stores.notices.standing_of("sp1")
    before = utcnow()
    await stores.notices.acknowledge("sp1", batch.batch_id)
    well = await stores.notices.standing_of("sp1")

    last = noon + timedelta(minutes=1)
    assert failing == NoticeStanding("sp1", None, 2, noon, last + SECOND, last, "HTTP 503")
    assert well.delivered_at is not None
    assert before <= well.delivered_at <= utcnow()
    assert well == NoticeStanding(
        "sp1", well.delivered_at, 0, None, None, failed_at=last, failure="HTTP 503"
    )


async def test_only_the_first_acknowledgement_of_a_batch_is_a_delivery(
    stores: Stores, answer: AnswerBuilder
) -> None:
    await stores.consent.record([answer()])
    batch = await next_batch(stores)
    await stores.notices.acknowledge("sp1", batch.batch_id)
    first = await stores.notices.standing_of("sp1")

    await stores.notices.acknowledge("sp1", batch.batch_id)

    assert await stores.notices.standing_of("sp1") == first


async def test_one_process_at_a_time_delivers_to_an_sp(stores: Stores, noon: datetime) -> None:
    claim, until = stores.notices.claim, noon + HOUR

    assert await claim("sp1", "one", now=noon, until=until)
    assert not await claim("sp1", "two", now=noon + SECOND, until=until)
    assert await claim(OTHER_SP, "two", now=noon + SECOND, until=until)
    assert await claim("sp1", "one", now=noon + SECOND, until=until + HOUR)
    assert not await claim("sp1", "two", now=until, until=until + HOUR)
    assert await claim("sp1", "two", now=until + HOUR, until=until + 2 * HOUR)


async def test_a_claim_harms_neither_the_place_nor_the_failures(
    stores: Stores, answer: AnswerBuilder, noon: datetime
) -> None:
    await stores.notices.note_failure("sp1", "HTTP 500", at=noon, next_try_at=noon + SECOND)
    await stores.consent.record([answer()])
    batch = await next_batch(stores)

    assert await stores.notices.claim("sp1", "one", now=noon, until=noon + HOUR)

    assert await next_batch(stores) == batch
    assert (await stores.notices.standing_of("sp1")).attempts == 1


async def test_a_claim_ends_with_what_it_was_for(
    stores: Stores, answer: AnswerBuilder, noon: datetime
) -> None:
    claim = stores.notices.claim
    await stores.consent.record([answer()])
    batch = await next_batch(stores)

    await claim("sp1", "one", now=noon, until=noon + HOUR)
    await stores.notices.note_failure("sp1", "HTTP 500", at=noon, next_try_at=noon + SECOND)
    assert await claim("sp1", "two", now=noon, until=noon + HOUR)
    await stores.notices.acknowledge("sp1", batch.batch_id)
    assert await claim("sp1", "three", now=noon, until=noon + HOUR)


async def test_whose_answers_changed_is_read_by_change(
    stores: Stores, answer: AnswerBuilder
) -> None:
    await stores.consent.record([answer(), answer(msisdn=SUBSCRIBER + 1)])
    await stores.consent.record([answer(scope=EVERY_SENDER)])
    await stores.consent.record([answer(scope=OTHER_SP, answer=Answer.ASSERTED)])

    assert set(await stores.notices.scopes_changed(0, 3)) == {"sp1", EVERY_SENDER}
    assert set(await stores.notices.scopes_changed(1, 3)) == {EVERY_SENDER}
    assert set(await stores.notices.scopes_changed(2, 3)) == set()


def test_a_notice_shows_no_number(noon: datetime) -> None:
    assert str(SUBSCRIBER) not in repr(Notice(SUBSCRIBER, Answer.REFUSED, noon, "mo", "sp1"))


async def test_r36_an_sp_hears_of_refusals_of_its_ports_and_of_categories_in_order(
    stores: Stores, answer: AnswerBuilder
) -> None:
    scopes = ["sp1 1069", "sp1", "sp1 #loan", "sp1 1070", "sp1!", "sp2 1069"]
    for place, scope in enumerate(scopes):
        await stores.consent.record([answer(msisdn=SUBSCRIBER + place, scope=scope)])

    first = await next_batch(stores, 3)
    assert await stores.notices.acknowledge("sp1", first.batch_id)
    second = await next_batch(stores, 3)

    told = [notice.scope for notice in (*first.notices, *second.notices)]
    assert told == ["sp1 1069", "sp1", "sp1 #loan", "sp1 1070"]
    assert await stores.notices.skip_before("sp1", utcnow() + HOUR) == 1
