"""A bind of the gateway's own: subscribers are heard although their SP is not there."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer
from gateway.domain.policy import RepliesRule
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.sender import Sender, Webhook
from gateway.domain.subscription import Hub
from gateway.policy.bundle import Bundle
from gateway.proxy import delivery_backlog
from gateway.proxy.delivery_backlog import DeliveryBacklog
from gateway.runtime.clock import utcnow
from gateway.runtime.tasks import spawn
from gateway.settings.gateway import GatewaySettings, WebhookSettings
from gateway.settings.smscs import OwnAccount, OwnBindType
from gateway.smpp.pdu import decode
from gateway.storage.errors import StoreUnavailable
from gateway.systems.consent.sql import ConsentStore
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.service import QuarantineDesk
from gateway.systems.undelivered_messages import UndeliveredStore
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from tests.real_time import eventually

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Reach = Callable[[Gateway, str, HoldState], Awaitable[HeldMessage]]
LogLines = list[dict[str, object]]

PORT, NOBODY, SUBSCRIBER, MSISDN = "10690001", "10699999", "13800138000", 8613800138000
HUB = "10086"
ADVERT = "【示例商城】会员日全场八折，到店有礼，拒收请回复R"
CONFIRMED, RESTORED = "您已退订", "您已恢复"
TAKEN, REFUSED, TEMPORARY = 0, 0x45, 0x64


@pytest.fixture
def settings(settings: GatewaySettings) -> GatewaySettings:
    """A gateway with a bind of its own."""
    return with_own_bind(settings)


def with_own_bind(
    settings: GatewaySettings, bind_type: OwnBindType = OwnBindType.TRANSCEIVER
) -> GatewaySettings:
    account = OwnAccount("gw", "plain:gw", bind_type)
    smscs = tuple(replace(smsc, own_bind=account) for smsc in settings.smscs)
    loopback = WebhookSettings((ip_network("127.0.0.0/8"),))
    return replace(settings, smscs=smscs, hub=Hub(frozenset({HUB})), webhooks=loopback)


@pytest.fixture
def hearing(bundle: Bundle) -> Bundle:
    """A policy under which replies are heard."""
    return replace(bundle, replies=RepliesRule(CONFIRMED, RESTORED))


@pytest.fixture
async def gateway(start: Start, hearing: Bundle, until: Until) -> Gateway:
    """A gateway whose own bind stands."""
    gateway = await start(policy=hearing)
    await until(lambda: is_bound(gateway))
    return gateway


def is_bound(gateway: Gateway) -> bool:
    return set(gateway.sessions.pool.own_binds().values()) == {1}


def said(smsc: SimulatedSmsc) -> list[tuple[str, str, str]]:
    """Return who wrote what of the gateway's words to a subscriber, on which account."""
    found = [(r.system_id, r.source, r.octets.decode("utf-16-be")) for r in smsc.journal]
    return [one for one in found if one[2] in {CONFIRMED, RESTORED}]


async def hear(smsc: SimulatedSmsc, text: str, to: str = PORT) -> int:
    """Let a subscriber write to a port; return what the gateway says on its own bind."""
    return await smsc.deliver("gw", SUBSCRIBER, to, text)


async def next_text(esme: RawEsme) -> str:
    """Return the text of the next delivery to an SP, without its sequence_number."""
    return str(decode(await esme.next_pdu()).octets("short_message"), "utf-16-be")


