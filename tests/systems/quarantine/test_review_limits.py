"""Time limits by category: what becomes of a message on which nobody decided."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

import pytest

from gateway.domain.policy import ContentRule, OverdueAction, ReviewLimit
from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.domain.verdict import Reason
from gateway.storage.database import Database
from gateway.stores import Stores
from gateway.systems.quarantine.decisions import UNDO_FOR, ReviewDesk
from gateway.systems.quarantine.feedback import FeedbackStore
from gateway.systems.quarantine.model import (
    Grounds,
    MessageIds,
    NewReview,
    PersonDecision,
    decision_on,
    lowest_id_at,
)
from gateway.systems.quarantine.review_limits import OverdueMessages, ends_at, review_by
from gateway.systems.quarantine.service import NotDone, QuarantineDesk
from gateway.systems.quarantine.sql import QuarantineStore

Builder: TypeAlias = Callable[..., HeldMessage]

pytestmark = pytest.mark.every_store

HOUR = timedelta(hours=1)
DISCARD = ReviewLimit(3600, OverdueAction.DISCARD)
RELEASE = ReviewLimit(3600, OverdueAction.RELEASE)
KEEP = ReviewLimit(3600)


def message(held: Builder, at: datetime, number: int = 0, **changes: object) -> HeldMessage:
    """Return a message that came then."""
    message_id = lowest_id_at(int(at.timestamp() * 1000)) + number
    return held(message_id=message_id, held_at=at, **{"category": "loan", **changes})


def keeper(
    stores: Stores, desk: QuarantineDesk, limits: Mapping[str, ReviewLimit]
) -> OverdueMessages:
    return OverdueMessages(stores.overdue, desk, lambda: ContentRule(review=limits))


async def states_of(stores: Stores) -> list[HoldState]:
    return [one.state for one in reversed(await stores.quarantine.find())]


async def test_what_is_over_is_discarded_and_its_sp_hears_of_it(
    stores: Stores, desk: QuarantineDesk, held: Builder, noon: datetime
) -> None:
    first, later = message(held, noon), message(held, noon + timedelta(minutes=1))
    await stores.quarantine.hold([first, later])
    limits = keeper(stores, desk, {"commercial": DISCARD})

    early = await limits.look(noon + HOUR)
    done = await limits.look(noon + HOUR + timedelta(seconds=1))
    again = await limits.look(noon + HOUR + timedelta(seconds=1))

    assert (early, done, again) == ({}, {OverdueAction.DISCARD: 1}, {})
    ended = await stores.quarantine.get(first.message_id)
    assert ended is not None
    assert (ended.state, ended.receipt) == (HoldState.DISCARDED, ReceiptState.DUE)
    assert ended.decision == "discarded by the time limit of loan: nobody decided within 3600 s"
    assert (await states_of(stores))[1] is HoldState.HELD
    (act, *_) = await stores.journals.accesses()
    assert (act.by, act.action) == ("the time limit of loan", "quarantine discard")


async def test_a_release_is_asked_for_as_that_of_a_person_and_teaches_nothing(
    stores: Stores, desk: QuarantineDesk, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([message(held, noon)])

    done = await keeper(stores, desk, {"loan": RELEASE}).look(noon + 2 * HOUR)

    assert done == {OverdueAction.RELEASE: 1}
    (asked,) = await stores.quarantine.find()
    assert (asked.state, asked.is_reviewed) == (HoldState.RELEASE_REQUESTED, True)
    assert decision_on(asked) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": Reason.USER_PREF.value},
        {"decision": "release asked by lin"},
        {"state": HoldState.DEFERRED},
        {"state": HoldState.IN_DOUBT},
        {"expires_at": None},
        {"category": "fraud"},
        {"category": ""},
    ],
)
async def test_what_is_for_others_to_decide_stays(
    stores: Stores,
    desk: QuarantineDesk,
    held: Builder,
    noon: datetime,
    changes: dict[str, object],
) -> None:
    if "expires_at" in changes:
        changes = {"expires_at": noon + 2 * HOUR}
    await stores.quarantine.hold([replace(message(held, noon), **changes)])  # type: ignore[arg-type]
    before = await states_of(stores)

    done = await keeper(stores, desk, {"loan": RELEASE}).look(noon + 2 * HOUR)

    assert done == {}
    assert await states_of(stores) == before


@pytest.mark.parametrize("who", ["leased", "waiting", "escalated"])
async def test_what_a_reviewer_has_in_hand_stays(
    stores: Stores, desk: QuarantineDesk, held: Builder, noon: datetime, who: str
) -> None:
    one = message(held, noon)
    await stores.quarantine.hold([one])
    at, reviews = noon + 2 * HOUR, ReviewDesk(stores.reviews, str)
    if who == "leased":
        await stores.leases.take(one, "user: lin", at)
    if who == "waiting":
        new = NewReview(one.message_id, PersonDecision.REJECTED, "user: lin")
        await reviews.decide(new, at, UNDO_FOR)
    if who == "escalated":
        await reviews.escalate(one.message_id, "user: lin", "?", at)
    limits = keeper(stores, desk, {"loan": RELEASE})

    done = await limits.look(at)
    after = await limits.look(at + timedelta(minutes=2))

    assert done == {}
    assert after == ({OverdueAction.RELEASE: 1} if who == "leased" else {})


@pytest.mark.parametrize("limit", [RELEASE, DISCARD])
async def test_no_part_of_an_escalated_long_message_is_moved(
    stores: Stores, desk: QuarantineDesk, held: Builder, noon: datetime, limit: ReviewLimit
) -> None:
    parts = [message(held, noon, number, assembly=7, part=number) for number in (1, 2, 3)]
    other = message(held, noon, 4)
    await stores.quarantine.hold([*parts, other])
    at = noon + 2 * HOUR
    await ReviewDesk(stores.reviews, str).escalate(parts[0].message_id, "user: lin", "?", at)

    done = await keeper(stores, desk, {"loan": limit}).look(at)

    assert done == {limit.then: 1}
    assert (await states_of(stores))[:3] == [HoldState.HELD] * 3


async def test_a_limit_holds_below_its_category_but_for_what_has_its_own(
    stores: Stores, desk: QuarantineDesk, held: Builder, noon: datetime
) -> None:
    found = ("loan", "education", "travel", "our_own_word")
    await stores.quarantine.hold(
        [message(held, noon, number, category=one) for number, one in enumerate(found)]
    )
    limits = {"commercial": DISCARD, "education": KEEP, "our_own_word": RELEASE}

    done = await keeper(stores, desk, limits).look(noon + 2 * HOUR)

    assert done == {OverdueAction.DISCARD: 2, OverdueAction.RELEASE: 1}
    assert await states_of(stores) == [
        HoldState.DISCARDED,
        HoldState.HELD,
        HoldState.DISCARDED,
        HoldState.RELEASE_REQUESTED,
    ]


async def test_the_parts_of_a_long_message_go_together(
    stores: Stores, desk: QuarantineDesk, held: Builder, noon: datetime
) -> None:
    first = message(held, noon)
    parts = [message(held, noon, part, assembly=first.message_id, part=part) for part in (0, 1)]
    late = message(held, noon + 2 * HOUR, assembly=first.message_id, part=2)
    await stores.quarantine.hold([*parts, late])

    await keeper(stores, desk, {"loan": DISCARD}).look(noon + 2 * HOUR)

    assert await states_of(stores) == [HoldState.DISCARDED] * 3


async def test_feedback_counts_what_people_decided_alone(
    stores: Stores, desk: QuarantineDesk, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([message(held, noon), message(held, noon, 1, category="fraud")])
    await keeper(stores, desk, {"loan": RELEASE}).look(noon + 2 * HOUR)
    other = (await stores.quarantine.find(state=HoldState.HELD))[0]
    await desk.discard(other.message_id, "lin", noon + 2 * HOUR)

    counted = await FeedbackStore(stores.quarantine._database).decided_since(noon)

    assert [(one.decision, one.messages) for one in counted] == [(PersonDecision.REJECTED, 1)]


async def test_what_a_limit_would_have_ended_is_dealt_to_no_second_reviewer(
    stores: Stores, held: Builder, noon: datetime
) -> None:
    one = message(held, noon)
    await stores.quarantine.hold([one])
    reviews = ReviewDesk(stores.reviews, str)
    await reviews.decide(NewReview(one.message_id, PersonDecision.REJECTED, "user: lin"), noon)
    limit_of, seconds = ContentRule(review={"loan": DISCARD}).limit_of, stores.second_reviews
    (taken,) = await stores.reviews.take_up(noon + UNDO_FOR, dealt_twice=1.0, limit_of=limit_of)
    (now,) = taken.moved

    before = await seconds.dealt_to("user: mei", noon + HOUR - UNDO_FOR)
    after = await seconds.dealt_to("user: mei", noon + HOUR)
    seen = await seconds.seen_by("user: mei", now, noon + HOUR - UNDO_FOR)
    late = NewReview(now.message_id, PersonDecision.RELEASED, "user: mei", may_be_second=True)
    decided = await reviews.decide(late, noon + HOUR)

    assert (before.as_held, after.as_held) == ((one.message_id,), ())
    assert seen.state is HoldState.HELD
    assert await seconds.seen_by("user: mei", now, noon + HOUR) == now
    assert isinstance(decided, NotDone)


async def test_the_time_counts_from_when_a_message_came_to_be_held_and_not_from_when_it_came(
    database: Database, stores: Stores, desk: QuarantineDesk, held: Builder, noon: datetime
) -> None:
    one = message(held, noon - 12 * HOUR, state=HoldState.RELEASE_REQUESTED)  # it waited
    await stores.quarantine.hold([one])
    opening = QuarantineDesk(QuarantineStore(database, lambda: noon), MessageIds(worker=2))
    grounds = Grounds("CONTENT", "K-LOAN", "loan", "", "d", noon + 9 * HOUR)
    await opening.hold(one.message_id, grounds, "judged again: CONTENT", noon)
    shown = await stores.quarantine.get(one.message_id)
    limits = keeper(stores, desk, {"loan": RELEASE})

    early = await limits.look(noon + HOUR - timedelta(seconds=1))
    done = await limits.look(noon + HOUR)

    assert shown is not None
    assert review_by(shown, RELEASE) == noon + HOUR
    assert (early, done) == ({}, {OverdueAction.RELEASE: 1})


def test_a_limit_ends_with_the_message(held: Builder, noon: datetime) -> None:
    one = held(held_at=noon, expires_at=noon + HOUR / 2)

    assert review_by(one, DISCARD) == one.expires_at
    assert review_by(held(held_at=noon), DISCARD) == noon + HOUR
    assert review_by(held(state=HoldState.RELEASED), DISCARD) is None
    assert review_by(one, None) is None
    assert ends_at(held(held_at=noon), DISCARD) == noon + HOUR
    assert ends_at(one, DISCARD) == ends_at(one, KEEP) == ends_at(one, None) == one.expires_at
