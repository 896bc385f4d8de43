"""What other processes have to say to subscribers goes out through the gateway, at least once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import time, timedelta
from pathlib import Path

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.outbound_message import (
    MAX_ATTEMPTS,
    NewOutboundMessage,
    OutboundKind,
    OutboundMessage,
    OutboundState,
)
from gateway.domain.policy import Enforcement, RepliesRule
from gateway.domain.sender import Port, Sender
from gateway.domain.subscription import Cycle, Hub, Service, Terms
from gateway.policy.bundle import Bundle, Rule, Title
from gateway.policy.checks.outside_window import OutsideWindow, asking_hours
from gateway.policy.complaint_words import ComplaintFormat
from gateway.policy.hours import RuleLocale, Window, WindowSet
from gateway.proxy import mt_sender
from gateway.runtime.clock import utcnow
from gateway.session.timers import Timers
from gateway.settings.gateway import GatewaySettings
from gateway.settings.measures import ComplaintSettings
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores, open_store
from gateway.systems.subscriptions.model import Catalogue
from gateway.systems.subscriptions.order_requests import (
    Courtesy,
    OrderDesk,
    OrderRequest,
    PendingOrder,
)
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import CommandStatus
from tests.real_time import eventually, poll

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
LogLines = list[dict[str, object]]
BuildSender = Callable[..., Sender]

PORT, HUB, SUBSCRIBER, MSISDN = "10690001", "10086", "13800138000", 8613800138000
REPORTS = "12321"
CODE = "验证码482913，10分钟内有效"
MINUTE = timedelta(minutes=1)
ALL_DAY = WindowSet((Window(time(0), time(0)),))
OPEN_ALL_DAY = Rule(
    "R40", Title("时段", "Hours"), "test", OutsideWindow(ALL_DAY, timedelta()), Enforcement.ENFORCE
)
WEATHER = Service("sp1", "weather", Terms("示例商城", "天气", PORT, 500, Cycle.MONTH), ("DY天气",))


@pytest.fixture
def settings(settings: GatewaySettings) -> GatewaySettings:
    codes = ComplaintSettings({REPORTS: ComplaintFormat.STAR})
    return replace(settings, hub=Hub(frozenset({HUB})), complaints=codes)


@pytest.fixture
def hearing(bundle: Bundle) -> Bundle:
    return replace(bundle, replies=RepliesRule("您已退订", "您已恢复"), rules=(OPEN_ALL_DAY,))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do at once what otherwise waits a moment."""
    monkeypatch.setattr(mt_sender, "RETRY", timedelta(0))


def order_desk(office: "Office") -> OrderDesk:
    """Return what an API process has, on the office's stores; its subscribers never sleep."""
    stores, hours = office.stores, asking_hours((OPEN_ALL_DAY,), RuleLocale())
    courtesy = Courtesy(stores.preferences, lambda: hours)
    return OrderDesk(stores.subscriptions, stores.consent, courtesy, lambda: Catalogue((WEATHER,)))


@dataclass
class Office:
    """Another process on the same store, which has something to say."""

    stores: Stores
    smsc: SimulatedSmsc

    async def ask_for(
        self, text: str = CODE, port: str = HUB, within: timedelta = 10 * MINUTE
    ) -> int:
        now = utcnow()
        outbound = NewOutboundMessage(
            port, MSISDN, text, OutboundKind.CODE, "ref", now, now + within
        )
        return await self.stores.outbound_messages.add(outbound)

    async def outbound(self, number: int) -> OutboundMessage:
        outbound = await self.stores.outbound_messages.get(number)
        assert outbound is not None
        return outbound

    async def ended(self, number: int) -> OutboundMessage:
        """Wait for the end of an outbound message."""

        async def look() -> OutboundMessage | None:
            outbound = await self.outbound(number)
            return None if outbound.state is OutboundState.WAITING else outbound

        return await poll(look)

    def told(self) -> list[tuple[str, str, str]]:
        """Return what subscribers were sent: from, to, text."""
        journal = [one for one in self.smsc.journal if one.data_coding == 8]
        return [(r.source, r.destination, r.octets.decode("utf-16-be")) for r in journal]


@pytest.fixture
def office(stores: Stores, smsc: SimulatedSmsc) -> Office:
    return Office(stores, smsc)


async def test_r51_a_code_goes_out_from_the_hub_and_its_text_is_gone_then(
    start: Start, attach: Attach, office: Office, log: LogLines
) -> None:
    gateway = await start(stores=office.stores)
    esme = await attach(gateway)

    outbound = await office.ended(await office.ask_for())

    assert office.told() == [(HUB, str(MSISDN), CODE)]
    assert (outbound.state, outbound.text) == (OutboundState.SENT, "")
    assert outbound.message_id == office.smsc.journal[0].message_id
    assert esme.pdus().empty()
    assert "482913" not in str(log)
    assert str(MSISDN) not in str(log)


