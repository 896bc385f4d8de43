"""What subscribers write: a refusal holds at once, is kept, reaches the SP, is confirmed once."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.consent import Answer
from gateway.domain.policy import RepliesRule
from gateway.policy.bundle import Bundle
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


@pytest.fixture
def hearing(bundle: Bundle) -> Bundle:
    """A policy under which replies are heard."""
    return replace(bundle, replies=RepliesRule(CONFIRMED, RESTORED))


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