async def test_td_holds_while_the_sp_is_offline_and_reaches_it_at_its_next_bind(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    heard = await hear(smsc, "TD")

    answer = await gateway.stores.consent.answer_of(MSISDN, "sp1")
    assert heard == TAKEN
    assert answer is not None
    assert answer.answer is Answer.REFUSED
    assert said(smsc) == [("gw", PORT, CONFIRMED)]
    esme = await attach(gateway)
    assert (await esme.submit(PORT, SUBSCRIBER, ADVERT)).command_status == REFUSED
    assert await next_text(esme) == "TD"


async def test_td_holds_for_an_sp_that_only_transmits_and_its_own_bind_confirms(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway, kind="tx")
    assert (await esme.submit(PORT, SUBSCRIBER, ADVERT)).is_ok

    heard = await hear(smsc, "TD")

    assert heard == TAKEN
    assert (await esme.submit(PORT, SUBSCRIBER, ADVERT)).command_status == REFUSED
    assert said(smsc) == [("sp1", PORT, CONFIRMED)]


async def test_td_to_an_sp_that_only_transmits_reaches_its_webhook(
    start: Start, sender: Callable[..., Sender], hearing: Bundle, smsc: SimulatedSmsc, until: Until
) -> None:
    posted = asyncio.Queue[str]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        octets = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        posted.put_nowait((await reader.readexactly(octets)).decode())
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        webhook = Webhook(f"http://127.0.0.1:{port}/", "plain:" + "k" * 32)
        gateway = await start(policy=hearing, senders=(sender(webhook=webhook),))
        await until(lambda: is_bound(gateway))

        assert await hear(smsc, "TD") == TAKEN
        async with asyncio.timeout(60):
            notice = await posted.get()

    assert str(MSISDN) in notice


async def test_what_is_for_an_sp_that_listens_goes_to_it_at_once_and_is_answered_by_it(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway, kind="rx")
    esme.deliver_status = 0x14

    heard = await hear(smsc, "TD")

    assert heard == 0x14
    assert await next_text(esme) == "TD"
    assert await gateway.stores.undelivered.counts() == {}


async def test_every_word_to_an_sp_that_is_away_is_kept_and_comes_in_order(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    for text in ("您好", "我的订单2还没到", "0000"):
        assert await hear(smsc, text) == TAKEN

    esme = await attach(gateway)

    assert [await next_text(esme), await next_text(esme)] == ["您好", "我的订单2还没到"]
    backlog = gateway.stores.undelivered

    async def look() -> bool:
        return not await backlog.counts()

    await eventually(look)


async def test_what_an_sp_does_not_take_stays_kept_and_comes_again(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_backlog, "_RETRY_S", 0.0)
    await hear(smsc, "您好")
    esme = await attach(gateway)
    esme.deliver_status = 0x14

    first, second = await next_text(esme), await next_text(esme)

    assert (first, second) == ("您好", "您好")
    assert await gateway.stores.undelivered.counts() == {"sp1": 1}


async def test_a_refusal_is_committed_before_the_smsc_hears_that_it_arrived(
    gateway: Gateway, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = gateway.stores.consent
    record = type(store).record
    events: list[str] = []

    async def noted(self: ConsentStore, answers: Sequence[ConsentAnswer]) -> object:
        found = await record(self, answers)
        events.append("committed")
        return found

    monkeypatch.setattr(type(store), "record", noted)

    heard = await hear(smsc, "TD")
    events.append("answered")

    assert heard == TAKEN
    assert events == ["committed", "answered"]


async def test_while_the_store_fails_a_refusal_holds_and_the_smsc_keeps_it(
    gateway: Gateway,
    attach: Attach,
    smsc: SimulatedSmsc,
    monkeypatch: pytest.MonkeyPatch,
    log: LogLines,
) -> None:
    async def fail(*_: object) -> None:
        raise StoreUnavailable("locked")

    with monkeypatch.context() as patch:
        patch.setattr(ConsentStore, "record", fail)
        heard = await hear(smsc, "TD")
    esme = await attach(gateway, kind="tx")
    refused = (await esme.submit(PORT, SUBSCRIBER, ADVERT)).command_status
    again = await hear(smsc, "TD")

    assert (heard, refused, again) == (TEMPORARY, REFUSED, TAKEN)
    assert len(said(smsc)) == 1
    assert "store.failed" in {line["event"] for line in log}


async def test_what_can_not_be_kept_stays_with_the_smsc(
    gateway: Gateway, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StoreUnavailable("locked")

    with monkeypatch.context() as patch:
        patch.setattr(delivery_backlog, "_MAX_EACH", 1)
        heard = [await hear(smsc, text) for text in ("您好", "在吗")]
        patch.setattr(UndeliveredStore, "keep", fail)
        heard.append(await hear(smsc, "喂"))
    with monkeypatch.context() as patch:
        patch.setattr(delivery_backlog, "_MAX_UNDER_WAY", 0)
        heard.append(await hear(smsc, "喂"))
    heard.append(await hear(smsc, "喂", NOBODY))
    heard.append(await hear(smsc, "TD", NOBODY))

    assert heard == [TAKEN, *5 * [TEMPORARY]]
    assert await gateway.stores.consent.answer_of(MSISDN, "") is None


async def test_a_word_to_a_hub_code_is_obeyed_and_ends_at_the_gateway(
    gateway: Gateway, smsc: SimulatedSmsc
) -> None:
    heard = [await hear(smsc, text, HUB) for text in ("HF", "你好")]

    answer = await gateway.stores.consent.answer_of(MSISDN, EVERY_SENDER)
    assert heard == [TAKEN, TAKEN]
    assert answer is not None
    assert answer.answer is Answer.AGREED
    assert said(smsc) == [("gw", HUB, RESTORED)]
    assert await gateway.stores.undelivered.counts() == {}


async def test_a_lost_own_bind_comes_back_and_readyz_tells(
    gateway: Gateway, smsc: SimulatedSmsc, until: Until, log: LogLines
) -> None:
    def faults() -> list[str]:
        return gateway.sessions.pool.faults()

    well = faults()
    await smsc.stop()
    await until(lambda: not is_bound(gateway))
    lost = faults()
    await smsc.start()
    await until(lambda: is_bound(gateway))

    assert (well, faults()) == ([], [])
    assert len(lost) == 1
    assert "own bind at the SMSC main" in lost[0]
    assert await hear(smsc, "TD") == TAKEN
    events = [line["event"] for line in log if line.get("system_id") == "gw"]
    assert events == ["smsc.bound", "smsc.lost", "smsc.bound"]


async def test_an_account_that_the_smsc_refuses_is_said_and_tried_again(
    start: Start, hearing: Bundle, smsc: SimulatedSmsc, until: Until, log: LogLines
) -> None:
    smsc.behaviour = replace(smsc.behaviour, passwords={"gw": "other"})
    gateway = await start(policy=hearing)
    await until(lambda: smsc.counters.binds_refused > 1)
    smsc.behaviour = replace(smsc.behaviour, passwords={})
    await until(lambda: is_bound(gateway))

    refused = [line for line in log if line["event"] == "smsc.refused"]
    assert {(line["system_id"], line["smsc"]) for line in refused} == {("gw", "main")}


async def test_the_own_bind_is_unbound_when_the_gateway_drains(
    gateway: Gateway, smsc: SimulatedSmsc
) -> None:
    await gateway.drain()

    await smsc.until(lambda: not smsc.sessions)
    assert smsc.counters.unbinds == 1
    assert not is_bound(gateway)


@pytest.fixture
async def restarted(
    start: Start, hearing: Bundle, smsc: SimulatedSmsc, until: Until, tmp_path: Path
) -> Gateway:
    """A gateway on the store of one that ended between the commit of a TD and its answer."""
    url = f"sqlite:///{tmp_path}/store.db"
    committed = asyncio.Event()

    def end(*_: object) -> bool:
        committed.set()
        return False

    async def write_once() -> None:
        with contextlib.suppress(ConnectionError):
            await hear(smsc, "TD")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DeliveryBacklog, "_answer", end)
        first = await start(policy=hearing, store_url=url)
        await until(lambda: is_bound(first))
        unheard = spawn(write_once(), name="subscriber")
        await committed.wait()
    await first.stop()
    await unheard
    second = await start(policy=hearing, store_url=url)
    await until(lambda: is_bound(second))
    return second


async def test_killed_between_commit_and_answer_nothing_is_refused_confirmed_or_delivered_twice(
    restarted: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    again = await hear(smsc, "TD")
    later = await hear(smsc, "TD")  # the subscriber writes it once more

    assert (again, later) == (TAKEN, TAKEN)
    assert len(said(smsc)) == 1
    assert [len(some) async for some in restarted.stores.consent.all_answers()] == [1]
    esme = await attach(restarted)
    assert [await next_text(esme), await next_text(esme)] == ["TD", "TD"]
    assert esme.pdus().empty()


async def test_a_message_that_is_released_while_its_sp_is_gone_goes_out_on_the_own_bind(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, until: Until, reach: Reach
) -> None:
    esme = await attach(gateway)
    held = await esme.submit(PORT, SUBSCRIBER, "【示例商城】低息贷款，拒收请回复R")
    await esme.unbind()
    await until(lambda: not gateway.sessions.pairs)
    desk = QuarantineDesk(gateway.stores.quarantine, MessageIds(worker=9))

    await desk.request_release(int(held.message_id), "zhao", utcnow())
    released = await reach(gateway, held.message_id, HoldState.RELEASED)

    (received,) = [one for one in smsc.journal if one.source == PORT]
    assert received.system_id == "gw"
    assert received.message_id == released.smsc_message_id


async def test_a_receiver_hears_and_confirms_nothing_until_the_sp_is_back(
    start: Start,
    settings: GatewaySettings,
    hearing: Bundle,
    smsc: SimulatedSmsc,
    until: Until,
) -> None:
    smscs = with_own_bind(settings, OwnBindType.RECEIVER).smscs
    gateway = await start(policy=hearing, smscs=smscs)
    await until(lambda: is_bound(gateway))

    assert await hear(smsc, "TD") == TAKEN
    assert await hear(smsc, "0000") == TEMPORARY  # its answer is a list, and there is no way for it
    assert await gateway.stores.consent.answer_of(MSISDN, "sp1") is not None
    assert smsc.journal == []