async def test_what_a_suspended_port_has_to_say_waits(
    start: Start, attach: Attach, office: Office
) -> None:
    gateway = await start(stores=office.stores)
    await attach(gateway)
    account = gateway.plane.rules.accounts["sp1"]
    account.suspend_ports(frozenset({PORT}))
    waiting = await office.ask_for(port=PORT)
    other = await office.ended(await office.ask_for())

    assert other.state is OutboundState.SENT
    assert (await office.outbound(waiting)).state is OutboundState.WAITING
    account.suspend_ports(frozenset())
    assert (await office.ended(waiting)).state is OutboundState.SENT


async def test_a_port_speaks_through_the_bind_of_its_owner_and_no_other(
    start: Start, attach: Attach, office: Office, sender: BuildSender
) -> None:
    other = sender(system_id="sp2", ports=(Port("10690077"), Port(HUB)))
    gateway = await start(stores=office.stores, senders=(sender(), other))
    await attach(gateway, "sp1")
    owned, hub = await office.ask_for(port="10690077"), await office.ask_for()
    await office.ended(await office.ask_for(port=PORT))

    assert [one[0] for one in office.told()] == [PORT]
    await attach(gateway, "sp2")
    await office.ended(owned)
    await office.ended(hub)
    assert {(one.system_id, one.source) for one in office.smsc.journal} == {
        ("sp1", PORT),
        ("sp2", "10690077"),
        ("sp2", HUB),
    }


async def test_what_nobody_can_send_waits_and_expires_and_says_so(
    start: Start, attach: Attach, office: Office, log: LogLines
) -> None:
    gateway = await start(stores=office.stores)
    number = await office.ask_for()
    strange = await office.ask_for(port="10690099", within=MINUTE / 300)
    assert (await office.outbound(number)).state is OutboundState.WAITING

    ended = await office.ended(strange)
    await attach(gateway)
    await office.ended(number)

    assert ended.state is OutboundState.EXPIRED
    assert [one[0] for one in office.told()] == [HUB]
    assert {"count": 1, "event": "errands.expired"}.items() <= next(
        line for line in log if line["event"] == "errands.expired"
    ).items()


