"""What is kept for an SP that is not there: nothing is lost, and nothing holds back the rest."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from gateway.app.gateway import Gateway
from gateway.domain.policy import RepliesRule
from gateway.domain.sender import Sender, Webhook
from gateway.policy.bundle import Bundle
from gateway.proxy import delivery_backlog
from gateway.proxy.delivery_backlog import body_of_deliveries
from gateway.runtime.clock import monotonic
from gateway.runtime.tasks import spawn
from gateway.settings.gateway import GatewaySettings
from gateway.smpp.commands import CommandId
from gateway.smpp.pdu import HEADER, decode, make
from gateway.storage.errors import StoreUnavailable
from gateway.systems.undelivered_messages import UndeliveredMessage, UndeliveredStore
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from tests.proxy.conftest import TIMERS
from tests.proxy.people import hold, receipt_of, release
from tests.proxy.test_own_bind import (
    PORT,
    SUBSCRIBER,
    TAKEN,
    TEMPORARY,
    hear,
    is_bound,
    next_text,
    with_own_bind,
)
from tests.proxy.test_pool import pooled
from tests.real_time import eventually

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

RunTwice = Callable[[Callable[[Gateway], Awaitable[object]]], Awaitable[tuple[Gateway, RawEsme]]]

OTHER = "13800138001"
LogLines = list[dict[str, object]]
QUEUE_FULL, REFUSED_FOR_GOOD = 0x14, 0x65


@pytest.fixture
def settings(settings: GatewaySettings) -> GatewaySettings:
    """A gateway that may post to this machine."""
    return replace(settings, webhooks=with_own_bind(settings).webhooks)


@pytest.fixture
async def gateway(start: Start, settings: GatewaySettings, until: Until) -> Gateway:
    """A gateway whose own bind stands."""
    gateway = await start(smscs=with_own_bind(settings).smscs)
    await until(lambda: is_bound(gateway))
    return gateway


@pytest.fixture
def run_twice(
    start: Start, settings: GatewaySettings, attach: Attach, until: Until, tmp_path: Path
) -> RunTwice:
    """Let a gateway keep something, and start the next one; the SP answers nothing by itself."""

    async def run(keep: Callable[[Gateway], Awaitable[object]]) -> tuple[Gateway, RawEsme]:
        url, smscs = f"sqlite:///{tmp_path}/store.db", with_own_bind(settings).smscs
        first_run = await start(store_url=url, smscs=smscs)
        await until(lambda: is_bound(first_run))
        await keep(first_run)
        await first_run.stop()
        gateway = await start(store_url=url, smscs=smscs)
        await until(lambda: is_bound(gateway))
        esme = await attach(gateway, kind=None)
        esme.answers_requests = False
        await esme.bind("sp1", "secret", "trx")
        return gateway, esme

    return run


async def all_delivered(gateway: Gateway) -> None:
    async def look() -> bool:
        return not await gateway.stores.undelivered.counts()

    await eventually(look)


async def test_a_late_answer_counts_once_and_the_sp_goes_on_getting_what_is_kept(
    gateway: Gateway,
    attach: Attach,
    smsc: SimulatedSmsc,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery_backlog, "_MAX_EACH", 1)
    await hear(smsc, "您好")
    esme = await attach(gateway, kind=None)
    esme.answers_requests = False
    await esme.bind("sp1", "secret", "trx")
    first = await esme.next_pdu()
    gateway.keeper.sweep(monotonic() + TIMERS.response_s)

    for pdu in (first, await esme.next_pdu()):
        sequence = HEADER.unpack_from(pdu)[3]
        await esme.send(make(CommandId.DELIVER_SM_RESP, sequence, message_id=b""))
    await all_delivered(gateway)
    await esme.unbind()
    await until(lambda: not gateway.sessions.pairs)

    assert [await hear(smsc, text) for text in ("在吗", "喂")] == [TAKEN, TEMPORARY]
    assert await next_text(await attach(gateway)) == "在吗"
    await all_delivered(gateway)


async def test_what_three_subscribers_write_alike_at_once_is_kept_three_times(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    heard = await asyncio.gather(*(hear(smsc, "YES") for _ in range(3)))

    assert heard == [TAKEN] * 3
    assert await gateway.stores.undelivered.counts() == {"sp1": 3}
    esme = await attach(gateway)
    assert [await next_text(esme) for _ in range(3)] == ["YES"] * 3


async def test_what_the_smsc_was_told_of_is_kept_again_although_the_store_does_not_know(
    gateway: Gateway, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StoreUnavailable("locked")

    with monkeypatch.context() as patch:
        patch.setattr(UndeliveredStore, "acknowledge", fail)
        first = await hear(smsc, "YES")
        second = await hear(smsc, "YES")

    assert (first, second) == (TAKEN, TAKEN)
    assert await gateway.stores.undelivered.counts() == {"sp1": 2}


@pytest.mark.parametrize(
    ("status", "texts"),
    [
        (TEMPORARY, ["一", "一", "一"]),
        (QUEUE_FULL, ["一", "一", "一"]),
        (REFUSED_FOR_GOOD, ["一", "二", "一"]),
    ],
)
async def test_what_an_sp_refuses_for_good_comes_again_after_the_rest_and_no_order_else_changes(
    gateway: Gateway,
    attach: Attach,
    smsc: SimulatedSmsc,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    texts: list[str],
) -> None:
    monkeypatch.setattr(delivery_backlog, "_RETRY_S", 0.0)
    monkeypatch.setattr(delivery_backlog, "_AT_ONCE", 1)
    for text in ("一", "二"):
        await hear(smsc, text)
    esme = await attach(gateway, kind=None)
    esme.deliver_status = status
    await esme.bind("sp1", "secret", "trx")

    assert [await next_text(esme) for _ in texts] == texts
    assert await gateway.stores.undelivered.counts() == {"sp1": 2}


@pytest.mark.parametrize("replies", [None, RepliesRule("您已退订", "您已恢复")])
async def test_the_receipt_of_a_released_message_is_kept_with_the_id_that_its_sp_knows(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    bundle: Bundle,
    until: Until,
    replies: RepliesRule | None,
) -> None:
    smsc.behaviour = Behaviour(receipts=True)
    policy = replace(bundle, replies=replies)
    gateway = await start(smscs=(pooled(smsc, binds=1),), policy=policy)
    esme = await attach(gateway)
    message_id = await hold(esme)
    await esme.unbind()
    await until(lambda: not gateway.sessions.pairs)

    await release(gateway, message_id)

    async def one_waits() -> bool:
        return bool(await gateway.stores.undelivered.counts())

    await eventually(one_waits)

    receipt = receipt_of(await (await attach(gateway)).next_pdu())
    assert receipt[:2] == (message_id, message_id)


async def hear_from(smsc: SimulatedSmsc, subscriber: str, text: str) -> int:
    """Let a subscriber write to the port of sp1."""
    return await smsc.deliver("gw", subscriber, PORT, text)


async def answer(esme: RawEsme, delivery: bytes, status: int = 0) -> None:
    """Let an SP answer a delivery that it got."""
    sequence = HEADER.unpack_from(delivery)[3]
    await esme.send(make(CommandId.DELIVER_SM_RESP, sequence, status, message_id=b""))


def text_of(delivery: bytes) -> str:
    return str(decode(delivery).octets("short_message"), "utf-16-be")


@pytest.fixture
async def silent(gateway: Gateway, attach: Attach, smsc: SimulatedSmsc) -> RawEsme:
    """An SP that is bound again and answers nothing by itself; one message is kept for it."""
    await hear(smsc, "一")
    esme = await attach(gateway, kind=None)
    esme.answers_requests = False
    await esme.bind("sp1", "secret", "trx")
    return esme


async def test_a_new_message_waits_behind_what_is_kept_from_the_same_subscriber(
    gateway: Gateway, silent: RawEsme, smsc: SimulatedSmsc, until: Until
) -> None:
    first = await silent.next_pdu()

    behind = await hear(smsc, "二")  # kept, or the silent SP would not let it be answered
    beside = spawn(hear_from(smsc, OTHER, "三"), name="subscriber")
    other = await silent.next_pdu()
    await answer(silent, first)
    second = await silent.next_pdu()
    for pdu in (other, second):
        await answer(silent, pdu)
    await all_delivered(gateway)

    assert [text_of(one) for one in (first, other, second)] == ["一", "三", "二"]
    assert (behind, await beside) == (TAKEN, TAKEN)
    await until(lambda: not gateway.plane.backlogged)
    at_last = spawn(hear(smsc, "四"), name="subscriber")
    await answer(silent, await silent.next_pdu(), QUEUE_FULL)
    assert await at_last == QUEUE_FULL  # it goes to the SP at once again, which answers the SMSC


@pytest.mark.parametrize("first_answer", [QUEUE_FULL, None])
async def test_nothing_overtakes_what_an_sp_did_not_take_although_it_took_a_later_one(
    start: Start,
    settings: GatewaySettings,
    attach: Attach,
    smsc: SimulatedSmsc,
    until: Until,
    first_answer: int | None,
) -> None:
    gateway = await start(smscs=with_own_bind(settings).smscs)
    await until(lambda: is_bound(gateway))
    for text in ("一", "二"):
        await hear(smsc, text)
    esme = await attach(gateway, kind=None)
    esme.answers_requests = False
    await esme.bind("sp1", "secret", "trx")
    first, second = await esme.next_pdu(), await esme.next_pdu()

    if first_answer is not None:
        await answer(esme, first, first_answer)
    await answer(esme, second)
    (session,) = gateway.sessions.pairs
    await until(lambda: len(session.outstanding) == (first_answer is None))

    assert await hear(smsc, "三") == TAKEN  # kept, or the silent SP would not let it be answered


NOTIFIES, RECEIPT = 0x20, 0x04
TOLD = "sub:001 dlvrd:001 submit date:1309251000 done date:1309251001"


async def tell_of(smsc: SimulatedSmsc, message_id: str, esm_class: int = RECEIPT) -> int:
    """Tell sp1 of one of its messages; return what the SMSC hears."""
    stat = "DELIVRD" if esm_class == RECEIPT else "ENROUTE"
    text = f"id:{message_id} {TOLD} stat:{stat} err:000 text:".encode()
    return await smsc.deliver("gw", SUBSCRIBER, PORT, text, esm_class=esm_class)


async def test_a_receipt_waits_for_no_text_that_is_kept(
    silent: RawEsme, smsc: SimulatedSmsc
) -> None:
    first = await silent.next_pdu()

    told = spawn(tell_of(smsc, "0A1b"), name="smsc")
    receipt = await silent.next_pdu()
    await answer(silent, receipt, QUEUE_FULL)

    assert text_of(first) == "一"
    assert receipt_of(receipt)[0] == "0A1b"
    assert await told == QUEUE_FULL  # it went to the SP at once, which answered the SMSC


async def test_a_receipt_waits_for_what_is_kept_of_its_message_and_for_no_other_receipt(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    for message_id, esm_class in (("1", NOTIFIES), ("2", RECEIPT)):
        assert await tell_of(smsc, message_id, esm_class) == TAKEN
    esme = await attach(gateway, kind=None)
    esme.answers_requests = False
    await esme.bind("sp1", "secret", "trx")
    kept = [await esme.next_pdu() for _ in range(2)]

    assert await tell_of(smsc, "1") == TAKEN  # kept
    told = spawn(tell_of(smsc, "3"), name="smsc")
    await answer(esme, await esme.next_pdu(), QUEUE_FULL)
    assert await told == QUEUE_FULL
    for pdu in kept:
        await answer(esme, pdu)
    last = await esme.next_pdu()
    await answer(esme, last)

    assert [receipt_of(one)[0] for one in (*kept, last)] == ["1", "2", "1"]
    await all_delivered(gateway)
    await until(lambda: not gateway.plane.backlogged)


async def test_after_a_restart_a_receipt_waits_for_nothing(
    run_twice: RunTwice, smsc: SimulatedSmsc
) -> None:
    async def keep(_gateway: Gateway) -> None:
        await hear(smsc, "一")

    _, esme = await run_twice(keep)
    await esme.next_pdu()

    told = spawn(tell_of(smsc, "0A1b"), name="smsc")
    await answer(esme, await esme.next_pdu(), QUEUE_FULL)

    assert await told == QUEUE_FULL


async def test_a_receipt_that_comes_again_for_the_smsc_heard_nothing_is_delivered_once(
    run_twice: RunTwice, smsc: SimulatedSmsc
) -> None:
    told = f"id:0A1b {TOLD} stat:DELIVRD err:000 text:".encode()
    receipt = builders.deliver_sm(SUBSCRIBER, PORT, told, data_coding=0, esm_class=RECEIPT)

    async def keep(gateway: Gateway) -> None:
        # And is killed before it can tell the SMSC.
        await gateway.stores.undelivered.keep("sp1", receipt[:12] + bytes(4) + receipt[16:])

    gateway, esme = await run_twice(keep)
    kept = await esme.next_pdu()

    assert await tell_of(smsc, "0A1b") == TAKEN  # it is the same one
    await answer(esme, kept)

    assert receipt_of(kept)[0] == "0A1b"
    await all_delivered(gateway)


def test_what_is_known_to_be_kept_is_noted_once_and_forgotten_with_the_last() -> None:
    backlog = delivery_backlog._SpBacklog()
    for number in (1, 2, 2):
        backlog.note(number, 7)
    backlog.settle(2)
    backlog.settle(2)
    assert (backlog.delays(7), backlog.delays(8)) == (True, False)

    backlog.settle_all()

    assert not backlog.delays(7)
    assert not backlog.pair_of


async def test_nothing_waits_behind_what_an_sp_refuses_for_good(
    gateway: Gateway, silent: RawEsme, smsc: SimulatedSmsc, until: Until
) -> None:
    await answer(silent, await silent.next_pdu(), REFUSED_FOR_GOOD)
    await until(lambda: not gateway.plane.backlogged)

    second = spawn(hear(smsc, "二"), name="subscriber")
    await answer(silent, await silent.next_pdu())

    assert await second == TAKEN
    assert await gateway.stores.undelivered.counts() == {"sp1": 1}


async def test_what_is_kept_goes_on_behind_one_that_is_refused_for_good(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_backlog, "_AT_ONCE", 1)
    for text in ("一", "二"):
        await hear(smsc, text)
    esme = await attach(gateway, kind=None)
    esme.deliver_status = REFUSED_FOR_GOOD
    await esme.bind("sp1", "secret", "trx")

    assert [await next_text(esme) for _ in range(2)] == ["一", "二"]  # within half a minute


async def test_after_a_restart_all_that_is_new_waits_behind_what_was_kept(
    run_twice: RunTwice, smsc: SimulatedSmsc
) -> None:
    async def keep(_gateway: Gateway) -> None:
        await hear(smsc, "一")

    _, esme = await run_twice(keep)
    first = await esme.next_pdu()

    assert await hear_from(smsc, OTHER, "二") == TAKEN
    await answer(esme, first)

    assert text_of(await esme.next_pdu()) == "二"


@pytest.mark.parametrize("most", [0, 1])
async def test_past_a_number_of_subscribers_that_wait_everything_waits(
    gateway: Gateway,
    attach: Attach,
    smsc: SimulatedSmsc,
    monkeypatch: pytest.MonkeyPatch,
    until: Until,
    most: int,
) -> None:
    monkeypatch.setattr(delivery_backlog, "_MAX_KNOWN", most)
    await hear_from(smsc, OTHER, "一")
    await hear_from(smsc, "13800138009", "二")
    esme = await attach(gateway, kind=None)
    esme.answers_requests = False
    await esme.bind("sp1", "secret", "trx")
    kept = [await esme.next_pdu() for _ in range(2)]

    assert await hear(smsc, "三") == TAKEN
    for pdu in kept:
        await answer(esme, pdu)
    last = await esme.next_pdu()
    await answer(esme, last)

    assert text_of(last) == "三"
    await all_delivered(gateway)
    await until(lambda: not gateway.plane.backlogged)


@pytest.mark.usefixtures("gateway")
async def test_one_sp_does_not_take_all_places_of_what_is_being_kept(
    smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_backlog, "_MAX_UNDER_WAY_EACH", 2)

    heard = await asyncio.gather(*(hear(smsc, "YES") for _ in range(3)))

    assert sorted(heard) == [TAKEN, TAKEN, TEMPORARY]


class Hook:
    """A webhook: what it gets stands in `posted`, with its headers."""

    def __init__(self) -> None:
        self.posted = asyncio.Queue[tuple[str, bytes]]()
        self.status, self.port = "204 No Content", 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        octets = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        self.posted.put_nowait((head, await reader.readexactly(octets)))
        writer.write(f"HTTP/1.1 {self.status}\r\ncontent-length: 0\r\n\r\n".encode())
        writer.close()

    async def next_texts(self) -> list[str]:
        async with asyncio.timeout(60):
            _, body = await self.posted.get()
        return [one["text"] for one in orjson.loads(body)["deliveries"]]


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    one = Hook()
    async with await asyncio.start_server(one.serve, "127.0.0.1", 0) as server:
        one.port = server.sockets[0].getsockname()[1]
        yield one


@pytest.fixture
async def hooked(
    start: Start,
    settings: GatewaySettings,
    sender: Callable[..., Sender],
    until: Until,
    hook: Hook,
) -> Gateway:
    """A gateway that posts what nobody fetches."""
    webhook = Webhook(f"http://127.0.0.1:{hook.port}/", "plain:" + "k" * 32, deliveries=True)
    smscs = with_own_bind(settings).smscs
    gateway = await start(smscs=smscs, senders=(sender(webhook=webhook),))
    await until(lambda: is_bound(gateway))
    return gateway


async def test_what_nobody_fetches_is_posted_signed_and_not_delivered_again(
    hooked: Gateway, hook: Hook, attach: Attach, smsc: SimulatedSmsc, log: LogLines
) -> None:
    assert await hear(smsc, "你们好吗") == TAKEN

    head, body = await hook.posted.get()
    await all_delivered(hooked)

    posted = orjson.loads(body)
    (one,) = posted["deliveries"]
    assert posted["system_id"] == "sp1"
    assert (one["kind"], one["from"], one["to"], one["text"]) == (
        *("reply", "13800138000", PORT, "你们好吗"),
    )
    assert "x-smsward-signature: sha256=" in head
    esme = await attach(hooked)
    assert esme.pdus().empty()
    assert "你们好吗" not in str(log)


async def test_what_a_webhook_does_not_take_comes_again_and_goes_to_an_sp_that_binds(
    hooked: Gateway, hook: Hook, attach: Attach, smsc: SimulatedSmsc, log: LogLines
) -> None:
    hook.status = "500 Busy"
    assert await hear(smsc, "一") == TAKEN

    tried = [await hook.next_texts() for _ in range(2)]
    text = await next_text(await attach(hooked))
    await all_delivered(hooked)

    assert (tried, text) == ([["一"], ["一"]], "一")
    assert len([line for line in log if line["event"] == "notice.failed"]) == 1


async def test_an_sp_that_is_bound_gets_nothing_by_its_webhook(
    hooked: Gateway, hook: Hook, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(hooked)

    assert await hear(smsc, "一") == TAKEN

    assert await next_text(esme) == "一"
    assert hook.posted.empty()


def test_a_receipt_is_posted_with_what_it_says_and_a_person_s_text_as_it_is() -> None:
    receipt = builders.deliver_sm(
        "13800138000",
        PORT,
        b"id:0A1b submit date:1309300834 done date:1309300835 stat:DELIVRD err:000",
        data_coding=0,
        esm_class=4,
    )
    written = builders.deliver_sm("13800138000", "13900139000", builders.ucs2("好"))
    kept = [UndeliveredMessage(n, "sp1", pdu) for n, pdu in enumerate((receipt, written))]

    told, said = orjson.loads(body_of_deliveries("sp1", kept))["deliveries"]

    assert (told["kind"], told["message_id"], told["stat"]) == ("receipt", "0A1b", "DELIVRD")
    assert (said["number"], said["text"]) == (1, "好")
