"""Orders, lists and cancellations as subscribers live them, between real sockets."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.policy import Enforcement, RepliesRule
from gateway.domain.subscription import (
    Cycle,
    Event,
    Hub,
    MessageEvidence,
    Service,
    Subscription,
    SubscriptionAct,
    Terms,
    advance,
)
from gateway.policy.bundle import Bundle, Rule, Title
from gateway.policy.checks.no_consent import NoConsent
from gateway.policy.checks.opt_out import OptOut
from gateway.policy.knowledge import ConsentSets
from gateway.proxy import replies
from gateway.runtime.clock import utcnow
from gateway.settings.gateway import GatewaySettings
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.subscriptions.dialogue import Dialogue
from gateway.systems.subscriptions.model import Catalogue, Changes, SubscriptionStep
from gateway.systems.subscriptions.service import SubscriptionDesk
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import RESPONSE, CommandId, header_of, pdu
from tests.proxy.conftest import Serve
from tests.real_time import poll

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Begin = Callable[..., Awaitable["Talk"]]

PORT, HUB, SUBSCRIBER, MSISDN = "10690001", "10086", "13800138000", 8613800138000
ADVERT = "【示例商城】会员日全场八折，到店有礼，拒收请回复R"
REJECTED, TRY_LATER = 0x45, 0x64
REPLIES = RepliesRule("您已退订", "您已恢复")
WEATHER = Terms("示例商城", "天气", PORT, 500, Cycle.MONTH)
JOKES = Terms("示例商城", "笑话", PORT, 300, Cycle.MONTH, trial_days=7)
SERVICES = (
    Service("sp1", "weather", WEATHER, ("DY天气",)),
    Service("sp1", "jokes", JOKES, ("DY笑话",)),
)
TITLE = Title("", "")
RULES = (
    Rule("R21", TITLE, "DEC2012 (7)", OptOut(), Enforcement.ENFORCE),
    Rule("R20", TITLE, "DEC2012 (7)", NoConsent(accept_asserted=False), Enforcement.ENFORCE),
)


@pytest.fixture
def settings(settings: GatewaySettings) -> GatewaySettings:
    return replace(settings, hub=Hub(frozenset({HUB})))


@pytest.fixture
def talking(bundle: Bundle) -> Bundle:
    """A policy under which replies are heard, and nobody gets what they did not ask for."""
    return replace(bundle, replies=REPLIES, rules=RULES)


@dataclass
class Talk:
    """One subscriber, an SP, an SMSC, and the gateway between them."""

    gateway: Gateway
    esme: RawEsme
    smsc: SimulatedSmsc
    until: Until

    async def say(self, text: str, to: str = PORT) -> int:
        octets = text.encode("utf-16-be")
        return await self.smsc.deliver("sp1", SUBSCRIBER, to, octets, data_coding=8)

    async def answer_to(self, text: str, to: str = PORT) -> str:
        """Say something and return the one answer to it."""
        before = len(self.told())
        assert await self.say(text, to) == 0
        await self.until(lambda: len(self.told()) > before)
        assert len(self.told()) == before + 1
        answer = self.smsc.journal[-1]
        assert (answer.source, answer.destination) == (to, SUBSCRIBER)
        return self.told()[-1]

    def told(self) -> list[str]:
        """Return what the gateway itself wrote to the subscriber, in order."""
        return [r.octets.decode("utf-16-be") for r in self.smsc.journal if r.data_coding == 8]

    def passed_on(self) -> int:
        """Return how many deliveries the SP has had."""
        return self.esme.pdus().qsize()

    async def advertise(self) -> int:
        return (await self.esme.submit(PORT, SUBSCRIBER, ADVERT)).command_status

    async def state_of(self, service_id: str = "weather") -> str:
        known = await self.gateway.stores.subscriptions.known(MSISDN, PORT, utcnow())
        states = {one.service_id: one.state.value for one in known.subscriptions}
        return states.get(service_id, "none")

    async def answer(self) -> ConsentAnswer | None:
        return await self.gateway.stores.consent.answer_of(MSISDN, "sp1")

    @property
    def sets(self) -> ConsentSets:
        return self.gateway._knowledge.consent


@pytest.fixture
def begin(
    start: Start, attach: Attach, talking: Bundle, smsc: SimulatedSmsc, until: Until
) -> Begin:
    """Start a gateway with two services, and an SP; give what should be otherwise."""

    async def begin(**given: object) -> Talk:
        gateway = await start(**{"policy": talking, **given})
        gateway.policies.offer(SERVICES)
        return Talk(gateway, await attach(gateway), smsc, until)

    return begin


@pytest.fixture
async def talk(begin: Begin) -> Talk:
    return await begin()


async def test_r24_an_order_by_sms_counts_after_the_yes_and_its_evidence_is_kept(
    talk: Talk,
) -> None:
    assert await talk.advertise() == REJECTED

    asked = await talk.answer_to("DY天气")
    assert await talk.state_of() == "pending"
    for part in ("天气", "示例商城", "5元/月", "是", "0000"):
        assert part in asked
    done = await talk.answer_to("是")

    assert "已订购" in done
    assert await talk.state_of() == "active"
    history = talk.gateway.stores.subscriptions.history
    events = await history(MSISDN, ("sp1", "weather"))
    assert [event.act for event in events] == ["order", "sent", "confirm"]
    assert all(event.message_id and event.text_sha256 for event in events)
    await talk.until(lambda: talk.sets.has_agreed("sp1", MSISDN))
    assert await talk.advertise() == 0


async def test_r31_the_confirmation_of_a_refusal_names_the_sp_and_the_orders_that_go_on(
    begin: Begin, talking: Bundle
) -> None:
    told = "已退订{sender}商业信息。收费业务{orders}继续，退订请回0000"
    replies = replace(REPLIES, opted_out_orders=told)
    talk = await begin(policy=replace(talking, replies=replies))
    for text in ("DY天气", "是"):
        await talk.answer_to(text)

    said = await talk.answer_to("TD")

    (sender,) = (one for one in talk.gateway.policies.senders.values() if one.system_id == "sp1")
    assert said == f"已退订{sender.name}商业信息。收费业务“天气”5元/月继续，退订请回0000"
    assert await talk.advertise() == REJECTED
    assert await talk.state_of() == "active"


async def test_r24_other_words_leave_the_order_pending_and_are_between_subscriber_and_sp(
    talk: Talk,
) -> None:
    await talk.answer_to("DY天气")

    await talk.say("好的我知道了")

    assert await talk.state_of() == "pending"
    assert len(talk.told()) == 1
    assert talk.passed_on() == 2


async def test_r27_a_yes_without_a_request_reaches_the_sp_and_changes_nothing(talk: Talk) -> None:
    for text in ("是", "YES", "1"):
        assert await talk.say(text) == 0
    await talk.say("谢谢")

    assert talk.passed_on() == 4
    assert talk.told() == []
    assert await talk.answer() is None
    assert await talk.advertise() == REJECTED


async def test_r25_after_a_trial_without_another_yes_adverts_stop(talk: Talk) -> None:
    began = utcnow() - timedelta(days=8)
    subscription = Subscription(MSISDN, "sp1", "jokes", JOKES, began)
    for act in (SubscriptionAct.ORDER, SubscriptionAct.CONFIRM):
        said = MessageEvidence("1", "00" * 32, began)
        after = advance(subscription, Event(act, said, JOKES, said), began)
        assert isinstance(after, Subscription)
        subscription = after
        await talk.gateway.stores.subscriptions.keep(Changes((SubscriptionStep(after, act, said),)))

    await talk.until(lambda: MSISDN in talk.sets.subscribed.get("sp1", ()))
    await talk.until(lambda: MSISDN not in talk.sets.subscribed["sp1"])

    assert await talk.state_of("jokes") == "expired"
    assert await talk.advertise() == REJECTED


async def test_r26_what_an_sp_only_asserts_is_rejected_where_the_policy_wants_proof(
    talk: Talk,
) -> None:
    asserted = ConsentAnswer(MSISDN, "sp1", Answer.ASSERTED, utcnow(), "import")
    await talk.gateway.stores.consent.record([asserted])
    await talk.until(lambda: talk.sets.has_agreed("sp1", MSISDN, accept_asserted=True))

    assert await talk.advertise() == REJECTED


async def test_r33_0000_is_answered_with_the_list_and_never_reaches_the_sp(talk: Talk) -> None:
    assert await talk.answer_to("0000") == "无订购业务"
    await talk.answer_to("DY天气")
    await talk.answer_to("是")

    listed = await talk.answer_to("００００")

    assert listed == "您的订购：1天气5元/月。回QX序号退订，00000全退"
    assert talk.passed_on() == 2  # the order and the yes


async def test_r33_a_list_is_answered_although_the_sp_can_not_take_deliveries(talk: Talk) -> None:
    talk.esme.deliver_status = TRY_LATER

    assert await talk.answer_to("0000") == "无订购业务"


@pytest.mark.parametrize("text", ["QX1", "1"])
async def test_r35_an_item_is_cancelled_by_its_number_which_the_sp_does_not_hear(
    talk: Talk, text: str
) -> None:
    for order in ("DY天气", "是", "0000"):
        await talk.answer_to(order)
    before = talk.passed_on()

    assert await talk.answer_to(text) == "已退订：天气，不再收费。查询回0000"

    assert await talk.state_of() == "cancelled"
    assert talk.passed_on() == before


async def test_r35_without_a_list_a_bare_number_goes_to_the_sp(talk: Talk) -> None:
    assert await talk.say("1,3") == 0

    assert talk.passed_on() == 1
    assert talk.told() == []


async def test_r34_00000_cancels_all_of_the_sp_with_one_answer_and_stops_its_adverts(
    talk: Talk,
) -> None:
    for order in ("DY天气", "是", "DY笑话", "是"):
        await talk.answer_to(order)

    assert (await talk.answer_to("00000")).startswith("已退订示例商城全部2项业务")

    assert [await talk.state_of(name) for name in ("weather", "jokes")] == ["cancelled"] * 2
    assert await talk.advertise() == REJECTED


async def test_r34_00000_of_who_ordered_nothing_is_confirmed_as_any_refusal(talk: Talk) -> None:
    assert await talk.answer_to("00000") == REPLIES.opted_out


async def test_r34_00000_to_the_hub_asks_first_and_refuses_no_sp(talk: Talk) -> None:
    await talk.answer_to("DY天气")
    await talk.answer_to("是")
    before = talk.passed_on()

    assert (await talk.answer_to("00000", HUB)).startswith("您共订购1项业务")
    assert await talk.state_of() == "active"
    assert (await talk.answer_to("是", HUB)).startswith("已退订全部1项业务")

    assert await talk.state_of() == "cancelled"
    assert await talk.answer() is None
    assert talk.passed_on() == before


async def test_r51_a_preference_is_set_at_the_hub_and_confirmed_once(talk: Talk) -> None:
    reply = await talk.answer_to("屏蔽 1069000199", HUB)

    assert len(reply) <= 70
    assert talk.passed_on() == 0
    assert (await talk.gateway.stores.preferences.of(MSISDN)) is not None


async def test_what_is_written_to_the_hub_and_means_nothing_is_passed_on(talk: Talk) -> None:
    assert await talk.say("你好", HUB) == 0
    assert await talk.say("3", HUB) == 0

    assert talk.passed_on() == 2


async def test_r23_a_yes_to_an_sps_request_is_consent_with_evidence(talk: Talk) -> None:
    stores = talk.gateway.stores
    desk = SubscriptionDesk(stores.subscriptions, stores.consent, Dialogue(Catalogue))

    assert await desk.asked("sp1", MSISDN, "【示例商城】每月两条优惠，同意回是", utcnow())
    assert await talk.answer_to("是") == "您已同意接收示例商城的信息。退订请回复TD"
    answer = await talk.answer()
    assert answer is not None
    assert (answer.answer, answer.channel) == (Answer.AGREED, "mo")
    assert answer.evidence.startswith("request ")
    assert await talk.advertise() == 0


async def test_r37_a_fresh_order_takes_an_earlier_refusal_back(talk: Talk) -> None:
    await talk.answer_to("TD")

    await talk.answer_to("DY天气")
    await talk.answer_to("是")

    assert await talk.advertise() == 0
    answer = await talk.answer()
    assert answer is not None
    assert answer.answer is Answer.AGREED
    assert answer.evidence.count(";") == 2


async def test_r31_td_and_a_service_cancels_it_and_refuses_nothing_else(talk: Talk) -> None:
    await talk.answer_to("DY天气")
    await talk.answer_to("是")

    assert await talk.answer_to("TD天气") == "已退订：天气，不再收费。查询回0000"
    assert await talk.answer() is None
    assert await talk.answer_to("TD彩铃") == REPLIES.opted_out


async def test_messages_of_one_subscriber_are_answered_in_their_order(talk: Talk) -> None:
    for number, text in enumerate(("DY天气", "是", "0000", "1", "0000")):
        talk.smsc.inject(
            "sp1", builders.deliver_sm(SUBSCRIBER, PORT, builders.ucs2(text), sequence=90 + number)
        )
    await talk.until(lambda: len(talk.told()) == 5)

    assert [text[:4] for text in talk.told()] == [
        "您申请示",
        "您已订购",
        "您的订购",
        "已退订：",
        "无订购业",
    ]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, stores: Stores) -> Stores:
    """Stores of which that of subscriptions cannot be read."""

    async def known(*_asked: object) -> object:
        raise StoreUnavailable("no disk")

    monkeypatch.setattr(stores.subscriptions, "known", known)
    return stores


async def test_while_the_store_fails_a_list_is_asked_for_again_later(
    begin: Begin, failing: Stores
) -> None:
    talk = await begin(stores=failing)

    assert await talk.say("0000") == TRY_LATER
    assert await talk.say("00000", HUB) == TRY_LATER

    assert talk.passed_on() == 0
    assert talk.told() == []


async def test_while_the_store_fails_what_may_be_for_the_sp_reaches_it(
    begin: Begin, failing: Stores
) -> None:
    talk = await begin(stores=failing)

    for text in ("是", "1,3", "DY天气"):
        assert await talk.say(text) == 0

    assert talk.passed_on() == 3


@pytest.mark.parametrize("text", ["TD2", "TD天气"])
async def test_while_the_store_fails_a_refusal_of_anything_refuses_the_sp(
    begin: Begin, talking: Bundle, failing: Stores, text: str
) -> None:
    talk = await begin(policy=replace(talking, rules=RULES[:1]), stores=failing)
    assert await talk.advertise() == 0

    assert await talk.say(text) == TRY_LATER

    await talk.until(lambda: talk.sets.is_refused("sp1", MSISDN))
    assert await talk.advertise() == REJECTED


async def test_r33_a_list_that_no_bind_can_send_is_asked_for_again_later(
    talk: Talk, attach: Attach
) -> None:
    await talk.esme.unbind()
    esme = await attach(talk.gateway, "sp1", "rx")

    assert await talk.say("0000") == TRY_LATER

    assert esme.pdus().qsize() == 0


async def test_while_too_much_is_under_way_a_list_is_put_off_and_a_yes_is_none(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk.answer_to("DY天气")
    monkeypatch.setattr(replies, "_MAX_AT_ONCE", 0)

    assert await talk.say("0000") == TRY_LATER
    assert await talk.say("是") == 0

    assert await talk.state_of() == "pending"
    assert talk.passed_on() == 2


async def test_while_too_much_is_under_way_refusals_hold_and_are_kept_soon(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "_MAX_AT_ONCE", 0)

    assert await talk.say("TD") == TRY_LATER
    assert talk.sets.is_refused("sp1", MSISDN)
    await talk.until(lambda: talk.told() == [REPLIES.opted_out])

    answer = await talk.answer()
    assert answer is not None
    assert answer.answer is Answer.REFUSED


async def test_r24_a_request_that_the_smsc_did_not_take_is_on_record_as_such(
    begin: Begin, smsc: SimulatedSmsc
) -> None:
    talk = await begin()
    smsc.behaviour = replace(smsc.behaviour, error_every=1)

    assert await talk.say("DY天气") == 0

    assert await orders_of(talk.gateway) == [("order", True), ("unsent", False)]


async def test_r24_a_request_that_was_nacked_with_status_0_is_on_record_as_not_sent(
    begin: Begin, serve: Serve
) -> None:
    order = builders.deliver_sm(SUBSCRIBER, PORT, builders.ucs2("DY天气"), sequence=70)

    async def say(octets: bytes) -> bytes:
        header = header_of(octets)
        if header.command_id == CommandId.BIND_TRANSCEIVER:
            bound = pdu(header.command_id | RESPONSE, header.sequence_number, b"x\0")
            return bound + order
        if header.command_id == CommandId.SUBMIT_SM:
            return pdu(CommandId.GENERIC_NACK, header.sequence_number)
        return b""

    talk = await begin(smscs=(await serve(say),))

    assert await orders_of(talk.gateway) == [("order", True), ("unsent", False)]


async def orders_of(gateway: Gateway) -> list[tuple[str, bool]]:
    """Wait for two events of the subscriber's; return each with whether a message_id is known."""

    async def look() -> list[tuple[str, bool]] | None:
        events = await gateway.stores.subscriptions.history(MSISDN, ("sp1", "weather"))
        return [(one.act, one.message_id != "") for one in events] if len(events) == 2 else None

    return await poll(look)
