"""What people let go: judged again, written once, and its receipt in the SP's own terms."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.policy import KeywordList, ListAction
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.sender import Sender
from gateway.policy.bundle import Bundle
from gateway.runtime.clock import monotonic, utcnow
from gateway.session.timers import Timers
from gateway.systems.quarantine.desk import Done, NotDone, QuarantineDesk
from gateway.systems.quarantine.ids import MessageIds
from simulators import builders
from simulators.esme import RawEsme, answer_of
from simulators.smsc import Behaviour, IdStyle, SimulatedSmsc
from simulators.wire import (
    Tag,
)

BuildSender = Callable[..., Sender]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Refuse = Callable[[Gateway, int], Awaitable[None]]
Reach = Callable[[Gateway, str, HoldState], Awaitable[HeldMessage]]

SOURCE, DESTINATION = "10690001", "13800138000"
SUBSCRIBER = 8613800138000
LOAN = "低息贷款，当天到账"
TIMERS = Timers(enquire_link_s=0, reconnect_max_s=0.1)


def desk(gateway: Gateway) -> QuarantineDesk:
    """Return another process's hold on the store: the command line's, say."""
    return QuarantineDesk(gateway.stores.quarantine, MessageIds(worker=99))


async def hold(esme: RawEsme, text: str = LOAN, *, wants_receipt: bool = True) -> str:
    answer = await esme.submit(SOURCE, DESTINATION, text, registered_delivery=int(wants_receipt))
    assert answer.is_ok
    assert len(answer.message_id) == 19
    return answer.message_id


async def release(gateway: Gateway, message_id: str) -> None:
    outcome = await desk(gateway).request_release(int(message_id), "lin", utcnow())
    assert isinstance(outcome, Done)


def receipt_of(octets: bytes) -> tuple[str, str, str]:
    """Return the id in a receipt's text, the one in its TLV, and its stat."""
    text = re.search(rb"id:(\S+) .*stat:(\S+) ", octets)
    tlv = octets.partition(Tag.RECEIPTED_MESSAGE_ID.to_bytes(2, "big") + b"\0")[2]
    assert text is not None
    value = tlv[1 : tlv[0]] if tlv else b""
    return text[1].decode(), value.decode(), text[2].decode()


async def test_a_released_message_reaches_the_smsc_once_and_as_it_was_sent(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, reach: Reach
) -> None:
    esme = await attach(gateway)
    sent = builders.submit_sm(
        SOURCE,
        DESTINATION,
        builders.ucs2(LOAN),
        tlvs=[(0x1401, b"\xff\x00"), (0x1401, b"")],
        service_type="WAP",
        sequence=77,
    )
    message_id = answer_of(await esme.request(sent)).message_id
    assert smsc.journal == []

    await release(gateway, message_id)
    held = await reach(gateway, message_id, HoldState.RELEASED)

    (entry,) = smsc.journal
    assert entry.pdu[:12] + entry.pdu[16:] == sent[:12] + sent[16:]
    assert held.smsc_message_id == entry.message_id
    assert esme.strays == []


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


async def test_nothing_is_released_twice(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, reach: Reach
) -> None:
    esme = await attach(gateway)
    message_id = await hold(esme)
    people = desk(gateway)

    asked = await asyncio.gather(
        *(people.request_release(int(message_id), "lin", utcnow()) for _ in range(3))
    )
    await reach(gateway, message_id, HoldState.RELEASED)
    again = await people.request_release(int(message_id), "lin", utcnow())
    await esme.submit(SOURCE, DESTINATION, "您好")

    assert [type(outcome) for outcome in asked].count(Done) == 1
    assert isinstance(again, NotDone)
    assert len(smsc.journal) == 2


async def test_r61_a_refusal_that_came_meanwhile_wins(
    gateway: Gateway,
    attach: Attach,
    smsc: SimulatedSmsc,
    refuse: Refuse,
    reach: Reach,
) -> None:
    esme = await attach(gateway)
    message_id = await hold(esme)
    await refuse(gateway, SUBSCRIBER)

    await release(gateway, message_id)
    held = await reach(gateway, message_id, HoldState.REFUSED)
    receipt = await esme.next_pdu()

    assert "OPTED_OUT" in held.note
    assert receipt_of(receipt) == (message_id, message_id, "REJECTD")
    assert smsc.journal == []


