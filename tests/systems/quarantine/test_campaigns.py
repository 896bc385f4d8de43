"""Open campaigns, and decisions on a whole one: a job that goes on after any end of a process."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.held_findings import lines_of, told_items
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.verdict import Action, Finding, Reason
from gateway.storage.database import Database
from gateway.stores import Stores
from gateway.systems.quarantine.campaigns import (
    JOB_WAITS,
    NOT_YOUR_JOB,
    NOTHING_HELD,
    OTHER_COUNT,
    SECOND_PERSON,
    UNKNOWN_JOB,
    CampaignDesk,
    JobNotMade,
    JobNotUndone,
)
from gateway.systems.quarantine.decisions import UNDO_FOR, ReviewDesk
from gateway.systems.quarantine.model import (
    Grounds,
    MessageIds,
    NewCampaignReview,
    NewReview,
    PersonDecision,
    Replacement,
    ReviewJob,
    ReviewJobState,
)
from gateway.systems.quarantine.service import QuarantineDesk
from gateway.systems.quarantine.sql import QuarantineStore
from tests.memory_stores import memory_stores

Builder: TypeAlias = Callable[..., HeldMessage]

pytestmark = pytest.mark.every_store

RELEASED, REJECTED = PersonDecision.RELEASED, PersonDecision.REJECTED
ONE, OTHER = "c0000000000000001", "c0000000000000002"
LIN, MEI = "user: lin", "user: mei"


def masked(text: str) -> str:
    return text.replace("13900139000", "139****9000")


@pytest.fixture
def campaigns(stores: Stores) -> CampaignDesk:
    return CampaignDesk(stores.campaigns, masked)


def made(outcome: ReviewJob | JobNotMade) -> ReviewJob:
    assert isinstance(outcome, ReviewJob)
    return outcome


async def work(stores: Stores, now: datetime, limit: int = 250) -> list[int]:
    """Take all steps that are due; return the ids of what was moved, in order."""
    moved: list[int] = []
    while (step := await stores.campaigns.advance(now, limit)) is not None:
        moved.extend(one.message_id for one in step.moved)
    return moved


async def states(stores: Stores) -> dict[int, HoldState]:
    return {one.message_id: one.state for one in await stores.quarantine.find(limit=1000)}


async def test_open_campaigns_come_by_how_much_is_held_of_them(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    hour = timedelta(hours=1)
    await stores.quarantine.hold(
        [
            held(message_id=1, campaign=ONE, held_at=noon - hour),
            held(message_id=2, campaign=OTHER),
            held(message_id=3, campaign=ONE, system_id="bank"),
            held(message_id=4, campaign=ONE, held_at=noon + hour),
            held(message_id=5, campaign=OTHER),
            held(message_id=6, campaign=OTHER, state=HoldState.DISCARDED),
            held(message_id=7, campaign=OTHER),
            held(message_id=8, campaign="c0000000000000003"),
            held(message_id=9),
        ]
    )
    await ReviewDesk(stores.reviews, masked).decide(NewReview(7, REJECTED, LIN), noon)

    found = await stores.campaigns.open_campaigns()
    all_of_them = await stores.campaigns.open_campaigns(least=1)
    first = await stores.campaigns.open_campaigns(limit=1)

    assert [(one.campaign, one.messages, one.senders) for one in found] == [
        (ONE, 3, 2),
        (OTHER, 2, 1),
    ]
    assert (found[0].first_at, found[0].last_at) == (noon - hour, noon + hour)
    assert (found[0].example.message_id, found[1].example.message_id) == (4, 5)
    assert (len(all_of_them), first) == (3, found[:1])
    assert await stores.campaigns.held_of_each(ONE) == {"bank": 1, "sp1": 2}


async def test_a_release_of_more_than_one_person_may_release_changes_nothing(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=one, campaign=ONE) for one in range(1, 4)])
    desk = CampaignDesk(stores.campaigns, masked, most_released=2)

    refused = await desk.decide(NewCampaignReview(ONE, RELEASED, LIN, 3), noon)
    lied = await desk.decide(NewCampaignReview(ONE, RELEASED, LIN, 2), noon)
    discarded = await desk.decide(NewCampaignReview(ONE, REJECTED, LIN, 3), noon)

    assert refused == JobNotMade(3, SECOND_PERSON)
    assert isinstance(lied, JobNotMade)
    assert made(discarded).expected_count == 3


async def test_a_part_of_a_campaign_is_not_released_where_the_whole_needs_two_persons(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    ids = {1: "sp1", 2: "sp1", 3: "bank"}
    await stores.quarantine.hold(
        [held(message_id=one, campaign=ONE, system_id=sp, rule="K") for one, sp in ids.items()]
    )
    desk = CampaignDesk(stores.campaigns, masked, most_released=2)
    part = NewCampaignReview(ONE, RELEASED, LIN, 2, "sp1")

    parts = [await desk.decide(one, noon) for one in (part, replace(part, rule="K"))]
    discarded = await desk.decide(replace(part, decision=REJECTED), noon)

    assert parts == [JobNotMade(3, SECOND_PERSON)] * 2
    assert made(discarded).expected_count == 2


async def test_a_whole_campaign_is_decided_on_after_ten_seconds_and_nothing_else(
    campaigns: CampaignDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold(
        [held(message_id=one, campaign=ONE) for one in range(1, 8)]
        + [held(message_id=20, campaign=OTHER), held(message_id=21, campaign=ONE, expires_at=noon)]
    )
    new = NewCampaignReview(ONE, REJECTED, LIN, 8, note="fraud, asked 13900139000")

    job = made(await campaigns.decide(new, noon))
    early = await stores.campaigns.advance(noon + UNDO_FOR - timedelta(microseconds=1))
    await stores.quarantine.hold([held(message_id=30, campaign=ONE)])
    moved = await work(stores, noon + UNDO_FOR, limit=3)
    done = await stores.campaigns.job(job.number)

    assert (job.state, job.note) == (ReviewJobState.WAITING, "fraud, asked 139****9000")
    assert early is None
    assert moved == list(range(1, 8))
    assert done is not None
    assert (done.state, done.done, done.ended_at) == (ReviewJobState.DONE, 7, noon + UNDO_FOR)
    ends = await states(stores)
    assert Counter(ends.values()) == {HoldState.DISCARDED: 7, HoldState.HELD: 3}
    one = await stores.quarantine.get(1)
    assert one is not None
    assert one.decision == "discarded by user: lin: fraud, asked 139****9000"
    assert [each.number for each in await stores.campaigns.latest(LIN)] == [job.number]
    assert await stores.campaigns.latest(MEI) == []
    assert await stores.campaigns.forget(noon + UNDO_FOR) == 0
    assert await stores.campaigns.forget(noon + 2 * UNDO_FOR) == 1


@pytest.mark.parametrize(("typed", "sp"), [(2, ""), (4, ""), (0, ""), (3, "bank"), (1, "sp1")])
async def test_nothing_is_decided_where_another_number_is_held_than_was_typed_in(
    campaigns: CampaignDesk, stores: Stores, held: Builder, noon: datetime, typed: int, sp: str
) -> None:
    await stores.quarantine.hold(
        [
            held(message_id=1, campaign=ONE),
            held(message_id=2, campaign=ONE),
            held(message_id=3, campaign=ONE, system_id="bank"),
        ]
    )

    outcome = await campaigns.decide(NewCampaignReview(ONE, RELEASED, LIN, typed, sp), noon)
    nothing = await campaigns.decide(NewCampaignReview(OTHER, RELEASED, LIN, typed), noon)

    assert outcome == JobNotMade({"": 3, "bank": 1, "sp1": 2}[sp], OTHER_COUNT)
    assert nothing == JobNotMade(0, NOTHING_HELD)
    assert await work(stores, noon + UNDO_FOR) == []


async def test_of_a_campaign_only_what_one_sp_sent(
    campaigns: CampaignDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold(
        [
            held(message_id=1, campaign=ONE),
            held(message_id=2, campaign=ONE, system_id="bank"),
        ]
    )

    made(await campaigns.decide(NewCampaignReview(ONE, RELEASED, LIN, 1, "bank"), noon))

    assert await work(stores, noon + UNDO_FOR) == [2]
    assert (await states(stores))[2] is HoldState.RELEASE_REQUESTED


async def test_a_job_is_undone_as_a_whole_until_it_begins(
    campaigns: CampaignDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    messages = [held(message_id=one, campaign=ONE) for one in range(1, 5)]
    await stores.quarantine.hold(messages)
    new = NewCampaignReview(ONE, REJECTED, LIN, 4)

    job = made(await campaigns.decide(new, noon))
    second = await campaigns.decide(new, noon)
    foreign = await campaigns.undo(job.number, MEI, noon)
    undone = await campaigns.undo(job.number, MEI, noon, may_undo_others=True)
    unknown = await campaigns.undo(404, LIN, noon)
    moved = await work(stores, noon + UNDO_FOR)
    again = made(await campaigns.decide(new, noon))
    await stores.campaigns.advance(noon + UNDO_FOR, limit=2)
    late = await campaigns.undo(again.number, LIN, noon + UNDO_FOR)

    assert second == JobNotMade(4, JOB_WAITS)
    assert foreign == JobNotUndone(job, NOT_YOUR_JOB)
    assert isinstance(undone, ReviewJob)
    assert (undone.state, undone.outcome) == (ReviewJobState.UNDONE, "undone by user: mei")
    assert unknown == JobNotUndone(None, UNKNOWN_JOB)
    assert moved == []
    assert isinstance(late, JobNotUndone)
    assert late.why == "it has taken effect"
    assert Counter((await states(stores)).values()) == {HoldState.DISCARDED: 2, HoldState.HELD: 2}


async def test_what_has_a_decision_of_its_own_is_left_to_that(
    campaigns: CampaignDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=one, campaign=ONE) for one in (1, 2, 3)])
    made(await campaigns.decide(NewCampaignReview(ONE, REJECTED, LIN, 3), noon))
    await ReviewDesk(stores.reviews, masked).decide(
        NewReview(2, RELEASED, MEI), noon + timedelta(seconds=5)
    )

    moved = await work(stores, noon + UNDO_FOR)
    await stores.reviews.take_up(noon + 2 * UNDO_FOR)

    assert moved == [1, 3]
    assert (await states(stores))[2] is HoldState.RELEASE_REQUESTED


async def test_the_parts_of_a_long_message_go_together(
    campaigns: CampaignDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold(
        [
            held(message_id=1, campaign=ONE, assembly=1, part=1),
            held(message_id=2, assembly=1, part=2),
            held(message_id=3, assembly=1, part=3, state=HoldState.IN_DOUBT),
            held(message_id=4, campaign=ONE),
        ]
    )

    made(await campaigns.decide(NewCampaignReview(ONE, RELEASED, LIN, 2), noon))

    assert await work(stores, noon + UNDO_FOR) == [1, 2, 4]
    assert (await states(stores))[3] is HoldState.IN_DOUBT


@pytest.mark.parametrize("rule", ["", "K-FRAUD"])
async def test_what_is_held_for_something_new_since_a_job_was_decided_stays_held(
    stores: Stores, database: Database, held: Builder, noon: datetime, rule: str
) -> None:
    desk = CampaignDesk(stores.campaigns, masked)
    requested = HoldState.RELEASE_REQUESTED
    messages = [
        held(message_id=1, campaign=ONE, state=requested),
        held(message_id=2, campaign=ONE, state=requested),
        *(held(message_id=one, campaign=ONE) for one in (3, 4, 5, 6)),
    ]
    await stores.quarantine.hold(messages)
    clock = [noon]
    store = QuarantineStore(database, lambda: clock[-1])
    again = QuarantineDesk(store, MessageIds(worker=1))
    grounds = Grounds("LINK", "K-FRAUD", "", "", "d", noon + timedelta(days=1), campaign=ONE)
    text = (b"another", "LINK", "K-FRAUD", "", "", "d")

    await again.hold(1, grounds, "judged again", noon)
    job = made(await desk.decide(NewCampaignReview(ONE, RELEASED, LIN, 5, rule=rule), noon))
    clock.append(noon + timedelta(seconds=1))
    await again.hold(2, grounds, "judged again", noon)  # its judging began before the job
    await again.request_release(3, MEI, noon)
    await again.hold(3, grounds, "judged again", noon)
    await again.request_release(4, MEI, noon)
    await again.begin_release(4, noon)
    await again.give_back(4, "ESME_RINVDSTADR", noon)
    replacement = Replacement(
        *text, receipt_asked=False, expires_at=noon + timedelta(days=1), campaign=ONE
    )
    assert await store.replace_pdu(5, replacement)
    await stores.quarantine.hold([held(message_id=7, campaign=ONE)])

    assert await work(stores, noon + UNDO_FOR) == [1, 6]
    done = await stores.campaigns.job(job.number)
    assert done is not None
    assert (done.expected_count, done.done, done.state) == (5, 2, ReviewJobState.DONE)


async def test_what_came_to_be_held_again_just_now_is_not_counted_as_seen(
    stores: Stores, database: Database, held: Builder, noon: datetime
) -> None:
    desk = CampaignDesk(stores.campaigns, masked)
    later = noon + timedelta(seconds=1)
    again = QuarantineDesk(QuarantineStore(database, lambda: later), MessageIds(worker=1))
    grounds = Grounds("LINK", "K-NEW", "", "", "d", noon + timedelta(days=1), campaign=ONE)
    requested = HoldState.RELEASE_REQUESTED
    await stores.quarantine.hold(
        [held(message_id=1, campaign=ONE, state=requested), held(message_id=2, campaign=ONE)]
    )
    await again.hold(1, grounds, "judged again", noon)

    shown = [await stores.campaigns.held_of_campaign(ONE, at) for at in (noon, later)]
    early = await desk.decide(NewCampaignReview(ONE, RELEASED, LIN, 2), noon)
    seen = await desk.decide(NewCampaignReview(ONE, RELEASED, LIN, 2), later)

    assert shown == [1, 2]
    assert early == JobNotMade(1, OTHER_COUNT)
    assert made(seen).expected_count == 2


async def test_several_gateways_at_one_job_move_each_message_once(
    campaigns: CampaignDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    count = 100
    await stores.quarantine.hold(
        [held(message_id=one, campaign=ONE) for one in range(1, count + 1)]
    )
    job = made(await campaigns.decide(NewCampaignReview(ONE, RELEASED, LIN, count), noon))

    moved = await asyncio.gather(*(work(stores, noon + UNDO_FOR, limit=7) for _ in range(3)))

    assert sorted(chain.from_iterable(moved)) == list(range(1, count + 1))
    done = await stores.campaigns.job(job.number)
    assert done is not None
    assert (done.done, done.state) == (count, ReviewJobState.DONE)
    assert len(await stores.changes.changes(0)) == count


@pytest.mark.parametrize(
    "wrong",
    [
        NewCampaignReview("c1", RELEASED, LIN, 1),
        NewCampaignReview(ONE, RELEASED, LIN, 1, category="no_such"),
        NewCampaignReview(ONE, RELEASED, LIN, 1, note="字" * 1001),
    ],
)
async def test_what_cannot_be_meant_is_refused(
    campaigns: CampaignDesk, noon: datetime, wrong: NewCampaignReview
) -> None:
    with pytest.raises(ValueError, match=r"no id|no such category|a note"):
        await campaigns.decide(wrong, noon)


STEPS = st.lists(
    st.sampled_from(("lin decides", "mei undoes", "time", "gateway", "sp1 cancels", "one more")),
    max_size=20,
)


async def _live(  # noqa: C901 - a table, a line for each
    held: Builder, noon: datetime, steps: list[str]
) -> None:
    async with memory_stores() as stores:
        desk, now, last = CampaignDesk(stores.campaigns, masked), noon, 6
        one_by_one = QuarantineDesk(stores.quarantine, MessageIds(1))
        await stores.quarantine.hold([held(message_id=one, campaign=ONE) for one in range(1, 7)])
        moved: list[int] = []
        for step in steps:
            match step:
                case "lin decides":
                    count = sum((await stores.campaigns.held_of_each(ONE)).values())
                    await desk.decide(NewCampaignReview(ONE, REJECTED, LIN, count), now)
                case "mei undoes":
                    for job in await stores.campaigns.latest(limit=1):
                        await desk.undo(job.number, MEI, now, may_undo_others=True)
                case "time":
                    now += UNDO_FOR
                case "gateway":
                    found = await stores.campaigns.advance(now, 2)
                    if found is not None:
                        assert found.job.not_before <= now
                        moved.extend(each.message_id for each in found.moved)
                case "sp1 cancels":
                    await one_by_one.cancel(last, "sp1", now)
                case _:
                    last += 1
                    await stores.quarantine.hold([held(message_id=last, campaign=ONE)])
        jobs = await stores.campaigns.latest(limit=50)
        assert len(moved) == len(set(moved)) == sum(job.done for job in jobs)
        for job in jobs:
            assert job.done <= job.expected_count
            assert job.state is not ReviewJobState.UNDONE or job.done == 0
        discarded = {n for n, one in (await states(stores)).items() if one is HoldState.DISCARDED}
        assert discarded == set(moved)


@settings(max_examples=25)
@given(steps=STEPS)
def test_in_any_order_each_message_is_moved_once_and_an_undone_job_moves_none(
    held: Builder, noon: datetime, steps: list[str]
) -> None:
    asyncio.run(_live(held, noon, steps))


FOUND = lines_of([Finding("K-LOAN", Reason.CONTENT, Action.QUARANTINE, "低息贷款")])


async def overruled(stores: Stores) -> dict[int, list[tuple[str, str]]]:
    found = await stores.quarantine.find(state=HoldState.RELEASE_REQUESTED)
    return {one.message_id: told_items(one.overruled) for one in found}


async def test_who_releases_a_campaign_overrules_what_holds_each_message_and_how_large_it_is(
    campaigns: CampaignDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold(
        [
            held(message_id=1, campaign=ONE, rule="K-LOAN", found=FOUND),
            held(message_id=2, campaign=ONE, rule="K-OLD"),
        ]
    )

    made(await campaigns.decide(NewCampaignReview(ONE, RELEASED, LIN, 2), noon, timedelta()))
    await work(stores, noon)

    size = ("CAMPAIGN", "")
    assert await overruled(stores) == {
        1: [size, ("K-LOAN", "低息贷款")],
        2: [size, ("K-OLD", "")],
    }


async def test_of_a_campaign_only_what_an_exception_is_about(
    campaigns: CampaignDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold(
        [
            held(message_id=1, campaign=ONE, rule="K-LOAN", found=FOUND),
            held(message_id=2, campaign=ONE, rule="K-OTHER"),
            held(message_id=3, campaign=ONE, rule="R61", reason="CAMPAIGN"),
            held(message_id=4, campaign=ONE, rule="K-LOAN", system_id="bank"),
            held(message_id=5, campaign=ONE, rule="K-LOAN", reason="OPTED_OUT"),
        ]
    )
    whole = NewCampaignReview(ONE, RELEASED, LIN, 2, "sp1", rule="K-LOAN")

    wrong = await campaigns.decide(NewCampaignReview(ONE, RELEASED, LIN, 2, "sp1"), noon)
    job = made(await campaigns.decide(whole, noon, timedelta()))
    moved = await work(stores, noon)

    assert await stores.campaigns.held_of_each(ONE, "K-LOAN") == {"bank": 1}
    assert isinstance(wrong, JobNotMade)
    assert (wrong.held, job.rule, moved) == (4, "K-LOAN", [1, 3])
    let_go = [("K-LOAN", ""), ("CAMPAIGN", "")]
    assert await overruled(stores) == {1: let_go, 3: let_go}
    (about, *_) = [one.about for one in await stores.journals.accesses() if "job" in one.about]
    assert about == f"job {job.number}: released, 2 messages, campaign {ONE}, rule K-LOAN"
