"""Complaints as they are taken, whichever way they come; and who is shielded at once."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.policy.knowledge import ConsentSets
from gateway.stores import Stores
from gateway.systems.complaints.model import (
    MAX_TEXT_CHARS,
    MOST_AT_ONCE,
    TRANSITIONS,
    ComplaintState,
    NewComplaint,
    faults_of,
)
from gateway.systems.complaints.service import ComplaintDesk
from gateway.systems.consent.follower import ConsentFollower
from tests.systems.complaints.conftest import SUBSCRIBER, Clock, ComplaintBuilder

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SCOPE = "sp1 10690001"


async def refused(stores: Stores, scope: str, msisdn: int = SUBSCRIBER) -> ConsentAnswer | None:
    answer = await stores.consent.answer_of(msisdn, scope)
    return answer if answer is not None and answer.answer is Answer.REFUSED else None


async def test_r81_the_same_batch_twice_gives_the_same_ids_and_no_new_row(
    desk: ComplaintDesk, complaint: ComplaintBuilder, stores: Stores
) -> None:
    batch = [complaint(source_id=f"phone:{number}") for number in range(20)]

    first = await desk.receive(batch)
    second = await desk.receive(batch)

    assert [one.number for one in second] == [one.number for one in first]
    assert {one.is_new for one in first} == {True}
    assert {one.is_new for one in second} == {False}
    assert len(await stores.complaints.find(limit=100)) == 20


async def test_r86_a_known_reporter_refuses_the_port_before_anything_is_verified(
    desk: ComplaintDesk, complaint: ComplaintBuilder, stores: Stores, noon: datetime
) -> None:
    (result,) = await desk.receive([complaint()])

    assert result.is_shielded
    answer = await refused(stores, SCOPE)
    assert answer == ConsentAnswer(
        SUBSCRIBER, SCOPE, Answer.REFUSED, noon, "complaint", "complaint 1"
    )
    assert await refused(stores, "sp1") is None


async def test_r86_a_gateway_obeys_the_shield_with_its_next_look_at_the_feed(
    desk: ComplaintDesk, complaint: ComplaintBuilder, stores: Stores
) -> None:
    sets = ConsentSets()
    follower = ConsentFollower(stores.consent, stores.subscriptions, stores.changes, sets)
    await follower.load()

    await desk.receive([complaint()])
    await follower.catch_up()

    assert sets.refused_parts("sp1", "10690001", SUBSCRIBER) == [SCOPE]
    assert sets.refused_parts("sp1", "10690001", SUBSCRIBER + 1) == []
    assert sets.refused_parts("sp1", "10690002", SUBSCRIBER) == []


async def test_r86_every_sp_of_a_shared_port_is_refused(
    desk: ComplaintDesk, complaint: ComplaintBuilder, stores: Stores
) -> None:
    await desk.receive([complaint(sender="10690009")])

    assert await refused(stores, "sp1 10690009")
    assert await refused(stores, "sp2 10690009")
    kept = await stores.complaints.get(1)
    assert kept is not None
    assert (kept.port, kept.system_id) == ("10690009", "")


@pytest.mark.parametrize("changes", [{"reporter": None}, {"sender": "95588"}, {"sender": ""}])
async def test_r86_a_complaint_that_names_no_reporter_or_port_shields_nobody(
    desk: ComplaintDesk, complaint: ComplaintBuilder, stores: Stores, changes: dict[str, object]
) -> None:
    (result,) = await desk.receive([complaint(**changes)])

    assert result.is_new
    assert not result.is_shielded
    assert await stores.changes.changes(0) == []


async def test_r86_an_old_complaint_does_not_take_back_what_was_agreed_since(
    desk: ComplaintDesk, complaint: ComplaintBuilder, stores: Stores, noon: datetime
) -> None:
    agreed = ConsentAnswer(SUBSCRIBER, SCOPE, Answer.AGREED, noon - DAY, "mo")
    await stores.consent.record([agreed])

    await desk.receive([complaint(reported_at=noon - 2 * DAY)])
    assert await stores.consent.answer_of(SUBSCRIBER, SCOPE) == agreed

    await desk.receive([complaint(source_id="phone:2")])
    assert await refused(stores, SCOPE)


async def test_r86_a_clock_that_is_ahead_does_not_date_a_refusal_into_the_future(
    desk: ComplaintDesk, complaint: ComplaintBuilder, stores: Stores, noon: datetime
) -> None:
    await desk.receive([complaint(reported_at=noon + HOUR)])

    answer = await refused(stores, SCOPE)
    assert answer is not None
    assert answer.since == noon


async def test_a_complaint_without_a_sender_waits_for_it_and_is_then_taken(
    desk: ComplaintDesk, complaint: ComplaintBuilder, stores: Stores
) -> None:
    (asked,) = await desk.receive([complaint(sender="")])
    waiting = await desk.awaiting(SUBSCRIBER)

    assert asked.state is ComplaintState.NEED_INFO
    assert waiting is not None
    result = await desk.complete(waiting.number, sender="1069000112", text="not this one")

    assert result == (1, ComplaintState.RECEIVED, False, True)
    assert await refused(stores, SCOPE)
    kept = await stores.complaints.get(1)
    assert kept is not None
    assert (kept.sender, kept.text, kept.port) == ("1069000112", complaint().text, "10690001")
    assert await desk.awaiting(SUBSCRIBER) is None
    assert await desk.complete(1, sender="10690002") is None
    assert await desk.complete(9, sender="10690002") is None


async def test_a_complaint_that_still_lacks_something_waits_on(
    desk: ComplaintDesk, complaint: ComplaintBuilder
) -> None:
    await desk.receive([complaint(sender="", text="")])

    result = await desk.complete(1, text="恭喜您中奖")

    assert result is not None
    assert result.state is ComplaintState.NEED_INFO
    assert await desk.awaiting(SUBSCRIBER)


async def test_a_week_old_complaint_is_not_waited_for(
    desk: ComplaintDesk, complaint: ComplaintBuilder, clock: Clock
) -> None:
    await desk.receive([complaint(sender="")])

    clock.at += 7 * DAY + HOUR

    assert await desk.awaiting(SUBSCRIBER) is None


WRONG = [
    ("source_id", ""),
    ("source_id", "x" * 129),
    ("source_id", "a\nb"),
    ("source_id", "\ud800"),
    ("sender", "1" * 21),
    ("sender", "+8613800138000"),
    ("sender", "1069\n"),
    ("text", "x" * (MAX_TEXT_CHARS + 1)),
    ("text", "\ud800"),
    ("reporter", 0),
    ("reporter", -1),
    ("reported_at", datetime(1989, 1, 1, tzinfo=UTC)),
    ("reported_at", datetime(2025, 11, 25, 12)),  # noqa: DTZ001 - without an offset
    ("reported_at", datetime(2025, 11, 27, tzinfo=UTC)),
    ("received_at", datetime(2025, 11, 27, tzinfo=UTC)),
    ("category", "no such"),
    ("attachments", ("ab",)),
    ("attachments", ("ab" * 32,) * 17),
    ("by", "x" * 65),
    ("by", "a\x00"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
async def test_what_cannot_be_taken_is_named_and_nothing_is_kept(
    desk: ComplaintDesk,
    complaint: ComplaintBuilder,
    stores: Stores,
    noon: datetime,
    name: str,
    value: object,
) -> None:
    wrong: NewComplaint = complaint(**{name: value})

    assert [fault.name for fault in faults_of(wrong, noon)] == [name]
    with pytest.raises(ValueError, match=name):
        await desk.receive([complaint(), wrong])
    assert await stores.complaints.find() == []


async def test_one_call_takes_a_bounded_number(
    desk: ComplaintDesk, complaint: ComplaintBuilder
) -> None:
    assert await desk.receive([]) == []
    with pytest.raises(ValueError, match="500"):
        await desk.receive([complaint()] * (MOST_AT_ONCE + 1))


async def test_a_complaint_and_its_text_may_be_as_long_as_a_message(
    desk: ComplaintDesk, complaint: ComplaintBuilder, stores: Stores
) -> None:
    await desk.receive([complaint(text="长" * MAX_TEXT_CHARS)])

    kept = await stores.complaints.get(1)
    assert kept is not None
    assert len(kept.text) == MAX_TEXT_CHARS
    assert kept.text not in repr(kept)
    assert str(SUBSCRIBER) not in repr(kept)


def test_every_state_but_the_last_ones_leads_on() -> None:
    ends = {state for state, following in TRANSITIONS.items() if not following}

    assert set(TRANSITIONS) == set(ComplaintState)
    assert ends == {ComplaintState.INVALID, ComplaintState.CLOSED}