async def test_an_outbound_message_that_a_killed_gateway_had_taken_is_sent_by_the_next(
    start: Start, attach: Attach, smsc: SimulatedSmsc, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/var/smsward.db"
    killed = Office(await open_store(url), smsc)
    number = await killed.ask_for()
    long_ago = utcnow() - MINUTE / 60
    later = await killed.ask_for()
    await killed.stores.outbound_messages.take_waiting(utcnow(), long_ago, [HUB], 1)
    await killed.stores.outbound_messages.take_waiting(utcnow(), utcnow() + MINUTE, [HUB], 9)
    await killed.stores.outbound_messages.put_back(number, long_ago, was_written=True)
    await killed.stores.close()

    gateway = await start(store_url=url)
    await attach(gateway)
    office = Office(gateway.stores, smsc)
    outbound = await office.ended(number)

    assert outbound.state is OutboundState.SENT
    assert len(office.told()) == 1
    # What the other may still be at is let be, until its claim is over.
    assert (await office.outbound(later)).state is OutboundState.WAITING


@pytest.mark.usefixtures("impatient")
async def test_what_the_smsc_never_answers_is_sent_again_and_then_given_up(
    start: Start, attach: Attach, office: Office, until: Until
) -> None:
    office.smsc.behaviour = Behaviour(lost_answer_every=1)
    timers = Timers(response_s=0.01, drain_s=5, reconnect_max_s=0.1)
    gateway = await start(stores=office.stores, timers=timers)
    await attach(gateway)

    outbound = await office.ended(await office.ask_for())

    assert outbound.state is OutboundState.EXPIRED
    # The gateway gives up in no time here: the SMSC may still be at the last one.
    await until(lambda: office.told() == [(HUB, str(MSISDN), CODE)] * MAX_ATTEMPTS)


@pytest.mark.usefixtures("impatient")
async def test_what_the_smsc_cannot_take_now_is_sent_later(
    start: Start, attach: Attach, office: Office
) -> None:
    office.smsc.behaviour = Behaviour(throttle_every=1)
    gateway = await start(stores=office.stores)
    await attach(gateway)
    number = await office.ask_for()
    await office.smsc.until(lambda: office.smsc.counters.throttled > MAX_ATTEMPTS)

    office.smsc.behaviour = Behaviour()
    outbound = await office.ended(number)

    assert outbound.state is OutboundState.SENT
    assert len([one for one in office.smsc.journal if one.message_id]) == 1


async def test_what_the_smsc_refuses_is_not_sent_again(
    start: Start, attach: Attach, office: Office
) -> None:
    office.smsc.behaviour = Behaviour(error_every=1, error_status=CommandStatus.ESME_RSYSERR)
    gateway = await start(stores=office.stores)
    await attach(gateway)

    outbound = await office.ended(await office.ask_for())

    assert outbound.state is OutboundState.REFUSED
    assert office.smsc.counters.refused == 1


@pytest.fixture
def two(sender: BuildSender) -> tuple[Sender, Sender]:
    """Two SPs, neither of which owns the hub code."""
    return sender(), sender(system_id="sp2", ports=(Port("10690077"),))


async def test_outbound_messages_of_a_code_that_nobody_owns_go_by_the_binds_of_all_in_turn(
    start: Start, attach: Attach, office: Office, two: tuple[Sender, Sender]
) -> None:
    gateway = await start(stores=office.stores, senders=two)
    await attach(gateway, "sp1")
    await attach(gateway, "sp2")

    for number in [await office.ask_for() for _ in range(4)]:
        await office.ended(number)

    assert sorted(one.system_id for one in office.smsc.journal) == ["sp1", "sp1", "sp2", "sp2"]


async def test_r87_a_reporter_is_written_to_from_the_report_code(
    start: Start, attach: Attach, office: Office
) -> None:
    await attach(await start(stores=office.stores))

    outbound = await office.ended(await office.ask_for("您的举报17已处理", port=REPORTS))

    assert office.told() == [(REPORTS, str(MSISDN), "您的举报17已处理")]
    assert outbound.state is OutboundState.SENT


@pytest.mark.usefixtures("impatient")
async def test_what_the_smsc_refuses_on_one_bind_is_tried_on_another(
    start: Start, attach: Attach, office: Office, two: tuple[Sender, Sender]
) -> None:
    office.smsc.behaviour = Behaviour(error_every=2, error_status=CommandStatus.ESME_RSYSERR)
    gateway = await start(stores=office.stores, senders=two)
    await attach(gateway, "sp1")
    await attach(gateway, "sp2")
    first = await office.ended(await office.ask_for())
    second = await office.ended(await office.ask_for())

    assert {first.state, second.state} == {OutboundState.SENT}
    assert office.smsc.counters.refused == 1
    _, refused, again = office.smsc.journal
    assert {refused.system_id, again.system_id} == {"sp1", "sp2"}


@pytest.mark.usefixtures("impatient")
async def test_what_every_bind_is_refused_is_refused(
    start: Start, attach: Attach, office: Office, two: tuple[Sender, Sender]
) -> None:
    office.smsc.behaviour = Behaviour(error_every=1, error_status=CommandStatus.ESME_RSYSERR)
    gateway = await start(stores=office.stores, senders=two)
    await attach(gateway, "sp1")
    await attach(gateway, "sp2")

    outbound = await office.ended(await office.ask_for())

    assert outbound.state is OutboundState.REFUSED
    assert sorted(one.system_id for one in office.smsc.journal) == ["sp1", "sp2"]


@pytest.mark.usefixtures("impatient")
async def test_it_is_not_known_for_ever_by_whose_bind_an_outbound_message_went(
    start: Start, attach: Attach, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mt_sender, "_MAX_REMEMBERED", 1)
    gateway = await start(stores=office.stores)
    await attach(gateway)

    for number in [await office.ask_for() for _ in range(3)]:
        assert (await office.ended(number)).state is OutboundState.SENT


@pytest.mark.usefixtures("impatient")
async def test_what_was_sent_while_the_store_failed_is_noted_later_and_not_sent_twice(
    start: Start,
    attach: Attach,
    office: Office,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
    log: LogLines,
) -> None:
    gateway = await start(stores=office.stores)
    await attach(gateway)
    failures: list[int] = []

    async def fail(number: int, *_rest: object) -> bool:
        failures.append(number)
        raise StoreUnavailable("disk full")

    with monkeypatch.context() as failing:
        failing.setattr(office.stores.outbound_messages, "finish", fail)
        number = await office.ask_for()
        await until(lambda: len(failures) > 1)
    outbound = await office.ended(number)

    assert outbound.state is OutboundState.SENT
    assert len(office.told()) == 1
    assert "store.failed" in [line["event"] for line in log]


async def test_a_bind_that_is_lost_between_claim_and_writing_costs_no_attempt(
    start: Start, attach: Attach, office: Office, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    gateway = await start(stores=office.stores)
    esme = await attach(gateway)
    take, lost = office.stores.outbound_messages.take_waiting, asyncio.Event()

    async def take_and_lose(*given: object) -> list[OutboundMessage]:
        taken = await take(*given)  # type: ignore[arg-type]
        if taken and not lost.is_set():
            lost.set()
            await esme.unbind()
            await until(lambda: not gateway.sessions.pairs)
        return taken

    monkeypatch.setattr(office.stores.outbound_messages, "take_waiting", take_and_lose)
    number = await office.ask_for()
    await lost.wait()
    await until(lambda: not gateway.sessions.pairs)
    assert office.told() == []

    await attach(gateway)
    outbound = await office.ended(number)

    assert (outbound.state, outbound.attempts) == (OutboundState.SENT, 1)


async def test_many_outbound_message_at_once_all_go_out_once(
    start: Start, attach: Attach, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mt_sender, "_AT_ONCE", 5)
    monkeypatch.setattr(mt_sender, "_MAX_UNDER_WAY", 10)
    numbers = [await office.ask_for(f"第{place}条") for place in range(40)]
    gateway = await start(stores=office.stores)
    await attach(gateway)

    for number in numbers:
        assert (await office.ended(number)).state is OutboundState.SENT

    assert sorted(one[2] for one in office.told()) == sorted(f"第{n}条" for n in range(40))


async def test_r24_an_order_by_api_is_confirmed_by_the_subscribers_yes_end_to_end(
    start: Start, attach: Attach, office: Office, hearing: Bundle, until: Until
) -> None:
    gateway = await start(stores=office.stores, policy=hearing)
    gateway.policies.offer((WEATHER,))
    await attach(gateway)
    subscriptions = office.stores.subscriptions
    desk = order_desk(office)

    ordered = await desk.order(OrderRequest(MSISDN, "sp1", "weather", "web", "ref-1"), utcnow())
    await until(lambda: len(office.told()) == 1)
    (asked,) = office.told()
    await asked_for_a_yes(office)
    await office.smsc.deliver("sp1", SUBSCRIBER, PORT, "是".encode("utf-16-be"), data_coding=8)
    await until(lambda: len(office.told()) == 2)

    assert isinstance(ordered, PendingOrder)
    assert asked[0] == PORT
    assert "5元/月" in asked[2]
    (one,) = (await subscriptions.known(MSISDN, PORT, utcnow())).subscriptions
    assert one.state.value == "active"
    history = await subscriptions.history(MSISDN, ("sp1", "weather"))
    assert [event.act for event in history] == ["order", "sent", "confirm"]
    assert history[1].message_id == office.smsc.journal[0].message_id


async def asked_for_a_yes(office: Office) -> None:
    """Wait until the store knows that the request has gone."""

    async def look() -> bool:
        known = await office.stores.subscriptions.known(MSISDN, PORT, utcnow())
        return known.subscriptions[0].is_asked

    await eventually(look)


@pytest.mark.parametrize("answer", [Answer.REFUSED, Answer.AGREED])
async def test_r40_a_request_waits_for_the_hours_of_the_gateways_policy_and_may_be_dropped(
    start: Start, attach: Attach, office: Office, bundle: Bundle, answer: Answer
) -> None:
    """What the store holds at the moment of sending counts."""
    local = (utcnow() + timedelta(hours=14)).replace(tzinfo=None)  # in six hours, in Beijing
    closed = WindowSet((Window(local.time(), (local + timedelta(hours=1)).time()),))
    never = replace(OPEN_ALL_DAY, check=OutsideWindow(closed, timedelta()))
    gateway = await start(stores=office.stores, policy=replace(bundle, rules=(never,)))
    desk, stores = order_desk(office), office.stores
    await desk.order(OrderRequest(MSISDN, "sp1", "weather", "web", "ref-1"), utcnow())
    await stores.consent.record([ConsentAnswer(MSISDN, "sp1", answer, utcnow(), "hall")])
    await attach(gateway)
    code = await office.ask_for()

    assert (await office.ended(code)).state is OutboundState.SENT
    order = await office.outbound(1)
    assert (
        order.state
        is {
            Answer.REFUSED: OutboundState.DROPPED,
            Answer.AGREED: OutboundState.WAITING,
        }[answer]
    )
    assert [text for _, _, text in office.told()] == [CODE]


async def test_r24_an_order_of_which_the_subscriber_could_not_be_told_is_withdrawn_end_to_end(
    start: Start, attach: Attach, office: Office, hearing: Bundle
) -> None:
    office.smsc.behaviour = Behaviour(error_every=1, error_status=CommandStatus.ESME_RSYSERR)
    gateway = await start(stores=office.stores, policy=hearing)
    await attach(gateway)
    subscriptions = office.stores.subscriptions
    desk = order_desk(office)

    await desk.order(OrderRequest(MSISDN, "sp1", "weather", "web", "ref-1"), utcnow())

    async def look() -> bool:
        (one,) = (await subscriptions.known(MSISDN, PORT, utcnow())).subscriptions
        return one.state.value == "withdrawn"

    await eventually(look)
