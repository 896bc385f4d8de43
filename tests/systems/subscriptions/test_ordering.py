"""Orders that SPs bring: nothing runs before the subscriber's own yes (R24)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import pytest

from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer
from gateway.domain.errand import Errand, ErrandKind, ErrandState
from gateway.domain.subscription import Subscription
from gateway.ports.errors import StoreUnavailable
from gateway.ports.subscriptions import Changes
from gateway.stores.open import Stores
from gateway.systems.subscriptions import ordering
from gateway.systems.subscriptions.catalogue import Catalogue
from gateway.systems.subscriptions.ordering import OrderDesk, OrderRefusal, Wish
from gateway.systems.subscriptions.word import Outcome, digest_of

SUBSCRIBER = 8613800138000
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


class Talk(Protocol):
    stores: Stores
    now: datetime
    say: Callable[..., Awaitable[Outcome]]
    order: Callable[..., Awaitable[None]]
    states: Callable[[], Awaitable[dict[str, str]]]
    subscription: Callable[[str], Awaitable[Subscription]]
    wait: Callable[[timedelta], Awaitable[int]]


@dataclass
class Shop:
    """A web page of sp1, and the gateway that sends what it asks for."""

    talk: Talk
    desk: OrderDesk
    count: int = 0

    async def order(self, service_id: str = "天气", msisdn: int = SUBSCRIBER) -> str:
        """Order, and return the state, or why not."""
        self.count += 1
        wish = Wish(msisdn, "sp1", service_id, "web", f"ref-{self.count}", "5元/月 订购")
        outcome = await self.desk.order(wish, self.talk.now)
        return outcome.value if isinstance(outcome, OrderRefusal) else outcome.state.value

    async def take(self) -> list[Errand]:
        """Take what waits to be sent, as a gateway does."""
        now, errands = self.talk.now, self.talk.stores.errands
        return await errands.take_waiting(now, now + MINUTE, await errands.waiting_ports(), 99)

    async def ended(self, state: ErrandState, message_id: str = "") -> None:
        """Have the one errand end, and tell the desk."""
        (errand,) = await self.take()
        await self.talk.stores.errands.finish(errand.number, state, message_id)
        ended = replace(errand, state=state, message_id=message_id)
        await self.desk.asked(ended, self.talk.now)

    async def history(self) -> list[tuple[str, str, str]]:
        events = await self.talk.stores.subscriptions.history(SUBSCRIBER, ("sp1", "天气"))
        return [(event.act, event.state.value, event.message_id) for event in events]


@pytest.fixture
def shop(talk: Talk, offered: Catalogue) -> Shop:
    stores = talk.stores
    desk = OrderDesk(stores.subscriptions, stores.consent, lambda: offered)
    return Shop(talk, desk)


async def test_r24_an_order_by_api_waits_for_the_subscribers_yes(shop: Shop, talk: Talk) -> None:
    assert await shop.order() == "pending"
    (errand,) = await shop.take()
    states = [await talk.states()]
    await talk.say("好的我知道了")
    states.append(await talk.states())
    yes = await talk.say("是")

    assert states == [{"天气": "pending"}] * 2
    assert await talk.states() == {"天气": "active"}
    assert yes.reply == "您已订购示例商城“天气”，5元/月。查询回0000，退订回TD天气"
    for part in ("天气", "示例商城", "5元/月", "是", "0000"):
        assert part in errand.text
    assert (errand.port, errand.msisdn, errand.kind) == ("10690001", SUBSCRIBER, ErrandKind.ORDER)


async def test_r24_an_order_by_api_without_a_yes_is_withdrawn(shop: Shop, talk: Talk) -> None:
    await shop.order()
    await shop.ended(ErrandState.SENT, "7F01")

    assert await talk.wait(DAY) == 1

    assert await talk.states() == {"天气": "withdrawn"}
    assert await shop.history() == [
        ("order", "pending", "web ref-1"),
        ("sent", "pending", "7F01"),
        ("lapse", "withdrawn", ""),
    ]


async def test_r24_an_order_by_api_that_hears_a_no_is_withdrawn(shop: Shop, talk: Talk) -> None:
    await shop.order()
    await talk.say("否")

    assert await talk.states() == {"天气": "withdrawn"}


async def test_r24_the_evidence_of_an_order_by_api_names_channel_request_and_yes(
    shop: Shop, talk: Talk
) -> None:
    await shop.order()
    (errand,) = await shop.take()
    await talk.say("是")

    proof = (await talk.subscription("天气")).evidence

    assert proof.order is not None
    assert proof.request is not None
    assert proof.confirmation is not None
    assert (proof.order.message_id, proof.order.text_sha256) == (
        "web ref-1",
        digest_of("5元/月 订购"),
    )
    assert (proof.request.message_id, proof.request.text_sha256) == (
        errand.ref,
        digest_of(errand.text),
    )
    assert proof.confirmation.message_id == "in-1"


async def test_r24_what_runs_waits_or_is_not_on_offer_is_not_ordered(
    shop: Shop, talk: Talk
) -> None:
    await talk.order("笑话")

    assert await shop.order("笑话") == "running"
    assert await shop.order("新闻") == "unknown_service"  # of another SP
    assert await shop.order() == "pending"
    assert await shop.order() == "waiting"
    assert await shop.order("股票") == "waiting"  # one question at a time
    assert len(await shop.take()) == 1


@pytest.mark.parametrize("scope", ["sp1", EVERY_SENDER])
async def test_r37_who_refused_the_sp_is_not_asked_for_it(
    shop: Shop, talk: Talk, scope: str
) -> None:
    refusal = ConsentAnswer(SUBSCRIBER, scope, Answer.REFUSED, talk.now, "mo")
    await talk.stores.consent.record([refusal])

    assert await shop.order() == "refused"
    assert await shop.order(msisdn=SUBSCRIBER + 1) == "pending"
    assert await talk.states() == {}


async def test_r24_who_said_no_is_not_asked_again_by_the_next_click(shop: Shop, talk: Talk) -> None:
    await shop.order()
    await talk.say("否")

    assert [await shop.order(), await shop.order("股票")] == ["too_soon", "too_soon"]
    talk.now += DAY
    assert await shop.order() == "pending"


async def test_r25_an_order_during_the_trial_asks_for_the_yes_to_the_price(
    shop: Shop, talk: Talk
) -> None:
    await talk.order("试听")

    assert await shop.order("试听") == "renewal"
    (errand,) = await shop.take()
    await talk.say("是")

    assert "续订" in errand.text
    assert await talk.states() == {"试听": "active"}


@pytest.mark.parametrize("state", [ErrandState.REFUSED, ErrandState.EXPIRED])
async def test_r24_an_order_of_which_nobody_could_be_told_is_withdrawn_and_may_come_again(
    shop: Shop, talk: Talk, state: ErrandState
) -> None:
    await shop.order()

    await shop.ended(state)

    assert await talk.states() == {"天气": "withdrawn"}
    assert [(act, state) for act, state, _ in await shop.history()] == [
        ("order", "pending"),
        ("refuse", "withdrawn"),
        ("unsent", "withdrawn"),
    ]
    assert await shop.order() == "pending"


async def test_a_request_that_fails_after_the_answer_changes_nothing(
    shop: Shop, talk: Talk
) -> None:
    await shop.order()
    await talk.say("是")

    await shop.ended(ErrandState.EXPIRED)

    assert await talk.states() == {"天气": "active"}
    assert (await shop.history())[-1][:2] == ("unsent", "active")


async def test_news_of_a_request_that_nobody_waits_for_is_let_be(shop: Shop, talk: Talk) -> None:
    await shop.order()
    (errand,) = await shop.take()

    await shop.desk.asked(replace(errand, ref="another"), talk.now)

    assert await talk.states() == {"天气": "pending"}


async def test_an_sp_whose_many_requests_nobody_answers_asks_no_more(
    shop: Shop, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordering, "MAX_UNANSWERED", 1)

    assert await shop.order() == "pending"
    assert await shop.order(msisdn=SUBSCRIBER + 1) == "busy"
    await talk.say("是")
    assert await shop.order(msisdn=SUBSCRIBER + 1) == "pending"


async def test_who_never_gets_a_turn_at_the_store_gives_up(
    shop: Shop, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def keep(_changes: Changes) -> bool:
        return False

    await shop.order()
    (errand,) = await shop.take()
    monkeypatch.setattr(talk.stores.subscriptions, "keep", keep)

    with pytest.raises(StoreUnavailable):
        await shop.desk.asked(replace(errand, state=ErrandState.EXPIRED), talk.now)
    with pytest.raises(StoreUnavailable):
        await shop.order(msisdn=SUBSCRIBER + 1)
