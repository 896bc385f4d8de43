"""What every store does with relations that have ended (R71)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer
from gateway.domain.records import NewPurge
from gateway.domain.subscription import (
    Cycle,
    Event,
    MessageEvidence,
    Subscription,
    SubscriptionAct,
    Terms,
    advance,
)
from gateway.stores import Stores
from gateway.systems import ended_relations
from gateway.systems.ended_relations import EndedRelation
from gateway.systems.subscriptions.model import (
    Changes,
    ConsentRequest,
    ConsentRequestState,
    SubscriptionStep,
)

pytestmark = pytest.mark.every_store

AnswerBuilder = Callable[..., ConsentAnswer]

SUBSCRIBER, OTHER = 8613800138000, 8613800138001
DAY = timedelta(days=1)
TERMS = Terms("示例商城", "天气", "10690001", 500, Cycle.MONTH)
ORDERED = (SubscriptionAct.ORDER, SubscriptionAct.CONFIRM)
ENDED = (*ORDERED, SubscriptionAct.CANCEL)


async def order(
    stores: Stores, noon: datetime, *acts: SubscriptionAct, msisdn: int = SUBSCRIBER
) -> None:
    """Take steps at a subscription to sp1, a day after each other from `noon` on."""
    one = Subscription(msisdn, "sp1", "weather", TERMS, noon)
    for day, act in enumerate(acts):
        at = noon + day * DAY / 2
        said = MessageEvidence(f"id-{act}", "5c" * 32, at)
        after = advance(one, Event(act, said, TERMS, said), at)
        assert isinstance(after, Subscription)
        one = after
        await stores.subscriptions.keep(Changes((SubscriptionStep(one, act, said),)))


def asked(noon: datetime, state: ConsentRequestState, msisdn: int = SUBSCRIBER) -> ConsentRequest:
    return ConsentRequest(msisdn, "sp1", 7, "5c" * 32, noon, noon + DAY, state, "71", "72")


async def ended(stores: Stores, before: datetime) -> list[EndedRelation]:
    return [one async for page in stores.ended_relations.ended_before(before) for one in page]


def noted(before: datetime) -> NewPurge:
    return NewPurge("relations", before - 9 * DAY, before, 0, before, "lin")


async def test_r71_a_relation_ends_with_the_last_that_is_on_record_of_it(
    stores: Stores, answer: AnswerBuilder, noon: datetime
) -> None:
    await order(stores, noon, *ENDED)
    await stores.subscriptions.ask(asked(noon - DAY, ConsentRequestState.REFUSED))
    await stores.consent.record([answer(since=noon + 3 * DAY)])

    relation = EndedRelation(SUBSCRIBER, "sp1", noon - DAY, noon + 3 * DAY)
    assert await ended(stores, noon + 3 * DAY) == []
    assert await ended(stores, noon + 4 * DAY) == [relation]


@pytest.mark.parametrize("live", ["order", "asked", "agreed", "asserted", "request"])
async def test_r71_nothing_goes_while_anything_with_that_sp_is_live(
    stores: Stores, answer: AnswerBuilder, noon: datetime, live: str
) -> None:
    await stores.subscriptions.ask(asked(noon, ConsentRequestState.AGREED))
    match live:
        case "order":
            await order(stores, noon, *ORDERED)
        case "asked":
            await order(stores, noon, SubscriptionAct.ORDER)
        case "request":
            other = replace(asked(noon, ConsentRequestState.PENDING), likeness=8)
            await stores.subscriptions.ask(other)
        case _:
            await stores.consent.record([answer(answer=Answer(live))])

    assert await ended(stores, noon + 99 * DAY) == []


async def test_r71_what_is_forgotten_is_how_it_went_and_the_refusal_holds_on(
    stores: Stores, answer: AnswerBuilder, noon: datetime
) -> None:
    await order(stores, noon, *ENDED)
    await stores.subscriptions.ask(asked(noon, ConsentRequestState.NO_REPLY))
    await stores.consent.record([answer(evidence="message 7", since=noon + DAY)])
    before = noon + 9 * DAY

    gone = await stores.ended_relations.forget(await ended(stores, before), noted(before))

    assert gone == 1
    assert await stores.subscriptions.find() == []
    assert await stores.subscriptions.history(SUBSCRIBER, ("sp1", "weather")) == []
    kept = ConsentRequest(SUBSCRIBER, "sp1", 7, "", noon, noon + DAY, ConsentRequestState.NO_REPLY)
    assert await stores.subscriptions.requests_of(SUBSCRIBER, "sp1") == [kept]
    assert not await stores.subscriptions.ask(asked(noon + 9 * DAY, ConsentRequestState.PENDING))
    told = await stores.consent.answer_of(SUBSCRIBER, "sp1")
    assert told == answer(since=noon + DAY, channel="forgotten")
    everyone = [row async for page in stores.consent.all_answers() for row in page]
    assert everyone == [(SUBSCRIBER, "sp1", Answer.REFUSED)]
    assert await ended(stores, before) == []
    (purge,) = await stores.journals.purges()
    assert (purge.what, purge.count, purge.by) == ("relations", 1, "lin")


@pytest.mark.parametrize("said", [Answer.AGREED, Answer.ASSERTED])
async def test_r71_an_agreement_lives_until_its_end_and_goes_once_the_relation_does(
    stores: Stores, answer: AnswerBuilder, noon: datetime, said: Answer
) -> None:
    end = noon + 30 * DAY
    await stores.consent.record([answer(answer=said, until=end, evidence="form 7")])
    await stores.consent.record([answer(answer=said, scope="sp2", until=noon - DAY)])
    await stores.subscriptions.ask(asked(noon - DAY, ConsentRequestState.AGREED))

    relation = EndedRelation(SUBSCRIBER, "sp1", noon - DAY, end)
    over_before = EndedRelation(SUBSCRIBER, "sp2", noon, noon)
    before = end + DAY
    assert await ended(stores, end) == [over_before]
    assert await ended(stores, before) == [relation, over_before]
    assert await stores.ended_relations.forget([relation], noted(before)) == 1
    assert await stores.consent.answer_of(SUBSCRIBER, "sp1") is None
    assert await stores.consent.answer_of(SUBSCRIBER, "sp2") is not None
    assert await ended(stores, before) == [over_before]


async def test_r71_a_relation_that_has_begun_again_is_not_forgotten(
    stores: Stores, noon: datetime
) -> None:
    await order(stores, noon, *ENDED)
    await order(stores, noon, *ENDED, msisdn=OTHER)
    before = noon + 9 * DAY
    found = await ended(stores, before)
    (again,) = await stores.subscriptions.find(msisdn=OTHER)
    said = MessageEvidence("9", "5c" * 32, before)
    after = advance(again, Event(SubscriptionAct.ORDER, said, TERMS, said), before)
    assert isinstance(after, Subscription)
    await stores.subscriptions.keep(
        Changes((SubscriptionStep(after, SubscriptionAct.ORDER, said),))
    )

    assert await stores.ended_relations.forget(found, noted(before)) == 1

    assert [one.msisdn for one in await stores.subscriptions.find()] == [OTHER]


async def test_nothing_forgotten_is_nothing_journaled(stores: Stores, noon: datetime) -> None:
    stranger = EndedRelation(SUBSCRIBER, "sp1", noon, noon)

    assert await stores.ended_relations.forget([stranger], noted(noon + DAY)) == 0
    assert await stores.journals.purges() == []


async def test_what_was_said_to_every_sp_is_no_relation(
    stores: Stores, answer: AnswerBuilder, noon: datetime
) -> None:
    agreed = answer(msisdn=OTHER, scope=EVERY_SENDER, answer=Answer.AGREED)
    await stores.consent.record([answer(scope=EVERY_SENDER), agreed])

    assert await ended(stores, noon + 99 * DAY) == []


@pytest.mark.parametrize("said", [Answer.AGREED, Answer.ASSERTED])
async def test_r71_an_agreement_to_every_sp_goes_once_it_has_ended(
    stores: Stores, answer: AnswerBuilder, noon: datetime, said: Answer
) -> None:
    end = noon + 30 * DAY
    to_all = answer(scope=EVERY_SENDER, answer=said, until=end, evidence="form 7")
    await stores.consent.record([to_all, answer(evidence="form 8")])

    over, refused = (
        EndedRelation(SUBSCRIBER, scope, noon, last)
        for scope, last in ((EVERY_SENDER, end), ("sp1", noon))
    )
    before = end + DAY
    assert await ended(stores, end) == [refused]
    assert await ended(stores, before) == [over, refused]
    assert await stores.ended_relations.forget([over], noted(before)) == 1
    assert await stores.consent.answer_of(SUBSCRIBER, EVERY_SENDER) is None
    assert await stores.consent.answer_of(SUBSCRIBER, "sp1") == answer(evidence="form 8")
    assert [one.count for one in await stores.journals.purges()] == [1]


async def test_r71_a_refusal_of_every_sp_that_came_meanwhile_stays_whole(
    stores: Stores, answer: AnswerBuilder, noon: datetime
) -> None:
    ending = answer(scope=EVERY_SENDER, answer=Answer.AGREED, until=noon + DAY)
    await stores.consent.record([ending])
    before = noon + 9 * DAY
    found = await ended(stores, before)
    refusal = answer(scope=EVERY_SENDER, since=noon + 2 * DAY, evidence="hall 3")
    await stores.consent.record([refusal])

    assert await stores.ended_relations.forget(found, noted(before)) == 0

    assert await stores.consent.answer_of(SUBSCRIBER, EVERY_SENDER) == refusal


async def test_relations_are_found_window_by_window(
    stores: Stores, answer: AnswerBuilder, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ended_relations, "_WINDOW_ROWS", 3)
    numbers = [SUBSCRIBER + n for n in range(7)]
    for msisdn in numbers:
        given = [answer(msisdn=msisdn, scope=scope) for scope in ("sp1", "sp2")]
        await stores.consent.record(given)
    await order(stores, noon, *ENDED, msisdn=numbers[4])
    await order(stores, noon, *ORDERED, msisdn=numbers[5])

    found = [(one.msisdn, one.system_id) for one in await ended(stores, noon + 9 * DAY)]

    every = [(msisdn, scope) for msisdn in numbers for scope in ("sp1", "sp2")]
    every.remove((numbers[5], "sp1"))
    assert sorted(found) == every
