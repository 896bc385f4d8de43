"""What the gateway does with decisions of people once they can be undone no more."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from gateway.app.background import DecisionTaker
from gateway.app.followers import Rounds
from gateway.console.held_evidence import review_tools
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.runtime.clock import utcnow
from gateway.stores import Stores
from gateway.systems.learning.model import SampleLabel
from gateway.systems.quarantine.campaigns import JOB_STEP, CampaignDesk
from gateway.systems.quarantine.decisions import UNDO_FOR, ReviewDesk
from gateway.systems.quarantine.model import (
    ChosenMessage,
    NewCampaignReview,
    NewChosenReview,
    NewReview,
    PersonDecision,
)
from tests.console.browsing import FIRST, held_with


@pytest.mark.parametrize(
    ("decision", "label"),
    [(PersonDecision.RELEASED, SampleLabel.HAM), (PersonDecision.REJECTED, SampleLabel.SPAM)],
)
async def test_a_decision_teaches_when_it_takes_effect_and_not_before(
    stores: Stores, decision: PersonDecision, label: SampleLabel
) -> None:
    now = utcnow()
    ends = now + timedelta(days=1)
    texts = ("黑户贷款，当天放款", "刷单兼职，日结工资")
    await stores.quarantine.hold(
        [
            held_with(text, message_id=FIRST + number, expires_at=ends)
            for number, text in enumerate(texts)
        ]
    )
    reviews = ReviewDesk(stores.reviews, str)
    tools = review_tools(stores.journals, stores.samples, learns=True)
    taker = DecisionTaker(stores.reviews, stores.campaigns, tools.learn, Rounds())
    await reviews.decide(NewReview(FIRST, decision, "user: lin"), now - UNDO_FOR)
    await reviews.decide(NewReview(FIRST + 1, decision, "user: lin"), now)

    await taker.look()

    (sample,) = await stores.samples.find()
    assert (sample.label, sample.by, sample.system_id) == (label, "user: lin", "shop")
    waiting = await stores.quarantine.get(FIRST + 1)
    assert waiting is not None
    assert waiting.state is HoldState.HELD


async def test_a_decision_without_effect_teaches_nothing(
    stores: Stores, held: Callable[..., HeldMessage]
) -> None:
    learnt: list[Sequence[HeldMessage]] = []

    async def learn(messages: Sequence[HeldMessage], _decision: PersonDecision, _by: str) -> None:
        learnt.append(messages)

    now = utcnow()
    await stores.quarantine.hold([held(message_id=1, expires_at=now - timedelta(seconds=1))])
    reviews = ReviewDesk(stores.reviews, str)
    await reviews.decide(NewReview(1, PersonDecision.RELEASED, "lin"), now - 2 * UNDO_FOR)

    await DecisionTaker(stores.reviews, stores.campaigns, learn, Rounds()).look()

    assert learnt == []
    assert [one.outcome for one, _ in await reviews.last_ten("lin", now)] == ["it has expired"]


async def test_a_campaign_is_worked_off_in_steps_and_teaches_by_some_of_its_texts(
    stores: Stores, held: Callable[..., HeldMessage]
) -> None:
    learnt: list[int] = []

    async def learn(messages: Sequence[HeldMessage], _decision: PersonDecision, _by: str) -> None:
        learnt.append(len(messages))

    now, count = utcnow(), JOB_STEP + 30
    campaign, ends = "c0123456789abcdef", now + timedelta(days=1)
    await stores.quarantine.hold(
        [held(message_id=one, campaign=campaign, expires_at=ends) for one in range(1, count + 1)]
    )
    new = NewCampaignReview(campaign, PersonDecision.REJECTED, "lin", count)
    await CampaignDesk(stores.campaigns, str).decide(new, now - UNDO_FOR)
    taker = DecisionTaker(stores.reviews, stores.campaigns, learn, Rounds())

    for _ in range(3):
        await taker.look()

    assert learnt == [20, 20]
    counts = await stores.quarantine.count_by_state()
    assert counts[HoldState.DISCARDED] == count


async def test_each_of_the_chosen_messages_teaches(
    stores: Stores, held: Callable[..., HeldMessage]
) -> None:
    learnt: list[int] = []

    async def learn(messages: Sequence[HeldMessage], _decision: PersonDecision, _by: str) -> None:
        learnt.append(len(messages))

    now = utcnow()
    ends, ids = now + timedelta(days=1), range(1, 31)
    await stores.quarantine.hold([held(message_id=one, expires_at=ends) for one in ids])
    new = NewChosenReview(tuple(map(ChosenMessage, ids)), PersonDecision.REJECTED, "lin")
    await CampaignDesk(stores.campaigns, str).decide_chosen(new, now - UNDO_FOR)

    await DecisionTaker(stores.reviews, stores.campaigns, learn, Rounds()).look()

    assert learnt == [30]
