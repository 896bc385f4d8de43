"""Requests for consent: asked once, answered by yes, no or silence (R23)."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.consent import Answer, ConsentAnswer, day_of, end_of
from gateway.stores import Stores
from gateway.systems.subscriptions.dialogue import WordOutcome
from gateway.systems.subscriptions.model import ConsentRequest, ConsentRequestState
from gateway.systems.subscriptions.service import SubscriptionDesk, is_alike, likeness_of

SUBSCRIBER = 8613800138000
DAY = timedelta(days=1)
ASKED = (
    "【示例商城】您好，我们希望每月向您发送两次会员优惠信息，为期一年。同意请回复是，"
    "不同意请回复否，24小时内不回复视为不同意。"
)
SIMILAR = ASKED.replace("每月", "每周").replace("两次", "三次").replace("24", "48")
OTHER = "【示例商城】新店下月在您家附近开业，愿意收到开业当天的活动安排吗？回是或者否，一次为限。"


class Talk(Protocol):
    stores: Stores
    desk: SubscriptionDesk
    now: datetime
    say: Callable[..., Awaitable[WordOutcome]]
    order: Callable[..., Awaitable[None]]
    states: Callable[[], Awaitable[dict[str, str]]]
    wait: Callable[[timedelta], Awaitable[int]]


async def ask(
    talk: Talk, text: str = ASKED, system_id: str = "sp1", message_id: str = "77"
) -> bool:
    return await talk.desk.asked(system_id, SUBSCRIBER, text, talk.now, message_id)


async def request(talk: Talk) -> ConsentRequest:
    (found,) = await talk.stores.subscriptions.requests_of(SUBSCRIBER, "sp1")
    return found


async def answer(talk: Talk) -> ConsentAnswer | None:
    return await talk.stores.consent.answer_of(SUBSCRIBER, "sp1")


async def test_r23_a_yes_to_a_request_is_consent_with_evidence(talk: Talk) -> None:
    assert await ask(talk)

    outcome = await talk.say("是")

    assert outcome.answer is Answer.AGREED
    assert outcome.evidence.startswith("request 77; message in-1 sha256 ")
    assert outcome.reply == "您已同意接收示例商城的信息。退订请回复TD"
    assert ((await request(talk)).state, (await request(talk)).answer_id) == ("agreed", "in-1")


async def test_r23_a_yes_is_good_for_as_long_as_the_request_said(talk: Talk) -> None:
    day = day_of(talk.now)
    assert await ask(talk)

    outcome = await talk.say("是")

    assert outcome.until == end_of(day.replace(year=day.year + 1))
    assert (await request(talk)).agreed_until == outcome.until


async def test_r23_a_yes_to_a_request_without_an_end_has_none(talk: Talk) -> None:
    assert await ask(talk, OTHER)

    assert (await talk.say("是")).until is None


@pytest.mark.parametrize("no", ["否", "不同意", "TD"])
async def test_r23_a_no_to_a_request_is_a_refusal(talk: Talk, no: str) -> None:
    await ask(talk)

    outcome = await talk.say(no)

    assert (outcome.answer, outcome.reply) == (Answer.REFUSED, None)
    assert (await request(talk)).state is ConsentRequestState.REFUSED


async def test_r23_silence_is_a_refusal_when_24_hours_are_over(talk: Talk) -> None:
    await ask(talk)

    assert await talk.wait(DAY - timedelta(seconds=1)) == 0
    assert await answer(talk) is None
    assert await talk.wait(timedelta(seconds=1)) == 1

    silence = await answer(talk)
    assert (await request(talk)).state is ConsentRequestState.NO_REPLY
    assert silence is not None
    assert (silence.answer, silence.channel, silence.evidence) == (
        Answer.REFUSED,
        "no_reply",
        "request 77",
    )
    assert await talk.say("是") == WordOutcome()


async def test_r20_who_has_not_answered_yet_is_asked_nothing_else(talk: Talk) -> None:
    """A template's variables may hold anything: each request would be another advert."""
    await ask(talk)

    again = await ask(talk, OTHER, message_id="78")
    of_another_sp = await ask(talk, OTHER, "sp2", message_id="79")
    await talk.say("是")

    assert (again, of_another_sp) == (False, True)
    assert await ask(talk, OTHER, message_id="80")


async def test_r23_silence_takes_no_proven_consent_back(talk: Talk) -> None:
    before = ConsentAnswer(SUBSCRIBER, "sp1", Answer.AGREED, talk.now - DAY, "mo", "message 1")
    await talk.stores.consent.record([before])
    await ask(talk)

    await talk.wait(DAY)

    assert await answer(talk) == before


@pytest.mark.parametrize("kind", [Answer.AGREED, Answer.ASSERTED])
async def test_r23_silence_is_a_refusal_though_there_was_an_agreement_that_has_ended(
    talk: Talk, kind: Answer
) -> None:
    ended = ConsentAnswer(
        SUBSCRIBER, "sp1", kind, talk.now - 9 * DAY, "mo", "message 1", talk.now - DAY
    )
    await talk.stores.consent.record([ended])
    await ask(talk)

    await talk.wait(DAY)

    silence = await answer(talk)
    assert silence is not None
    assert (silence.answer, silence.channel) == (Answer.REFUSED, "no_reply")


