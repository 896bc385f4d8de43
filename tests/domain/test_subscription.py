"""How an order begins and ends: one pure function, and the clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.subscription import (
    ASKED_STATES,
    RUNNING_STATES,
    ActRefusal,
    Cycle,
    Event,
    MessageEvidence,
    OrderEvidence,
    Subscription,
    SubscriptionAct,
    SubscriptionState,
    Terms,
    advance,
)

NOON = datetime(2013, 11, 25, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TERMS = Terms("示例商城", "天气", "10690001", 500, Cycle.MONTH)
TRIAL = replace(TERMS, trial_days=30)
NOTHING = Subscription(8613800138000, "sp1", "weather", TERMS, NOON)
ORDER_MESSAGE, REQUEST, YES = (MessageEvidence(name, "00" * 32, NOON) for name in ("7", "8", "9"))
ORDER = Event(SubscriptionAct.ORDER, ORDER_MESSAGE, TERMS, REQUEST)
TRY = replace(ORDER, terms=TRIAL)
CONFIRM = Event(SubscriptionAct.CONFIRM, YES)
LAPSE = Event(SubscriptionAct.LAPSE)

S = SubscriptionState


def after(*events: tuple[Event, datetime]) -> Subscription:
    """Return what becomes of nothing by `events`, each of which must take place."""
    subscription = NOTHING
    for event, now in events:
        result = advance(subscription, event, now)
        assert isinstance(result, Subscription), (event, result)
        subscription = result
    return subscription


def test_r24_an_order_is_pending_until_the_request_is_answered() -> None:
    ordered = after((ORDER, NOON))

    assert ordered.state is S.PENDING
    assert ordered.asked_until == ordered.due_at == NOON + DAY
    assert not ordered.is_running
    assert ordered.evidence == OrderEvidence(ORDER_MESSAGE, REQUEST, None)


def test_r24_an_order_without_a_request_cannot_be_confirmed_before_one_went() -> None:
    unasked = after((replace(ORDER, request=None, port="10690001"), NOON))
    ask = Event(SubscriptionAct.ASK, request=REQUEST)

    assert (unasked.is_asked, unasked.asked_from) == (False, "10690001")
    assert advance(unasked, CONFIRM, NOON) is ActRefusal.NOT_NOW
    assert advance(unasked, Event(SubscriptionAct.ASK), NOON) is ActRefusal.NOT_NOW
    asked = advance(unasked, ask, NOON + DAY / 2)
    assert isinstance(asked, Subscription)
    assert asked.is_asked
    assert (asked.asked_until, asked.asked_from) == (NOON + DAY * 3 / 2, "10690001")
    assert advance(asked, ask, NOON + DAY / 2) is ActRefusal.NOT_NOW
    assert isinstance(advance(asked, CONFIRM, NOON + DAY), Subscription)


@pytest.mark.parametrize(
    "no", [Event(SubscriptionAct.REFUSE), Event(SubscriptionAct.CANCEL), LAPSE]
)
def test_what_gets_no_yes_is_counted_until_one_comes(no: Event) -> None:
    once = after((ORDER, NOON), (no, NOON + DAY))
    twice = after((ORDER, NOON), (no, NOON + DAY), (ORDER, NOON + DAY), (no, NOON + 2 * DAY))
    unasked = after((replace(ORDER, request=None), NOON), (no, NOON + DAY))
    agreed = after((ORDER, NOON), (no, NOON + DAY), (ORDER, NOON + DAY), (CONFIRM, NOON + DAY))

    assert [one.unanswered for one in (once, twice, unasked, agreed)] == [1, 2, 0, 0]


def test_r24_a_yes_in_time_makes_it_active_and_is_kept_as_evidence() -> None:
    confirmed = after((ORDER, NOON), (CONFIRM, NOON + DAY - timedelta(microseconds=1)))

    assert confirmed.state is S.ACTIVE
    assert confirmed.is_running
    assert confirmed.due_at is None
    assert confirmed.evidence == OrderEvidence(ORDER_MESSAGE, REQUEST, YES)


def test_r24_a_yes_after_the_timeout_comes_too_late() -> None:
    ordered = after((ORDER, NOON))

    assert advance(ordered, CONFIRM, NOON + DAY) is ActRefusal.TOO_LATE


def test_r24_without_an_answer_it_is_withdrawn_when_the_time_is_over_and_not_before() -> None:
    ordered = after((ORDER, NOON))

    assert advance(ordered, LAPSE, NOON + DAY - timedelta(seconds=1)) is ActRefusal.TOO_EARLY
    assert after((ORDER, NOON), (LAPSE, NOON + DAY)).state is S.WITHDRAWN


def test_r25_a_trial_that_is_not_confirmed_again_ends() -> None:
    trial = after((TRY, NOON), (CONFIRM, NOON))
    end = NOON + 30 * DAY

    assert (trial.state, trial.trial_until) == (S.TRIAL, end)
    assert advance(trial, LAPSE, end - timedelta(seconds=1)) is ActRefusal.TOO_EARLY
    assert after((TRY, NOON), (CONFIRM, NOON), (LAPSE, end)).state is S.EXPIRED


def test_r25_a_trial_that_is_confirmed_again_goes_on_as_a_paid_order() -> None:
    late = NOON + 29 * DAY

    renewed = after((TRY, NOON), (CONFIRM, NOON), (TRY, late), (CONFIRM, late))

    assert renewed.state is S.ACTIVE
    assert renewed.due_at is None


def test_r25_a_trial_ends_even_while_the_second_request_is_open_which_may_still_be_answered() -> (
    None
):
    late, end = NOON + timedelta(days=29, hours=12), NOON + 30 * DAY
    asked = after((TRY, NOON), (CONFIRM, NOON), (TRY, late))

    assert asked.state is S.RENEWAL
    assert asked.due_at == end
    ended = advance(asked, LAPSE, end)
    assert isinstance(ended, Subscription)
    assert (ended.state, ended.asked_until) == (S.PENDING, late + DAY)
    paid = advance(ended, CONFIRM, end)
    assert isinstance(paid, Subscription)
    assert paid.state is S.ACTIVE


def test_r25_a_trial_of_which_nothing_is_left_when_the_answer_is_overdue_has_ended() -> None:
    late = NOON + 29 * DAY

    asked = after((TRY, NOON), (CONFIRM, NOON), (TRY, late), (LAPSE, NOON + 31 * DAY))

    assert (asked.state, asked.due_at) == (S.EXPIRED, None)


def test_r25_an_unanswered_second_request_leaves_the_trial_its_time() -> None:
    soon = NOON + 2 * DAY

    asked = after((TRY, NOON), (CONFIRM, NOON), (TRY, soon), (LAPSE, soon + DAY))

    assert (asked.state, asked.due_at) == (S.TRIAL, NOON + 30 * DAY)


def test_a_trial_is_had_once() -> None:
    end = NOON + 30 * DAY

    again = after((TRY, NOON), (CONFIRM, NOON), (LAPSE, end), (TRY, end), (CONFIRM, end))

    assert again.state is S.ACTIVE


@pytest.mark.parametrize(
    ("events", "act", "state"),
    [
        ((ORDER,), SubscriptionAct.REFUSE, S.WITHDRAWN),
        ((ORDER,), SubscriptionAct.CANCEL, S.WITHDRAWN),
        ((ORDER, CONFIRM), SubscriptionAct.CANCEL, S.CANCELLED),
        ((TRY, CONFIRM), SubscriptionAct.CANCEL, S.CANCELLED),
        ((TRY, CONFIRM, TRY), SubscriptionAct.CANCEL, S.CANCELLED),
        ((TRY, CONFIRM, TRY), SubscriptionAct.REFUSE, S.TRIAL),
        ((ORDER, CONFIRM, Event(SubscriptionAct.CANCEL)), SubscriptionAct.ORDER, S.PENDING),
        ((ORDER,), SubscriptionAct.ORDER, S.PENDING),
    ],
)
def test_the_subscribers_word_ends_or_begins(
    events: tuple[Event, ...], act: SubscriptionAct, state: SubscriptionState
) -> None:
    assert after(*((event, NOON) for event in events), (Event(act), NOON)).state is state


@pytest.mark.parametrize(
    "act",
    [SubscriptionAct.ORDER, SubscriptionAct.CONFIRM, SubscriptionAct.REFUSE, SubscriptionAct.LAPSE],
)
def test_what_runs_and_is_paid_is_neither_ordered_nor_confirmed_nor_ended_by_time(
    act: SubscriptionAct,
) -> None:
    paid = after((ORDER, NOON), (CONFIRM, NOON))

    assert advance(paid, Event(act), NOON + 400 * DAY) is ActRefusal.NOT_NOW


HISTORIES = st.lists(
    st.tuples(
        st.sampled_from(SubscriptionAct),
        st.booleans(),
        st.booleans(),
        st.integers(0, 40 * 24).map(lambda hours: timedelta(hours=hours)),
    ),
    max_size=25,
)


@given(HISTORIES)
def test_r24_whatever_happens_only_a_yes_within_the_time_leads_to_a_charge(
    history: list[tuple[SubscriptionAct, bool, bool, timedelta]],
) -> None:
    subscription, now = NOTHING, NOON
    for act, has_trial, is_brought, pause in history:
        now += pause
        request = None if act is SubscriptionAct.ORDER and is_brought else REQUEST
        event = Event(act, YES, TRIAL if has_trial else TERMS, request)
        before, result = subscription, advance(subscription, event, now)
        if isinstance(result, ActRefusal):
            continue
        subscription = result
        assert subscription.step == before.step + 1
        assert subscription.since == now
        assert (subscription.due_at is None) == (subscription.state not in TIMED)
        if subscription.state is S.ACTIVE and before.state is not S.ACTIVE:
            assert act is SubscriptionAct.CONFIRM
            assert before.state in ASKED_STATES
            assert before.evidence.request is not None
            assert before.asked_until is not None
            assert now < before.asked_until
            assert subscription.evidence.confirmation is YES
        if subscription.is_running and not before.is_running:
            assert act is SubscriptionAct.CONFIRM
        if act is SubscriptionAct.CANCEL:
            assert subscription.state not in RUNNING_STATES


TIMED = {S.PENDING, S.TRIAL, S.RENEWAL}
