"""Every text fits one message, whatever SPs call themselves and their services."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.outbound_message import MAX_CHARS, chars_of
from gateway.domain.subscription import Cycle, Subscription, SubscriptionState, Terms
from gateway.systems.subscriptions import texts

NOON = datetime(2013, 11, 25, 12, tzinfo=UTC)
CHARS = st.characters(exclude_categories=["C"])
NAMES = st.text(CHARS, min_size=1, max_size=10).filter(lambda name: chars_of(name) <= 10)
TERMS = st.builds(
    Terms,
    sender_name=st.text(CHARS, min_size=1, max_size=40),
    name=NAMES,
    port=st.just("10690001"),
    price_fen=st.integers(0, 999_999),
    cycle=st.sampled_from(Cycle),
    trial_days=st.integers(0, 180),
)
ORDERS = st.builds(
    Subscription,
    msisdn=st.just(8613800138000),
    system_id=st.just("sp1"),
    service_id=st.just("weather"),
    terms=TERMS,
    since=st.just(NOON),
    state=st.sampled_from(SubscriptionState),
)


@pytest.mark.parametrize(
    ("price_fen", "cycle", "text"),
    [
        (500, Cycle.MONTH, "5元/月"),
        (550, Cycle.MONTH, "5.5元/月"),
        (1005, Cycle.ONCE, "10.05元/次"),
        (5, Cycle.MONTH, "0.05元/月"),
        (0, Cycle.MONTH, "免费"),
    ],
)
def test_a_price_reads_as_subscribers_know_it(price_fen: int, cycle: Cycle, text: str) -> None:
    assert texts.price_of(Terms("示例商城", "天气", "10690001", price_fen, cycle)) == text


@given(ORDERS)
def test_every_text_about_one_order_fits_one_message(order: Subscription) -> None:
    terms = order.terms

    for text in (
        texts.request(terms),
        texts.renewal(terms),
        texts.done(order),
        texts.ordered_already(terms),
        texts.withdrawn(order),
        texts.consented(terms.sender_name),
        texts.cancelled_all([order] * 999),
    ):
        assert 0 < chars_of(text) <= MAX_CHARS


@given(TERMS)
def test_r24_a_request_always_names_service_price_yes_and_way_out(terms: Terms) -> None:
    text = texts.request(terms)

    for part in (terms.name, texts.price_of(terms), "是", "0000"):
        assert part in text


@given(st.lists(ORDERS, min_size=1, max_size=30), st.booleans())
def test_r33_page_by_page_a_list_shows_every_order_once_with_its_price(
    orders: list[Subscription],
    is_hub: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    start, shown = 0, 0
    while start < len(orders):
        text, stop = texts.listing(orders, start, is_hub=is_hub)
        assert chars_of(text) <= MAX_CHARS
        assert stop > start
        for number in range(start, stop):
            terms = orders[number].terms
            assert f"{number + 1}{terms.name}" in text
            assert texts.price_of(terms) in text
        shown += stop - start
        start = stop

    assert shown == len(orders)


@given(st.lists(ORDERS, min_size=1, max_size=30))
def test_what_was_cancelled_is_named_or_counted(orders: list[Subscription]) -> None:
    assert chars_of(texts.cancelled(orders)) <= MAX_CHARS
    assert chars_of(texts.cancelled_everything(len(orders))) <= MAX_CHARS
    assert chars_of(texts.ask_cancel_all(len(orders))) <= MAX_CHARS
