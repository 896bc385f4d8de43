"""What gateway.systems.complaints.sql promises, on every store."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias

import pytest
import sqlalchemy as sa

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.outbound_message import NewOutboundMessage, OutboundKind
from gateway.domain.records import NewPurge
from gateway.storage.change_feed import ChangeKind
from gateway.stores import Stores
from gateway.systems.complaints.model import (
    TRANSITIONS,
    Complaint,
    ComplaintSource,
    ComplaintState,
    IntakeResult,
    InvalidReason,
)
from gateway.systems.complaints.tables import complaints, row_of
from tests.memory_stores import execute

pytestmark = [pytest.mark.every_store, pytest.mark.postgresql]

Builder: TypeAlias = Callable[..., Complaint]

NUMBER = 8613900000001
SCOPE = "sp1 10690001"
DAY = timedelta(days=1)


@pytest.fixture
def taken(noon: datetime) -> Builder:
    """Build a complaint as a desk gives it to the store; give what should be otherwise."""
    usual = Complaint(
        number=0,
        source=ComplaintSource.CARRIER,
        source_id="unicom:7",
        reported_at=noon - timedelta(hours=1),
        sender="1069000112",
        text="贷款请加微信",
        reporter=NUMBER,
        received_at=noon - 2 * timedelta(hours=1),
        category="loan",
        attachments=("ab" * 32, "cd" * 32),
        by="unicom",
        taken_at=noon,
        system_id="sp1",
        port="10690001",
    )
    return lambda **changes: replace(usual, **changes)


def unshielded(_one: Complaint) -> list[ConsentAnswer]:
    return []


def test_there_is_a_column_for_each_field_of_a_complaint() -> None:
    names = {one.name for one in fields(Complaint)}
    assert {column.name for column in complaints.columns} == {*names, "digest"}


async def test_a_complaint_comes_back_as_it_was_kept(stores: Stores, taken: Builder) -> None:
    results = await stores.complaints.receive([taken()], unshielded)

    assert results == [IntakeResult(1, ComplaintState.RECEIVED, True, False)]
    assert await stores.complaints.get(1) == taken(number=1)
    assert await stores.complaints.get(2) is None


async def test_what_was_handed_in_before_keeps_its_number_and_its_state(
    stores: Stores, taken: Builder
) -> None:
    await stores.complaints.receive([taken()], unshielded)
    await stores.complaints.judge({1: None})

    again = taken(text="another text")
    new = taken(source_id="unicom:8")
    results = await stores.complaints.receive([again, new, new], unshielded)

    assert results == [
        IntakeResult(1, ComplaintState.VALID, False, False),
        IntakeResult(2, ComplaintState.RECEIVED, True, False),
        IntakeResult(2, ComplaintState.RECEIVED, False, False),
    ]
    assert [one.number for one in await stores.complaints.find()] == [2, 1]
    first = await stores.complaints.get(1)
    assert first is not None
    assert first.text == taken().text


async def test_a_shield_is_on_record_in_the_commit_of_its_complaint(
    stores: Stores, taken: Builder, noon: datetime
) -> None:
    def shield(one: Complaint) -> list[ConsentAnswer]:
        evidence = f"complaint {one.number}"
        return [ConsentAnswer(NUMBER, SCOPE, Answer.REFUSED, noon, "complaint", evidence)]

    results = await stores.complaints.receive([taken()], shield)

    assert results[0].is_shielded
    on_record = await stores.consent.answer_of(NUMBER, SCOPE)
    assert on_record is not None
    assert (on_record.answer, on_record.evidence) == (Answer.REFUSED, "complaint 1")
    assert [one.kind for one in await stores.changes.changes(0)] == [ChangeKind.CONSENT]


async def test_a_complaint_that_cannot_be_kept_shields_nobody(
    stores: Stores, taken: Builder
) -> None:
    def broken(_one: Complaint) -> list[ConsentAnswer]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await stores.complaints.receive([taken()], broken)

    assert await stores.complaints.find() == []


async def test_complaints_are_found_by_what_they_are_about(stores: Stores, taken: Builder) -> None:
    other = {"reporter": NUMBER + 1, "sender": "10690002", "port": "10690002"}
    await stores.complaints.receive(
        [taken(), taken(source_id="x", **other), taken(source=ComplaintSource.MO)], unshielded
    )

    async def found(**wanted: Any) -> list[int]:
        return [one.number for one in await stores.complaints.find(limit=9, before=9, **wanted)]

    assert await found() == [3, 2, 1]
    assert await found(reporter=NUMBER + 1) == [2]
    assert await found(sender="1069000112", source=ComplaintSource.MO) == [3]
    assert await found(port="10690002") == [2]
    assert await found(state=ComplaintState.VALID) == []
    assert [one.number for one in await stores.complaints.find(before=3, limit=1)] == [2]


@pytest.mark.parametrize("state", ComplaintState)
async def test_every_call_moves_a_complaint_along_its_transitions_or_leaves_it(
    stores: Stores, taken: Builder, noon: datetime, state: ComplaintState
) -> None:
    store = stores.complaints
    whole = taken(number=1)
    for call in (
        lambda: store.judge({1: None}),
        lambda: store.judge({1: InvalidReason.NO_RECORD}),
        lambda: store.cluster({1: 9}),
        lambda: store.close({1: None}),
        lambda: store.give_up(noon + DAY),
        lambda: store.complete(whole, unshielded),
    ):
        await execute(stores, sa.delete(complaints))
        number = {"number": 1, "state": state, "agreed_since": None, "is_proved": True}
        await execute(stores, sa.insert(complaints).values(row_of(whole) | number))

        await call()

        kept = await store.get(1)
        assert kept is not None
        assert kept.state in TRANSITIONS[state] | {state}
        assert kept.invalid_reason is None or kept.state is ComplaintState.INVALID


async def test_a_complaint_goes_all_the_way_to_its_end(stores: Stores, taken: Builder) -> None:
    store = stores.complaints
    lacking = taken(text="", state=ComplaintState.NEED_INFO)
    await store.receive([lacking, taken(source_id="unicom:8")], unshielded)

    await store.complete(taken(number=1), unshielded)
    await store.judge({1: None, 2: InvalidReason.NO_RECORD})
    await store.cluster({1: 9, 2: 9})
    told = await store.close({1: None, 2: None})

    first, second = await store.get(1), await store.get(2)
    assert first is not None
    assert second is not None
    assert told == []
    assert (first.state, first.case_number) == (ComplaintState.CLOSED, 9)
    assert (second.state, second.case_number) == (ComplaintState.INVALID, None)
    assert second.invalid_reason is InvalidReason.NO_RECORD


async def test_what_is_lacking_is_kept_once(stores: Stores, taken: Builder) -> None:
    lacking = taken(sender="", port="", system_id="", state=ComplaintState.NEED_INFO)
    await stores.complaints.receive([lacking], unshielded)
    whole = taken(number=1)

    assert await stores.complaints.complete(whole, unshielded)
    assert not await stores.complaints.complete(whole, unshielded)

    assert await stores.complaints.get(1) == whole


async def test_a_complaint_that_lacks_something_for_too_long_is_incomplete(
    stores: Stores, taken: Builder, noon: datetime
) -> None:
    old, new = (
        taken(source_id=name, text="", state=ComplaintState.NEED_INFO, taken_at=at)
        for name, at in (("old", noon - 8 * DAY), ("new", noon))
    )
    await stores.complaints.receive([old, new, taken(taken_at=noon - 8 * DAY)], unshielded)

    given_up = await stores.complaints.give_up(noon - 7 * DAY)

    assert given_up == 1
    assert await stores.complaints.give_up(noon - 7 * DAY) == 0
    found = [(one.state, one.invalid_reason) for one in await stores.complaints.find()]
    assert found == [
        (ComplaintState.RECEIVED, None),
        (ComplaintState.NEED_INFO, None),
        (ComplaintState.INVALID, InvalidReason.INCOMPLETE),
    ]


async def test_forgetting_is_journaled(stores: Stores, taken: Builder, noon: datetime) -> None:
    await stores.complaints.receive(
        [taken(), taken(source_id="new", taken_at=noon + DAY)], unshielded
    )

    due = await stores.complaints.taken_before(noon + DAY)
    purge = NewPurge("complaints", noon, noon, 0, noon, "daily")
    gone = await stores.complaints.forget([one.number for one in due], purge)

    assert gone == 1
    assert await stores.complaints.get(1) is None
    assert [one.count for one in await stores.journals.purges()] == [1]
    assert await stores.complaints.taken_before(noon + 2 * DAY, after=2) == []


async def test_what_is_received_is_judged_once_and_put_into_its_case(
    stores: Stores, taken: Builder, noon: datetime
) -> None:
    store, state = stores.complaints, ComplaintState
    await store.receive([taken(source_id=str(one)) for one in range(4)], unshielded)

    await store.judge({1: None, 2: InvalidReason.NO_RECORD, 3: None})
    await store.judge({1: InvalidReason.DUPLICATE, 2: None})
    await store.cluster({1: 7, 2: 7, 4: 7})
    await store.cluster({1: 8})
    await store.judge({})

    found = {
        one.number: (one.state, one.invalid_reason, one.case_number) for one in await store.find()
    }
    assert found == {
        1: (state.CLUSTERED, None, 7),
        2: (state.INVALID, InvalidReason.NO_RECORD, None),
        3: (state.VALID, None, None),
        4: (state.RECEIVED, None, None),
    }
    assert [one.number for one in await store.waiting(state.VALID, 9)] == [3]
    assert await store.waiting(state.CLOSED, 9) == []
    assert await store.count_of([state.VALID, state.RECEIVED]) == 2
    assert await store.waiting_since() == noon
    assert await store.texts_of([1, 9]) == {1: "贷款请加微信"}


async def test_the_same_complaint_of_a_reporter_is_found_before_it(
    stores: Stores, taken: Builder, noon: datetime
) -> None:
    store, old = stores.complaints, noon - 4 * DAY
    given = [
        taken(source_id="1", taken_at=old),
        taken(source_id="2"),
        taken(source_id="3"),
        taken(source_id="4", text="另一条"),
        taken(source_id="5", sender="10690002"),
        taken(source_id="6", reporter=NUMBER + 1),
        taken(source_id="7", reporter=None),
        taken(source_id="8"),
    ]
    await store.receive(given, unshielded)
    await store.judge({3: InvalidReason.NO_RECORD})
    kept = sorted(await store.find(), key=lambda one: one.number)

    assert await store.repeated(kept, 3 * DAY) == {3: [2], 8: [2]}
    assert await store.repeated(kept[6:7], 3 * DAY) == {}


AGREED = ConsentAnswer(NUMBER, SCOPE, Answer.AGREED, datetime(2013, 1, 1, tzinfo=UTC), "hall")


@pytest.mark.parametrize(
    ("answers", "since"),
    [
        ([AGREED], AGREED.since),
        ([replace(AGREED, scope="sp1")], AGREED.since),
        ([replace(AGREED, answer=Answer.ASSERTED)], None),
        ([replace(AGREED, until=AGREED.since + DAY)], None),
        ([AGREED, replace(AGREED, scope="", answer=Answer.REFUSED)], None),
        ([replace(AGREED, msisdn=NUMBER + 1), replace(AGREED, scope="sp2")], None),
    ],
)
async def test_a_complaint_notes_since_when_its_reporter_had_agreed(
    stores: Stores,
    taken: Builder,
    answers: list[ConsentAnswer],
    since: datetime | None,
    noon: datetime,
) -> None:
    shield = ConsentAnswer(NUMBER, SCOPE, Answer.REFUSED, noon, "complaint")
    await stores.consent.record(answers)
    lacking = taken(source_id="2", text="", state=ComplaintState.NEED_INFO)
    await stores.complaints.receive([taken()], lambda _one: [shield])
    await stores.complaints.receive([lacking], unshielded)

    (kept,) = await stores.complaints.find(state=ComplaintState.RECEIVED)
    assert kept.agreed_since == since
    # The shield is on record now: whoever complains again refuses.
    await stores.complaints.complete(replace(lacking, number=2, text="再次"), lambda _one: [shield])
    again = await stores.complaints.get(2)
    assert again is not None
    assert again.agreed_since is None


async def test_a_complaint_is_closed_once_with_the_message_to_its_reporter(
    stores: Stores, taken: Builder, noon: datetime
) -> None:
    store = stores.complaints
    await store.receive([taken(source_id=str(one)) for one in range(4)], unshielded)
    await store.judge(dict.fromkeys((1, 2, 3)))
    await store.cluster({1: 7, 2: 7, 3: 8})
    message = NewOutboundMessage(
        "12321", NUMBER, "已处理", OutboundKind.COMPLAINT, "complaint 1", noon, noon + DAY
    )

    assert [one.number for one in await store.clustered(7, 9)] == [1, 2]
    assert [one.number for one in await store.clustered(7, 1)] == [1]
    assert await store.cases_of_clustered(0, 9) == [7, 8]
    assert (await store.cases_of_clustered(0, 1), await store.cases_of_clustered(7, 9)) == (
        [7],
        [8],
    )
    assert await store.close({1: message, 2: None, 4: message}) == [1]
    assert await store.close({1: message}) == []

    assert await store.clustered(7, 9) == []
    assert await store.cases_of_clustered(0, 9) == [8]
    assert {one.number: one.state for one in await store.find()} == {
        1: ComplaintState.CLOSED,
        2: ComplaintState.CLOSED,
        3: ComplaintState.CLUSTERED,
        4: ComplaintState.RECEIVED,
    }
    assert await stores.outbound_messages.count_waiting() == 1


async def test_r89_a_reporter_is_told_once_a_day_wherever_it_asks(stores: Stores) -> None:
    store, today = stores.complaints, date(2025, 11, 25)
    asked = [await store.admit_query(NUMBER, today) for _ in range(2)]
    other = await store.admit_query(NUMBER + 1, today)
    await store.withdraw_query(NUMBER + 1)
    again = await store.admit_query(NUMBER + 1, today)
    tomorrow = [await store.admit_query(NUMBER, today + timedelta(days=1)) for _ in range(2)]

    assert (asked, other, again) == ([True, False], True, True)
    assert tomorrow == [True, False]
    assert not await store.admit_query(NUMBER, today)  # a clock that is behind


async def test_r89_an_app_that_proves_no_reporter_is_counted_for_itself(stores: Stores) -> None:
    store, today = stores.complaints, date(2025, 11, 25)
    by_apps = [await store.admit_query(NUMBER, today, app) for app in ("app", "app", "other app")]
    itself = [await store.admit_query(NUMBER, today) for _ in range(2)]
    await store.withdraw_query(NUMBER)

    assert (by_apps, itself) == ([True, False, True], [True, False])
    assert await store.admit_query(NUMBER, today)
    assert not await store.admit_query(NUMBER, today, "app")
    assert await store.admit_query(NUMBER, today + timedelta(days=1), "app")
