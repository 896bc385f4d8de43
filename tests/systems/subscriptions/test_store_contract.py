"""What gateway.systems.subscriptions.model promises, on every store."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.domain.outbound_message import NewOutboundMessage, OutboundKind
from gateway.domain.subscription import (
    Cycle,
    Event,
    MessageEvidence,
    OfferSession,
    SessionKind,
    Subscription,
    SubscriptionAct,
    SubscriptionState,
    Terms,
    advance,
)
from gateway.storage.change_feed import ChangeKind
from gateway.stores import Stores
from gateway.systems.subscriptions.model import (
    Changes,
    ConsentRequest,
    ConsentRequestState,
    SubscriptionEvent,
    SubscriptionStep,
)

pytestmark = pytest.mark.every_store

SUBSCRIBER, PORT = 8613800138000, "10690001"
DAY = timedelta(days=1)
DIGEST = "5c" * 32
TERMS = Terms("示例商城", "天气", PORT, 500, Cycle.MONTH, trial_days=7)

Take = Callable[[Subscription, SubscriptionAct], SubscriptionStep]
Nothing = Callable[..., Subscription]


@pytest.fixture
def nothing(noon: datetime) -> Nothing:
    """Build what stands before the first order; give what should be otherwise."""
    usual = Subscription(SUBSCRIBER, "sp1", "weather", TERMS, noon)
    return lambda **changes: replace(usual, **changes)


@pytest.fixture
def take(noon: datetime) -> Take:
    """Take one step, as of noon."""

    def take(before: Subscription, act: SubscriptionAct) -> SubscriptionStep:
        said = MessageEvidence(f"id-{act}", DIGEST, noon)
        after = advance(before, Event(act, said, before.terms, said), noon)
        assert isinstance(after, Subscription)
        return SubscriptionStep(after, act, said)

    return take


@pytest.fixture
def request_of(noon: datetime) -> Callable[..., ConsentRequest]:
    usual = ConsentRequest(
        SUBSCRIBER,
        "sp1",
        2**64 - 1,
        DIGEST,
        noon,
        noon + DAY,
        port="1069000188",
        agreed_until=noon + 365 * DAY,
    )
    return lambda **changes: replace(usual, **changes)


async def test_a_subscription_comes_back_as_it_was_kept(
    stores: Stores, nothing: Nothing, take: Take, noon: datetime
) -> None:
    ordered = take(nothing(), SubscriptionAct.ORDER)
    asked = replace(ordered.after, asked_from="1069000188", unanswered=3)
    confirmed = take(ordered.after, SubscriptionAct.CONFIRM)

    assert await stores.subscriptions.keep(Changes((replace(ordered, after=asked),)))
    assert (await stores.subscriptions.known(SUBSCRIBER, PORT, noon)).subscriptions == (asked,)
    assert await stores.subscriptions.keep(Changes((confirmed,)))

    known = await stores.subscriptions.known(SUBSCRIBER, PORT, noon)
    assert known.subscriptions == (confirmed.after,)
    assert (await stores.subscriptions.known(SUBSCRIBER + 1, PORT, noon)).subscriptions == ()


async def test_r24_every_step_is_kept_with_the_message_it_rests_on(
    stores: Stores, nothing: Nothing, take: Take, noon: datetime
) -> None:
    ordered = take(nothing(), SubscriptionAct.ORDER)
    cancelled = take(ordered.after, SubscriptionAct.CANCEL)
    await stores.subscriptions.keep(Changes((ordered,)))
    sent = MessageEvidence("smsc-1", DIGEST, noon)
    await stores.subscriptions.note_sent(ordered.after, sent, is_taken=True)
    await stores.subscriptions.note_sent(ordered.after, replace(sent, at=noon), is_taken=False)

    await stores.subscriptions.keep(Changes((cancelled,)))

    pending, withdrawn = SubscriptionState.PENDING, SubscriptionState.WITHDRAWN
    assert await stores.subscriptions.history(SUBSCRIBER, ("sp1", "weather")) == [
        SubscriptionEvent(noon, "order", pending, "id-order", DIGEST),
        SubscriptionEvent(noon, "sent", pending, "smsc-1", DIGEST),
        SubscriptionEvent(noon, "unsent", pending, "smsc-1", DIGEST),
        SubscriptionEvent(noon, "cancel", withdrawn, "id-cancel", DIGEST),
    ]
    assert await stores.subscriptions.history(SUBSCRIBER, ("sp1", "jokes")) == []


async def test_of_two_steps_from_the_same_place_one_takes_place(
    stores: Stores, nothing: Nothing, take: Take, noon: datetime
) -> None:
    ordered = take(nothing(), SubscriptionAct.ORDER)
    await stores.subscriptions.keep(Changes((ordered,)))

    assert await stores.subscriptions.keep(Changes((take(ordered.after, SubscriptionAct.CONFIRM),)))
    assert not await stores.subscriptions.keep(
        Changes((take(ordered.after, SubscriptionAct.CANCEL),))
    )

    (held,) = (await stores.subscriptions.known(SUBSCRIBER, PORT, noon)).subscriptions
    assert held.state is SubscriptionState.TRIAL
    assert len(await stores.subscriptions.history(SUBSCRIBER, ("sp1", "weather"))) == 2


async def test_what_one_message_changes_is_kept_whole_or_not_at_all(
    stores: Stores, nothing: Nothing, take: Take, noon: datetime
) -> None:
    ordered = take(nothing(), SubscriptionAct.ORDER)
    await stores.subscriptions.keep(Changes((ordered,)))
    other = take(nothing(service_id="jokes"), SubscriptionAct.ORDER)
    session = OfferSession(SUBSCRIBER, PORT, SessionKind.LIST, (("sp1", "weather"),), noon + DAY)

    kept = await stores.subscriptions.keep(Changes((other, ordered), session))

    assert not kept
    known = await stores.subscriptions.known(SUBSCRIBER, PORT, noon)
    assert (known.subscriptions, known.session) == ((ordered.after,), None)


async def test_only_a_step_is_a_change_that_others_hear_of(
    stores: Stores, nothing: Nothing, take: Take, noon: datetime
) -> None:
    session = OfferSession(SUBSCRIBER, PORT, SessionKind.LIST, (), noon + DAY)

    await stores.subscriptions.keep(Changes(session=session))
    assert await stores.changes.latest() == 0
    await stores.subscriptions.keep(Changes((take(nothing(), SubscriptionAct.ORDER),)))

    (change,) = await stores.changes.changes(0)
    assert (change.kind, change.key) == (ChangeKind.SUBSCRIPTION, "")


async def test_a_session_lives_its_time_at_its_port(stores: Stores, noon: datetime) -> None:
    items = (("sp1", "weather"), ("sp2", "笑话"))
    session = OfferSession(SUBSCRIBER, PORT, SessionKind.LIST, items, noon + DAY, shown=1)
    await stores.subscriptions.keep(Changes(session=session))

    async def at(port: str, now: datetime) -> OfferSession | None:
        return (await stores.subscriptions.known(SUBSCRIBER, port, now)).session

    assert await at(PORT, noon + DAY - timedelta(microseconds=1)) == session
    assert await at(PORT, noon + DAY) is None
    assert await at("10086", noon) is None


async def test_a_session_takes_the_place_of_the_one_before_and_can_be_closed(
    stores: Stores, noon: datetime
) -> None:
    first = OfferSession(SUBSCRIBER, PORT, SessionKind.LIST, (("sp1", "weather"),), noon + DAY)
    second = replace(first, kind=SessionKind.CANCEL_ALL, items=())
    await stores.subscriptions.keep(Changes(session=first))

    await stores.subscriptions.keep(Changes(session=second))
    assert (await stores.subscriptions.known(SUBSCRIBER, PORT, noon)).session == second
    await stores.subscriptions.keep(Changes(closes=(SUBSCRIBER, PORT)))

    assert (await stores.subscriptions.known(SUBSCRIBER, PORT, noon)).session is None


async def test_a_session_is_kept_and_read_alone(stores: Stores, noon: datetime) -> None:
    until = noon + DAY
    first = OfferSession(SUBSCRIBER, PORT, SessionKind.HOLDS, (("10690001", "7"),), until)
    second = replace(first, shown=1)

    await stores.subscriptions.keep_session(first)
    await stores.subscriptions.keep_session(second)

    assert await stores.subscriptions.session_of(SUBSCRIBER, PORT, noon) == second
    assert await stores.subscriptions.session_of(SUBSCRIBER, PORT, until) is None
    assert await stores.subscriptions.session_of(SUBSCRIBER, "10690002", noon) is None


async def test_sessions_that_are_over_are_forgotten(stores: Stores, noon: datetime) -> None:
    over = OfferSession(SUBSCRIBER, PORT, SessionKind.LIST, (), noon)
    alive = replace(over, port="10086", until=noon + DAY)
    for session in (over, alive):
        await stores.subscriptions.keep(Changes(session=session))

    assert await stores.subscriptions.forget_sessions(noon) == 1
    assert (await stores.subscriptions.known(SUBSCRIBER, "10086", noon)).session == alive


async def test_what_is_due_is_found_the_earliest_first(
    stores: Stores, nothing: Nothing, take: Take, noon: datetime
) -> None:
    later = take(nothing(service_id="later"), SubscriptionAct.ORDER)
    later = replace(later, after=replace(later.after, asked_until=noon + 2 * DAY))
    sooner = take(nothing(service_id="sooner"), SubscriptionAct.ORDER)
    paid = take(
        nothing(service_id="paid", terms=replace(TERMS, trial_days=0)), SubscriptionAct.ORDER
    )
    await stores.subscriptions.keep(Changes((later, sooner, paid)))
    await stores.subscriptions.keep(Changes((take(paid.after, SubscriptionAct.CONFIRM),)))

    assert await stores.subscriptions.due(noon + DAY - timedelta(seconds=1), 10) == []
    assert await stores.subscriptions.due(noon + DAY, 10) == [sooner.after]
    assert await stores.subscriptions.due(noon + 3 * DAY, 10) == [sooner.after, later.after]
    assert await stores.subscriptions.due(noon + 3 * DAY, 1) == [sooner.after]


async def test_what_is_wanted_is_found_the_latest_change_first(
    stores: Stores, nothing: Nothing, take: Take, noon: datetime
) -> None:
    def ordered(since: datetime, **changes: object) -> SubscriptionStep:
        step = take(nothing(**changes), SubscriptionAct.ORDER)
        return replace(step, after=replace(step.after, since=since))

    old = ordered(noon - DAY)
    new = ordered(noon, system_id="sp2")
    other = ordered(noon - 2 * DAY, msisdn=SUBSCRIBER + 1)
    await stores.subscriptions.keep(Changes((old, new, other)))
    find = stores.subscriptions.find

    assert await find() == [new.after, old.after, other.after]
    assert await find(limit=1) == [new.after]
    assert await find(msisdn=SUBSCRIBER) == [new.after, old.after]
    assert await find(system_id="sp1") == [old.after, other.after]
    assert await find(state=SubscriptionState.ACTIVE) == []
    assert len(await find(state=SubscriptionState.PENDING)) == 3


async def test_who_has_a_service_running_with_whom_is_told_once_each(
    stores: Stores, nothing: Nothing, take: Take
) -> None:
    async def run(**changes: object) -> Subscription:
        ordered = take(nothing(**changes), SubscriptionAct.ORDER)
        confirmed = take(ordered.after, SubscriptionAct.CONFIRM)
        await stores.subscriptions.keep(Changes((ordered,)))
        await stores.subscriptions.keep(Changes((confirmed,)))
        return confirmed.after

    weather, jokes = await run(), await run(service_id="jokes")
    await run(system_id="sp2")
    await stores.subscriptions.keep(Changes((take(nothing(msisdn=1), SubscriptionAct.ORDER),)))
    seen = await stores.changes.latest()

    pages = [page async for page in stores.subscriptions.running(batch=1)]
    assert pages == [[(SUBSCRIBER, "sp1", True)], [(SUBSCRIBER, "sp2", True)]]

    await stores.subscriptions.keep(Changes((take(weather, SubscriptionAct.CANCEL),)))
    one_left = await stores.changes.latest()
    await stores.subscriptions.keep(Changes((take(jokes, SubscriptionAct.CANCEL),)))
    none_left = await stores.changes.latest()

    changed = stores.subscriptions.running_changed
    assert await changed(seen, one_left) == [(SUBSCRIBER, "sp1", False)]
    assert await changed(one_left, none_left) == [(SUBSCRIBER, "sp1", False)]
    assert await changed(none_left, none_left) == []


async def test_a_pair_runs_while_one_of_its_services_does(
    stores: Stores, nothing: Nothing, take: Take
) -> None:
    first, second = (
        take(nothing(service_id=name), SubscriptionAct.ORDER) for name in ("weather", "jokes")
    )
    await stores.subscriptions.keep(Changes((first, second)))
    await stores.subscriptions.keep(Changes((take(first.after, SubscriptionAct.CONFIRM),)))
    seen = await stores.changes.latest()

    await stores.subscriptions.keep(Changes((take(second.after, SubscriptionAct.CANCEL),)))

    latest = await stores.changes.latest()
    assert await stores.subscriptions.running_changed(seen, latest) == [(SUBSCRIBER, "sp1", True)]


async def test_r23_the_same_is_asked_once_for_ever(
    stores: Stores, request_of: Callable[..., ConsentRequest], noon: datetime
) -> None:
    asked = request_of()

    assert await stores.subscriptions.ask(asked)
    assert not await stores.subscriptions.ask(request_of(asked_at=noon + DAY))
    assert await stores.subscriptions.ask(other := request_of(likeness=0, asked_at=noon + DAY))

    assert await stores.subscriptions.requests_of(SUBSCRIBER, "sp1") == [other, asked]
    assert await stores.subscriptions.requests_of(SUBSCRIBER, "sp2") == []


async def test_r23_a_request_is_answered_once_and_stays_on_record(
    stores: Stores, request_of: Callable[..., ConsentRequest], noon: datetime
) -> None:
    asked = request_of()
    agreed = request_of(state=ConsentRequestState.AGREED, answer_id="9")
    await stores.subscriptions.ask(asked)
    assert (await stores.subscriptions.known(SUBSCRIBER, PORT, noon)).requests == (asked,)

    assert await stores.subscriptions.keep(Changes(requests=(agreed,)))
    assert not await stores.subscriptions.keep(
        Changes(requests=(request_of(state=ConsentRequestState.REFUSED),))
    )

    assert (await stores.subscriptions.known(SUBSCRIBER, PORT, noon)).requests == ()
    assert await stores.subscriptions.requests_of(SUBSCRIBER, "sp1") == [agreed]


async def test_r23_a_request_that_did_not_go_is_forgotten_while_nobody_answered_it(
    stores: Stores, request_of: Callable[..., ConsentRequest]
) -> None:
    asked, other = request_of(), request_of(likeness=0, state=ConsentRequestState.REFUSED)
    await stores.subscriptions.ask(asked)
    await stores.subscriptions.ask(other)

    for one in (asked, asked, other):
        await stores.subscriptions.unask(one)

    assert await stores.subscriptions.requests_of(SUBSCRIBER, "sp1") == [other]
    assert await stores.subscriptions.ask(asked)


async def test_a_request_that_was_never_made_cannot_be_answered(
    stores: Stores, request_of: Callable[..., ConsentRequest]
) -> None:
    assert not await stores.subscriptions.keep(
        Changes(requests=(request_of(state=ConsentRequestState.AGREED),))
    )


async def test_r23_a_request_whose_time_is_over_is_due_and_waits_for_no_answer(
    stores: Stores, request_of: Callable[..., ConsentRequest], noon: datetime
) -> None:
    asked = request_of()
    await stores.subscriptions.ask(asked)

    assert await stores.subscriptions.requests_due(noon, 10) == []
    assert await stores.subscriptions.requests_due(asked.until, 10) == [asked]
    assert (await stores.subscriptions.known(SUBSCRIBER, PORT, asked.until)).requests == ()


async def test_r24_what_is_to_be_said_for_an_order_is_kept_with_it_or_not_at_all(
    stores: Stores, nothing: Nothing, take: Take, noon: datetime
) -> None:
    ordered = take(nothing(), SubscriptionAct.ORDER)
    outbound = NewOutboundMessage(
        PORT, SUBSCRIBER, "请回是", OutboundKind.ORDER, "r1", noon, noon + DAY
    )

    assert await stores.subscriptions.keep(Changes((ordered,), outbound=outbound))
    assert not await stores.subscriptions.keep(Changes((ordered,), outbound=outbound))

    taken = await stores.outbound_messages.take_waiting(noon, noon + DAY, [PORT], 9)
    assert [(one.ref, one.text) for one in taken] == [("r1", "请回是")]
    kinds = [change.kind for change in await stores.changes.changes(0)]
    assert kinds == [ChangeKind.SUBSCRIPTION, ChangeKind.ERRAND]


async def test_r24_the_orders_of_an_sp_that_wait_for_a_yes_are_counted(
    stores: Stores, nothing: Nothing, take: Take
) -> None:
    orders = [take(nothing(msisdn=SUBSCRIBER + place), SubscriptionAct.ORDER) for place in range(4)]
    for ordered in orders:
        await stores.subscriptions.keep(Changes((ordered,)))
    await stores.subscriptions.keep(Changes((take(orders[0].after, SubscriptionAct.CONFIRM),)))
    other = take(nothing(system_id="sp2"), SubscriptionAct.ORDER)
    await stores.subscriptions.keep(Changes((other,)))

    counted = [await stores.subscriptions.waiting_of("sp1", limit) for limit in (9, 2)]

    assert counted == [3, 2]
    assert await stores.subscriptions.waiting_of("sp3", 9) == 0
