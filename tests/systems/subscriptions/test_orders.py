"""Orders: asked, confirmed with evidence, or withdrawn (R24, R25, R27)."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

import pytest

from gateway.domain.consent import Answer
from gateway.domain.subscription import MessageEvidence, OrderEvidence, Subscription
from gateway.stores import Stores
from gateway.systems.subscriptions.dialogue import WordOutcome, digest_of

DAY = timedelta(days=1)


class Talk(Protocol):
    stores: Stores
    replies: list[str]
    say: Callable[..., Awaitable[WordOutcome]]
    order: Callable[..., Awaitable[None]]
    states: Callable[[], Awaitable[dict[str, str]]]
    subscription: Callable[[str], Awaitable[Subscription]]
    wait: Callable[[timedelta], Awaitable[int]]


async def test_r24_an_order_is_answered_with_a_request_that_names_price_yes_and_way_out(
    talk: Talk,
) -> None:
    outcome = await talk.say("DY天气")

    assert await talk.states() == {"天气": "pending"}
    assert outcome.reply is not None
    for part in ("天气", "示例商城", "5元/月", "是", "0000"):
        assert part in outcome.reply
    assert len(outcome.reply) <= 70
    assert outcome.is_forwarded


@pytest.mark.parametrize("yes", ["是", " 是。", "Y", "yes", "同意", "确认", "1"])
async def test_r24_a_yes_to_the_request_makes_the_subscription_active(talk: Talk, yes: str) -> None:
    await talk.say("DY天气")

    outcome = await talk.say(yes)

    assert await talk.states() == {"天气": "active"}
    assert outcome.reply == "您已订购示例商城“天气”，5元/月。查询回0000，退订回TD天气"
    assert outcome.renews


async def test_r24_the_evidence_is_the_order_the_request_and_the_yes(talk: Talk) -> None:
    ordered = await talk.say("DY天气")
    await talk.say("是")

    subscription = await talk.subscription("天气")

    assert ordered.reply is not None
    assert ordered.asked is not None
    order, request, yes = (
        subscription.evidence.order,
        subscription.evidence.request,
        subscription.evidence.confirmation,
    )
    assert order is not None
    assert request is not None
    assert yes is not None
    assert (order.message_id, order.text_sha256) == ("in-1", digest_of("DY天气"))
    assert (request.message_id, request.text_sha256) == ("out-1", digest_of(ordered.reply))
    assert (yes.message_id, yes.text_sha256) == ("in-2", digest_of("是"))


async def test_r24_other_words_leave_it_pending_and_it_is_withdrawn_without_a_charge(
    talk: Talk,
) -> None:
    await talk.say("DY天气")

    outcome = await talk.say("好的我知道了")

    assert outcome == WordOutcome()
    assert await talk.states() == {"天气": "pending"}
    assert await talk.wait(DAY) == 1
    assert await talk.states() == {"天气": "withdrawn"}
    history = await talk.stores.subscriptions.history(8613800138000, ("sp1", "天气"))
    assert [(event.act, event.state) for event in history] == [
        ("order", "pending"),
        ("lapse", "withdrawn"),
    ]


async def test_r24_a_yes_after_the_timeout_confirms_nothing(talk: Talk) -> None:
    await talk.say("DY天气")
    await talk.wait(DAY - timedelta(minutes=2))
    await talk.say("好的")

    outcome = await talk.say("是")

    assert outcome == WordOutcome()
    assert await talk.states() == {"天气": "pending"}


@pytest.mark.parametrize("no", ["否", "N", "不同意", "拒绝", "0"])
async def test_r24_a_no_withdraws_the_order_at_once(talk: Talk, no: str) -> None:
    await talk.say("DY天气")

    outcome = await talk.say(no)

    assert await talk.states() == {"天气": "withdrawn"}
    assert outcome.reply == "“天气”的订购申请已取消，不收费"
    assert outcome.answer is None


async def test_r24_a_refusal_of_the_sp_is_a_no_to_what_waits(talk: Talk) -> None:
    await talk.say("DY天气")

    outcome = await talk.say("TD")

    assert await talk.states() == {"天气": "withdrawn"}
    assert (outcome.answer, outcome.reply) == (Answer.REFUSED, None)


async def test_r22_a_refusal_of_the_sp_leaves_running_orders_alone(talk: Talk) -> None:
    await talk.order("天气")

    outcome = await talk.say("退订")

    assert await talk.states() == {"天气": "active"}
    assert outcome.answer is Answer.REFUSED


async def test_r27_a_yes_without_a_request_changes_nothing(talk: Talk) -> None:
    for yes in ("是", "YES", "1", "同意"):
        assert await talk.say(yes) == WordOutcome()

    assert await talk.states() == {}


async def test_r27_a_yes_to_another_sp_confirms_nothing(talk: Talk) -> None:
    await talk.say("DY天气")

    await talk.say("是", "sp2")

    assert await talk.states() == {"天气": "pending"}


async def test_r27_of_two_requests_a_yes_answers_the_last_and_another_yes_the_first(
    talk: Talk,
) -> None:
    await talk.say("DY天气")
    await talk.say("DY笑话")

    await talk.say("是")
    assert await talk.states() == {"天气": "pending", "笑话": "active"}
    await talk.say("是")

    assert await talk.states() == {"天气": "active", "笑话": "active"}


async def test_what_runs_already_is_not_ordered_again(talk: Talk) -> None:
    await talk.order("天气")

    outcome = await talk.say("DY天气")

    assert outcome.reply is not None
    assert "无需重复" in outcome.reply
    assert outcome.changes.is_empty


async def test_an_order_repeated_is_asked_again_with_a_fresh_time(talk: Talk) -> None:
    await talk.say("DY天气")
    await talk.wait(DAY - timedelta(hours=1))
    await talk.say("dy 天气！")

    await talk.wait(timedelta(hours=2))

    assert await talk.states() == {"天气": "pending"}


@pytest.mark.parametrize("text", ["DY天气怎么样", "我要DY天气", "天气", "DY"])
async def test_only_the_whole_order_word_orders(talk: Talk, text: str) -> None:
    assert await talk.say(text) == WordOutcome()


async def test_an_order_word_of_one_sp_orders_nothing_from_another(talk: Talk) -> None:
    assert await talk.say("DY天气", "sp2") == WordOutcome()


async def test_r25_a_trial_without_another_yes_ends(talk: Talk) -> None:
    await talk.order("试听")
    assert await talk.states() == {"试听": "trial"}
    assert "试用5天" in talk.replies[0]
    assert "期满" in talk.replies[0] or "再确认" in talk.replies[0]

    assert await talk.wait(5 * DAY - timedelta(hours=1)) == 0
    assert await talk.wait(timedelta(hours=2)) == 1

    assert await talk.states() == {"试听": "expired"}


async def test_r25_another_yes_before_the_end_makes_a_trial_a_paid_order(talk: Talk) -> None:
    await talk.order("试听")
    await talk.wait(4 * DAY)

    await talk.order("试听")

    assert "续订" in talk.replies[-2]
    assert "8元/月" in talk.replies[-2]
    await talk.wait(30 * DAY)
    assert await talk.states() == {"试听": "active"}


async def test_r25_who_had_a_trial_is_asked_for_the_price_without_another(talk: Talk) -> None:
    await talk.order("试听")
    await talk.wait(6 * DAY)

    await talk.order("试听")

    assert "试用" not in talk.replies[-2]
    assert await talk.states() == {"试听": "active"}


async def test_r25_a_no_to_the_renewal_lets_the_trial_run_out(talk: Talk) -> None:
    await talk.order("试听")
    await talk.say("DY试听")

    outcome = await talk.say("否")

    assert outcome.reply == "“试听”不续订，试用到期终止，不收费"
    assert await talk.states() == {"试听": "trial"}
    await talk.wait(6 * DAY)
    assert await talk.states() == {"试听": "expired"}


async def test_what_was_withdrawn_can_be_ordered_again_with_evidence_of_its_own(talk: Talk) -> None:
    await talk.say("DY天气")
    await talk.say("否")

    await talk.order("天气")

    subscription = await talk.subscription("天气")
    assert isinstance(subscription.evidence, OrderEvidence)
    assert isinstance(subscription.evidence.order, MessageEvidence)
    assert subscription.evidence.order.message_id == "in-3"
