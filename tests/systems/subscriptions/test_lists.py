"""Lists and what is written back: 0000, 00000, QX2, 1,3 (R33 to R35)."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

import pytest

from gateway.domain.consent import Answer
from gateway.domain.subscription import CancelAll, Service
from gateway.stores import Stores
from gateway.systems.subscriptions import texts
from gateway.systems.subscriptions.dialogue import WordOutcome

ALL = ("天气", "笑话", "股票", "新闻", "彩信")
DAY = timedelta(days=1)


class Talk(Protocol):
    stores: Stores
    replies: list[str]
    say: Callable[..., Awaitable[WordOutcome]]
    order: Callable[..., Awaitable[None]]
    states: Callable[[], Awaitable[dict[str, str]]]
    wait: Callable[[timedelta], Awaitable[int]]


StartTalk = Callable[..., Talk]


async def running(talk: Talk) -> set[str]:
    return {name for name, state in (await talk.states()).items() if state == "active"}


async def test_r33_0000_to_a_port_lists_that_sps_orders_with_numbers_and_prices(
    talk: Talk,
) -> None:
    await talk.order(*ALL)

    outcome = await talk.say("0000")

    assert outcome.reply == (
        "您的订购：1天气5元/月；2笑话3元/月；3股票10.5元/月。回QX序号退订，00000全退"
    )
    assert not outcome.is_forwarded


async def test_r33_0000_to_a_hub_code_lists_the_orders_of_every_sp(talk: Talk) -> None:
    await talk.order(*ALL)

    outcome = await talk.say("0000", "hub")

    assert outcome.reply is not None
    for number, name in enumerate(("天气", "笑话", "股票", "彩信", "新闻"), start=1):
        assert f"{number}{name}" in outcome.reply
    assert len(outcome.reply) <= 70
    assert not outcome.is_forwarded


@pytest.mark.parametrize("to", ["sp1", "hub"])
async def test_r33_who_has_ordered_nothing_is_told_so(talk: Talk, to: str) -> None:
    outcome = await talk.say("0000", to)

    assert outcome.reply == "无订购业务"
    assert not outcome.is_forwarded


async def test_r33_what_is_only_asked_about_is_no_order(talk: Talk) -> None:
    await talk.say("DY天气")

    assert (await talk.say("0000")).reply == "无订购业务"


async def test_r33_a_trial_is_listed_as_one(talk: Talk) -> None:
    await talk.order("试听")

    assert "1试听8元/月(试用)" in str((await talk.say("0000")).reply)


async def test_r33_a_list_too_long_for_a_message_goes_on_with_the_next_0000(
    talk_with: StartTalk, many: tuple[Service, ...]
) -> None:
    talk = talk_with(services=many)
    for service in many:
        await talk.say(service.order_words[0])
        await talk.say("是")

    lists = [str((await talk.say("0000")).reply) for _ in range(4)]

    assert all(len(text) <= 70 for text in lists)
    seen = [name for text in lists[:3] for name in (s.terms.name for s in many) if name in text]
    assert sorted(seen) == sorted(service.terms.name for service in many)
    assert "再发0000看余" in lists[0]
    assert lists[3] == lists[0]


@pytest.mark.parametrize("text", ["QX2", "2", "取消2", "TD2", "第2个"])
async def test_r35_an_item_of_the_list_is_cancelled_by_its_number(talk: Talk, text: str) -> None:
    await talk.order(*ALL)
    await talk.say("0000")

    outcome = await talk.say(text)

    assert await running(talk) == set(ALL) - {"笑话"}
    assert outcome.reply == "已退订：笑话，不再收费。查询回0000"
    assert not outcome.is_forwarded
    assert outcome.answer is None


async def test_r35_several_items_are_cancelled_at_once(talk: Talk) -> None:
    await talk.order(*ALL)
    await talk.say("0000")

    outcome = await talk.say("1,3")

    assert await running(talk) == {"笑话", "新闻", "彩信"}
    assert outcome.reply == "已退订：天气、股票，不再收费。查询回0000"


async def test_r35_numbers_stay_those_of_the_list_after_an_item_is_gone(talk: Talk) -> None:
    await talk.order("天气", "笑话", "股票")
    await talk.say("0000")

    await talk.say("1")
    await talk.say("3")

    assert await running(talk) == {"笑话"}
    assert (await talk.say("3")).reply == texts.GONE_ALREADY


@pytest.mark.parametrize("text", ["QX4", "9", "1-3", "QX0"])
async def test_r35_a_number_that_is_not_on_the_list_brings_the_list_again(
    talk: Talk, text: str
) -> None:
    await talk.order("天气", "笑话", "股票")
    listed = await talk.say("0000")

    outcome = await talk.say(text)

    assert outcome.reply == listed.reply
    assert not outcome.is_forwarded
    assert await running(talk) == {"天气", "笑话", "股票"}


@pytest.mark.parametrize("text", ["2", "1,3"])
async def test_r35_without_a_list_a_bare_number_is_for_the_sp(talk: Talk, text: str) -> None:
    await talk.order("天气", "笑话")

    assert await talk.say(text) == WordOutcome()


@pytest.mark.parametrize("text", ["2", "1,3"])
async def test_r35_after_24_hours_a_bare_number_is_for_the_sp_again(talk: Talk, text: str) -> None:
    await talk.order("天气", "笑话")
    await talk.say("0000")
    await talk.wait(DAY)

    assert await talk.say(text) == WordOutcome()


async def test_r35_the_numbers_of_one_port_mean_nothing_at_another(talk: Talk) -> None:
    await talk.order(*ALL)
    await talk.say("0000", "sp2")

    assert await talk.say("1") == WordOutcome()


async def test_r35_qx2_without_a_list_can_only_mean_one_that_is_gone(talk: Talk) -> None:
    await talk.order("天气", "笑话")

    outcome = await talk.say("QX2")

    assert outcome.reply == "您的订购：1天气5元/月；2笑话3元/月。回QX序号退订，00000全退"
    assert await running(talk) == {"天气", "笑话"}


async def test_r35_items_of_the_hubs_list_are_cancelled_whichever_sp_offers_them(
    talk: Talk,
) -> None:
    await talk.order(*ALL)
    await talk.say("0000", "hub")

    await talk.say("QX1", "hub")
    await talk.say("5", "hub")

    assert await running(talk) == {"笑话", "股票", "彩信"}


async def test_r34_00000_to_a_port_cancels_all_of_that_sp_and_refuses_it(talk: Talk) -> None:
    await talk.order(*ALL)

    outcome = await talk.say("00000")

    assert await running(talk) == {"新闻", "彩信"}
    assert outcome.reply == ("已退订示例商城全部3项业务，不再收费，也不再收到其商业信息。恢复回HF")
    assert outcome.answer is Answer.REFUSED


async def test_r34_00000_withdraws_what_is_only_asked_about(talk: Talk) -> None:
    await talk.say("DY天气")

    outcome = await talk.say("00000")

    assert await talk.states() == {"天气": "withdrawn"}
    assert (outcome.reply, outcome.answer) == (None, Answer.REFUSED)


async def test_r34_00000_ends_a_trial_that_is_asked_to_renew(talk: Talk) -> None:
    await talk.order("试听")
    await talk.say("DY试听")

    await talk.say("00000")

    assert await talk.states() == {"试听": "cancelled"}


async def test_r34_00000_to_the_hub_changes_nothing_until_it_is_confirmed(talk: Talk) -> None:
    await talk.order(*ALL)

    asked = await talk.say("00000", "hub")

    assert await running(talk) == set(ALL)
    assert asked.reply == "您共订购5项业务。24小时内回“是”全部退订；逐项退订请回0000"
    assert not asked.is_forwarded
    done = await talk.say("是", "hub")
    assert await running(talk) == set()
    assert done.reply == "已退订全部5项业务，不再收费。查询回0000"
    assert done.answer is None


async def test_r34_a_no_to_the_hub_changes_nothing_and_a_yes_after_it_neither(talk: Talk) -> None:
    await talk.order(*ALL)
    await talk.say("00000", "hub")

    assert (await talk.say("否", "hub")).reply == texts.NOTHING_CHANGED
    assert await talk.say("是", "hub") == WordOutcome()
    assert await running(talk) == set(ALL)


async def test_r34_a_yes_to_the_hub_after_24_hours_changes_nothing(talk: Talk) -> None:
    await talk.order(*ALL)
    await talk.say("00000", "hub")
    await talk.wait(DAY)

    assert await talk.say("是", "hub") == WordOutcome()
    assert await running(talk) == set(ALL)


async def test_r34_a_yes_at_the_hub_does_not_cancel_what_was_ordered_after_the_question(
    talk: Talk,
) -> None:
    await talk.order("天气", "新闻")
    await talk.say("00000", "hub")
    await talk.order("笑话")

    await talk.say("是", "hub")

    assert await running(talk) == {"笑话"}


async def test_r34_a_yes_at_the_hub_when_all_is_cancelled_already_changes_nothing(
    talk: Talk,
) -> None:
    await talk.order("天气")
    await talk.say("00000", "hub")
    await talk.say("00000")

    assert (await talk.say("是", "hub")).reply == texts.NOTHING_CHANGED


async def test_r34_as_in_2004_00000_to_the_hub_cancels_at_once(talk_with: StartTalk) -> None:
    talk = talk_with(CancelAll.EXECUTE)
    await talk.order(*ALL)

    outcome = await talk.say("00000", "hub")

    assert await running(talk) == set()
    assert outcome.reply == "已退订全部5项业务，不再收费。查询回0000"


async def test_r34_as_today_00000_to_the_hub_only_lists(talk_with: StartTalk) -> None:
    talk = talk_with(CancelAll.LIST_ONLY)
    await talk.order(*ALL)

    listed = await talk.say("00000", "hub")

    assert listed.reply == (await talk.say("0000", "hub")).reply
    assert await running(talk) == set(ALL)


async def test_r34_who_has_nothing_to_cancel_at_the_hub_is_told_so(talk: Talk) -> None:
    assert (await talk.say("00000", "hub")).reply == "无订购业务"


async def test_r27_a_yes_to_the_hub_confirms_no_order(talk: Talk) -> None:
    await talk.say("DY天气")

    assert await talk.say("是", "hub") == WordOutcome()
    assert await talk.states() == {"天气": "pending"}


@pytest.mark.parametrize("text", ["TD天气", "退订天气", "TD 天气"])
async def test_r31_a_service_is_cancelled_by_its_name(talk: Talk, text: str) -> None:
    await talk.order("天气", "笑话")

    outcome = await talk.say(text)

    assert await running(talk) == {"笑话"}
    assert (outcome.answer, outcome.reply) == (None, "已退订：天气，不再收费。查询回0000")


async def test_r31_the_name_of_what_was_never_ordered_refuses_the_sp(talk: Talk) -> None:
    await talk.order("笑话")

    outcome = await talk.say("TD彩铃")

    assert (outcome.answer, outcome.reply) == (Answer.REFUSED, None)
    assert await running(talk) == {"笑话"}


async def test_a_word_that_the_sp_advertised_refuses_before_it_is_anything_else(talk: Talk) -> None:
    await talk.order("天气")
    await talk.say("0000")

    outcome = await talk.say("1", tokens=("1",))

    assert outcome.answer is Answer.REFUSED
    assert await running(talk) == {"天气"}


async def test_r37_hf_brings_the_subscriber_back(talk: Talk) -> None:
    assert (await talk.say("HF")).answer is Answer.AGREED
