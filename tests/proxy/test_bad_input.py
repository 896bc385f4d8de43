"""What no peer should send: a clean close for it, and nothing for anybody else."""

from collections.abc import Awaitable, Callable

import pytest

from gateway.app.gateway import Gateway
from gateway.settings.gateway import Limits
from gateway.settings.smscs import Smsc
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import (
    RESPONSE,
    CommandId,
    CommandStatus,
    c_octets,
    header_of,
    pdu,
    sequence_of,
)

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Serve = Callable[[Callable[[bytes], Awaitable[bytes | None]]], Awaitable[Smsc]]

SOURCE, DESTINATION = "10690001", "13800138000"
CLEAN = builders.ucs2("您的快件已到")
HTTP = b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n"
TLS_HELLO = bytes.fromhex("16030100a5010000a10303") + bytes(155)


@pytest.mark.parametrize("kind", [None, "trx"])
@pytest.mark.parametrize(
    ("octets", "sequence"),
    [
        (HTTP, int.from_bytes(HTTP[12:16], "big")),
        (TLS_HELLO, int.from_bytes(TLS_HELLO[12:16], "big")),
        (b"\0\0\0\x0f" + pdu(CommandId.ENQUIRE_LINK, 5)[4:], 5),
        (b"\0\0\0\0" + pdu(CommandId.ENQUIRE_LINK, 5)[4:], 5),
        (b"\x7f\xff\xff\xff" + pdu(CommandId.SUBMIT_SM, 6)[4:], 6),
        (b"\0\1\x11\x71" + pdu(CommandId.SUBMIT_SM, 7)[4:], 7),  # 70 001
        (b"\0\0\0\2\0", 0),
        (b"\xff\xff\xff\xff", 0),
    ],
)
async def test_lengths_nobody_can_mean_end_the_session_and_no_other(
    gateway: Gateway,
    attach: Attach,
    until: Until,
    kind: str | None,
    octets: bytes,
    sequence: int,
) -> None:
    other, esme = await attach(gateway), await attach(gateway, kind=kind)

    await esme.send(octets)
    await esme.lost()

    status = CommandStatus.ESME_RINVCMDLEN
    assert esme.strays == [pdu(CommandId.GENERIC_NACK, sequence, command_status=status)]
    assert esme.error is None
    assert gateway.plane.tally.framing_faults == 1
    assert (await other.submit(SOURCE, DESTINATION, "您好")).is_ok
    await until(lambda: len(gateway.tick.connections) == 2)


async def test_what_was_sent_before_the_garbage_is_finished(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway)

    await esme.send(builders.submit_sm(SOURCE, DESTINATION, CLEAN, sequence=3) + HTTP)
    await esme.lost()

    await smsc.received(1)
    await smsc.until(lambda: smsc.counters.unbinds == 1)


async def test_octet_by_octet_is_no_fault(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway, kind=None)
    esme.octets_per_write = 1

    assert await esme.bind("sp1", "secret") == CommandStatus.ESME_ROK
    answer = await esme.submit(SOURCE, DESTINATION, "您的快件已到")

    assert answer.is_ok
    assert smsc.journal[0].octets == CLEAN


async def test_the_limit_of_a_pdu_is_the_configured_one(start: Start, attach: Attach) -> None:
    gateway = await start(limits=Limits(pdu_octets=1024))
    fits, exceeds = await attach(gateway), await attach(gateway)
    body = builders.payload_submit_sm(SOURCE, DESTINATION, b"", data_coding=3)
    room = 1024 - len(body)

    longest = builders.payload_submit_sm(SOURCE, DESTINATION, b"x" * room, data_coding=3)
    answer = await fits.request(longest)
    await exceeds.send(
        builders.payload_submit_sm(SOURCE, DESTINATION, b"x" * (room + 1), data_coding=3)
    )
    await exceeds.lost()

    assert len(longest) == 1024
    assert header_of(answer).command_status == CommandStatus.ESME_ROK


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (pdu(CommandId.SUBMIT_SM, 5), None),
        (pdu(CommandId.SUBMIT_SM, 5, b"\0" * 9), None),
        (builders.submit_sm(SOURCE, DESTINATION, CLEAN, sequence=5)[:-3], 0x01),
        (builders.submit_sm("1" * 21, DESTINATION, CLEAN, sequence=5), 0x0A),
        (builders.submit_sm(SOURCE, "1" * 21, CLEAN, sequence=5), 0x0B),
        (pdu(CommandId.QUERY_SM, 5, b"8" * 66), 0x0C),
        (pdu(CommandId.REPLACE_SM, 5, b"8" * 66), 0x0C),
    ],
)
async def test_a_body_that_lies_is_answered_with_its_field_and_framing_survives(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, octets: bytes, status: int | None
) -> None:
    esme = await attach(gateway)
    octets = len(octets).to_bytes(4, "big") + octets[4:]

    answer = header_of(await esme.request(octets))

    assert answer.command_id == header_of(octets).command_id | RESPONSE
    assert answer.command_status != CommandStatus.ESME_ROK
    assert status in (None, answer.command_status)
    assert (await esme.submit(SOURCE, DESTINATION, "您好")).is_ok
    assert len(smsc.journal) == 1


@pytest.mark.parametrize("garbage", [HTTP, b"\0\0\0\x0f", b"\xff" * 16])
async def test_an_smsc_that_talks_garbage_is_left_and_dialled_again(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, garbage: bytes, until: Until
) -> None:
    esme = await attach(gateway)
    (session,) = gateway.sessions.pairs

    smsc.inject("sp1", garbage)
    await smsc.until(lambda: smsc.counters.binds == 2)
    await until(lambda: session.peer is not None and session.peer.state.is_bound)

    assert (await esme.submit(SOURCE, DESTINATION, "您好")).is_ok
    assert gateway.plane.tally.framing_faults == 1


async def test_garbage_instead_of_a_bind_answer_refuses_the_bind(
    start: Start, attach: Attach, serve: Serve
) -> None:
    async def say(_octets: bytes) -> bytes:
        return HTTP

    gateway = await start(smscs=(await serve(say),))
    esme = await attach(gateway, kind=None)

    assert await esme.bind("sp1", "secret") == CommandStatus.ESME_RBINDFAIL
    assert gateway.gate.live_binds("sp1") == 0


@pytest.mark.parametrize(
    "stray",
    [
        pdu(CommandId.SUBMIT_SM | RESPONSE, 999, c_octets("x")),
        pdu(CommandId.BIND_TRANSCEIVER | RESPONSE, 1, c_octets("x")),
        pdu(CommandId.UNBIND | RESPONSE, 77),
        pdu(CommandId.GENERIC_NACK, 88, command_status=3),
        pdu(0x8000_0777, 1),
        pdu(CommandId.ENQUIRE_LINK | RESPONSE, 12),
        pdu(CommandId.OUTBIND, 3, c_octets("a") + c_octets("b")),
    ],
)
async def test_answers_nobody_waited_for_are_dropped(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, stray: bytes
) -> None:
    esme = await attach(gateway)

    smsc.inject("sp1", stray)
    await esme.send(stray if sequence_of(stray) != 3 else b"")
    answer = await esme.submit(SOURCE, DESTINATION, "您好")

    assert answer.is_ok
    assert esme.strays == []
    assert esme.pdus().empty()


async def test_a_half_closed_connection_is_closed(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway)

    esme.half_close()

    await esme.lost()
    await smsc.until(lambda: smsc.counters.unbinds == 1)
