"""Leases keep two reviewers off one message; escalations put it before a senior one."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.stores import Stores
from gateway.systems.quarantine.campaigns import CampaignDesk
from gateway.systems.quarantine.decisions import (
    DECISION_WAITS,
    LEASED,
    MAX_NOTE_CHARS,
    UNDO_FOR,
    ReviewDesk,
)
from gateway.systems.quarantine.leases.store import LEASE_FOR
from gateway.systems.quarantine.model import (
    Escalation,
    NewCampaignReview,
    NewReview,
    PersonDecision,
    ReviewDecision,
)
from gateway.systems.quarantine.service import HeldFilter, NotDone, find_held

Builder: TypeAlias = Callable[..., HeldMessage]

pytestmark = pytest.mark.every_store

LIN, MEI = "user: lin", "user: mei"
CAMPAIGN = "c0000000000000001"
MOMENT = timedelta(microseconds=1)


@pytest.fixture
def reviews(stores: Stores) -> ReviewDesk:
    return ReviewDesk(stores.reviews, lambda text: text.replace("13900139000", "139****9000"))


async def test_each_reviewer_gets_another_message_also_at_once(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=one) for one in range(1, 6)])
    people = [f"user: {number}" for number in range(7)]

    dealt = await asyncio.gather(*(stores.leases.take_next(one, noon) for one in people))
    again = await stores.leases.take_next(people[0], noon)

    given = [one.message_id for one in dealt if one is not None]
    assert sorted(given) == [1, 2, 3, 4, 5]
    assert dealt.count(None) == 2
    assert again == dealt[0]


async def test_a_lease_ends_after_90_seconds_unless_it_is_renewed(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    message = held(message_id=1)
    await stores.quarantine.hold([message])

    first = await stores.leases.take(message, LIN, noon)
    renewed = await stores.leases.take(message, LIN, noon + LEASE_FOR - MOMENT)
    foreign = await stores.leases.take(message, MEI, noon + LEASE_FOR)
    nothing = await stores.leases.take_next(MEI, noon + LEASE_FOR)
    late = await stores.leases.take(message, MEI, renewed.until)

    assert first.until == noon + timedelta(seconds=90)
    assert foreign == renewed
    assert renewed.by == LIN
    assert nothing is None
    assert late.by == MEI


async def test_what_another_looks_at_is_not_decided_on(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    message = held(message_id=1)
    await stores.quarantine.hold([message])
    await stores.leases.take(message, LIN, noon)
    new = NewReview(1, PersonDecision.REJECTED, MEI)

    early = await reviews.decide(new, noon + LEASE_FOR - MOMENT)
    leases = await stores.leases.of([message], noon)
    late = await reviews.decide(new, noon + LEASE_FOR)

    assert early == NotDone(1, HoldState.HELD, LEASED)
    assert leases[1].by == LIN
    assert isinstance(late, ReviewDecision)


async def test_a_decision_ends_the_lease_and_so_does_giving_it_back(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    messages = [held(message_id=one) for one in (1, 2)]
    await stores.quarantine.hold(messages)
    for one in messages:
        await stores.leases.take(one, LIN, noon)

    decision = await reviews.decide(NewReview(1, PersonDecision.REJECTED, LIN), noon)
    foreign = await stores.leases.give_back(messages[1], MEI)
    own = await stores.leases.give_back(messages[1], LIN)
    assert isinstance(decision, ReviewDecision)
    await reviews.undo(decision.number, LIN, noon)

    assert (foreign, own) == (False, True)
    assert await stores.leases.of(messages, noon) == {}
    assert isinstance(
        await reviews.decide(NewReview(1, PersonDecision.RELEASED, MEI), noon), ReviewDecision
    )


async def test_nothing_is_dealt_that_a_decision_waits_on_that_is_over_or_newer_than_asked(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold(
        [
            held(message_id=1),
            held(message_id=2, assembly=2, part=1),
            held(message_id=3, assembly=2, part=2),
            held(message_id=4, expires_at=noon),
            held(message_id=5, state=HoldState.RELEASED),
            held(message_id=6),
        ]
    )
    await reviews.decide(NewReview(6, PersonDecision.REJECTED, MEI), noon)

    newest = await stores.leases.take_next(LIN, noon)
    other = await stores.leases.take_next(MEI, noon)
    older = await stores.leases.take_next(LIN, noon, before_id=1)

    assert newest is not None
    assert other is not None
    assert (newest.message_id, other.message_id, older) == (3, 1, None)


async def test_an_escalated_message_waits_for_a_senior_reviewer_until_it_is_decided_on(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold(
        [held(message_id=one, campaign=CAMPAIGN if one > 3 else "") for one in range(1, 7)]
    )
    wanted = HeldFilter(state=HoldState.HELD, is_undecided=True, is_escalated=True)

    async def escalated() -> list[int]:
        found = await find_held(stores.quarantine, wanted, None, 10)
        return [one.message_id for one in found]

    done = await reviews.escalate(2, LIN, "whose is 13900139000?", noon)
    await reviews.escalate(5, LIN, "?", noon)
    before = await escalated()
    await reviews.decide(NewReview(2, PersonDecision.REJECTED, MEI), noon)
    twice = await reviews.escalate(2, LIN, "once more", noon)
    waiting = await escalated()
    await stores.reviews.take_up(noon + UNDO_FOR)
    new = NewCampaignReview(CAMPAIGN, PersonDecision.REJECTED, MEI, 3)
    await CampaignDesk(stores.campaigns, str).decide(new, noon)
    await stores.campaigns.advance(noon + UNDO_FOR)

    assert isinstance(done, Escalation)
    assert done.note == "whose is 139****9000?"
    assert (before, waiting, await escalated()) == ([5, 2], [5], [])
    assert twice == NotDone(2, HoldState.HELD, DECISION_WAITS)
    for number in (2, 5):
        (said,) = await reviews.escalations_of(number)
        assert (said.by, said.is_open) == (LIN, False)


async def test_what_another_reviewer_has_is_not_escalated_and_stays_with_that_one(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    parts = [held(message_id=one, assembly=9, part=one) for one in (1, 2)]
    await stores.quarantine.hold(parts)
    await stores.leases.take(parts[0], MEI, noon)

    refused = await reviews.escalate(2, LIN, "?", noon)
    decided = await reviews.decide(NewReview(2, PersonDecision.REJECTED, LIN), noon)
    own = await reviews.escalate(1, MEI, "?", noon)
    after = await reviews.escalate(1, LIN, "?", noon)

    assert refused == decided == NotDone(2, HoldState.HELD, LEASED)
    assert isinstance(own, Escalation)
    assert isinstance(after, Escalation)


async def test_what_nobody_can_decide_on_is_not_escalated(
    stores: Stores, reviews: ReviewDesk, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1, state=HoldState.RELEASED)])

    over = await reviews.escalate(1, LIN, "?", noon)
    unknown = await reviews.escalate(404, LIN, "?", noon)

    assert over == NotDone(1, HoldState.RELEASED, "it was released")
    assert unknown == NotDone(404, None, "there is no such message")
    for note in ("", "字" * (MAX_NOTE_CHARS + 1)):
        with pytest.raises(ValueError, match="a note has"):
            await reviews.escalate(1, LIN, note, noon)


async def test_who_moves_on_has_no_other_lease_and_gives_back_only_what_was_not_renewed(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    messages = [held(message_id=one) for one in (1, 2, 3)]
    await stores.quarantine.hold(messages)
    await stores.leases.take(messages[0], LIN, noon)
    await stores.leases.take(messages[2], MEI, noon)

    first = await stores.leases.take(messages[1], LIN, noon, moves_on=True)
    after = {one: lease.by for one, lease in (await stores.leases.of(messages, noon)).items()}
    await stores.leases.take(messages[1], LIN, noon + MOMENT)
    late = await stores.leases.give_back(messages[1], LIN, first.until)
    own = await stores.leases.give_back(messages[1], LIN, first.until + MOMENT)

    assert after == {2: LIN, 3: MEI}
    assert (late, own) == (False, True)