async def test_r23_silence_takes_no_agreement_back_that_ends_later(talk: Talk) -> None:
    before = ConsentAnswer(
        SUBSCRIBER, "sp1", Answer.AGREED, talk.now - DAY, "mo", "message 1", talk.now + 2 * DAY
    )
    await talk.stores.consent.record([before])
    await ask(talk)

    await talk.wait(DAY)

    assert await answer(talk) == before


async def test_r23_silence_ends_what_was_only_asserted(talk: Talk) -> None:
    asserted = ConsentAnswer(SUBSCRIBER, "sp1", Answer.ASSERTED, talk.now + DAY, "import")
    await talk.stores.consent.record([asserted])
    await ask(talk)

    await talk.wait(DAY)

    silence = await answer(talk)
    assert silence is not None
    assert silence.answer is Answer.REFUSED


@pytest.mark.parametrize("text", [ASKED, SIMILAR, ASKED.replace("，", " ").upper()])
@pytest.mark.parametrize("reply", [None, "否", "是", "silence"])
async def test_r23_the_same_or_a_similar_request_is_not_sent_again_whatever_came_of_it(
    talk: Talk, reply: str | None, text: str
) -> None:
    await ask(talk)
    if reply == "silence":
        await talk.wait(2 * DAY)
    elif reply is not None:
        await talk.say(reply)

    assert not await ask(talk, text, message_id="78")


async def test_r23_a_request_that_has_not_gone_yet_is_no_second_one_of_itself(talk: Talk) -> None:
    await ask(talk)

    assert await ask(talk)
    assert len(await talk.stores.subscriptions.requests_of(SUBSCRIBER, "sp1")) == 1


@pytest.mark.parametrize("reply", ["否", "是", "silence"])
async def test_r23_what_has_its_answer_has_gone(talk: Talk, reply: str) -> None:
    await ask(talk)
    await (talk.wait(2 * DAY) if reply == "silence" else talk.say(reply))

    assert not await ask(talk)


async def test_r23_a_request_that_did_not_go_may_be_sent_again(talk: Talk) -> None:
    await ask(talk)
    await ask(talk, OTHER, message_id="78")

    await talk.desk.unasked("sp1", SUBSCRIBER, "77")

    assert await ask(talk, SIMILAR, message_id="79")
    assert not await ask(talk, OTHER, message_id="80")


async def test_r23_what_was_answered_cannot_be_taken_back(talk: Talk) -> None:
    await ask(talk)
    await talk.say("否")

    await talk.desk.unasked("sp1", SUBSCRIBER, "77")

    assert not await ask(talk, message_id="78")


async def test_r23_another_request_may_be_sent_and_so_may_another_sps(talk: Talk) -> None:
    await ask(talk)

    assert await ask(talk, OTHER)
    assert await ask(talk, ASKED, "sp2")


async def test_r27_a_request_is_not_sent_while_an_order_waits_for_its_yes(talk: Talk) -> None:
    await talk.say("DY天气")

    waiting = await ask(talk)
    of_another_sp = await ask(talk, system_id="sp2")
    await talk.say("是")

    assert (waiting, of_another_sp) == (False, True)
    assert await talk.states() == {"天气": "active"}
    assert await ask(talk)


async def test_r27_a_yes_to_another_port_of_the_sp_is_no_consent(talk: Talk) -> None:
    await talk.desk.asked("sp1", SUBSCRIBER, ASKED, talk.now, "77", "1069000177")

    assert await talk.say("是") == WordOutcome()
    assert (await talk.say("是", port="1069000177")).answer is Answer.AGREED


async def test_r27_a_yes_answers_what_was_asked_last_an_order_or_a_request(talk: Talk) -> None:
    await ask(talk)
    await talk.say("DY天气")

    assert (await talk.say("是")).answer is None
    assert await talk.states() == {"天气": "active"}
    assert (await talk.say("是")).answer is Answer.AGREED


async def test_r27_a_yes_to_another_sp_is_no_consent(talk: Talk) -> None:
    await ask(talk)

    assert await talk.say("是", "sp2") == WordOutcome()


async def test_r34_00000_is_a_no_to_a_request_too(talk: Talk) -> None:
    await ask(talk)

    await talk.say("00000")

    assert (await request(talk)).state is ConsentRequestState.REFUSED


def test_other_requests_are_not_alike() -> None:
    assert is_alike(likeness_of(ASKED), likeness_of(SIMILAR))
    assert not is_alike(likeness_of(ASKED), likeness_of(OTHER))


@given(st.text())
def test_a_text_is_alike_itself_whatever_its_width_and_digits(text: str) -> None:
    likeness = likeness_of(text)

    assert 0 <= likeness < 2**64
    assert is_alike(likeness, likeness_of(f"{text}!"))
