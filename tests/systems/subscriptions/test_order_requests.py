"""Orders that SPs bring: nothing runs before the subscriber's own yes (R24)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import pytest

from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer
from gateway.domain.outbound_message import OutboundKind, OutboundMessage, OutboundState
from gateway.domain.preferences import (
    ChangeOrigin,
    Channel,
    PreferenceAction,
    PreferenceKind,
    preference,
    with_preference,
)
from gateway.domain.subscription import Subscription
from gateway.policy.checks.outside_window import usual_hours
from gateway.policy.hours import HolidayCalendar, OnHolidays, Window, WindowSet
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.subscriptions import order_requests
from gateway.systems.subscriptions.dialogue import WordOutcome, digest_of
from gateway.systems.subscriptions.model import Catalogue, Changes, ConsentRequest
from gateway.systems.subscriptions.order_requests import (
    Courtesy,
    OrderDesk,
    OrderRefusal,
    OrderRequest,
)
from gateway.systems.subscriptions.service import SubscriptionDesk

SUBSCRIBER = 8613800138000
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
BEIJING = ZoneInfo("Asia/Shanghai")
CONSENT = "【示例商城】同意每月接收四条优惠吗？回是或否，一年为限，24小时内不回复视为不同意"


class Talk(Protocol):
    stores: Stores
    desk: SubscriptionDesk
    now: datetime
    say: Callable[..., Awaitable[WordOutcome]]
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
    asks_at: datetime | None = None

    async def order(self, service_id: str = "天气", msisdn: int = SUBSCRIBER) -> str:
        """Order, and return the state, or why not."""
        self.count += 1
        wish = OrderRequest(msisdn, "sp1", service_id, "web", f"ref-{self.count}", "5元/月 订购")
        outcome = await self.desk.order(wish, self.talk.now)
        if isinstance(outcome, OrderRefusal):
            return outcome.value
        self.asks_at = outcome.asks_at
        return outcome.order.state.value

    async def take(self) -> list[OutboundMessage]:
        """Take what waits to be sent, as a gateway does."""
        now, outbound_messages = self.talk.now, self.talk.stores.outbound_messages
        return await outbound_messages.take_waiting(
            now, now + MINUTE, await outbound_messages.waiting_ports(), 99
        )

    async def asked(self) -> OutboundMessage:
        """Have the one request go out."""
        return await self.ended(OutboundState.SENT, "7F01")

    async def ended(self, state: OutboundState, message_id: str = "") -> OutboundMessage:
        """Have the one outbound message end, and tell the desk."""
        (outbound,) = await self.take()
        await self.talk.stores.outbound_messages.finish(outbound.number, state, message_id)
        ended = replace(outbound, state=state, message_id=message_id)
        await self.desk.asked(ended, self.talk.now)
        return ended

    async def history(self) -> list[tuple[str, str, str]]:
        events = await self.talk.stores.subscriptions.history(SUBSCRIBER, ("sp1", "天气"))
        return [(event.act, event.state.value, event.message_id) for event in events]


@pytest.fixture
def shop(talk: Talk, offered: Catalogue) -> Shop:
    stores = talk.stores
    courtesy = Courtesy(stores.preferences, usual_hours)
    desk = OrderDesk(stores.subscriptions, stores.consent, courtesy, lambda: offered)
    return Shop(talk, desk)


async def test_r24_an_order_by_api_waits_for_the_subscribers_yes(shop: Shop, talk: Talk) -> None:
    assert await shop.order() == "pending"
    outbound = await shop.asked()
    states = [await talk.states()]
    await talk.say("好的我知道了")
    states.append(await talk.states())
    yes = await talk.say("是")

    assert states == [{"天气": "pending"}] * 2
    assert await talk.states() == {"天气": "active"}
    assert yes.reply == "您已订购示例商城“天气”，5元/月。查询回0000，退订回TD天气"
    for part in ("天气", "示例商城", "5元/月", "是", "0000"):
        assert part in outbound.text
    assert (outbound.port, outbound.msisdn, outbound.kind) == (
        "10690001",
        SUBSCRIBER,
        OutboundKind.ORDER,
    )


async def test_r24_an_order_by_api_without_a_yes_is_withdrawn(shop: Shop, talk: Talk) -> None:
    await shop.order()
    await shop.ended(OutboundState.SENT, "7F01")

    assert await talk.wait(DAY) == 1

    assert await talk.states() == {"天气": "withdrawn"}
    assert await shop.history() == [
        ("order", "pending", "web ref-1"),
        ("sent", "pending", "7F01"),
        ("lapse", "withdrawn", ""),
    ]


async def test_r24_an_order_by_api_that_hears_a_no_is_withdrawn(shop: Shop, talk: Talk) -> None:
    await shop.order()
    await shop.asked()
    await talk.say("否")

    assert await talk.states() == {"天气": "withdrawn"}


async def test_r24_the_evidence_of_an_order_by_api_names_channel_request_and_yes(
    shop: Shop, talk: Talk
) -> None:
    await shop.order()
    outbound = await shop.asked()
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
        "7F01",
        digest_of(outbound.text),
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
    own = ConsentAnswer(SUBSCRIBER, "sp1", Answer.AGREED, talk.now - DAY, "mo")
    await talk.stores.consent.record([own])
    await talk.stores.consent.record([refusal])

    assert await shop.order() == "refused"
    assert await shop.order(msisdn=SUBSCRIBER + 1) == "pending"
    assert await talk.states() == {}


@pytest.mark.parametrize(
    ("agreed_later", "outcome"), [(None, "declined"), (-DAY, "refused"), (DAY, "pending")]
)
async def test_r37_a_refusal_typed_without_its_plus_counts_unless_the_number_agreed_itself_since(
    shop: Shop, talk: Talk, agreed_later: timedelta | None, outcome: str
) -> None:
    abroad, read_as, refused_at = 14165550123, 8614165550123, talk.now - 9 * DAY
    await talk.stores.consent.record(
        [ConsentAnswer(read_as, EVERY_SENDER, Answer.REFUSED, refused_at, "hall")]
    )
    if agreed_later is not None:
        agreed = ConsentAnswer(abroad, "sp1", Answer.AGREED, refused_at + agreed_later, "mo")
        await talk.stores.consent.record([agreed])

    assert await shop.order(msisdn=abroad) == outcome


@pytest.mark.parametrize("own", [None, Answer.ASSERTED])
async def test_r73_of_a_stranger_who_refused_every_sp_no_reason_is_told(
    shop: Shop, talk: Talk, own: Answer | None
) -> None:
    refusal = ConsentAnswer(SUBSCRIBER, EVERY_SENDER, Answer.REFUSED, talk.now, "mo")
    await talk.stores.consent.record([refusal])
    if own is not None:
        await talk.stores.consent.record(
            [ConsentAnswer(SUBSCRIBER, "sp1", own, talk.now, "import")]
        )

    assert await shop.order() == "declined"
    assert await talk.states() == {}


async def test_r24_who_said_no_is_not_asked_again_by_the_next_click(shop: Shop, talk: Talk) -> None:
    await shop.order()
    await shop.asked()
    await talk.say("否")

    assert [await shop.order(), await shop.order("股票")] == ["too_soon", "too_soon"]
    talk.now += DAY
    assert await shop.order() == "pending"


async def test_r25_an_order_during_the_trial_asks_for_the_yes_to_the_price(
    shop: Shop, talk: Talk
) -> None:
    await talk.order("试听")

    assert await shop.order("试听") == "renewal"
    outbound = await shop.asked()
    await talk.say("是")

    assert "续订" in outbound.text
    assert await talk.states() == {"试听": "active"}


@pytest.mark.parametrize("state", [OutboundState.REFUSED, OutboundState.EXPIRED])
async def test_r24_an_order_of_which_nobody_could_be_told_is_withdrawn_and_may_come_again(
    shop: Shop, talk: Talk, state: OutboundState
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
    outbound = await shop.asked()
    await talk.say("是")

    await shop.desk.asked(replace(outbound, state=OutboundState.EXPIRED), talk.now)

    assert await talk.states() == {"天气": "active"}
    assert (await shop.history())[-1][:2] == ("confirm", "active")


async def test_news_of_a_request_that_nobody_waits_for_is_let_be(shop: Shop, talk: Talk) -> None:
    await shop.order()
    (outbound,) = await shop.take()

    await shop.desk.asked(replace(outbound, ref="another"), talk.now)

    assert await talk.states() == {"天气": "pending"}


async def test_an_sp_whose_many_requests_nobody_answers_asks_no_more(
    shop: Shop, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_requests, "MAX_UNANSWERED", 1)

    assert await shop.order() == "pending"
    assert await shop.order(msisdn=SUBSCRIBER + 1) == "busy"
    await shop.asked()
    await talk.say("是")
    assert await shop.order(msisdn=SUBSCRIBER + 1) == "pending"


async def test_who_never_gets_a_turn_at_the_store_gives_up(
    shop: Shop, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def keep(_changes: Changes) -> bool:
        return False

    await shop.order()
    (outbound,) = await shop.take()
    monkeypatch.setattr(talk.stores.subscriptions, "keep", keep)

    with pytest.raises(StoreUnavailable):
        await shop.desk.asked(replace(outbound, state=OutboundState.EXPIRED), talk.now)
    with pytest.raises(StoreUnavailable):
        await shop.order(msisdn=SUBSCRIBER + 1)


async def test_r24_a_yes_before_the_request_has_gone_confirms_nothing(
    shop: Shop, talk: Talk
) -> None:
    await shop.order()

    before = await talk.say("是")
    await shop.asked()
    states = await talk.states()
    await talk.say("是")

    assert before == WordOutcome()
    assert states == {"天气": "pending"}
    assert await talk.states() == {"天气": "active"}


async def test_r27_a_yes_to_another_port_of_the_sp_confirms_no_order(
    shop: Shop, talk: Talk
) -> None:
    await shop.order()
    await shop.asked()

    elsewhere = [await talk.say("是", port=port) for port in ("10690099", "1069000101")]

    assert elsewhere == [WordOutcome()] * 2
    assert await talk.states() == {"天气": "pending"}
    await talk.say("是", port="8610690001")
    assert await talk.states() == {"天气": "active"}


async def test_r27_a_yes_answers_an_order_at_the_port_that_it_was_written_to(talk: Talk) -> None:
    await talk.say("DY天气", port="1069000188")

    assert await talk.say("是") == WordOutcome()
    await talk.say("是", port="1069000188")

    assert await talk.states() == {"天气": "active"}


async def test_r24_a_yes_is_waited_for_from_when_the_request_went(shop: Shop, talk: Talk) -> None:
    await shop.order()
    talk.now += 20 * MINUTE
    await shop.asked()

    assert await talk.wait(DAY - MINUTE) == 0
    assert await talk.wait(MINUTE) == 1


async def test_r24_a_request_whose_news_is_lost_does_not_wait_for_ever(
    shop: Shop, talk: Talk
) -> None:
    await shop.order()

    assert await talk.wait(DAY + timedelta(hours=1)) == 1
    assert await talk.states() == {"天气": "withdrawn"}
    assert await shop.order() == "pending"  # nobody was asked, so nobody said no


async def test_r23_an_open_request_for_consent_lets_no_order_ask(shop: Shop, talk: Talk) -> None:
    assert await talk.desk.asked("sp1", SUBSCRIBER, CONSENT, talk.now, "77", "10690001")

    assert await shop.order() == "waiting"
    agreed = await talk.say("是")
    assert agreed.answer is Answer.AGREED
    assert await shop.order() == "pending"
    assert not await talk.desk.asked("sp1", SUBSCRIBER, "另一个完全不同的问题", talk.now, "78")


async def test_r24_who_never_answers_is_asked_thrice_in_thirty_days_and_never_at_night(
    shop: Shop, talk: Talk
) -> None:
    asked: list[datetime] = []
    talk.now = start = datetime(2025, 11, 24, 19, tzinfo=UTC)  # 03:00 in Beijing
    while talk.now < start + 30 * DAY:
        await talk.wait(timedelta(hours=3))
        await shop.order(("天气", "股票", "笑话")[len(asked) % 3])
        for outbound in await shop.take():
            asked.append(talk.now.astimezone(BEIJING))
            await talk.stores.outbound_messages.finish(outbound.number, OutboundState.SENT, "1")
            await shop.desk.asked(replace(outbound, state=OutboundState.SENT), talk.now)

    assert [(at - asked[0]).days for at in asked] == [0, 2, 10]
    assert all(8 <= at.hour < 21 for at in asked)


async def test_r40_an_order_at_night_is_asked_in_the_morning_and_says_so(
    shop: Shop, talk: Talk
) -> None:
    talk.now = datetime(2025, 11, 24, 19, tzinfo=UTC)
    assert await shop.order() == "pending"
    assert shop.asks_at == datetime(2025, 11, 25, tzinfo=UTC)

    assert await shop.take() == []
    talk.now = shop.asks_at
    assert len(await shop.take()) == 1


async def prefer(
    talk: Talk,
    kind: PreferenceKind,
    value: str,
    action: PreferenceAction = PreferenceAction.BLOCK,
    msisdn: int = SUBSCRIBER,
) -> None:
    wanted = preference(kind, value, action)
    origin = ChangeOrigin(Channel.CLI, talk.now)
    await talk.stores.preferences.change(
        msisdn, lambda before: with_preference(before, wanted), origin
    )


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (PreferenceKind.NUMBER, "1069*"),
        (PreferenceKind.CLASS, "commercial"),
        (PreferenceKind.KEYWORD, "天气"),
    ],
)
async def test_r50_who_wants_nothing_of_the_kind_is_not_asked_for_an_order(
    shop: Shop, talk: Talk, kind: PreferenceKind, value: str
) -> None:
    await prefer(talk, kind, value)

    assert await shop.order() == "declined"
    await prefer(talk, PreferenceKind.NUMBER, "10690001", PreferenceAction.ALLOW)
    assert await shop.order() == "pending"


async def test_r50_quiet_hours_put_a_request_off(shop: Shop, talk: Talk) -> None:
    await prefer(talk, PreferenceKind.QUIET_HOURS, "20:00-09:00")
    talk.now = datetime(2025, 11, 25, 12, 10, tzinfo=UTC)  # 20:10 in Beijing

    assert await shop.order() == "pending"

    assert shop.asks_at is not None
    assert shop.asks_at.astimezone(BEIJING).strftime("%d %H:%M") == "26 09:00"


async def test_r50_who_is_quiet_all_day_is_not_asked(shop: Shop, talk: Talk) -> None:
    await prefer(talk, PreferenceKind.QUIET_HOURS, "07:00-22:00")

    assert await shop.order() == "declined"


@pytest.mark.parametrize(
    ("asked", "wished_by"), [(14155550123, 8614155550123), (8614155550123, 14155550123)]
)
async def test_r50_who_may_be_meant_by_the_same_digits_is_not_asked_either(
    talk: Talk, asked: int, wished_by: int
) -> None:
    courtesy = Courtesy(talk.stores.preferences, usual_hours)

    async def asks() -> bool:
        return await courtesy.asks_at(asked, "10690001", "天气", talk.now) is not None

    before = await asks()
    await prefer(talk, PreferenceKind.KEYWORD, "天气", msisdn=wished_by)
    blocked = await asks()
    await prefer(talk, PreferenceKind.NUMBER, "10690001", PreferenceAction.ALLOW, asked)

    assert (before, blocked, await asks()) == (True, False, True)


async def test_r40_where_no_window_opens_for_weeks_nobody_is_asked(talk: Talk) -> None:
    closed = Window(time(8), time(21), on_holidays=OnHolidays.CLOSED)
    feast = HolidayCalendar(
        "feast", frozenset(talk.now.date() + day * DAY for day in range(-1, 20))
    )
    hours = replace(usual_hours(), windows=WindowSet((closed,)), calendar=feast)
    courtesy = Courtesy(talk.stores.preferences, lambda: hours)

    assert await courtesy.asks_at(SUBSCRIBER, "10690001", "天气", talk.now) is None


async def test_r24_a_request_goes_only_as_long_as_its_order_waits_for_it(
    shop: Shop, talk: Talk
) -> None:
    await shop.order()
    (outbound,) = await shop.take()

    assert await shop.desk.due(outbound, talk.now) == talk.now
    assert await shop.desk.due(replace(outbound, ref="another"), talk.now) is None
    await shop.desk.asked(replace(outbound, state=OutboundState.SENT, message_id="1"), talk.now)
    assert await shop.desk.due(outbound, talk.now) is None


@pytest.mark.parametrize("meanwhile", ["TD", "refused", "asked"])
async def test_r37_what_was_said_before_the_request_went_counts(
    shop: Shop, talk: Talk, meanwhile: str
) -> None:
    await shop.order()
    (outbound,) = await shop.take()
    if meanwhile == "TD":
        await talk.say("TD")
    elif meanwhile == "refused":
        refusal = ConsentAnswer(SUBSCRIBER, "sp1", Answer.REFUSED, talk.now, "hall")
        await talk.stores.consent.record([refusal])
    else:
        request = ConsentRequest(SUBSCRIBER, "sp1", 7, "5c" * 32, talk.now, talk.now + DAY)
        await talk.stores.subscriptions.ask(request)

    assert await shop.desk.due(outbound, talk.now) is None
    await shop.desk.asked(replace(outbound, state=OutboundState.DROPPED), talk.now)
    assert await talk.states() == {"天气": "withdrawn"}


async def test_r24_a_yes_forgets_what_was_not_answered_before(shop: Shop, talk: Talk) -> None:
    await shop.order()
    await shop.asked()
    await talk.wait(DAY)
    await talk.wait(DAY)
    await shop.order()
    await shop.asked()

    await talk.say("是")

    assert (await talk.subscription("天气")).unanswered == 0
    assert await shop.order("股票") == "pending"
