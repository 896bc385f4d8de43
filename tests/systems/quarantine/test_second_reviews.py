"""What is dealt to a second reviewer: an opinion that changes nothing of the message."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest

from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.domain.records import NewPurge
from gateway.stores import Stores
from gateway.systems.quarantine import second_reviews
from gateway.systems.quarantine.agreement.counts import SecondReviewEnd
from gateway.systems.quarantine.campaigns import SECOND_PERSON, CampaignDesk, ChosenJob, JobNotMade
from gateway.systems.quarantine.decisions import (
    DECISION_WAITS,
    UNDO_FOR,
    NotUndone,
    ReviewDesk,
    seen_digest,
)
from gateway.systems.quarantine.model import (
    ChosenMessage,
    Grounds,
    NewCampaignReview,
    NewChosenReview,
    NewReview,
    PersonDecision,
    ReviewDecision,
    ReviewJob,
    ReviewJobState,
    ReviewState,
)
from gateway.systems.quarantine.second_reviews import SHOWN_FOR, is_dealt_twice
from gateway.systems.quarantine.service import STANDING, NotDone, QuarantineDesk

Builder: TypeAlias = Callable[..., HeldMessage]

pytestmark = pytest.mark.every_store

RELEASED, REJECTED = PersonDecision.RELEASED, PersonDecision.REJECTED
LIN, MEI, WU = "user: lin", "user: mei", "user: wu"
DECIDABLE = {HoldState.HELD, HoldState.DEFERRED}


@pytest.fixture
def reviews(stores: Stores) -> ReviewDesk:
    return ReviewDesk(stores.reviews, str)


async def decided_by_lin(
    stores: Stores, reviews: ReviewDesk, at: datetime, decision: PersonDecision = RELEASED
) -> datetime:
    """Let lin decide on message 1, which is dealt twice; return when that has taken effect."""
    await reviews.decide(NewReview(1, decision, LIN, note="asked the bank"), at)
    after = at + UNDO_FOR
    (taken,) = await stores.reviews.take_up(after, dealt_twice=1.0)
    assert taken.moved
    return after


async def opinion(
    reviews: ReviewDesk, at: datetime, by: str = MEI, decision: PersonDecision = REJECTED
) -> ReviewDecision | NotDone:
    return await reviews.decide(NewReview(1, decision, by, "spam", may_be_second=True), at)


async def kept(stores: Stores) -> HeldMessage:
    held = await stores.quarantine.get(1)
    assert held is not None
    return held


def test_which_messages_are_dealt_twice_is_fixed_by_key_and_id() -> None:
    first, other = bytes(32), bytes(31) + b"\1"

    drawn = [number for number in range(20_000) if is_dealt_twice(first, number, 0.02)]
    again = [number for number in range(20_000) if is_dealt_twice(first, number, 0.02)]
    otherwise = [number for number in range(20_000) if is_dealt_twice(other, number, 0.02)]

    assert drawn == again
    assert 300 < len(drawn) < 500
    assert len(set(drawn) & set(otherwise)) < 50
    assert not any(is_dealt_twice(first, number, 0.0) for number in range(1_000))
    assert all(is_dealt_twice(first, number, 1.0) for number in range(1_000))


async def test_a_decided_message_is_dealt_to_all_but_who_decided(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1), held(message_id=2)])

    after = await decided_by_lin(stores, reviews, noon)

    for by, dealt in ((LIN, ()), (MEI, (1,)), (WU, (1,)), ("", ())):
        assert (await stores.second_reviews.dealt_to(by, after)).as_held == dealt
    assert await stores.second_reviews.seen_by(LIN, await kept(stores), after) == await kept(stores)


async def test_it_looks_to_the_second_reviewer_as_it_looked_to_the_first(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1, receipt_asked=True, note="judged again")])
    before = await kept(stores)

    after = await decided_by_lin(stores, reviews, noon, REJECTED)

    now = await kept(stores)
    assert (now.state, now.receipt) == (HoldState.DISCARDED, ReceiptState.DUE)
    assert await stores.second_reviews.seen_by(MEI, now, after) == before


@pytest.mark.parametrize("second", [RELEASED, REJECTED])
@pytest.mark.parametrize("first", [RELEASED, REJECTED])
async def test_an_opinion_changes_nothing_of_the_message(
    stores: Stores,
    reviews: ReviewDesk,
    held: Builder,
    noon: datetime,
    first: PersonDecision,
    second: PersonDecision,
) -> None:
    await stores.quarantine.hold([held(message_id=1, receipt_asked=True)])
    after = await decided_by_lin(stores, reviews, noon, first)
    before, changes = await kept(stores), await stores.changes.latest()

    given = await opinion(reviews, after, decision=second)
    taken = await stores.reviews.take_up(after + 2 * UNDO_FOR, dealt_twice=1.0)

    assert isinstance(given, ReviewDecision)
    assert (given.state, given.not_before) == (ReviewState.WAITING, after + UNDO_FOR)
    assert taken == []
    assert await kept(stores) == before
    assert await stores.changes.latest() == changes
    assert len(await stores.quarantine.due_receipts(None, 10)) == (first is REJECTED)
    acts = [(one.by, one.action, one.about) for one in await stores.journals.accesses()]
    assert acts[0] == (MEI, "quarantine opinion", f"message 1: {second.value}")
    assert [act for _, act, _ in acts].count("quarantine release") == (first is RELEASED)


# What may have become of a message that was released.
ENDS: list[tuple[HoldState, ...]] = [
    (),
    (HoldState.REFUSED,),
    (HoldState.CANCELLED,),
    (HoldState.RELEASING,),
    (HoldState.RELEASING, HoldState.IN_DOUBT),
    (HoldState.RELEASING, HoldState.RELEASED),
]


@pytest.mark.parametrize("ways", ENDS)
async def test_an_opinion_is_taken_whatever_became_of_the_message(
    stores: Stores,
    reviews: ReviewDesk,
    held: Builder,
    noon: datetime,
    ways: tuple[HoldState, ...],
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    after = await decided_by_lin(stores, reviews, noon)
    for state in ways:
        there = frozenset({(await kept(stores)).state})
        await stores.quarantine.move(1, allowed=there, to=state, at=after)
    before = await kept(stores)

    given = await opinion(reviews, after)
    await stores.reviews.take_up(after + UNDO_FOR)

    assert isinstance(given, ReviewDecision)
    assert await kept(stores) == before


async def test_an_opinion_is_undone_and_given_anew_as_any_decision(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    after = await decided_by_lin(stores, reviews, noon)
    given = await opinion(reviews, after)
    assert isinstance(given, ReviewDecision)

    again = await opinion(reviews, after)
    foreign = await reviews.undo(given.number, WU, after)
    undone = await reviews.undo(given.number, MEI, after + UNDO_FOR - timedelta(seconds=1))
    dealt = await stores.second_reviews.dealt_to(MEI, after)
    other = await opinion(reviews, after, WU, RELEASED)
    assert isinstance(other, ReviewDecision)
    late = await reviews.undo(other.number, WU, after + UNDO_FOR)

    assert isinstance(again, NotDone)
    assert again.why == DECISION_WAITS
    assert isinstance(foreign, NotUndone)
    assert isinstance(undone, ReviewDecision)
    assert undone.state is ReviewState.UNDONE
    assert dealt.as_held == (1,)
    assert isinstance(late, NotUndone)
    assert late.why == "it has taken effect"
    strip = await reviews.last_ten(WU, after)
    assert [(one.decision.state, one.decision.decision) for one in strip] == [
        (ReviewState.WAITING, RELEASED)
    ]
    assert (await reviews.last_ten(WU, after + UNDO_FOR))[0].decision.state is ReviewState.TAKEN


async def test_for_an_hour_it_looks_as_if_the_opinion_had_counted(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    after = await decided_by_lin(stores, reviews, noon)
    given = await opinion(reviews, after)
    assert isinstance(given, ReviewDecision)
    seen_by, now = stores.second_reviews.seen_by, await kept(stores)

    waiting = await seen_by(MEI, now, after)
    decided = await seen_by(MEI, now, after + UNDO_FOR)
    at_last = await seen_by(MEI, now, after + UNDO_FOR + SHOWN_FOR)

    assert waiting.state is HoldState.HELD
    assert await stores.second_reviews.waiting_on(now, MEI, after) == given
    assert await stores.second_reviews.waiting_on(now, MEI, after + UNDO_FOR) is None
    assert (decided.state, decided.decision) == (
        HoldState.DISCARDED,
        "discarded by user: mei: spam",
    )
    listed = await stores.second_reviews.dealt_to(MEI, after + UNDO_FOR)
    assert (listed.as_held, listed.message(now)) == ((), decided)
    assert at_last == now
    assert await seen_by(WU, now, after) == now
    refused = await opinion(reviews, after + UNDO_FOR)
    assert isinstance(refused, NotDone)
    assert refused.why == STANDING[HoldState.DISCARDED]


async def test_there_is_one_opinion_and_never_of_the_first(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    after = await decided_by_lin(stores, reviews, noon, REJECTED)

    own = await opinion(reviews, after, LIN)
    program = await reviews.decide(NewReview(1, REJECTED, "api: soc"), after)
    second = await opinion(reviews, after, MEI)
    third = await opinion(reviews, after, WU)

    assert isinstance(second, ReviewDecision)
    for refused in (own, program):
        assert isinstance(refused, NotDone)
        assert refused.why == STANDING[HoldState.DISCARDED]
    assert isinstance(third, NotDone)


@pytest.mark.parametrize("before", ["undone", "escalated", "decided"])
async def test_who_had_a_part_in_the_first_decision_gets_no_second(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime, before: str
) -> None:
    await stores.quarantine.hold([held(message_id=1, decision="x" if before == "decided" else "")])
    if before == "undone":
        given = await reviews.decide(NewReview(1, RELEASED, MEI), noon)
        assert isinstance(given, ReviewDecision)
        await reviews.undo(given.number, MEI, noon)
    if before == "escalated":
        await reviews.escalate(1, MEI, "?", noon)

    after = await decided_by_lin(stores, reviews, noon)

    assert (await stores.second_reviews.dealt_to(MEI, after)).as_held == ()
    assert (await stores.second_reviews.seen_by(MEI, await kept(stores), after)).state not in (
        DECIDABLE
    )
    to_wu = (await stores.second_reviews.dealt_to(WU, after)).as_held
    assert to_wu == ((1,) if before == "undone" else ())


async def test_what_waits_for_its_hour_is_dealt_no_more(
    stores: Stores, reviews: ReviewDesk, held: Builder, desk: QuarantineDesk, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    after = await decided_by_lin(stores, reviews, noon)
    grounds = Grounds("TIME_WINDOW", "R40", "", "", "d", noon + timedelta(days=2), due_at=after)
    await desk.defer(1, grounds, "judged again", after)
    deferred = await stores.second_reviews.dealt_to(MEI, after)
    (due,) = await stores.quarantine.take_due(after, [(await kept(stores)).system_id], 10)

    asked = await stores.second_reviews.dealt_to(MEI, after)
    given = await opinion(reviews, after)

    assert (deferred.as_held, asked.as_held) == ((), ())
    assert due.state is HoldState.RELEASE_REQUESTED
    assert isinstance(given, ReviewDecision)
    assert not given.is_second


async def test_a_decision_on_what_the_smsc_gave_back_counts(
    stores: Stores, reviews: ReviewDesk, held: Builder, desk: QuarantineDesk, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    after = await decided_by_lin(stores, reviews, noon)
    await desk.begin_release(1, after)
    await desk.give_back(1, "the SMSC refused it", after)

    given = await opinion(reviews, after)
    await stores.reviews.take_up(after + UNDO_FOR)

    assert isinstance(given, ReviewDecision)
    assert not given.is_second
    assert (await kept(stores)).state is HoldState.DISCARDED


async def test_what_the_smsc_gave_back_after_an_opinion_is_held_for_its_reviewer_too(
    stores: Stores, reviews: ReviewDesk, held: Builder, desk: QuarantineDesk, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    after = await decided_by_lin(stores, reviews, noon)
    await opinion(reviews, after)
    later = after + UNDO_FOR
    before = await stores.second_reviews.dealt_to(MEI, later)
    await desk.begin_release(1, later)
    await desk.give_back(1, "the SMSC refused it", later)

    dealt = await stores.second_reviews.dealt_to(MEI, later)

    assert list(before.reviews) == [1]
    assert dealt.reviews == {}


async def test_what_a_list_shows_for_an_hour_does_not_depend_on_how_much_was_decided_since(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=one) for one in range(1, 102)])
    after = await decided_by_lin(stores, reviews, noon)
    await opinion(reviews, after)
    for one in range(2, 102):
        await reviews.decide(NewReview(one, REJECTED, MEI), after)

    dealt = await stores.second_reviews.dealt_to(MEI, after + UNDO_FOR)

    assert list(dealt.reviews) == [1]


async def test_no_more_are_dealt_while_many_are_open(
    stores: Stores,
    reviews: ReviewDesk,
    held: Builder,
    noon: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(second_reviews, "MOST_DEALT", 2)
    await stores.quarantine.hold([held(message_id=one) for one in range(1, 5)])

    async def decided(number: int, at: datetime) -> tuple[int, ...]:
        await reviews.decide(NewReview(number, REJECTED, LIN), at)
        await stores.reviews.take_up(at + UNDO_FOR, dealt_twice=1.0)
        return (await stores.second_reviews.dealt_to(WU, at + UNDO_FOR)).as_held

    dealt = [await decided(one, noon + one * UNDO_FOR) for one in (1, 2, 3)]
    later = noon + 4 * UNDO_FOR
    await opinion(reviews, later)
    dealt.append(await decided(4, later))

    assert [sorted(one) for one in dealt] == [[1], [1, 2], [1, 2], [2, 4]]


async def test_what_is_released_by_an_opinion_alone_never_seems_to_have_left(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    after = await decided_by_lin(stores, reviews, noon, REJECTED)
    await opinion(reviews, after, decision=RELEASED)
    later = after + UNDO_FOR
    before = await kept(stores)

    seen = await stores.second_reviews.seen_by(MEI, before, later)
    listed = await stores.second_reviews.dealt_to(MEI, later)
    taken_back = await opinion(reviews, later)
    escalated = await reviews.escalate(1, MEI, "?", later, may_be_second=True)

    assert (seen.state, seen.smsc_message_id) == (HoldState.RELEASE_REQUESTED, "")
    assert listed.listed(is_undecided=False, is_escalated=False) == {1: seen.state}
    for refused in (taken_back, escalated):
        assert isinstance(refused, NotDone)
        assert refused.why == STANDING[HoldState.RELEASED]
    assert await kept(stores) == before


async def test_what_was_released_and_has_left_is_shown_with_its_id(
    stores: Stores, reviews: ReviewDesk, held: Builder, desk: QuarantineDesk, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    after = await decided_by_lin(stores, reviews, noon)
    await opinion(reviews, after, decision=RELEASED)
    later = after + UNDO_FOR
    await desk.begin_release(1, later)
    await desk.confirm(1, "smsc-7", later)

    seen = await stores.second_reviews.seen_by(MEI, await kept(stores), later)

    assert (seen.state, seen.smsc_message_id) == (HoldState.RELEASED, "smsc-7")


async def test_what_is_held_again_is_not_dealt_after_another_decision_either(
    stores: Stores, reviews: ReviewDesk, held: Builder, desk: QuarantineDesk, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    after = await decided_by_lin(stores, reviews, noon)
    await desk.begin_release(1, after)
    later = after + timedelta(minutes=1)
    await desk.give_back(1, "the SMSC refused it", later)
    await reviews.decide(NewReview(1, REJECTED, WU), later)
    later += UNDO_FOR
    (taken,) = await stores.reviews.take_up(later, dealt_twice=1.0)
    now = await kept(stores)

    assert taken.moved == (now,)
    assert (await stores.second_reviews.dealt_to(MEI, later)).reviews == {}
    assert await stores.second_reviews.seen_by(MEI, now, later) == now


async def test_who_is_late_with_an_opinion_changes_nothing_either(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    after = await decided_by_lin(stores, reviews, noon)
    shown = await stores.second_reviews.seen_by(WU, await kept(stores), after)
    await opinion(reviews, after, MEI)
    after += UNDO_FOR
    before = await kept(stores)

    late = NewReview(1, REJECTED, WU, seen=seen_digest(shown), may_be_second=True)
    refused = await reviews.decide(late, after)
    as_it_is = replace(late, seen=seen_digest(before))
    taken = await reviews.decide(as_it_is, after)

    assert isinstance(refused, NotDone)
    assert refused.why == STANDING[HoldState.RELEASE_REQUESTED]
    assert await kept(stores) == before
    assert isinstance(taken, ReviewDecision)
    assert not taken.is_second


async def test_escalating_it_ends_it_without_an_opinion(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    after = await decided_by_lin(stores, reviews, noon)
    before = await kept(stores)

    done = await reviews.escalate(1, MEI, "new words", after, may_be_second=True)

    assert not isinstance(done, NotDone)
    assert done.is_open  # as that of any other message
    (escalation,) = await reviews.escalations_of(1)
    assert not escalation.is_open
    assert await kept(stores) == before
    assert await stores.quarantine.find(is_escalated=True) == []
    assert (await stores.second_reviews.dealt_to(WU, after)).as_held == ()
    report = await stores.agreement.report(noon, after)
    assert report.ends[SecondReviewEnd.ESCALATED] == 1


async def test_for_an_hour_who_escalated_it_sees_it_held_and_may_decide(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    parts = [held(message_id=one, assembly=1, part=one) for one in (1, 2)]
    await stores.quarantine.hold(parts)
    after = await decided_by_lin(stores, reviews, noon)
    before, dealt_to = await kept(stores), stores.second_reviews.dealt_to
    await reviews.escalate(1, MEI, "new words", after, may_be_second=True)

    dealt = await dealt_to(MEI, after)
    again = await reviews.escalate(1, MEI, "new words", after, may_be_second=True)
    at_last = await dealt_to(MEI, after + SHOWN_FOR)
    late = await opinion(reviews, after + SHOWN_FOR, decision=RELEASED)
    given = await opinion(reviews, after, decision=RELEASED)

    held_ones = {1: HoldState.HELD, 2: HoldState.HELD}
    assert dealt.listed(is_undecided=True, is_escalated=False) == held_ones
    assert dealt.listed(is_undecided=True, is_escalated=True) == {1: HoldState.HELD, 2: None}
    assert not isinstance(again, NotDone)
    assert at_last.reviews == {}
    assert isinstance(late, NotDone)
    assert isinstance(given, ReviewDecision)
    assert given.is_second
    assert await kept(stores) == before
    report = await stores.agreement.report(noon, after + UNDO_FOR)
    assert report.ends[SecondReviewEnd.COMPARED] == 1


async def test_it_waits_no_longer_than_the_message_would_have(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    ends = noon + timedelta(minutes=10)
    await stores.quarantine.hold([held(message_id=1, expires_at=ends)])
    await decided_by_lin(stores, reviews, noon, REJECTED)

    assert (await stores.second_reviews.dealt_to(MEI, ends - UNDO_FOR)).as_held == (1,)
    assert (await stores.second_reviews.dealt_to(MEI, ends)).as_held == ()
    assert isinstance(await opinion(reviews, ends), NotDone)


async def test_the_parts_of_a_long_message_are_dealt_together(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold(
        [held(message_id=number, assembly=1, part=number) for number in (1, 2, 3)]
    )
    after = await decided_by_lin(stores, reviews, noon, REJECTED)
    before = await stores.quarantine.parts_of(1)

    dealt = await stores.second_reviews.dealt_to(MEI, after)
    given = await reviews.decide(NewReview(2, RELEASED, MEI, may_be_second=True), after)
    other = await reviews.decide(NewReview(3, RELEASED, WU, may_be_second=True), after)

    assert sorted(dealt.as_held) == [1, 2, 3]
    assert isinstance(given, ReviewDecision)
    assert isinstance(other, NotDone)
    assert await stores.quarantine.parts_of(1) == before
    report = await stores.agreement.report(noon, after + UNDO_FOR)
    assert (report.dealt, report.rate.compared) == (1, 1)


async def test_all_of_it_goes_with_its_message(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1, receipt_asked=False)])
    after = await decided_by_lin(stores, reviews, noon, REJECTED)
    await opinion(reviews, after, decision=RELEASED)
    late = after + UNDO_FOR
    assert len(await stores.agreement.disagreements(noon, late)) == 1

    gone = await stores.quarantine.forget([1], NewPurge("held_messages", noon, late, 1, late, "x"))

    assert gone == 1
    assert (await stores.agreement.report(noon, late)).dealt == 0
    assert await stores.agreement.disagreements(noon, late) == []
    assert await reviews.last_ten(MEI, late) == []


async def test_a_restore_leaves_opinions_as_they_are(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    after = await decided_by_lin(stores, reviews, noon, REJECTED)
    await opinion(reviews, after)

    doubted = await stores.reviews.doubt_unsent(after)

    assert doubted == 0
    assert (await stores.agreement.report(noon, after + UNDO_FOR)).rate.agreed == 1


async def test_a_restore_undoes_the_opinions_of_a_job_that_has_not_begun(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    after = await decided_by_lin(stores, reviews, noon, REJECTED)
    chosen = (ChosenMessage(1),)
    new = NewChosenReview(chosen, REJECTED, MEI, note="spam", may_be_second=True)
    made = await CampaignDesk(stores.campaigns, str).decide_chosen(new, after)

    await stores.reviews.doubt_unsent(after)

    assert isinstance(made, ChosenJob)
    late = after + UNDO_FOR
    assert (await stores.agreement.report(noon, late)).rate.compared == 0
    assert (await stores.second_reviews.dealt_to(MEI, late)).as_held == (1,)


async def test_the_report_names_what_became_of_each(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    def message(number: int) -> HeldMessage:
        return replace(held(message_id=number), category="loan" if number % 2 else "fraud")

    await stores.quarantine.hold([message(number) for number in range(1, 7)])
    for number in range(1, 7):
        await reviews.decide(NewReview(number, REJECTED, LIN), noon)
    after = noon + UNDO_FOR
    await stores.reviews.take_up(after, dealt_twice=1.0)
    for number, decision in ((1, REJECTED), (2, RELEASED), (3, REJECTED)):
        await reviews.decide(NewReview(number, decision, MEI, may_be_second=True), after)
    await reviews.escalate(4, WU, "?", after, may_be_second=True)

    early = await stores.agreement.report(noon, after)
    report = await stores.agreement.report(noon, after + UNDO_FOR)
    later = await stores.agreement.report(after + timedelta(seconds=1), after + UNDO_FOR)
    (apart,) = await stores.agreement.disagreements(noon, after + UNDO_FOR)

    assert early.rate.compared == 0
    assert {end.value: count for end, count in report.ends.items()} == {
        "compared": 3,
        "escalated": 1,
        "waiting": 2,
        "expired": 0,
    }
    assert [
        (
            one.reviewer,
            one.dealt_first,
            one.rate.compared,
            one.rate.agreed,
            one.released_alone,
            one.rejected_alone,
        )
        for one in report.reviewers
    ] == [(LIN, 6, 3, 2, 0, 1), (MEI, 0, 3, 2, 1, 0)]
    assert [(name, rate.compared, rate.agreed) for name, rate in report.categories] == [
        ("loan", 2, 2),
        ("fraud", 1, 0),
    ]
    assert later.dealt == 0
    assert (apart.held.message_id, apart.first.by, apart.second.by) == (2, LIN, MEI)
    older = await stores.agreement.disagreements(noon, after + UNDO_FOR, before=apart.second.number)
    assert older == []


async def test_without_a_share_nothing_is_dealt(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    await reviews.decide(NewReview(1, REJECTED, LIN), noon)
    await stores.reviews.take_up(noon + UNDO_FOR)

    assert (await stores.second_reviews.dealt_to(MEI, noon + UNDO_FOR)).as_held == ()


@pytest.mark.parametrize("rule", ["", "K-LOAN"])
async def test_a_job_on_a_campaign_counts_each_part_and_takes_one_opinion(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime, rule: str
) -> None:
    campaign = "c0123456789abcdef"
    of_campaign = {"campaign": campaign, "rule": "K-LOAN"}
    parts = [held(message_id=one, assembly=1, part=one, **of_campaign) for one in (1, 2)]
    await stores.quarantine.hold([*parts, held(message_id=3, **of_campaign)])
    after = await decided_by_lin(stores, reviews, noon)
    desk, before = CampaignDesk(stores.campaigns, str), await kept(stores)
    as_held = (await stores.second_reviews.dealt_to(MEI, after)).as_held
    new = NewCampaignReview(campaign, REJECTED, MEI, 3, rule=rule, as_held=as_held)

    each = await stores.campaigns.held_of_each(campaign, rule, as_held)
    first = await desk.decide(new, after)
    others = [await desk.decide(replace(new, by=by), after) for by in (LIN, WU)]
    later = after + UNDO_FOR
    step = await stores.campaigns.advance(later)

    assert list(each.values()) == [3]
    assert isinstance(first, ReviewJob)
    assert [isinstance(one, JobNotMade) for one in others] == [True, True]
    assert step is not None
    assert (step.job.done, step.job.state) == (3, ReviewJobState.DONE)
    assert [one.message_id for one in step.moved] == [3]
    assert await kept(stores) == before
    assert (await stores.agreement.report(noon, later)).rate.compared == 1
    assert [one.decision.number for one in await reviews.last_ten(MEI, later)] == []


async def test_what_one_sp_sent_of_a_campaign_is_all_that_a_job_on_it_gives_opinions_on(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    campaign = "c0123456789abcdef"
    await stores.quarantine.hold(
        [
            held(message_id=1, campaign=campaign, system_id="shop"),
            held(message_id=2, campaign=campaign, system_id="bank"),
        ]
    )
    after = await decided_by_lin(stores, reviews, noon)
    new = NewCampaignReview(campaign, REJECTED, MEI, 1, system_id="bank", as_held=(1,))
    desk = CampaignDesk(stores.campaigns, str)

    made = await desk.decide(new, after)
    alone = await desk.decide(replace(new, system_id="shop"), after + UNDO_FOR)
    step = await stores.campaigns.advance(after + UNDO_FOR)
    made_then = await desk.decide(replace(new, system_id="shop"), after + UNDO_FOR)
    last = await stores.campaigns.advance(after + 2 * UNDO_FOR)

    assert isinstance(made, ReviewJob)
    assert isinstance(alone, JobNotMade)  # one job on a campaign at a time
    assert step is not None
    assert step.job.done == 1
    assert isinstance(made_then, ReviewJob)
    assert last is not None
    assert (last.job.done, last.moved) == (1, ())


async def test_a_campaign_that_is_too_large_for_one_person_is_counted_as_it_is_listed(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    campaign = "c0123456789abcdef"
    await stores.quarantine.hold([held(message_id=one, campaign=campaign) for one in (1, 2)])
    after = await decided_by_lin(stores, reviews, noon, REJECTED)
    desk = CampaignDesk(stores.campaigns, str, most_released=1)

    refused = await desk.decide(NewCampaignReview(campaign, RELEASED, MEI, 2, as_held=(1,)), after)

    assert refused == JobNotMade(2, SECOND_PERSON)


async def test_until_a_job_on_a_campaign_comes_to_it_it_stands_as_the_others_do(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    campaign = "c0123456789abcdef"
    await stores.quarantine.hold([held(message_id=one, campaign=campaign) for one in range(1, 6)])
    for one in (2, 3, 4):
        await reviews.decide(NewReview(one, RELEASED, LIN), noon)
    after = noon + UNDO_FOR
    await stores.reviews.take_up(after, dealt_twice=1.0)
    dealt_to = stores.second_reviews.dealt_to
    new = NewCampaignReview(campaign, REJECTED, MEI, 5, as_held=(2, 3, 4))

    job = await CampaignDesk(stores.campaigns, str).decide(new, after)
    waiting = await dealt_to(MEI, after)
    alone = NewReview(4, RELEASED, MEI, may_be_second=True)
    decided = await reviews.decide(alone, after)
    other = await reviews.decide(NewReview(3, RELEASED, WU, may_be_second=True), after)
    due = after + UNDO_FOR
    await stores.campaigns.advance(due, limit=1)
    begun = (await dealt_to(MEI, due)).reviews
    await stores.campaigns.advance(due, limit=1)
    last = await stores.campaigns.advance(due, limit=1)
    ended = (await dealt_to(MEI, due)).reviews

    assert isinstance(job, ReviewJob)
    assert (sorted(waiting.as_held), job.upto_id) == ([2, 3, 4], 5)
    assert isinstance(decided, ReviewDecision)
    assert isinstance(other, ReviewDecision)
    assert {one: seen.state(due) for one, seen in begun.items()} == {
        2: HoldState.HELD,
        4: HoldState.RELEASE_REQUESTED,
    }
    assert {one: seen.state(due) for one, seen in ended.items()} == {
        2: HoldState.DISCARDED,
        4: HoldState.RELEASE_REQUESTED,
    }
    assert last is not None
    assert (last.job.done, last.job.state) == (3, ReviewJobState.DONE)
    opinions = [one for one in await stores.journals.accesses() if "opinion" in one.action]
    assert sorted((one.by, one.about) for one in opinions) == [
        (MEI, "message 2: rejected"),
        (MEI, "message 4: released"),
        (WU, "message 3: released"),
    ]