async def test_r21_a_refusal_that_came_while_the_store_noted_the_release_wins(
    gateway: Gateway,
    attach: Attach,
    smsc: SimulatedSmsc,
    refuse: Refuse,
    reach: Reach,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    esme = await attach(gateway)
    message_id = await hold(esme)
    move = gateway.stores.quarantine.move
    came: list[HoldState] = []

    async def refused_meanwhile(message_id: int, **given: Any) -> HeldMessage | None:
        came.append(given["to"])
        if came == [HoldState.RELEASE_REQUESTED, HoldState.RELEASING]:
            await refuse(gateway, SUBSCRIBER)
        return await move(message_id, **given)

    monkeypatch.setattr(gateway.stores.quarantine, "move", refused_meanwhile)
    await release(gateway, message_id)
    held = await reach(gateway, message_id, HoldState.REFUSED)

    assert "OPTED_OUT" in held.note
    assert receipt_of(await esme.next_pdu()) == (message_id, message_id, "REJECTD")
    assert smsc.journal == []


async def test_a_word_that_became_forbidden_wins_and_a_word_to_review_does_not(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, bundle: Bundle, reach: Reach
) -> None:
    esme = await attach(gateway)
    forbidden, reviewed = await hold(esme, f"{LOAN} 百家乐"), await hold(esme)
    words = KeywordList("K-NEW", "gambling", ListAction.REJECT, ("百家乐",))
    stricter = replace(bundle, digest="1" * 12, keyword_lists=(*bundle.keyword_lists, words))
    rules = gateway.plane.rules
    gateway.tick.pipeline.load(
        type(rules)(stricter, [rules.accounts["sp1"].sender], gateway._knowledge, rules)
    )

    await release(gateway, forbidden)
    await release(gateway, reviewed)
    await reach(gateway, forbidden, HoldState.REFUSED)
    await reach(gateway, reviewed, HoldState.RELEASED)

    assert [entry.octets for entry in smsc.journal] == [builders.ucs2(LOAN)]


async def test_r61_a_release_to_many_is_judged_for_each(
    gateway: Gateway,
    attach: Attach,
    smsc: SimulatedSmsc,
    refuse: Refuse,
    reach: Reach,
) -> None:
    esme = await attach(gateway)
    many = [DESTINATION, "13800138001"]
    octets = builders.submit_multi(SOURCE, many, builders.ucs2(LOAN), registered_delivery=1)
    clean = answer_of(await esme.request(octets)).message_id
    refused = answer_of(await esme.request(octets[:12] + b"\0\0\0\2" + octets[16:])).message_id
    await release(gateway, clean)
    await reach(gateway, clean, HoldState.RELEASED)
    await refuse(gateway, SUBSCRIBER + 1)

    await release(gateway, refused)
    await reach(gateway, refused, HoldState.REFUSED)

    assert [entry.destinations for entry in smsc.journal] == [tuple(many)]


async def test_a_release_waits_for_its_sender_to_bind(
    start: Start, attach: Attach, smsc: SimulatedSmsc, sender: BuildSender, reach: Reach
) -> None:
    gateway = await start(senders=(sender(), sender(system_id="sp2", ports=())))
    esme = await attach(gateway)
    message_id = await hold(esme)
    await esme.unbind()
    await attach(gateway, "sp2")
    await release(gateway, message_id)
    await reach(gateway, message_id, HoldState.RELEASE_REQUESTED)

    await attach(gateway, kind="rx")
    await attach(gateway, kind="tx")
    await reach(gateway, message_id, HoldState.RELEASED)

    (entry,) = smsc.journal
    assert entry.system_id == "sp1"


async def test_a_release_asked_for_while_nothing_ran_is_made_up_for(
    start: Start, attach: Attach, smsc: SimulatedSmsc, reach: Reach, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'smsward.db'}"
    first = await start(store_url=url)
    esme = await attach(first)
    message_id = await hold(esme)
    await esme.unbind()
    await release(first, message_id)
    await first.stop()

    second = await start(store_url=url)
    await attach(second)
    await reach(second, message_id, HoldState.RELEASED)

    assert len(smsc.journal) == 1
