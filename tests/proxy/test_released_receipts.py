"""Receipts of what people let go, in the SP's own terms."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.runtime.clock import monotonic
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, IdStyle, SimulatedSmsc
from tests.proxy.people import DESTINATION, LOAN, SOURCE, TIMERS, hold, receipt_of, release

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Reach = Callable[[Gateway, str, HoldState], Awaitable[HeldMessage]]


async def test_its_receipt_bears_the_id_the_sp_was_given(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    smsc.behaviour = Behaviour(receipts=True, poison_tlvs=True)
    esme = await attach(gateway)
    message_id = await hold(esme)

    await release(gateway, message_id)
    receipt = await esme.next_pdu()

    assert receipt_of(receipt) == (message_id, message_id, "DELIVRD")
    await smsc.until(lambda: smsc.counters.delivered == 1)


@pytest.mark.parametrize(
    ("style", "receipt_style"),
    [
        (IdStyle.HEX, IdStyle.DECIMAL),
        (IdStyle.DECIMAL, IdStyle.HEX),
        (IdStyle.ZERO_PADDED, IdStyle.DECIMAL),
        (IdStyle.UUID, None),
    ],
)
async def test_an_smsc_that_writes_its_ids_in_two_ways_is_understood(
    gateway: Gateway,
    attach: Attach,
    smsc: SimulatedSmsc,
    style: IdStyle,
    receipt_style: IdStyle | None,
) -> None:
    smsc.behaviour = Behaviour(receipts=True, id_style=style, receipt_id_style=receipt_style)
    esme = await attach(gateway)
    message_id = await hold(esme)

    await release(gateway, message_id)

    assert receipt_of(await esme.next_pdu())[0] == message_id


async def test_a_receipt_that_overtakes_the_answer_waits_for_it(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    smsc.behaviour = Behaviour(receipts=True, receipt_before_answer=True, hold_answers=True)
    esme = await attach(gateway)
    message_id = await hold(esme)

    await release(gateway, message_id)
    await smsc.received(1)
    # What is not about a message of ours does not wait with it.
    await smsc.deliver("sp1", DESTINATION, SOURCE, "TD")
    assert esme.pdus().qsize() == 1
    assert smsc.counters.delivered == 1
    smsc.release_answers()
    mobile, receipt = await esme.next_pdu(), await esme.next_pdu()

    assert mobile.endswith(builders.ucs2("TD"))
    assert receipt_of(receipt) == (message_id, message_id, "DELIVRD")
    await smsc.until(lambda: smsc.counters.delivered == 2)


async def test_an_early_receipt_is_let_go_when_the_release_is_lost(
    start: Start, attach: Attach, smsc: SimulatedSmsc
) -> None:
    gateway = await start(timers=TIMERS)
    smsc.behaviour = Behaviour(receipts=True, receipt_before_answer=True, hold_answers=True)
    esme = await attach(gateway)
    message_id = await hold(esme)
    await release(gateway, message_id)
    await smsc.received(1)

    gateway.keeper.sweep(monotonic() + TIMERS.response_s)
    receipt = await esme.next_pdu()

    assert receipt_of(receipt)[0] == smsc.journal[0].message_id
    await smsc.until(lambda: smsc.counters.delivered == 1)


async def test_a_receipt_on_another_bind_of_the_sp_is_its_own_all_the_same(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    smsc.behaviour = Behaviour(receipts=True)
    sending, receiving = await attach(gateway, kind="tx"), await attach(gateway, kind="rx")
    message_id = await hold(sending)

    await release(gateway, message_id)

    assert receipt_of(await receiving.next_pdu())[0] == message_id
    assert sending.pdus().empty()


async def test_its_receipt_is_known_although_the_smsc_leaves_out_the_plus(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, reach: Reach
) -> None:
    esme = await attach(gateway)
    answer = await esme.submit(SOURCE, "+14155550123", LOAN, registered_delivery=1)
    await release(gateway, answer.message_id)
    released = await reach(gateway, answer.message_id, HoldState.RELEASED)
    text = (
        f"id:{released.smsc_message_id} sub:001 dlvrd:001 submit date:2611251200"
        " done date:2611251201 stat:DELIVRD err:000 text:"
    )

    octets = builders.deliver_sm(
        "14155550123", SOURCE, text.encode(), esm_class=4, data_coding=0, sequence=9
    )
    smsc.inject("sp1", octets)

    assert receipt_of(await esme.next_pdu())[0] == answer.message_id


async def test_receipts_of_other_messages_stay_as_they_are(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, reach: Reach
) -> None:
    smsc.behaviour = Behaviour(receipts=True)
    esme = await attach(gateway)
    message_id = await hold(esme)
    await release(gateway, message_id)
    await reach(gateway, message_id, HoldState.RELEASED)
    await esme.next_pdu()

    plain = await esme.submit(SOURCE, DESTINATION, "您好", registered_delivery=1)
    receipt = await esme.next_pdu()
    odd = builders.deliver_sm(DESTINATION, SOURCE, b"id:8 but no receipt", esm_class=4, sequence=9)
    smsc.inject("sp1", odd)
    unread = await esme.next_pdu()

    assert receipt_of(receipt) == (plain.message_id, plain.message_id, "DELIVRD")
    assert unread[:12] + unread[16:] == odd[:12] + odd[16:]


async def test_ids_are_known_after_a_restart(
    start: Start, attach: Attach, smsc: SimulatedSmsc, reach: Reach, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'smsward.db'}"
    first = await start(store_url=url)
    smsc.behaviour = Behaviour(receipts=True)
    sending = await attach(first, kind="tx")
    message_id = await hold(sending)
    await release(first, message_id)
    await reach(first, message_id, HoldState.RELEASED)
    await smsc.until(lambda: smsc.counters.receipts_parked == 1)
    await first.drain()
    await first.stop()

    second = await start(store_url=url)
    receiving = await attach(second, kind="rx")

    assert receipt_of(await receiving.next_pdu())[0] == message_id
