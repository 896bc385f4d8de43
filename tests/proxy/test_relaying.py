"""What travels through the gateway unchanged, in both directions."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from gateway.app.gateway import Gateway
from gateway.domain.sender import Sender
from gateway.policy.bundle import Bundle
from gateway.runtime.tasks import spawn
from gateway.settings.smscs import Smsc
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import POISON_TLVS, Behaviour, SimulatedSmsc
from simulators.wire import (
    RESPONSE,
    CommandId,
    CommandStatus,
    c_octets,
    header_of,
    pdu,
    sequence_of,
    tlv_octets,
)

BuildSender = Callable[..., Sender]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Serve = Callable[[Callable[[bytes], Awaitable[bytes | None]]], Awaitable[Smsc]]

SOURCE, DESTINATION = "10690001", "13800138000"
CLEAN = builders.ucs2("您的快件已到")


def but_for_its_number(octets: bytes) -> bytes:
    return octets[:12] + octets[16:]


async def test_messages_of_every_kind_reach_the_smsc_as_they_were_sent(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway)
    odd = [(0x1401, b"\xff\x00"), (0x3FFF, b""), (0x1401, b"again"), *POISON_TLVS]
    parts = builders.udh_parts(CLEAN * 20, 77)
    sent = [
        builders.submit_sm(
            SOURCE,
            DESTINATION,
            CLEAN,
            tlvs=odd,
            service_type="WAP",
            schedule="000001000000000R",
            registered_delivery=0x11,
            sequence=1,
        ),
        builders.submit_sm(SOURCE, DESTINATION, CLEAN, esm_class=0x03, sequence=0x7FFF_FFFF),
        builders.submit_sm(SOURCE, DESTINATION, CLEAN, sequence=0xA285_9F22),
        builders.submit_sm(SOURCE, DESTINATION, b"hello", data_coding=0, sequence=0),
        builders.submit_sm(SOURCE, DESTINATION, "您好".encode("gbk"), data_coding=15, sequence=5),
        builders.payload_submit_sm(SOURCE, DESTINATION, b"x" * 60_000, data_coding=3, sequence=6),
        builders.data_sm(SOURCE, DESTINATION, CLEAN, tlvs=odd, sequence=7),
        builders.submit_multi(SOURCE, [DESTINATION, "13800138001"], CLEAN, tlvs=odd, sequence=8),
        *(
            builders.submit_sm(
                SOURCE, DESTINATION, part, esm_class=builders.UDH_INDICATOR, sequence=9 + number
            )
            for number, part in enumerate(parts)
        ),
    ]

    answers = [await esme.request(octets) for octets in sent]

    assert [sequence_of(one) for one in answers] == [sequence_of(one) for one in sent]
    assert {header_of(one).command_status for one in answers} == {CommandStatus.ESME_ROK}
    relayed = [entry.pdu for entry in smsc.journal]
    assert list(map(but_for_its_number, relayed)) == list(map(but_for_its_number, sent))
    ids = [entry.message_id.encode() for entry in smsc.journal]
    assert all(own in answer for own, answer in zip(ids, answers, strict=True))


async def test_the_order_of_one_sp_s_messages_is_kept(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway)
    texts = [f"第{number}条" for number in range(500)]

    answers = await esme.submit_many(texts, window=100)

    assert [entry.octets.decode("utf-16-be") for entry in smsc.journal] == texts
    assert [one.message_id for one in answers] == [entry.message_id for entry in smsc.journal]


async def test_answers_find_their_question_in_any_order(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    smsc.behaviour = Behaviour(seed=3, out_of_order=7, duplicate_answer_every=11)
    first, second = await attach(gateway), await attach(gateway)

    one, two = await asyncio.gather(
        first.submit_many([f"甲{number}" for number in range(100)], window=20),
        second.submit_many([f"乙{number}" for number in range(100)], window=20),
    )

    told = {entry.octets.decode("utf-16-be"): entry.message_id for entry in smsc.journal}
    assert [answer.message_id for answer in one] == [told[f"甲{n}"] for n in range(100)]
    assert [answer.message_id for answer in two] == [told[f"乙{n}"] for n in range(100)]
    assert first.strays == second.strays == []


async def test_what_the_smsc_answers_is_what_the_sp_hears(
    start: Start, attach: Attach, serve: Serve
) -> None:
    # An odd status, an id with odd octets, and a TLV where 3.4 has none.
    body = c_octets("0A-\xff") + tlv_octets([(0x1402, b"why")])

    async def say(octets: bytes) -> bytes:
        header = header_of(octets)
        status = 0x0422 if header.command_id == CommandId.SUBMIT_SM else 0
        return pdu(
            header.command_id | RESPONSE, header.sequence_number, body, command_status=status
        )

    gateway = await start(smscs=(await serve(say),))
    esme = await attach(gateway)

    answer = await esme.request(builders.submit_sm(SOURCE, DESTINATION, CLEAN, sequence=3))

    assert answer == pdu(CommandId.SUBMIT_SM | RESPONSE, 3, body, command_status=0x0422)


async def test_a_refused_message_never_reaches_the_smsc(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway)

    answers = [
        await esme.submit(SOURCE, DESTINATION, "代开发票"),
        await esme.submit("95588", DESTINATION, "您好"),
        await esme.submit(SOURCE, DESTINATION, "您好"),
    ]

    assert [answer.command_status for answer in answers] == [
        CommandStatus.ESME_RSUBMITFAIL,
        0x0A,  # ESME_RINVSRCADR
        CommandStatus.ESME_ROK,
    ]
    assert [entry.octets for entry in smsc.journal] == [builders.ucs2("您好")]


async def test_a_refusal_stops_marketing_to_that_subscriber_and_nothing_else(
    gateway: Gateway,
    attach: Attach,
    refuse: Callable[[Gateway, int], Awaitable[None]],
    smsc: SimulatedSmsc,
) -> None:
    esme = await attach(gateway)
    await refuse(gateway, 8613800138000)

    refused = await esme.submit(SOURCE, DESTINATION, "大促")
    other = await esme.submit(SOURCE, "13800138001", "大促")
    code = await esme.submit("10690002", DESTINATION, "验证码 1234")

    assert refused.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert (other.is_ok, code.is_ok) == (True, True)
    assert [entry.source for entry in smsc.journal] == [SOURCE, "10690002"]


async def test_what_only_asks_passes_both_ways(gateway: Gateway, attach: Attach) -> None:
    esme = await attach(gateway)
    sent = await esme.submit(SOURCE, DESTINATION, "您好")

    query = await esme.request(builders.query_sm(sent.message_id, SOURCE, sequence=51))
    cancel = await esme.request(
        builders.cancel_sm(sent.message_id, SOURCE, DESTINATION, sequence=52)
    )
    again = await esme.request(builders.replace_sm(sent.message_id, SOURCE, CLEAN, sequence=53))

    assert query.startswith(pdu(CommandId.QUERY_SM | RESPONSE, 51)[4:16], 4)
    assert sent.message_id.encode() in query
    assert cancel == pdu(CommandId.CANCEL_SM | RESPONSE, 52)
    failed = CommandStatus.ESME_RREPLACEFAIL
    assert again == pdu(CommandId.REPLACE_SM | RESPONSE, 53, command_status=failed)


async def test_an_unknown_command_is_nacked_and_the_session_stays(
    gateway: Gateway, attach: Attach
) -> None:
    esme = await attach(gateway)

    nack = await esme.request(pdu(0x0000_0777, 19))

    refused = CommandStatus.ESME_RINVCMDID
    assert nack == pdu(CommandId.GENERIC_NACK, 19, command_status=refused)
    assert (await esme.submit(SOURCE, DESTINATION, "您好")).is_ok


# From the SMSC to the SP


async def test_the_smsc_hears_ok_only_after_the_sp_said_so(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway)
    esme.answers_requests = False

    delivery = spawn(smsc.deliver("sp1", DESTINATION, SOURCE, "TD"), name="smsc")
    received = await esme.next_pdu()
    assert smsc.counters.delivered == 0
    await esme.send(pdu(CommandId.DELIVER_SM | RESPONSE, sequence_of(received), c_octets("")))

    assert await delivery == CommandStatus.ESME_ROK


async def test_an_sp_s_refusal_of_a_delivery_is_the_smsc_s_to_deal_with(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway)
    esme.deliver_status = CommandStatus.ESME_RMSGQFUL

    status = await smsc.deliver("sp1", DESTINATION, SOURCE, "TD")

    assert status == CommandStatus.ESME_RMSGQFUL


async def test_a_delivery_reaches_the_sp_as_it_was_sent(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway)
    delivery = builders.deliver_sm(
        DESTINATION, SOURCE, CLEAN, esm_class=0x40, tlvs=POISON_TLVS, sequence=0x7000_0001
    )

    smsc.inject("sp1", delivery)
    received = await esme.next_pdu()

    assert but_for_its_number(received) == but_for_its_number(delivery)


async def test_a_delivery_goes_to_the_bind_that_receives(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    sending, receiving = await attach(gateway, kind="tx"), await attach(gateway, kind="rx")

    status = await smsc.deliver("sp1", DESTINATION, SOURCE, "TD")

    assert status == CommandStatus.ESME_ROK
    assert (sending.pdus().qsize(), receiving.pdus().qsize()) == (0, 1)


async def test_a_delivery_to_a_bind_that_only_sends_is_refused(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway, kind="tx")

    smsc.inject("sp1", builders.deliver_sm(DESTINATION, SOURCE, CLEAN, sequence=31))
    await smsc.until(lambda: smsc.counters.stray_answers == 1)

    assert esme.pdus().empty()


async def test_an_alert_notification_arrives_and_gets_no_answer(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway)
    alert = builders.alert_notification(DESTINATION, SOURCE, sequence=61)

    smsc.inject("sp1", alert)
    received = await esme.next_pdu()
    status = await smsc.deliver("sp1", DESTINATION, SOURCE, "TD")

    assert but_for_its_number(received) == but_for_its_number(alert)
    assert status == CommandStatus.ESME_ROK
    assert (smsc.counters.stray_answers, smsc.counters.nacks) == (0, 0)


async def test_a_receipt_comes_through_untouched(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    smsc.behaviour = Behaviour(receipts=True, poison_tlvs=True)
    esme = await attach(gateway)

    answer = await esme.submit(SOURCE, DESTINATION, "您好", registered_delivery=1)
    receipt = await esme.next_pdu()

    assert f"id:{answer.message_id} ".encode() in receipt
    assert receipt.endswith(tlv_octets(POISON_TLVS))


# Windows


async def test_no_more_is_under_way_than_the_sender_s_window(
    start: Start, attach: Attach, sender: BuildSender, smsc: SimulatedSmsc, until: Until
) -> None:
    gateway = await start(senders=(sender(window=3),))
    smsc.behaviour = Behaviour(hold_answers=True)
    esme = await attach(gateway)
    (session,) = gateway.sessions.pairs
    many = [builders.submit_sm(SOURCE, DESTINATION, CLEAN, sequence=n) for n in range(1, 11)]

    await esme.send(b"".join(many))
    await until(lambda: session.is_blocked)
    await smsc.received(3)
    alive = await esme.request(builders.enquire_link(99))
    assert (smsc.counters.messages, len(esme.strays)) == (3, 0)
    while smsc.counters.accepted < 10:
        before = smsc.counters.messages
        smsc.release_answers()
        await smsc.received(before + 1)
    smsc.release_answers()
    await esme.next_stray(10)

    assert header_of(alive).command_status == CommandStatus.ESME_ROK
    assert [sequence_of(octets) for octets in esme.strays] == list(range(1, 11))


async def test_who_waits_for_room_does_not_hold_up_another(
    start: Start, attach: Attach, sender: BuildSender, smsc: SimulatedSmsc, until: Until
) -> None:
    gateway = await start(senders=(sender(window=1), sender(system_id="sp2", ports=sender().ports)))
    smsc.behaviour = Behaviour(hold_answers=True)
    stuck, other = await attach(gateway), await attach(gateway, "sp2")
    session = next(iter(gateway.sessions.pairs))
    many = [builders.submit_sm(SOURCE, DESTINATION, CLEAN, sequence=n) for n in range(1, 1500)]
    await stuck.send(b"".join(many))
    await until(lambda: session.is_blocked)

    smsc.behaviour = Behaviour()
    answers = await other.submit_many(["您好"] * 50, window=10)

    assert {answer.command_status for answer in answers} == {CommandStatus.ESME_ROK}
    assert stuck.strays == []
    smsc.release_answers()
    await stuck.next_stray(1499)


async def test_the_rate_of_a_sender_is_kept(
    start: Start, attach: Attach, sender: BuildSender, smsc: SimulatedSmsc
) -> None:
    slow = replace(sender().rate, per_s=0.001, burst=3)
    gateway = await start(senders=(sender(rate=slow),))
    esme = await attach(gateway)

    answers = await esme.submit_many(["您好"] * 5, window=5)

    throttled = CommandStatus.ESME_RTHROTTLED
    assert [answer.command_status for answer in answers] == [0, 0, 0, throttled, throttled]
    assert len(smsc.journal) == 3


async def test_an_open_policy_forwards_what_the_other_would_stop(
    start: Start, attach: Attach, smsc: SimulatedSmsc
) -> None:
    gateway = await start(policy=Bundle("open", "0" * 12))
    esme = await attach(gateway)

    answer = await esme.submit(SOURCE, DESTINATION, "代开发票")

    assert answer.is_ok
    assert len(smsc.journal) == 1
