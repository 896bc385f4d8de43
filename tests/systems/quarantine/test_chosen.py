"""Decisions on messages that were chosen one by one: a job, as one on a whole campaign."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.stores import Stores
from gateway.systems.quarantine.campaigns import (
    FEWER_ALONE,
    NOT_YOUR_JOB,
    CampaignDesk,
    ChosenJob,
    JobNotMade,
    JobNotUndone,
)
from gateway.systems.quarantine.decisions import (
    DECISION_WAITS,
    LEASED,
    UNDO_FOR,
    UNKNOWN_MESSAGE,
    ReviewDesk,
    seen_digest,
)
from gateway.systems.quarantine.job_messages import CHOSEN_STEP
from gateway.systems.quarantine.model import (
    MOST_CHOSEN,
    ChosenMessage,
    Grounds,
    MessageIds,
    NewCampaignReview,
    NewChosenReview,
    NewReview,
    PersonDecision,
    Replacement,
    ReviewJob,
    ReviewJobState,
)
from gateway.systems.quarantine.service import (
    STANDING,
    HeldFilter,
    NotDone,
    QuarantineDesk,
    find_held,
)
from gateway.systems.quarantine.sql import TEXT_REPLACED

Builder: TypeAlias = Callable[..., HeldMessage]

pytestmark = pytest.mark.every_store

RELEASED, REJECTED = PersonDecision.RELEASED, PersonDecision.REJECTED
CAMPAIGN = "c0000000000000001"
LIN, MEI = "user: lin", "user: mei"


def masked(text: str) -> str:
    return text.replace("13900139000", "139****9000")


@pytest.fixture
def desk(stores: Stores) -> CampaignDesk:
    return CampaignDesk(stores.campaigns, masked)


def chosen(*numbers: int, by: str = LIN, decision: PersonDecision = REJECTED) -> NewChosenReview:
    some = tuple(ChosenMessage(one) for one in numbers)
    return NewChosenReview(some, decision, by, note="fraud, asked 13900139000", category="fraud")


def made(outcome: ChosenJob | JobNotMade) -> ReviewJob:
    assert isinstance(outcome, ChosenJob)
    return outcome.job


async def work(stores: Stores, now: datetime) -> list[int]:
    """Take all steps that are due; return the ids of what was moved, in order."""
    moved: list[int] = []
    while (step := await stores.campaigns.advance(now)) is not None:
        moved.extend(one.message_id for one in step.moved)
    return moved


async def listed(stores: Stores) -> list[int]:
    """Return the ids in the list of what a person may decide on."""
    wanted = HeldFilter(HoldState.HELD, is_undecided=True)
    return [one.message_id for one in await find_held(stores.quarantine, wanted, None, 1000)]


async def test_what_was_chosen_is_decided_on_after_ten_seconds_and_nothing_else(
    desk: CampaignDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    count = CHOSEN_STEP + 5
    await stores.quarantine.hold([held(message_id=one) for one in range(1, count + 4)])

    job = made(await desk.decide_chosen(chosen(*range(2, count + 2)), noon))
    while_it_waits = await listed(stores)
    early = await stores.campaigns.advance(noon + UNDO_FOR - timedelta(microseconds=1))
    first = await stores.campaigns.advance(noon + UNDO_FOR)
    rest = await work(stores, noon + UNDO_FOR)
    done = await stores.campaigns.job(job.number)

    assert (job.campaign, job.expected_count, job.state) == ("", count, ReviewJobState.WAITING)
    assert (job.note, job.category) == ("fraud, asked 139****9000", "fraud")
    assert while_it_waits == await listed(stores) == [count + 3, count + 2, 1]
    assert early is None
    assert first is not None
    assert (first.job.done, first.job.state) == (CHOSEN_STEP, ReviewJobState.RUNNING)
    assert [one.message_id for one in first.moved] + rest == list(range(2, count + 2))
    assert done is not None
    assert (done.state, done.done, done.ended_at) == (ReviewJobState.DONE, count, noon + UNDO_FOR)
    one = await stores.quarantine.get(2)
    assert one is not None
    assert one.decision == "discarded by user: lin: fraud, asked 139****9000"


async def test_what_cannot_be_decided_on_is_left_and_told(
    desk: CampaignDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    messages = [
        held(message_id=1, state=HoldState.DISCARDED),
        held(message_id=2, expires_at=noon),
        *(held(message_id=one) for one in range(3, 8)),
    ]
    await stores.quarantine.hold(messages)
    await ReviewDesk(stores.reviews, masked).decide(NewReview(4, REJECTED, MEI), noon)
    await stores.leases.take(messages[4], MEI, noon)
    await stores.leases.take(messages[6], LIN, noon)
    made(await desk.decide_chosen(chosen(6, by=MEI), noon))
    seen = (*map(ChosenMessage, (1, 2)), ChosenMessage(3, "0123456789abcdef"))
    some = (*seen, *map(ChosenMessage, (4, 5, 6)), ChosenMessage(7, seen_digest(messages[6])))

    outcome = await desk.decide_chosen(
        NewChosenReview((*some, ChosenMessage(8)), RELEASED, LIN), noon
    )
    again = await desk.decide_chosen(chosen(7), noon)

    assert isinstance(outcome, ChosenJob)
    assert (outcome.job.expected_count, outcome.job.upto_id) == (1, 7)
    assert outcome.left == (
        NotDone(1, HoldState.DISCARDED, STANDING[HoldState.DISCARDED]),
        NotDone(2, HoldState.HELD, STANDING[HoldState.EXPIRED]),
        NotDone(3, HoldState.HELD, TEXT_REPLACED),
        NotDone(4, HoldState.HELD, DECISION_WAITS),
        NotDone(5, HoldState.HELD, LEASED),
        NotDone(6, HoldState.HELD, DECISION_WAITS),
        NotDone(8, None, UNKNOWN_MESSAGE),
    )
    assert isinstance(again, JobNotMade)
    assert (again.why, len(again.left)) == (DECISION_WAITS, 1)
    assert [*await stores.leases.of(messages, noon)] == [5]
    assert await work(stores, noon + UNDO_FOR) == [6, 7]


async def test_a_job_is_undone_as_a_whole_by_who_decided(
    desk: CampaignDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=one) for one in (1, 2, 3)])
    job = made(await desk.decide_chosen(chosen(1, 2), noon))

    foreign = await desk.undo(job.number, MEI, noon)
    undone = await desk.undo(job.number, LIN, noon)
    nothing = await work(stores, noon + UNDO_FOR)
    again = made(await desk.decide_chosen(chosen(1, 2, 3), noon))

    assert isinstance(foreign, JobNotUndone)
    assert foreign.why == NOT_YOUR_JOB
    assert isinstance(undone, ReviewJob)
    assert undone.state is ReviewJobState.UNDONE
    assert nothing == []
    assert again.expected_count == 3
    assert await work(stores, noon + UNDO_FOR) == [1, 2, 3]


async def test_what_is_chosen_has_no_other_decision_and_is_left_to_its_job_by_its_campaign(
    desk: CampaignDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=one, campaign=CAMPAIGN) for one in (1, 2, 3)])
    reviews = ReviewDesk(stores.reviews, masked)
    await desk.decide(NewCampaignReview(CAMPAIGN, REJECTED, MEI, 3), noon)
    job = made(await desk.decide_chosen(chosen(1, 2, decision=RELEASED), noon))

    second = await reviews.decide(NewReview(1, REJECTED, MEI), noon)
    counted = await stores.campaigns.held_of_each(CAMPAIGN)
    first = await stores.quarantine.get(1)
    assert first is not None
    waits = await stores.campaigns.job_on(first)
    await work(stores, noon + UNDO_FOR)

    states = [one.state for one in await stores.quarantine.get_many([1, 2, 3])]
    requested = HoldState.RELEASE_REQUESTED
    assert second == NotDone(1, HoldState.HELD, DECISION_WAITS)
    assert counted == {"sp1": 1}
    assert waits == job
    assert states == [requested, requested, HoldState.DISCARDED]
    assert await stores.campaigns.job_on(first) is None


async def test_a_long_message_is_one_and_goes_with_all_its_parts(
    desk: CampaignDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    parts = [held(message_id=one, assembly=1, part=one) for one in (1, 2, 3)]
    await stores.quarantine.hold([*parts, held(message_id=4)])

    job = made(await desk.decide_chosen(chosen(2, 3, 4), noon))
    while_it_waits = await listed(stores)
    moved = await work(stores, noon + UNDO_FOR)
    done = await stores.campaigns.job(job.number)

    assert job.expected_count == 2
    assert while_it_waits == []
    assert moved == [1, 2, 3, 4]
    assert done is not None
    assert done.done == 2


async def test_what_its_sender_replaces_meanwhile_stays_held(
    desk: CampaignDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    message = held(message_id=1)
    await stores.quarantine.hold([message, held(message_id=2)])
    grounds = ("CONTENT", "R", "", "", message.digest)
    replacement = Replacement(
        message.pdu, *grounds, receipt_asked=False, expires_at=message.expires_at
    )

    made(await desk.decide_chosen(chosen(1, 2, decision=RELEASED), noon))
    assert await stores.quarantine.replace_pdu(1, replacement)

    assert await listed(stores) == [1]
    assert await work(stores, noon + UNDO_FOR) == [2]


async def test_what_something_else_holds_meanwhile_stays_held(
    desk: CampaignDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    grounds = Grounds("CONTENT", "K-NEW", "", "", "d", noon + timedelta(days=1))
    await stores.quarantine.hold([held(message_id=one) for one in (1, 2)])
    other = QuarantineDesk(stores.quarantine, MessageIds(worker=1))

    job = made(await desk.decide_chosen(chosen(1, 2, decision=RELEASED), noon))
    await other.request_release(1, MEI, noon)  # a command does not wait
    await other.hold(1, grounds, "judged again: CONTENT", noon)

    assert await listed(stores) == [1]
    assert await work(stores, noon + UNDO_FOR) == [2]
    ended = await stores.campaigns.job(job.number)
    assert ended is not None
    assert (ended.state, ended.done) == (ReviewJobState.DONE, 1)


async def test_what_the_smsc_refused_meanwhile_stays_held(
    desk: CampaignDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=one) for one in (1, 2)])
    other = QuarantineDesk(stores.quarantine, MessageIds(worker=1))

    made(await desk.decide_chosen(chosen(1, 2, decision=RELEASED), noon))
    await other.request_release(1, MEI, noon)
    await other.begin_release(1, noon)
    await other.give_back(1, "ESME_RINVDSTADR", noon)

    assert await work(stores, noon + UNDO_FOR) == [2]


async def test_no_more_are_decided_on_at_once_than_is_said(
    desk: CampaignDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=one) for one in (1, 2, 3)])
    alone = CampaignDesk(stores.campaigns, masked, most_released=2)

    for some in ((), range(1, MOST_CHOSEN + 2)):
        with pytest.raises(ValueError, match="1 to 500 messages"):
            await desk.decide_chosen(chosen(*some), noon)
    with pytest.raises(ValueError, match="no such category"):
        await desk.decide_chosen(NewChosenReview((), RELEASED, LIN, category="x"), noon)
    refused = await alone.decide_chosen(chosen(1, 2, 3, decision=RELEASED), noon)
    discarded = await alone.decide_chosen(chosen(1, 2, 3), noon)

    assert refused == JobNotMade(0, FEWER_ALONE)
    assert made(discarded).expected_count == 3


async def test_a_restored_store_sends_nothing_that_was_chosen_to_be_released(
    desk: CampaignDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=one) for one in (1, 2, 3)])
    made(await desk.decide_chosen(chosen(1, decision=RELEASED), noon))
    made(await desk.decide_chosen(chosen(2, by=MEI), noon))

    in_doubt = await stores.reviews.doubt_unsent(noon)

    states = [one.state for one in await stores.quarantine.get_many([1, 2, 3])]
    assert in_doubt == 1
    assert states == [HoldState.IN_DOUBT, HoldState.HELD, HoldState.HELD]
    assert await work(stores, noon + UNDO_FOR) == []
    assert await listed(stores) == [3, 2]
