"""Decisions that wait ten seconds: undone, taken up once, or without effect."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.quarantine import FINAL_STATES, HeldMessage, HoldState, ReceiptState
from gateway.domain.records import NewPurge
from gateway.stores import Stores
from gateway.systems.quarantine.decisions import (
    DECISION_WAITS,
    MAX_NOTE_CHARS,
    NOT_YOURS,
    UNDO_FOR,
    UNKNOWN_DECISION,
    NotUndone,
    ReviewDesk,
    seen_digest,
)
from gateway.systems.quarantine.model import (
    Grounds,
    MessageIds,
    NewReview,
    PersonDecision,
    Replacement,
    ReviewDecision,
    ReviewState,
)
from gateway.systems.quarantine.service import STANDING, ActResult, NotDone, QuarantineDesk
from gateway.systems.quarantine.tables import subject_of
from tests.memory_stores import memory_stores

Builder: TypeAlias = Callable[..., HeldMessage]

pytestmark = pytest.mark.every_store

RELEASED, REJECTED = PersonDecision.RELEASED, PersonDecision.REJECTED
SECOND = timedelta(seconds=1)
LIN, MEI = "user: lin", "user: mei"


def masked(text: str) -> str:
    return text.replace("13900139000", "139****9000")


def reviews_of(stores: Stores) -> ReviewDesk:
    return ReviewDesk(stores.reviews, masked)


@pytest.fixture
def reviews(stores: Stores) -> ReviewDesk:
    return reviews_of(stores)


def kept(outcome: ReviewDecision | NotDone) -> ReviewDecision:
    assert isinstance(outcome, ReviewDecision)
    return outcome


async def state_of(stores: Stores, message_id: int = 1) -> HoldState:
    message = await stores.quarantine.get(message_id)
    assert message is not None
    return message.state


async def test_a_decision_has_no_effect_for_ten_seconds_and_then_takes_effect_once(
    reviews: ReviewDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1), held(message_id=2)])

    decision = kept(await reviews.decide(NewReview(1, RELEASED, LIN, note="asked"), noon))
    await reviews.decide(NewReview(2, REJECTED, LIN, "spam", "as yesterday", "loan"), noon)
    early = await stores.reviews.take_up(noon + UNDO_FOR - timedelta(microseconds=1))
    before = await stores.quarantine.get(1)
    taken = await stores.reviews.take_up(noon + UNDO_FOR)
    again = await stores.reviews.take_up(noon + 2 * UNDO_FOR)

    assert (early, again, before) == ([], [], held(message_id=1))
    assert decision.not_before == noon + timedelta(seconds=10)
    assert [(one.decision.state, one.decision.ended_at) for one in taken] == [
        (ReviewState.TAKEN, noon + UNDO_FOR)
    ] * 2
    (released,), (discarded,) = (one.moved for one in taken)
    assert (released.state, released.is_reviewed, released.decision) == (
        HoldState.RELEASE_REQUESTED,
        True,
        "release asked by user: lin: asked",
    )
    assert (discarded.state, discarded.receipt, discarded.decision) == (
        HoldState.DISCARDED,
        ReceiptState.DUE,
        "discarded by user: lin: spam: as yesterday",
    )
    assert [one.key for one in await stores.changes.changes(0)] == ["1", "2"]


async def test_what_is_undone_is_held_as_it_was_and_can_be_decided_again(
    reviews: ReviewDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    message = held(message_id=1)
    await stores.quarantine.hold([message])
    decision = kept(await reviews.decide(NewReview(1, RELEASED, LIN), noon))

    undone = await reviews.undo(decision.number, LIN, noon + 9 * SECOND)
    taken = await stores.reviews.take_up(noon + UNDO_FOR)

    assert isinstance(undone, ReviewDecision)
    assert (undone.state, undone.outcome) == (ReviewState.UNDONE, "undone by user: lin")
    assert taken == []
    assert await stores.quarantine.get(1) == message
    assert await stores.changes.latest() == 0
    kept(await reviews.decide(NewReview(1, REJECTED, MEI), noon + UNDO_FOR))
    await stores.reviews.take_up(noon + 2 * UNDO_FOR)
    assert await state_of(stores) is HoldState.DISCARDED


async def test_only_who_decided_undoes_it_or_who_may_decide_on_campaigns(
    reviews: ReviewDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    decision = kept(await reviews.decide(NewReview(1, RELEASED, LIN), noon))

    foreign = await reviews.undo(decision.number, MEI, noon)
    senior = await reviews.undo(decision.number, MEI, noon, may_undo_others=True)
    twice = await reviews.undo(decision.number, LIN, noon)
    unknown = await reviews.undo(404, LIN, noon, may_undo_others=True)

    assert foreign == NotUndone(decision, NOT_YOURS)
    assert isinstance(senior, ReviewDecision)
    assert isinstance(twice, NotUndone)
    assert twice.why == "it was undone before"
    assert unknown == NotUndone(None, UNKNOWN_DECISION)


async def test_what_was_taken_up_is_not_undone(
    reviews: ReviewDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    decision = kept(await reviews.decide(NewReview(1, RELEASED, LIN), noon))
    await stores.reviews.take_up(noon + UNDO_FOR)

    late = await reviews.undo(decision.number, LIN, noon + UNDO_FOR, may_undo_others=True)

    assert isinstance(late, NotUndone)
    assert late.why == "it has taken effect"
    assert await state_of(stores) is HoldState.RELEASE_REQUESTED


async def test_of_undo_and_take_up_at_once_exactly_one_wins(
    reviews: ReviewDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    count = 40
    await stores.quarantine.hold([held(message_id=one) for one in range(1, count + 1)])
    made = [
        kept(await reviews.decide(NewReview(one, RELEASED, LIN), noon))
        for one in range(1, count + 1)
    ]
    due = noon + UNDO_FOR

    outcomes = await asyncio.gather(
        *(
            each
            for one in made
            for each in (
                reviews.undo(one.number, LIN, due),
                stores.reviews.take_up(due, limit=1),
            )
        )
    )
    await stores.reviews.take_up(due)

    undone = {one.message_id for one in outcomes if isinstance(one, ReviewDecision)}
    states = {one.message_id: one.state for one in await stores.quarantine.find(limit=count)}
    assert states == {
        one: HoldState.HELD if one in undone else HoldState.RELEASE_REQUESTED for one in states
    }
    changes = [one.key for one in await stores.changes.changes(0)]
    assert len(changes) == len(set(changes)) == count - len(undone)


async def test_two_people_at_once_decide_once(
    reviews: ReviewDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])

    outcomes = await asyncio.gather(
        *(
            reviews.decide(NewReview(1, decision, by), noon)
            for decision, by in ((RELEASED, LIN), (REJECTED, MEI), (RELEASED, MEI))
        )
    )

    assert [type(one) for one in outcomes] == [ReviewDecision, NotDone, NotDone]
    assert outcomes[1] == NotDone(1, HoldState.HELD, DECISION_WAITS)


@pytest.mark.parametrize(
    "case",
    [
        (HoldState.RELEASED, REJECTED, "it was released"),
        (HoldState.DEFERRED, RELEASED, "it waits for its hour"),
        (HoldState.RELEASING, RELEASED, "it was written to the SMSC, which has not answered yet"),
    ],
)
async def test_what_cannot_be_decided_now_is_not_put_off_either(
    reviews: ReviewDesk,
    stores: Stores,
    held: Builder,
    noon: datetime,
    case: tuple[HoldState, PersonDecision, str],
) -> None:
    state, decision, why = case
    await stores.quarantine.hold([held(message_id=1, state=state)])

    outcome = await reviews.decide(NewReview(1, decision, LIN), noon)
    unknown = await reviews.decide(NewReview(404, decision, LIN), noon)

    assert outcome == NotDone(1, state, why)
    assert unknown == NotDone(404, None, "there is no such message")


async def test_a_release_that_was_asked_for_is_stopped_without_waiting(
    reviews: ReviewDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1, state=HoldState.RELEASE_REQUESTED)])

    await reviews.decide(NewReview(1, REJECTED, LIN), noon)
    await stores.reviews.take_up(noon)

    assert await state_of(stores) is HoldState.DISCARDED


async def test_a_message_that_ends_sooner_is_decided_on_before_it_ends(
    reviews: ReviewDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold(
        [
            held(message_id=1, expires_at=noon + 5 * SECOND),
            held(message_id=2, expires_at=noon + SECOND),
            held(message_id=3, expires_at=noon),
        ]
    )

    first, second, third = [
        await reviews.decide(NewReview(one, RELEASED, LIN), noon) for one in (1, 2, 3)
    ]

    assert kept(first).not_before == noon + 3 * SECOND
    assert kept(second).not_before == noon
    assert third == NotDone(3, HoldState.HELD, "it has expired")


async def test_what_expires_while_a_decision_waits_is_not_released(
    reviews: ReviewDesk, stores: Stores, held: Builder, desk: QuarantineDesk, noon: datetime
) -> None:
    ends = noon + 5 * SECOND
    await stores.quarantine.hold(
        [held(message_id=1, expires_at=ends), held(message_id=2, expires_at=ends)]
    )
    for one in (1, 2):
        await reviews.decide(NewReview(one, RELEASED, LIN), noon)

    # The gateway was away: by then it may neither release them nor has it ended them.
    taken = await stores.reviews.take_up(ends)
    expired = await desk.expire_due(ends)

    assert [(one.decision.state, one.decision.outcome, one.moved) for one in taken] == [
        (ReviewState.VOID, "it has expired", ())
    ] * 2
    assert [one.message_id for one in expired] == [1, 2]


async def test_a_decision_is_void_where_another_was_faster(
    reviews: ReviewDesk, stores: Stores, held: Builder, desk: QuarantineDesk, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1), held(message_id=2)])
    for one in (1, 2):
        await reviews.decide(NewReview(one, REJECTED, LIN), noon)
    await desk.cancel(1, "sp1", noon)
    await desk.request_release(2, "zhao", noon)
    await desk.begin_release(2, noon)

    taken = await stores.reviews.take_up(noon + UNDO_FOR)

    assert [one.decision.outcome for one in taken] == [
        "its sender cancelled it",
        "it was written to the SMSC, which has not answered yet",
    ]
    assert await state_of(stores, 1) is HoldState.CANCELLED
    assert await state_of(stores, 2) is HoldState.RELEASING


async def test_a_discard_that_waits_takes_back_no_release_of_another_person(
    reviews: ReviewDesk, stores: Stores, held: Builder, desk: QuarantineDesk, noon: datetime
) -> None:
    due = noon + 3 * SECOND
    deferred = held(message_id=2, state=HoldState.DEFERRED, due_at=due)
    await stores.quarantine.hold([held(message_id=1), deferred])
    for one in (1, 2):
        kept(await reviews.decide(NewReview(one, REJECTED, LIN), noon))
    await desk.request_release(1, "mei", due)
    await stores.quarantine.take_due(due, [deferred.system_id], 10)

    released, taken = await stores.reviews.take_up(noon + UNDO_FOR)

    assert (released.decision.state, released.decision.outcome, released.moved) == (
        ReviewState.VOID,
        STANDING[HoldState.RELEASE_REQUESTED],
        (),
    )
    assert await state_of(stores) is HoldState.RELEASE_REQUESTED
    assert taken.decision.state is ReviewState.TAKEN  # its hour came, and no person released it
    assert await state_of(stores, 2) is HoldState.DISCARDED


async def test_a_discard_that_waits_takes_back_no_release_that_waits_for_its_hour(
    reviews: ReviewDesk, stores: Stores, held: Builder, desk: QuarantineDesk, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    kept(await reviews.decide(NewReview(1, REJECTED, LIN), noon))
    await desk.request_release(1, "mei", noon)
    morning = noon + timedelta(hours=20)
    grounds = Grounds("OUTSIDE_WINDOW", "R30", "", "", "", morning, due_at=morning)
    await desk.defer(1, grounds, "until 08:00", noon)

    (taken,) = await stores.reviews.take_up(noon + UNDO_FOR)

    assert (taken.decision.state, taken.moved) == (ReviewState.VOID, ())
    assert await state_of(stores) is HoldState.DEFERRED


async def test_what_came_to_be_in_doubt_meanwhile_is_not_sent_again_by_an_older_decision(
    reviews: ReviewDesk, stores: Stores, held: Builder, desk: QuarantineDesk, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    await reviews.decide(NewReview(1, RELEASED, LIN), noon)
    await desk.request_release(1, "zhao", noon)
    await desk.begin_release(1, noon)
    await desk.lose(1, "no answer", noon)

    (old,) = await stores.reviews.take_up(noon + UNDO_FOR)
    await reviews.decide(NewReview(1, RELEASED, LIN), noon + UNDO_FOR)
    (new,) = await stores.reviews.take_up(noon + 2 * UNDO_FOR)

    assert old.decision.state is ReviewState.VOID
    assert [one.state for one in new.moved] == [HoldState.RELEASE_REQUESTED]


async def test_who_saw_a_message_held_does_not_decide_on_it_when_it_is_in_doubt_or_came_back(
    reviews: ReviewDesk, stores: Stores, held: Builder, desk: QuarantineDesk, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1), held(message_id=2)])
    seen = [seen_digest(one) for one in await stores.quarantine.get_many([1, 2])]
    for one in (1, 2):
        await desk.request_release(one, "zhao", noon)
        await desk.begin_release(one, noon)
    await desk.lose(1, "no answer", noon)
    await desk.give_back(2, "ESME_RINVDSTADR", noon)

    refused = [
        await reviews.decide(NewReview(number, RELEASED, LIN, seen=one), noon)
        for number, one in enumerate(seen, start=1)
    ]

    assert refused == [
        NotDone(1, HoldState.IN_DOUBT, "the SMSC may have it or not: a person must decide"),
        NotDone(2, HoldState.HELD, "its sender has replaced the text"),
    ]


async def test_a_decision_that_waits_ends_when_the_smsc_refuses_what_another_released(
    reviews: ReviewDesk, stores: Stores, held: Builder, desk: QuarantineDesk, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    await reviews.decide(NewReview(1, RELEASED, LIN), noon)
    await desk.request_release(1, "zhao", noon)
    await desk.begin_release(1, noon)
    await desk.give_back(1, "ESME_RINVDSTADR", noon)

    taken = await stores.reviews.take_up(noon + UNDO_FOR)
    (last,) = await reviews.last_ten(LIN, noon)

    assert taken == []
    assert (last.decision.state, last.decision.outcome, last.state) == (
        ReviewState.VOID,
        "it was released, and the SMSC refused it",
        HoldState.HELD,
    )


async def test_a_long_message_goes_with_all_parts_and_has_one_decision(
    reviews: ReviewDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    parts = [
        held(message_id=1, assembly=1, part=1),
        held(message_id=2, assembly=1, part=2),
        held(message_id=3, assembly=1, part=3, state=HoldState.IN_DOUBT),
        held(message_id=4, assembly=1, part=4, state=HoldState.DEFERRED, due_at=noon),
    ]
    await stores.quarantine.hold(parts)

    await reviews.decide(NewReview(2, REJECTED, LIN), noon)
    other = await reviews.decide(NewReview(1, RELEASED, MEI), noon)
    waiting = await reviews.waiting_on(parts[0])
    undecided = await stores.quarantine.find(is_undecided=True)
    (taken,) = await stores.reviews.take_up(noon + UNDO_FOR)

    assert isinstance(other, NotDone)
    assert waiting is not None
    assert (waiting.message_id, undecided) == (2, [])
    assert sorted(one.message_id for one in taken.moved) == [1, 2, 4]
    assert await state_of(stores, 3) is HoldState.IN_DOUBT


async def test_what_a_decision_waits_on_is_left_out_where_that_is_asked(
    reviews: ReviewDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=one) for one in (1, 2, 3)])
    decision = kept(await reviews.decide(NewReview(2, RELEASED, LIN), noon))

    async def undecided() -> list[int]:
        found = await stores.quarantine.find(state=HoldState.HELD, is_undecided=True)
        return [one.message_id for one in found]

    waiting = await undecided()
    await reviews.undo(decision.number, LIN, noon)

    assert waiting == [3, 1]
    assert await undecided() == [3, 2, 1]
    assert len(await stores.quarantine.find(state=HoldState.HELD)) == 3


async def test_a_decision_is_on_the_text_that_was_seen(
    reviews: ReviewDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    message = held(message_id=1)
    other = replace(message, pdu=message.pdu + b"\0")
    replacement = Replacement(
        other.pdu,
        "CONTENT",
        "R",
        "",
        "",
        message.digest,
        receipt_asked=False,
        expires_at=message.expires_at,
    )
    await stores.quarantine.hold([message])
    seen = seen_digest(message)

    decision = kept(await reviews.decide(NewReview(1, RELEASED, LIN, seen=seen), noon))
    assert await stores.quarantine.replace_pdu(1, replacement)
    taken = await stores.reviews.take_up(noon + UNDO_FOR)
    (last,) = await reviews.last_ten(LIN, noon)
    late = await reviews.decide(NewReview(1, RELEASED, LIN, seen=seen), noon)

    assert taken == []
    assert last.decision.number == decision.number
    assert (last.decision.state, last.decision.outcome, last.state) == (
        ReviewState.VOID,
        "its sender has replaced the text",
        HoldState.HELD,
    )
    assert late == NotDone(1, HoldState.HELD, "its sender has replaced the text")


async def test_the_last_ten_decisions_of_a_person_come_newest_first_with_what_became_of_them(
    reviews: ReviewDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=one) for one in range(1, 14)])
    for one in range(1, 13):
        await reviews.decide(NewReview(one, REJECTED, LIN), noon + one * SECOND)
    await reviews.decide(NewReview(13, REJECTED, MEI), noon)
    await stores.reviews.take_up(noon + UNDO_FOR + 11 * SECOND)

    last = await reviews.last_ten(LIN, noon)

    assert [one.decision.message_id for one in last] == list(range(12, 2, -1))
    assert [(one.decision.state, one.state) for one in last[:2]] == [
        (ReviewState.WAITING, HoldState.HELD),
        (ReviewState.TAKEN, HoldState.DISCARDED),
    ]


async def test_numbers_in_notes_are_masked_and_notes_are_bounded(
    reviews: ReviewDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    longest = "13900139000" + "字" * (MAX_NOTE_CHARS - 11)

    decision = kept(await reviews.decide(NewReview(1, RELEASED, LIN, "13900139000", longest), noon))

    assert decision.note.startswith("139****9000字")
    assert decision.reason == "139****9000"
    for wrong in (
        NewReview(1, RELEASED, LIN, note=longest + "字"),
        NewReview(1, RELEASED, LIN, reason="字" * 65),
        NewReview(1, RELEASED, LIN, reason="a\nb"),
        NewReview(1, RELEASED, LIN, category="no_such"),
    ):
        with pytest.raises(ValueError, match=r"a reason|a note|no such category"):
            await reviews.decide(wrong, noon)


async def test_decisions_go_with_their_message(
    reviews: ReviewDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1, receipt_asked=False)])
    await reviews.decide(NewReview(1, REJECTED, LIN), noon)
    await stores.reviews.take_up(noon + UNDO_FOR)

    await stores.quarantine.forget(
        [1], NewPurge(what="messages", since=noon, until=noon, count=0, at=noon, by="zhao")
    )

    assert await reviews.last_ten(LIN, noon) == []


ACTORS = (
    "lin releases",
    "mei discards",
    "lin undoes",
    "zhao releases at once",
    "sp1 cancels",
    "a second",
    "ten seconds",
    "the gateway takes up",
    "the gateway writes",
    "the smsc takes it",
    "the smsc is silent",
)


class Desk:
    """People, time and the gateway at one message; `written` counts what went to the SMSC."""

    def __init__(self, stores: Stores, noon: datetime) -> None:
        self.stores = stores
        self.now = noon
        self.desk = QuarantineDesk(stores.quarantine, MessageIds(1))
        self.reviews = reviews_of(stores)
        self.decisions: list[ReviewDecision] = []
        self.written = 0
        self.may_write = 1  # a release in doubt lets a person send again, knowing that

    async def decide(self, decision: PersonDecision, by: str) -> None:
        made = await self.reviews.decide(NewReview(1, decision, by), self.now)
        if isinstance(made, ReviewDecision):
            self.may_write += made.found_in is HoldState.IN_DOUBT
            self.decisions.append(made)

    async def act(self, actor: str) -> None:  # noqa: C901, PLR0912 - a table, a line for each
        match actor:
            case "lin releases":
                await self.decide(RELEASED, LIN)
            case "mei discards":
                await self.decide(REJECTED, MEI)
            case "lin undoes":
                for one in self.decisions[-1:]:
                    await self.undo(one)
            case "zhao releases at once":
                before = await state_of(self.stores)
                done = await self.desk.request_release(1, "zhao", self.now)
                if isinstance(done, ActResult) and before is HoldState.IN_DOUBT:
                    self.may_write += 1
            case "sp1 cancels":
                await self.desk.cancel(1, "sp1", self.now)
            case "a second":
                self.now += SECOND
            case "ten seconds":
                self.now += 10 * SECOND
            case "the gateway takes up":
                await self.take_up()
            case "the gateway writes":
                done = await self.desk.begin_release(1, self.now)
                self.written += isinstance(done, ActResult)
            case "the smsc takes it":
                if await state_of(self.stores) is HoldState.RELEASING:
                    await self.desk.confirm(1, "4711", self.now)
            case _:
                await self.desk.lose(1, "no answer", self.now)

    async def undo(self, one: ReviewDecision) -> None:
        before = await self.stores.quarantine.get(1)
        done = await self.reviews.undo(one.number, LIN, self.now, may_undo_others=True)
        (stands,) = [
            each.decision
            for each in await self.reviews.last_ten(one.by, self.now)
            if each.decision.number == one.number
        ]
        assert (stands.state is ReviewState.UNDONE) == (
            isinstance(done, ReviewDecision) or stands.outcome.startswith("undone")
        )
        assert await self.stores.quarantine.get(1) == before

    async def take_up(self) -> None:
        for one in await self.stores.reviews.take_up(self.now):
            assert one.decision.not_before <= self.now
            assert bool(one.moved) == (one.decision.state is ReviewState.TAKEN)


async def _live(held: Builder, noon: datetime, steps: Sequence[str]) -> None:
    async with memory_stores() as stores:
        desk = Desk(stores, noon)
        await stores.quarantine.hold([held(message_id=1, expires_at=noon + timedelta(hours=1))])
        ended: HoldState | None = None
        for step in steps:
            await desk.act(step)
            state = await state_of(stores)
            assert ended in (None, state)
            ended = state if state in FINAL_STATES else None
            assert desk.written <= desk.may_write
            waiting = await stores.reviews.waiting_on((1,))
            assert len(waiting) <= 1


@settings(max_examples=25)
@given(steps=st.lists(st.sampled_from(ACTORS), max_size=30))
def test_in_any_order_a_message_ends_once_and_what_took_effect_is_not_undone(
    held: Builder, noon: datetime, steps: list[str]
) -> None:
    asyncio.run(_live(held, noon, steps))


def test_a_message_is_its_own_subject_and_a_part_that_of_the_whole(held: Builder) -> None:
    assert subject_of(held(message_id=7)) == 7
    assert subject_of(held(message_id=7, assembly=5, part=2)) == 5


async def test_a_release_overrules_what_holds_the_message_and_adds_it_to_what_was_before(
    desk: QuarantineDesk, reviews: ReviewDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    grounds = Grounds("CAMPAIGN", "R61", "", "", "d", noon + timedelta(days=1), found="F\tR61\t\n")
    await stores.quarantine.hold([held(message_id=1, rule="K", found="F\tK\tword\n")])
    before = seen_digest(held(message_id=1, rule="K", found="F\tK\tword\n"))

    await desk.request_release(1, LIN, noon)
    first = await stores.quarantine.get(1)
    await desk.hold(1, grounds, "judged again: CAMPAIGN", noon)
    stale = await reviews.decide(NewReview(1, RELEASED, LIN, seen=before), noon)
    await desk.request_release(1, LIN, noon)
    second = await stores.quarantine.get(1)

    assert first is not None
    assert second is not None
    assert (first.overruled, first.found) == ("F\tK\tword\n", "F\tK\tword\n")
    assert (second.overruled, second.found) == ("F\tK\tword\nF\tR61\t\n", "F\tR61\t\n")
    assert isinstance(stale, NotDone)


async def test_a_decision_that_waits_ends_when_something_else_holds_the_message(
    desk: QuarantineDesk, reviews: ReviewDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    grounds = Grounds("CAMPAIGN", "R61", "", "", "d", noon + timedelta(days=1), found="F\tR61\t\n")
    await stores.quarantine.hold([held(message_id=1)])
    kept(await reviews.decide(NewReview(1, RELEASED, LIN), noon))

    await desk.request_release(1, "mei", noon)  # a command does not wait
    await desk.hold(1, grounds, "judged again: CAMPAIGN", noon)
    taken = await stores.reviews.take_up(noon + UNDO_FOR)
    (last,) = await reviews.last_ten(LIN, noon)

    assert taken == []
    assert (last.decision.state, last.decision.outcome) == (
        ReviewState.VOID,
        "something else holds it now",
    )
    assert last.state is HoldState.HELD


async def test_of_a_text_that_its_sender_replaced_nothing_is_overruled(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    deferred = held(message_id=1, state=HoldState.DEFERRED, is_reviewed=True, overruled="R\tK\n")
    await stores.quarantine.hold([deferred])

    assert await stores.quarantine.replace_pdu(
        1,
        Replacement(b"new", "R", "K", "", "", "d", receipt_asked=False, expires_at=noon),
    )

    one = await stores.quarantine.get(1)
    assert one is not None
    assert one.overruled == ""
