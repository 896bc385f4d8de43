import asyncio
import re
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from simulators import builders, wire
from simulators.esme import RawEsme
from simulators.smsc import POISON_TLVS, Behaviour, IdStyle, MessageState, SimulatedSmsc
from simulators.smsc.witness import decode
from simulators.wire import RESPONSE, CommandId, Tag

Attach = Callable[..., Awaitable[RawEsme]]

SOURCE, DESTINATION = "10690001", "13800138000"


def receipt_of(octets: bytes) -> tuple[str, str, str]:
    """The id in the text, the state in the text, and the id in the TLV, as smpplib reads them."""
    receipt = decode(octets)
    assert receipt is not None
    assert (receipt.command, receipt.esm_class) == ("deliver_sm", 4)
    assert (receipt.source_addr.decode(), receipt.destination_addr.decode()) == (
        DESTINATION,
        SOURCE,
    )
    found = re.fullmatch(
        r"id:(\S+) sub:001 dlvrd:00[01] submit date:\d{10} done date:\d{10} "
        r"stat:(\w+) err:\d{3} text:",
        receipt.short_message.decode(),
    )
    assert found is not None
    return found[1], found[2], receipt.receipted_message_id.decode()


async def test_a_receipt_follows_the_message_that_asked_for_it(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    smsc.behaviour = Behaviour(receipts=True)
    esme = await attach()

    await esme.submit(SOURCE, DESTINATION, "一")
    _, message_id = await esme.submit(SOURCE, DESTINATION, "二", registered_delivery=1)

    assert receipt_of(await esme.next_pdu()) == (message_id, "DELIVRD", message_id)
    await smsc.until(lambda: smsc.counters.delivered == 1)
    assert esme.pdus().empty()
    queried = decode(await esme.request(builders.query_sm(message_id, SOURCE, sequence=300)))
    assert queried is not None
    assert queried.message_state == MessageState.DELIVERED


async def test_no_receipt_is_sent_by_an_smsc_without_receipts(attach: Attach) -> None:
    esme = await attach()

    await esme.submit(SOURCE, DESTINATION, "一", registered_delivery=1)
    await esme.request(builders.enquire_link(300))

    assert esme.pdus().empty()


async def test_failure_only_receipts_come_for_failures_only(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    smsc.behaviour = Behaviour(receipts=True, undeliverable_every=2)
    esme = await attach()

    await esme.submit(SOURCE, DESTINATION, "一", registered_delivery=2)
    _, failed = await esme.submit(SOURCE, DESTINATION, "二", registered_delivery=2)

    assert receipt_of(await esme.next_pdu()) == (failed, "UNDELIV", failed)
    assert smsc.counters.receipts == 1


async def test_a_receipt_may_come_before_the_answer(smsc: SimulatedSmsc, attach: Attach) -> None:
    smsc.behaviour = Behaviour(receipts=True, receipt_before_answer=True, hold_answers=True)
    esme = await attach()
    submitting = asyncio.gather(esme.submit(SOURCE, DESTINATION, "一", registered_delivery=1))

    told, _, _ = receipt_of(await esme.next_pdu())
    assert not submitting.done()
    smsc.release_answers()

    assert (await submitting)[0].message_id == told


async def test_a_receipt_may_come_late(smsc: SimulatedSmsc, attach: Attach) -> None:
    smsc.behaviour = Behaviour(receipts=True, receipt_delay_s=0.02)
    esme = await attach()
    loop = asyncio.get_running_loop()

    await esme.submit(SOURCE, DESTINATION, "一", registered_delivery=1)
    answered_at = loop.time()
    await esme.next_pdu()

    assert loop.time() - answered_at > 0.01


@pytest.mark.parametrize(
    ("style", "pattern"),
    [
        (IdStyle.DECIMAL, "[1-9][0-9]+"),
        (IdStyle.HEX, "[0-9A-F]*[A-F][0-9A-F]*"),
        (IdStyle.ZERO_PADDED, "0[0-9]{9}"),
    ],
)
async def test_ids_are_written_in_their_style(
    smsc: SimulatedSmsc, attach: Attach, style: IdStyle, pattern: str
) -> None:
    smsc.behaviour = Behaviour(receipts=True, id_style=style)
    esme = await attach()

    _, message_id = await esme.submit(SOURCE, DESTINATION, "一", registered_delivery=1)

    assert re.fullmatch(pattern, message_id)
    assert receipt_of(await esme.next_pdu())[0] == message_id


async def test_uuids_are_uuids(smsc: SimulatedSmsc, attach: Attach) -> None:
    smsc.behaviour = Behaviour(id_style=IdStyle.UUID)
    esme = await attach()

    first, second = await esme.submit_many(["一", "二"], window=1)

    assert UUID(first.message_id) != UUID(second.message_id)


async def test_a_receipt_may_write_in_hex_what_the_answer_wrote_in_decimal(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    smsc.behaviour = Behaviour(receipts=True, receipt_id_style=IdStyle.HEX)
    esme = await attach()

    _, message_id = await esme.submit(SOURCE, DESTINATION, "一", registered_delivery=1)

    in_text, _, in_tlv = receipt_of(await esme.next_pdu())
    assert in_text != message_id
    assert int(in_text, 16) == int(message_id)
    assert in_tlv == message_id


def test_a_uuid_cannot_be_written_otherwise() -> None:
    with pytest.raises(ValueError, match="uuid"):
        Behaviour(id_style=IdStyle.UUID, receipt_id_style=IdStyle.HEX)
    Behaviour(id_style=IdStyle.UUID, receipt_id_style=IdStyle.UUID)


async def test_poison_stands_behind_the_other_tlvs(smsc: SimulatedSmsc, attach: Attach) -> None:
    smsc.behaviour = Behaviour(receipts=True, poison_tlvs=True)
    esme = await attach()

    await esme.submit(SOURCE, DESTINATION, "一", registered_delivery=1)
    await smsc.deliver("sp1", DESTINATION, SOURCE, "退订")

    receipt, mo = await esme.next_pdu(), await esme.next_pdu()
    text = wire.read_message(receipt).octets
    tlvs = wire.tlvs_of(receipt, receipt.index(text) + len(text))
    assert [tag for tag, _ in tlvs[:2]] == [Tag.RECEIPTED_MESSAGE_ID, Tag.MESSAGE_STATE]
    assert tuple(tlvs[2:]) == POISON_TLVS
    assert mo.endswith(wire.tlv_octets(POISON_TLVS))


async def test_a_receipt_finds_the_receiver_beside_the_transmitter(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    smsc.behaviour = Behaviour(receipts=True)
    transmitter, receiver = await attach("sp1", "tx"), await attach("sp1", "rx")
    stranger = await attach("sp2", "rx")

    _, message_id = await transmitter.submit(SOURCE, DESTINATION, "一", registered_delivery=1)

    assert receipt_of(await receiver.next_pdu())[0] == message_id
    assert stranger.pdus().empty()
    assert transmitter.pdus().empty()


async def test_a_receipt_waits_for_its_esme_to_come_back(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    smsc.behaviour = Behaviour(receipts=True)
    transmitter = await attach("sp1", "tx")
    _, message_id = await transmitter.submit(SOURCE, DESTINATION, "一", registered_delivery=1)
    await smsc.until(lambda: smsc.counters.receipts_parked == 1)

    stranger, receiver = await attach("sp2", "rx"), await attach("sp1", "rx")

    assert receipt_of(await receiver.next_pdu())[0] == message_id
    assert stranger.pdus().empty()
    again = await attach("sp1", "rx")
    await again.request(builders.enquire_link(300))
    assert again.pdus().empty()


async def test_a_receipt_that_was_not_acknowledged_comes_again(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    smsc.behaviour = Behaviour(receipts=True)
    esme = await attach()
    esme.answers_requests = False
    _, message_id = await esme.submit(SOURCE, DESTINATION, "一", registered_delivery=1)
    await esme.next_pdu()

    esme.close()
    await esme.lost()
    again = await attach()

    assert receipt_of(await again.next_pdu())[0] == message_id
    await smsc.until(lambda: smsc.counters.delivered == 1)
    assert smsc.counters.receipts == 2


async def test_a_nack_is_an_answer_to_a_delivery(smsc: SimulatedSmsc, attach: Attach) -> None:
    esme = await attach()
    esme.answers_requests = False
    delivery = asyncio.gather(smsc.deliver("sp1", DESTINATION, SOURCE, "退订"))
    request = await esme.next_pdu()

    await esme.send(
        wire.pdu(CommandId.GENERIC_NACK | RESPONSE, wire.sequence_of(request), command_status=3)
    )

    assert list(await delivery) == [3]
    assert smsc.counters.nacks == 1
