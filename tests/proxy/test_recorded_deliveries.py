"""What the gateway itself hears, delivers and is asked, on record (N136, R70)."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.policy import RepliesRule
from gateway.domain.records import DeliveryRow, OutcomeRow
from gateway.policy.bundle import Bundle
from gateway.records.writer import Records
from gateway.runtime.clock import utcnow
from gateway.smpp.commands import CommandId
from gateway.smpp.status import CommandStatus
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.service import QuarantineDesk
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

pytestmark = pytest.mark.usefixtures("unwritten")

PORT, SUBSCRIBER = "10690001", "13800138000"
LOAN = "低息贷款，当天到账"
LIST = builders.ucs2("0000")
TRY_LATER = CommandStatus.ESME_RX_T_APPN


@pytest.fixture
def listening(bundle: Bundle) -> Bundle:
    return replace(bundle, replies=RepliesRule("您已退订", "您已恢复"))


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, stores: Stores) -> Stores:
    """A store that knows no subscriptions any more."""

    async def known(*_of: object) -> object:
        raise StoreUnavailable("down")

    monkeypatch.setattr(stores.subscriptions, "known", known)
    return stores


def delivered(gateway: Gateway) -> list[DeliveryRow]:
    return [row for row in gateway.records.rows if row[0] == "m"]


def ended(gateway: Gateway) -> list[OutcomeRow]:
    """Return what became of deliveries."""
    rows = gateway.records.rows
    return [row for row in rows if row[0] == "o" and row[2][2] == CommandId.DELIVER_SM]


def joined(gateway: Gateway) -> bool:
    """Tell whether every outcome names the delivery that it is of."""
    known = {(row[2], row[3]) for row in delivered(gateway)}
    return {(row[2], row[3]) for row in ended(gateway)} <= known


async def test_r70_a_list_that_the_gateway_answers_is_on_record_as_kept_back(
    start: Start, attach: Attach, smsc: SimulatedSmsc, listening: Bundle
) -> None:
    gateway = await start(policy=listening)
    await attach(gateway)

    assert await smsc.deliver("sp1", SUBSCRIBER, PORT, LIST, data_coding=8) == 0

    assert [(row[4], row[7][0]) for row in delivered(gateway)] == [(SUBSCRIBER.encode(), "reply")]
    assert [(row[4], row[7]) for row in ended(gateway)] == [(0, "kept_back")]
    assert joined(gateway)


async def test_r70_a_list_that_is_put_off_is_on_record_each_time_it_comes(
    start: Start, attach: Attach, smsc: SimulatedSmsc, listening: Bundle, failing: Stores
) -> None:
    gateway = await start(policy=listening, stores=failing)
    await attach(gateway)

    for _ in range(2):
        heard = await smsc.deliver("sp1", SUBSCRIBER, PORT, LIST, data_coding=8)
        assert heard == TRY_LATER

    assert len(delivered(gateway)) == 2
    assert [(row[4], row[7]) for row in ended(gateway)] == [(TRY_LATER, "put_off")] * 2
    assert joined(gateway)


@pytest.mark.parametrize("status", [CommandStatus.ESME_ROK, CommandStatus.ESME_RX_P_APPN])
async def test_r70_a_receipt_of_the_gateways_own_is_on_record_with_the_sp_s_answer(
    gateway: Gateway, attach: Attach, until: Until, status: CommandStatus
) -> None:
    esme = await attach(gateway)
    esme.deliver_status = status
    answer = await esme.submit(PORT, SUBSCRIBER, LOAN, registered_delivery=1)
    desk = QuarantineDesk(gateway.stores.quarantine, MessageIds(worker=99))

    await desk.discard(int(answer.message_id), "lin", utcnow())
    await esme.next_pdu()
    await until(lambda: bool(ended(gateway)))

    (row,) = delivered(gateway)
    (session,) = gateway.sessions.pairs
    assert row[2] == (session.number, "sp1", CommandId.DELIVER_SM)
    assert row[4:7] == (SUBSCRIBER.encode(), PORT.encode(), answer.message_id.encode())
    assert row[7][:3] == ("receipt", "REJECTD", "001")
    assert [(row[4], row[7]) for row in ended(gateway)] == [(status, "answered")]
    assert joined(gateway)


async def test_r70_what_an_sp_asks_of_a_held_message_is_on_record(
    gateway: Gateway, attach: Attach
) -> None:
    esme = await attach(gateway)
    held = (await esme.submit(PORT, SUBSCRIBER, LOAN)).message_id
    cancel = builders.cancel_sm(held, PORT, SUBSCRIBER, sequence=901)
    text = builders.ucs2("您好")

    await esme.request(cancel)
    await esme.request(builders.replace_sm(held, PORT, text, sequence=902))

    rows = gateway.records.rows
    asked = [row[3] for row in rows if row[0] == "e" and row[2] == "operation"]
    answered = [(row[3], row[4]) for row in rows if row[0] == "o" and row[3] in {901, 902}]
    assert [(row["sequence_number"], row["message_id"]) for row in asked] == [
        (901, held.encode()),
        (902, held.encode()),
    ]
    assert answered == [(901, 0), (902, CommandStatus.ESME_RREPLACEFAIL)]


async def test_while_records_have_no_room_the_smsc_hears_so_although_no_sp_says_anything(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    esme = await attach(gateway)

    with monkeypatch.context() as patch:
        patch.setattr(Records, "is_full", property(lambda _self: True))
        put_off = await smsc.deliver("sp1", SUBSCRIBER, PORT, "TD")
    taken = await smsc.deliver("sp1", SUBSCRIBER, PORT, "TD")

    assert (put_off, taken) == (TRY_LATER, 0)
    assert esme.pdus().qsize() == len(delivered(gateway)) == 1
