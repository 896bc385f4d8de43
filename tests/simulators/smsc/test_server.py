import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from simulators import builders, wire
from simulators.esme import RawEsme, answer_of
from simulators.smsc import Behaviour, Cancelled, MessageState, SimulatedSmsc
from simulators.smsc.witness import decode
from simulators.wire import RESPONSE, CommandId, CommandStatus

Attach = Callable[..., Awaitable[RawEsme]]

TEXT = "您的快件已到菜鸟驿站"
SOURCE, DESTINATION = "10690001", "13800138000"


async def test_the_journal_holds_a_message_to_the_octet(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    esme = await attach()
    sent = builders.submit_sm(
        SOURCE,
        DESTINATION,
        builders.ucs2(TEXT),
        registered_delivery=1,
        esm_class=3,
        tlvs=[(0x1401, b"\xff\x00"), (0x1401, b"")],
        sequence=77,
    )

    answer = await esme.request(sent)

    (entry,) = smsc.journal
    assert entry.pdu == sent
    assert entry.octets == builders.ucs2(TEXT)
    assert (entry.source, entry.destination, entry.system_id) == (SOURCE, DESTINATION, "sp1")
    assert (entry.data_coding, entry.esm_class, entry.registered_delivery) == (8, 3, 1)
    assert answer_of(answer) == (CommandStatus.ESME_ROK, entry.message_id)
    assert wire.header_of(answer).command_id == CommandId.SUBMIT_SM | RESPONSE


async def test_every_message_has_an_id_of_its_own(smsc: SimulatedSmsc, attach: Attach) -> None:
    esme = await attach()

    answers = await esme.submit_many([f"第{number}条" for number in range(500)], window=20)

    assert [answer.command_status for answer in answers] == [0] * 500
    assert [answer.message_id for answer in answers] == [one.message_id for one in smsc.journal]
    assert len({answer.message_id for answer in answers}) == 500


async def test_a_long_text_is_journaled_from_its_payload(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    esme = await attach()

    await esme.request(builders.payload_submit_sm(SOURCE, DESTINATION, b"x" * 60_000))

    assert smsc.journal[0].octets == b"x" * 60_000


async def test_a_submit_multi_is_one_entry_with_all_its_destinations(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    esme = await attach()

    answer = await esme.request(builders.submit_multi(SOURCE, [DESTINATION, "13800138001"], b"hi"))

    assert smsc.journal[0].destinations == (DESTINATION, "13800138001")
    assert answer.endswith(smsc.journal[0].message_id.encode() + b"\0\0")


async def test_a_data_sm_is_answered_as_such(smsc: SimulatedSmsc, attach: Attach) -> None:
    esme = await attach()

    answer = await esme.request(builders.data_sm(SOURCE, DESTINATION, b"hi"))

    assert wire.header_of(answer).command_id == CommandId.DATA_SM | RESPONSE
    assert answer_of(answer).message_id == smsc.journal[0].message_id


async def test_a_message_can_be_queried_replaced_and_cancelled_once(attach: Attach) -> None:
    esme = await attach()
    _, message_id = await esme.submit(SOURCE, DESTINATION, TEXT)

    queried = await esme.request(builders.query_sm(message_id, SOURCE, sequence=101))
    replaced = await esme.request(builders.replace_sm(message_id, SOURCE, b"new", sequence=102))
    cancelled = await esme.request(
        builders.cancel_sm(message_id, SOURCE, DESTINATION, sequence=103)
    )
    again = await esme.request(builders.cancel_sm(message_id, SOURCE, DESTINATION, sequence=104))
    late = await esme.request(builders.replace_sm(message_id, SOURCE, b"new", sequence=105))
    gone = await esme.request(builders.query_sm(message_id, SOURCE, sequence=106))

    enroute, deleted = decode(queried), decode(gone)
    assert enroute is not None
    assert deleted is not None
    assert (enroute.message_id.decode(), enroute.message_state) == (message_id, 1)
    assert deleted.message_state == MessageState.DELETED
    assert wire.header_of(replaced).command_status == 0
    assert wire.header_of(cancelled).command_status == 0
    assert wire.header_of(again).command_status == CommandStatus.ESME_RCANCELFAIL
    assert wire.header_of(late).command_status == CommandStatus.ESME_RREPLACEFAIL


async def test_a_cancellation_is_kept_and_refused_or_left_unanswered_on_request(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    esme = await attach()
    _, message_id = await esme.submit(SOURCE, DESTINATION, TEXT)
    smsc.behaviour = Behaviour(refuse_cancels=CommandStatus.ESME_RSYSERR)
    asked = builders.cancel_sm(message_id, SOURCE, DESTINATION, sequence=103)

    refused = await esme.request(asked)
    smsc.behaviour = Behaviour(ignore_cancels=True)
    await esme.send(asked)
    await smsc.until(lambda: len(smsc.cancels) == 2)
    smsc.behaviour = Behaviour()
    broken = await esme.request(wire.pdu(CommandId.CANCEL_SM, 104, b"\0" + b"77\0\1"))

    assert wire.header_of(refused).command_status == CommandStatus.ESME_RSYSERR
    assert smsc.cancels == [Cancelled("sp1", message_id, (1, 1, SOURCE), (1, 1, DESTINATION))] * 2
    assert smsc.state_of(message_id) is MessageState.DELETED
    assert wire.header_of(broken).command_status == CommandStatus.ESME_RCANCELFAIL
    assert esme.strays == []


@pytest.mark.parametrize(
    ("request_octets", "status"),
    [
        (builders.query_sm("nobody", SOURCE), CommandStatus.ESME_RQUERYFAIL),
        (wire.pdu(CommandId.QUERY_SM, 1), CommandStatus.ESME_RQUERYFAIL),
        (wire.pdu(CommandId.CANCEL_SM, 1, b"no end"), CommandStatus.ESME_RCANCELFAIL),
        (wire.pdu(CommandId.REPLACE_SM, 1, b"no end"), CommandStatus.ESME_RREPLACEFAIL),
        (wire.pdu(CommandId.SUBMIT_SM, 1, b"no end"), CommandStatus.ESME_RINVMSGLEN),
        (wire.pdu(CommandId.DELIVER_SM, 1), CommandStatus.ESME_RINVCMDID),
        (wire.pdu(0x0BAD, 1), CommandStatus.ESME_RINVCMDID),
    ],
)
async def test_what_makes_no_sense_is_refused_and_the_session_stays(
    attach: Attach, request_octets: bytes, status: CommandStatus
) -> None:
    esme = await attach()

    answer = await esme.request(request_octets[:12] + b"\0\0\1\0" + request_octets[16:])
    alive = await esme.request(builders.enquire_link(300))

    assert wire.header_of(answer)[2:] == (status, 0x100)
    assert wire.header_of(alive) == (16, CommandId.ENQUIRE_LINK | RESPONSE, 0, 300)


async def test_nothing_but_a_bind_is_taken_before_a_bind(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    esme = await attach(kind=None)

    answer = await esme.submit(SOURCE, DESTINATION, TEXT)

    assert answer.command_status == CommandStatus.ESME_RINVBNDSTS
    assert smsc.journal == []


async def test_a_receiver_may_not_submit(attach: Attach) -> None:
    esme = await attach(kind="rx")

    answer = await esme.submit(SOURCE, DESTINATION, TEXT)

    assert answer.command_status == CommandStatus.ESME_RINVBNDSTS


async def test_nobody_binds_twice(attach: Attach) -> None:
    esme = await attach()

    assert await esme.bind("sp1", "secret") == CommandStatus.ESME_RALYBND


async def test_a_bind_that_cannot_be_read_fails(attach: Attach) -> None:
    esme = await attach(kind=None)

    answer = await esme.request(wire.pdu(CommandId.BIND_TRANSMITTER, 1, b"sp1\0secret\0\0"))

    assert wire.header_of(answer).command_status == CommandStatus.ESME_RBINDFAIL


async def test_only_those_with_the_password_bind(smsc: SimulatedSmsc, attach: Attach) -> None:
    smsc.behaviour = Behaviour(passwords={"sp1": "secret"})
    wrong, unknown = await attach(kind=None), await attach(kind=None)
    right = await attach()

    assert await wrong.bind("sp1", "guess") == CommandStatus.ESME_RINVPASWD
    assert await unknown.bind("sp2", "secret") == CommandStatus.ESME_RINVPASWD
    await wrong.lost()
    assert not right.is_lost
    assert (smsc.counters.binds, smsc.counters.binds_refused) == (1, 2)


async def test_binds_are_refused_on_request(smsc: SimulatedSmsc, attach: Attach) -> None:
    smsc.behaviour = Behaviour(refuse_binds=CommandStatus.ESME_RBINDFAIL)
    esme = await attach(kind=None)

    assert await esme.bind("sp1", "secret") == CommandStatus.ESME_RBINDFAIL


async def test_garbage_is_answered_with_a_nack_and_a_close(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    esme = await attach()

    await esme.send(b"GET / HTTP/1.1\r\n\r\n")

    nack = await esme.next_stray()
    assert wire.header_of(nack)[1:3] == (CommandId.GENERIC_NACK, CommandStatus.ESME_RINVCMDLEN)
    await esme.lost()
    assert smsc.counters.framing_errors == 1


async def test_an_unbind_is_answered_after_what_came_before_it(attach: Attach) -> None:
    esme = await attach()

    await esme.send(
        builders.submit_sm(SOURCE, DESTINATION, b"hi", sequence=50) + builders.unbind(51)
    )

    await esme.lost()
    assert [wire.sequence_of(octets) for octets in esme.strays] == [50, 51]


async def test_the_smsc_unbinds_its_esmes(smsc: SimulatedSmsc, attach: Attach) -> None:
    esme = await attach()

    assert await smsc.unbind_all() == [CommandStatus.ESME_ROK]

    assert wire.header_of(await esme.next_pdu()).command_id == CommandId.UNBIND
    await esme.lost()


async def test_the_smsc_asks_whether_the_link_is_alive(smsc: SimulatedSmsc, attach: Attach) -> None:
    smsc.behaviour = Behaviour(enquire_link_s=0.001)
    esme = await attach()

    await smsc.until(lambda: smsc.counters.enquire_links_answered >= 2)

    assert wire.header_of(await esme.next_pdu()).command_id == CommandId.ENQUIRE_LINK


async def test_a_stalled_smsc_takes_nothing_until_it_reads_on(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    esme = await attach()
    smsc.pause()
    late = await RawEsme.connect(smsc.host, smsc.port)

    async with late:
        await smsc.until(lambda: len(smsc.sessions) == 2)
        waiting = asyncio.gather(esme.submit(SOURCE, DESTINATION, TEXT), late.bind("sp2", "secret"))
        # Nothing is to happen: all one can do is give it a moment.
        with pytest.raises(TimeoutError):
            await smsc.until(lambda: bool(smsc.journal) or smsc.counters.binds == 2, within_s=0.02)
        smsc.resume()

        assert [(await waiting)[0].command_status, (await waiting)[1]] == [0, 0]


@pytest.mark.parametrize("turns", range(8))
async def test_a_connection_that_was_accepted_before_the_smsc_read_on_is_read(
    smsc: SimulatedSmsc, turns: int
) -> None:
    smsc.pause()
    connecting = asyncio.gather(RawEsme.connect(smsc.host, smsc.port))
    for _ in range(turns):
        await asyncio.sleep(0)
    smsc.resume()

    async with (await connecting)[0] as late:
        assert await late.bind("sp1", "secret") == 0


async def test_an_esme_that_does_not_read_is_not_read_from_either(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    esme = await attach()
    esme.pause()
    # More than the kernel takes for a peer that does not read.
    smsc.inject("sp1", wire.pdu(CommandId.ALERT_NOTIFICATION, 1, b"x" * 65_000) * 300)
    submitting = asyncio.gather(esme.submit(SOURCE, DESTINATION, TEXT))

    # Nothing is to happen: all one can do is give it a moment.
    with pytest.raises(TimeoutError):
        await smsc.received(1, within_s=0.02)
    esme.resume()

    assert (await submitting)[0].is_ok


async def test_nothing_is_taken_after_an_unbind(smsc: SimulatedSmsc, attach: Attach) -> None:
    esme = await attach()
    late = builders.submit_sm(SOURCE, DESTINATION, b"hi", sequence=51)

    await esme.send(builders.unbind(50) + late)

    await esme.lost()
    assert smsc.journal == []


async def test_a_disconnect_by_reset_is_felt_as_one(smsc: SimulatedSmsc, attach: Attach) -> None:
    esme = await attach()
    smsc.behaviour = Behaviour(hold_answers=True)
    waiting = asyncio.gather(esme.submit(SOURCE, DESTINATION, TEXT), return_exceptions=True)
    await smsc.received(1)

    smsc.disconnect_all(by_reset=True)

    (error,) = await waiting
    assert isinstance(error, ConnectionError)
    assert isinstance(esme.error, ConnectionResetError)


async def test_a_disconnect_by_fin_ends_quietly(smsc: SimulatedSmsc, attach: Attach) -> None:
    esme = await attach()

    smsc.disconnect_all()

    await esme.lost()
    assert esme.error is None


async def test_a_stopped_smsc_comes_back_on_its_port(smsc: SimulatedSmsc, attach: Attach) -> None:
    esme = await attach()
    await esme.submit(SOURCE, DESTINATION, TEXT)
    port = smsc.port

    await smsc.stop()
    await esme.lost()
    with pytest.raises(OSError, match="Connect call failed"):
        await RawEsme.connect(smsc.host, port)
    await smsc.start()
    again = await attach()
    await again.submit(SOURCE, DESTINATION, TEXT)

    assert smsc.port == port
    assert len({entry.message_id for entry in smsc.journal}) == 2


async def test_an_mo_is_delivered_and_its_answer_reported(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    esme = await attach()

    assert await smsc.deliver("sp1", DESTINATION, SOURCE, "退订") == CommandStatus.ESME_ROK
    esme.deliver_status = CommandStatus.ESME_RX_T_APPN
    refused = await smsc.deliver("sp1", DESTINATION, SOURCE, b"\x00\xff", tlvs=[(0x1401, b"\xff")])

    assert refused == CommandStatus.ESME_RX_T_APPN
    first, second = await esme.next_pdu(), await esme.next_pdu()
    assert wire.read_message(first).octets == builders.ucs2("退订")
    assert wire.read_message(second)._asdict() == {
        "source": DESTINATION,
        "destinations": (SOURCE,),
        "esm_class": 0,
        "registered_delivery": 0,
        "data_coding": 0,
        "octets": b"\x00\xff",
    }
    assert second.endswith(b"\x14\x01\x00\x01\xff")
    assert (smsc.counters.delivered, smsc.counters.deliveries_refused) == (1, 1)


async def test_an_mo_for_somebody_who_is_not_there_is_an_error(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    await attach("sp1", "tx")

    with pytest.raises(ConnectionError, match="sp1 is not bound for receiving"):
        await smsc.deliver("sp1", DESTINATION, SOURCE, "退订")
    with pytest.raises(ConnectionError, match="sp2 is not bound"):
        smsc.inject("sp2", b"")


async def test_an_mo_is_an_error_when_the_esme_leaves_instead_of_answering(
    smsc: SimulatedSmsc, attach: Attach
) -> None:
    esme = await attach()
    esme.answers_requests = False
    delivery = asyncio.gather(smsc.deliver("sp1", DESTINATION, SOURCE, "退订"))
    await esme.next_pdu()

    esme.close()

    with pytest.raises(ConnectionError):
        await delivery


async def test_octets_of_any_kind_reach_the_esme(smsc: SimulatedSmsc, attach: Attach) -> None:
    esme = await attach()

    smsc.inject("sp1", builders.alert_notification(DESTINATION, SOURCE, sequence=9))

    assert wire.header_of(await esme.next_pdu()).command_id == CommandId.ALERT_NOTIFICATION


async def test_answers_nobody_asked_for_are_counted(smsc: SimulatedSmsc, attach: Attach) -> None:
    esme = await attach()

    await esme.send(wire.pdu(CommandId.DELIVER_SM | RESPONSE, 12345))
    await esme.request(builders.enquire_link(300))

    assert smsc.counters.stray_answers == 1


async def test_a_full_journal_counts_on(smsc: SimulatedSmsc, attach: Attach) -> None:
    smsc.behaviour = replace(smsc.behaviour, journal_limit=3)
    esme = await attach()

    await esme.submit_many([TEXT] * 5, window=5)

    assert len(smsc.journal) == 3
    assert (smsc.counters.messages, smsc.counters.unjournaled) == (5, 2)


async def test_smpplib_confirms_what_was_read(smsc: SimulatedSmsc, attach: Attach) -> None:
    smsc.behaviour = Behaviour(verify=True)
    esme = await attach()

    await esme.submit_many([TEXT, b"hi"], window=2)
    # smpplib takes two octets for this TLV, which has one: a known disagreement.
    await esme.request(
        builders.submit_sm(SOURCE, DESTINATION, b"hi", tlvs=[(0x000D, b"\1")], sequence=99)
    )

    assert (smsc.counters.verified, smsc.counters.disagreements) == (3, 1)
