"""What gateway.systems.consent.sql promises, on every store."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer
from gateway.policy.knowledge import ConsentSets
from gateway.storage.change_feed import ANSWERS_PER_CHANGE
from gateway.storage.errors import StoreUnavailable
from gateway.storage.sealed_columns import Kept
from gateway.stores import Stores, open_store
from gateway.systems.consent.follower import ConsentFollower
from gateway.systems.consent.sql import ANSWERS_PER_COMMIT, KeptAnswer
from tests.memory_stores import memory_stores

pytestmark = [pytest.mark.every_store, pytest.mark.postgresql]

AnswerBuilder: TypeAlias = Callable[..., ConsentAnswer]

SUBSCRIBER = 8613800138000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def plain(answer: ConsentAnswer, seal: Callable[[int], Kept] | None = None) -> KeptAnswer:
    since_us = (answer.since - EPOCH) // timedelta(microseconds=1)
    until_us = None if answer.until is None else (answer.until - EPOCH) // timedelta(microseconds=1)
    said = (answer.answer.value, since_us, answer.channel, answer.evidence, until_us)
    kept = answer.msisdn if seal is None else seal(answer.msisdn)
    return (kept, answer.scope, *said)


async def record_list(stores: Stores, batches: Iterable[Sequence[ConsentAnswer]]) -> list[int]:
    seal = stores.consent_lists.number_seal()
    plain_batches = ([plain(answer, seal) for answer in batch] for batch in batches)
    return [count async for count in stores.consent_lists.record_list(plain_batches)]


async def everything(stores: Stores) -> list[ConsentAnswer]:
    return [answer async for page in stores.consent_lists.listed() for answer in page]


async def test_a_list_comes_back_as_it_was_given_in_order(
    stores: Stores, answer: AnswerBuilder
) -> None:
    first, second = (
        answer(scope=EVERY_SENDER, answer=Answer.AGREED, channel="信", until=EPOCH),
        answer(evidence="合同117"),
    )
    third = answer(msisdn=SUBSCRIBER + 1)

    counts = await record_list(stores, [[third], [second, first]])

    assert counts == [1, 2]
    assert await everything(stores) == [first, second, third]


async def test_a_long_list_is_one_commit_per_ten_thousand_and_one_change_per_thousand(
    stores: Stores, answer: AnswerBuilder
) -> None:
    given_answers = [answer(msisdn=SUBSCRIBER + place) for place in range(ANSWERS_PER_COMMIT + 1)]

    counts = await record_list(stores, [given_answers])

    changes = await stores.changes.changes(0)
    assert counts == [ANSWERS_PER_COMMIT, 1]
    assert len(changes) == ANSWERS_PER_COMMIT // ANSWERS_PER_CHANGE + 1
    for change in changes:
        rows = await stores.consent.answers_changed(change.number - 1, change.number)
        assert 0 < len(rows) <= ANSWERS_PER_CHANGE


async def test_an_empty_list_makes_no_change(stores: Stores) -> None:
    assert await record_list(stores, [[]]) == []
    assert await stores.changes.latest() == 0


async def test_a_list_may_be_recorded_again(stores: Stores, answer: AnswerBuilder) -> None:
    agreed = answer(answer=Answer.AGREED)
    await record_list(stores, [[agreed]])
    seen = await stores.changes.latest()

    await record_list(stores, [[agreed]])

    latest = await stores.changes.latest()
    assert await everything(stores) == [agreed]
    assert await stores.consent.answers_changed(seen, latest) == []


async def test_a_list_outlasts_nothing_that_was_said_since(
    stores: Stores, answer: AnswerBuilder, noon: datetime
) -> None:
    refused = answer(since=noon + timedelta(microseconds=1))
    await stores.consent.record([refused])

    await record_list(stores, [[answer(answer=Answer.AGREED)]])

    assert await everything(stores) == [refused]


async def test_the_list_of_one_scope_or_answer_holds_no_other(
    stores: Stores, answer: AnswerBuilder
) -> None:
    everyone = answer(scope=EVERY_SENDER)
    agreed = answer(answer=Answer.AGREED)
    other = answer(scope="sp2")
    await record_list(stores, [[everyone, agreed, other]])

    async def listed(scope: str | None, said: Answer | None) -> list[ConsentAnswer]:
        pages = stores.consent_lists.listed(scope=scope, answer=said)
        return [one async for page in pages for one in page]

    assert await listed(EVERY_SENDER, None) == [everyone]
    assert await listed("sp1", None) == [agreed]
    assert await listed(None, Answer.REFUSED) == [everyone, other]
    assert await listed("sp1", Answer.REFUSED) == []


async def test_lists_come_in_bounded_pages(stores: Stores, answer: AnswerBuilder) -> None:
    await record_list(
        stores,
        [[answer(msisdn=SUBSCRIBER + place // 2, scope=f"sp{place % 2}") for place in range(25)]],
    )

    pages = [page async for page in stores.consent_lists.listed(batch=10)]

    assert [len(page) for page in pages] == [10, 10, 5]


async def test_a_follower_takes_a_list_over(stores: Stores, answer: AnswerBuilder) -> None:
    sets = ConsentSets()
    follower = ConsentFollower(stores.consent, stores.subscriptions, stores.changes, sets)
    await follower.load()
    numbers = range(SUBSCRIBER, SUBSCRIBER + 2 * ANSWERS_PER_CHANGE + 1)
    await record_list(stores, [[answer(msisdn=number) for number in numbers]])

    taken = await follower.catch_up()

    assert taken == len(numbers)
    assert all(sets.is_refused("sp1", number) for number in numbers)


ANSWERS = st.lists(
    st.builds(
        ConsentAnswer,
        msisdn=st.integers(SUBSCRIBER, SUBSCRIBER + 2),
        scope=st.sampled_from([EVERY_SENDER, "sp1"]),
        answer=st.sampled_from(Answer),
        since=st.integers(0, 2).map(lambda n: EPOCH + timedelta(microseconds=n)),
        channel=st.sampled_from(["mo", "import"]),
        evidence=st.sampled_from(["", "contract-117"]),
        until=st.sampled_from([None, EPOCH]),
    ),
    max_size=12,
)


@given(before=ANSWERS, answers=ANSWERS)
@settings(
    max_examples=60,
)
def test_a_list_leaves_what_recording_each_answer_leaves(
    before: list[ConsentAnswer],
    answers: list[ConsentAnswer],
) -> None:
    async def compared() -> tuple[list[ConsentAnswer], list[ConsentAnswer]]:
        async with memory_stores() as one_by_one, memory_stores() as in_bulk:
            for answer in before:
                await one_by_one.consent.record([answer])
                await in_bulk.consent.record([answer])
            for answer in answers:
                await one_by_one.consent.record([answer])
            await record_list(in_bulk, [answers])
            return await everything(one_by_one), await everything(in_bulk)

    expected, recorded = asyncio.run(compared())

    assert recorded == expected


async def test_what_a_locked_store_had_yielded_before_is_kept(
    sqlite_url: str, database_file: Path, answer: AnswerBuilder
) -> None:
    stores = await open_store(sqlite_url, deadline_s=1.0)
    kept = answer()
    counts: list[int] = []

    def locking(other: sqlite3.Connection) -> Iterable[list[KeptAnswer]]:
        yield [plain(kept)]
        other.execute("BEGIN IMMEDIATE")
        yield [plain(replace(kept, msisdn=SUBSCRIBER + 1))]

    with (  # noqa: PT012 - what came before the fault counts
        closing(sqlite3.connect(database_file, isolation_level=None)) as other,
        pytest.raises(StoreUnavailable),
    ):
        async for count in stores.consent_lists.record_list(locking(other)):
            counts.append(count)  # noqa: PERF401 - a comprehension that fails keeps nothing

    assert counts == [1]
    await stores.close()
    stores = await open_store(sqlite_url, deadline_s=30)
    assert await everything(stores) == [kept]
    await stores.close()


async def test_r22_the_answers_to_an_sp_are_listed_with_those_to_its_ports_and_categories(
    stores: Stores, answer: AnswerBuilder
) -> None:
    scopes = ["sp1", "sp1 #loan", "sp1 1069", "sp1!", "sp11", EVERY_SENDER]
    await stores.consent.record([answer(scope=scope) for scope in scopes])

    listed = {
        whose: [
            one.scope async for page in stores.consent_lists.listed(scope=whose) for one in page
        ]
        for whose in ("sp1", EVERY_SENDER)
    }

    assert listed == {"sp1": ["sp1", "sp1 #loan", "sp1 1069"], EVERY_SENDER: [EVERY_SENDER]}
