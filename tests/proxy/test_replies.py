"""What subscribers write: a refusal holds at once, is kept, reaches the SP, is confirmed once."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app import background
from gateway.app.gateway import Gateway
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.policy import RefusalScope, RepliesRule
from gateway.policy.bundle import Bundle
from gateway.runtime.tasks import spawn
from gateway.storage.errors import StoreUnavailable
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

PORT, CODES, SUBSCRIBER = "10690001", "10690002", "13800138000"
ADVERT = "【示例商城】会员日全场八折，到店有礼，拒收请回复R"
REFUSED = 0x45
CONFIRMED, RESTORED = "您已退订", "您已恢复"
HOW_TO, HELP = "退订{sender}请回TD", "{sender}: STOP"


@pytest.fixture
def hearing(bundle: Bundle) -> Bundle:
    """A policy under which replies are heard."""
    return replace(bundle, replies=RepliesRule(CONFIRMED, RESTORED, how_to=HOW_TO, help=HELP))


def told(smsc: SimulatedSmsc) -> list[str]:
    """Return what the gateway itself wrote to the subscriber, in order."""
    texts = [r.octets.decode("utf-16-be") for r in smsc.journal if r.data_coding == 8]
    return [text for text in texts if text in {CONFIRMED, RESTORED}]


async def say(smsc: SimulatedSmsc, text: str, to: str = PORT) -> int:
    return await smsc.deliver("sp1", SUBSCRIBER, to, text.encode("utf-16-be"), data_coding=8)


async def test_r31_td_stops_adverts_at_once_and_r22_codes_go_on(
    start: Start, hearing: Bundle, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    gateway = await start(policy=hearing)
    esme = await attach(gateway)
    assert (await esme.submit(PORT, SUBSCRIBER, ADVERT)).is_ok

    heard = await say(smsc, "ＴＤ")

    assert heard == 0  # the SP took it: what a subscriber says is not kept from it
    advert = await esme.submit(PORT, SUBSCRIBER, ADVERT)
    code = await esme.submit(CODES, SUBSCRIBER, "【示例商城】验证码482915，五分钟内有效")
    assert advert.command_status == REFUSED
    assert code.is_ok
    await until(lambda: told(smsc) == [CONFIRMED])
    answer = await gateway.stores.consent.answer_of(8613800138000, "sp1")
    assert answer is not None
    assert (answer.answer, answer.channel) == (Answer.REFUSED, "mo")


async def test_r32_three_td_in_a_row_are_confirmed_once_from_the_port_they_were_sent_to(
    start: Start, hearing: Bundle, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    gateway = await start(policy=hearing)
    await attach(gateway)

    for _ in range(3):
        await say(smsc, "TD")
    await say(smsc, "HF")

    await until(lambda: RESTORED in told(smsc))
    assert told(smsc) == [CONFIRMED, RESTORED]
    (confirmation,) = [r for r in smsc.journal if r.octets.decode("utf-16-be") == CONFIRMED]
    assert (confirmation.source, confirmation.destination) == (PORT, SUBSCRIBER)


async def test_r31_a_bare_letter_refuses_where_the_sender_advertised_it_and_nowhere_else(
    start: Start, hearing: Bundle, attach: Attach, smsc: SimulatedSmsc
) -> None:
    gateway = await start(policy=hearing)
    esme = await attach(gateway)

    await say(smsc, "R")
    before = await esme.submit(PORT, SUBSCRIBER, ADVERT)  # tells subscribers to reply R
    await say(smsc, "R")
    after = await esme.submit(PORT, SUBSCRIBER, ADVERT)

    assert before.is_ok
    assert after.command_status == REFUSED


@pytest.mark.parametrize("text", ["我不想退订", "好的，谢谢", "YES", "1,3"])
async def test_r27_what_is_no_refusal_changes_nothing(
    start: Start, hearing: Bundle, attach: Attach, smsc: SimulatedSmsc, text: str
) -> None:
    gateway = await start(policy=hearing)
    esme = await attach(gateway)

    await say(smsc, text)

    assert (await esme.submit(PORT, SUBSCRIBER, ADVERT)).is_ok
    assert await gateway.stores.consent.answer_of(8613800138000, "sp1") is None


async def test_r37_hf_brings_the_subscriber_back(
    start: Start, hearing: Bundle, attach: Attach, smsc: SimulatedSmsc
) -> None:
    gateway = await start(policy=hearing)
    esme = await attach(gateway)
    await say(smsc, "TD")
    assert (await esme.submit(PORT, SUBSCRIBER, ADVERT)).command_status == REFUSED

    await say(smsc, "HF")

    assert (await esme.submit(PORT, SUBSCRIBER, ADVERT)).is_ok


async def test_r37_a_refusal_holds_although_the_sp_can_not_take_it(
    start: Start, hearing: Bundle, attach: Attach, smsc: SimulatedSmsc
) -> None:
    gateway = await start(policy=hearing)
    esme = await attach(gateway)
    esme.deliver_status = 0x64

    heard = await say(smsc, "TD")

    assert heard == 0x64
    assert (await esme.submit(PORT, SUBSCRIBER, ADVERT)).command_status == REFUSED


async def test_a_refusal_holds_and_is_kept_later_when_the_store_fails(
    start: Start,
    hearing: Bundle,
    attach: Attach,
    smsc: SimulatedSmsc,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = await start(policy=hearing)
    stores = gateway.stores
    esme = await attach(gateway)

    async def fail(*_given: object) -> int:
        raise StoreUnavailable("disk full")

    with monkeypatch.context() as failing:
        failing.setattr(stores.consent, "record", fail)
        await say(smsc, "TD")
        assert (await esme.submit(PORT, SUBSCRIBER, ADVERT)).command_status == REFUSED
        assert told(smsc) == []

    await until(lambda: told(smsc) == [CONFIRMED])
    answer = await stores.consent.answer_of(8613800138000, "sp1")
    assert answer is not None
    assert answer.answer is Answer.REFUSED


async def test_a_receipt_is_nobodys_word(
    start: Start, hearing: Bundle, attach: Attach, smsc: SimulatedSmsc
) -> None:
    gateway = await start(policy=hearing)
    esme = await attach(gateway)

    await smsc.deliver("sp1", SUBSCRIBER, PORT, b"TD", esm_class=0x04)

    assert (await esme.submit(PORT, SUBSCRIBER, ADVERT)).is_ok


async def test_without_the_rule_replies_are_the_sps_business_alone(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway)

    await say(smsc, "TD")

    assert (await esme.submit(PORT, SUBSCRIBER, ADVERT)).is_ok


async def test_r31_a_question_how_to_refuse_is_answered_and_changes_nothing(
    start: Start, hearing: Bundle, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    gateway = await start(policy=hearing)
    esme = await attach(gateway)
    name = gateway.plane.rules.accounts["sp1"].sender.name

    heard = await say(smsc, "怎么退订")

    assert heard == 0  # the SP is asked as well
    await until(lambda: told_of(smsc, HOW_TO) == [HOW_TO.replace("{sender}", name)])
    assert (await esme.submit(PORT, SUBSCRIBER, ADVERT)).is_ok
    assert await gateway.stores.consent.answer_of(8613800138000, "sp1") is None


async def test_who_asks_again_within_the_hour_is_not_answered_again(
    start: Start, hearing: Bundle, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    await attach(await start(policy=hearing))

    for _ in range(3):
        await say(smsc, "怎么退订")
    await say(smsc, "TD")

    await until(lambda: told(smsc) == [CONFIRMED])
    assert len(told_of(smsc, HOW_TO)) == 1


async def test_help_is_answered_where_the_policy_has_an_answer(
    start: Start, hearing: Bundle, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    gateway = await start(policy=hearing)
    await attach(gateway)
    name = gateway.plane.rules.accounts["sp1"].sender.name

    assert await say(smsc, "HELP") == 0

    await until(lambda: told_of(smsc, HELP) == [HELP.replace("{sender}", name)])


def written(smsc: SimulatedSmsc) -> list[str]:
    return [r.octets.decode("utf-16-be") for r in smsc.journal if r.data_coding == 8]


def told_of(smsc: SimulatedSmsc, template: str) -> list[str]:
    """Return what the gateway wrote that ends like a template."""
    end = template.partition("}")[2]
    told = [text for text in written(smsc) if text.endswith(end)]
    return [text for text in told if text not in {CONFIRMED, RESTORED}]


@pytest.mark.parametrize("text", ["TD", "R", "别再给我发短信了"])
async def test_r31_a_refusal_that_the_smsc_hears_of_has_been_committed(
    start: Start,
    hearing: Bundle,
    attach: Attach,
    smsc: SimulatedSmsc,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
) -> None:
    gateway = await start(policy=hearing)
    esme = await attach(gateway)
    assert (await esme.submit(PORT, SUBSCRIBER, ADVERT)).is_ok  # it offers R
    store, may_commit, asked = gateway.stores.consent, asyncio.Event(), asyncio.Event()
    record = store.record

    async def slow(answers: Sequence[ConsentAnswer]) -> int:
        asked.set()
        await may_commit.wait()
        return await record(answers)

    monkeypatch.setattr(store, "record", slow)
    saying = spawn(say(smsc, text), name="say")
    await asked.wait()

    refused = await esme.submit(PORT, SUBSCRIBER, ADVERT)  # a round trip later

    assert refused.command_status == REFUSED  # it holds at once
    assert not saying.done()  # a kill -9 now loses nothing: the SMSC still has it
    assert esme.pdus().empty()
    may_commit.set()
    assert await saying == 0
    answer = await store.answer_of(8613800138000, "sp1")
    assert answer is not None
    assert answer.answer is Answer.REFUSED


async def test_r22_td_refuses_the_port_alone_where_the_carrier_says_so(
    start: Start, hearing: Bundle, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    replies = RepliesRule("已退订{sender}", RESTORED, scope=RefusalScope.PORT)
    gateway = await start(policy=replace(hearing, replies=replies))
    esme = await attach(gateway)
    name = gateway.plane.rules.accounts["sp1"].sender.name

    await say(smsc, "TD")
    own = await esme.submit(PORT, SUBSCRIBER, ADVERT)
    other = await esme.submit(CODES, SUBSCRIBER, ADVERT)

    assert (own.command_status, other.is_ok) == (REFUSED, True)
    confirmation = f"已退订{PORT}({name})"
    await until(lambda: confirmation in written(smsc))
    answers = await gateway.stores.consent.answers_of([8613800138000])
    assert [one.scope for one in answers] == [f"sp1 {PORT}"]
    await say(smsc, "HF")
    refused = gateway.plane.rules.knowledge.consent.refused
    await until(lambda: not any(one.has(8613800138000) for one in refused.values()))
    assert (await esme.submit(PORT, SUBSCRIBER, ADVERT)).is_ok


async def test_r22_who_names_a_category_refuses_that_alone(
    start: Start, hearing: Bundle, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    replies = RepliesRule("已退订{sender}", RESTORED)
    gateway = await start(policy=replace(hearing, replies=replies))
    esme = await attach(gateway)
    name = gateway.plane.rules.accounts["sp1"].sender.name

    await say(smsc, "TD贷款")

    confirmation = f"已退订贷款理财({name})"
    await until(lambda: confirmation in written(smsc))
    assert (await esme.submit(PORT, SUBSCRIBER, ADVERT)).command_status == REFUSED  # who can tell
    answers = await gateway.stores.consent.answers_of([8613800138000])
    assert [one.scope for one in answers] == ["sp1 #loan"]


async def test_r31_a_word_that_was_offered_refuses_after_a_restart_too(
    start: Start, hearing: Bundle, attach: Attach, smsc: SimulatedSmsc, tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path}/smsward.db"
    before = await start(policy=hearing, store_url=store)
    assert (await (await attach(before)).submit(PORT, SUBSCRIBER, ADVERT)).is_ok  # 拒收请回复R
    await before.stop()

    after = await start(policy=hearing, store_url=store)
    esme = await attach(after)
    assert await say(smsc, "R") == 0

    assert (await esme.submit(PORT, SUBSCRIBER, ADVERT)).command_status == REFUSED


async def test_r31_a_word_is_stored_at_once_and_again_where_the_store_fails(
    start: Start, hearing: Bundle, attach: Attach, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "_EVERY_S", 0.01)
    gateway = await start(policy=hearing)
    stores, kept = gateway.stores, list[Mapping[tuple[str, str], Sequence[str]]]()
    keep = stores.offered_words.keep

    async def failing(offered: Mapping[tuple[str, str], Sequence[str]]) -> None:
        kept.append(offered)
        if len(kept) == 1:
            raise StoreUnavailable("locked")
        await keep(offered)

    monkeypatch.setattr(stores.offered_words, "keep", failing)
    await (await attach(gateway)).submit(PORT, SUBSCRIBER, ADVERT)

    await until(lambda: len(kept) == 2)
    await until(lambda: not gateway.plane.hints.unkept)
    assert kept == [{("sp1", PORT): ("R",)}] * 2
