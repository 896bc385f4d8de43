"""How a session begins: bound with the SMSC's blessing, or not at all."""

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import ip_network

import pytest

from gateway.app.gateway import Gateway
from gateway.dataplane import attention
from gateway.domain.sender import BindLimits, BindType, Sender
from gateway.proxy.connection import Pause
from gateway.session.timers import Timers
from gateway.settings.gateway import Limits
from gateway.settings.smscs import Smsc
from gateway.smpp.fields import Tag, first
from gateway.smpp.pdu import decode
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
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

LogLines = list[dict[str, object]]
BuildSender = Callable[..., Sender]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Serve = Callable[[Callable[[bytes], Awaitable[bytes | None]]], Awaitable[Smsc]]

SOURCE, DESTINATION = "10690001", "13800138000"
CLEAN = builders.ucs2("您的快件已到")
BOUND = CommandId.BIND_TRANSCEIVER | RESPONSE


def submit(sequence: int) -> bytes:
    return builders.submit_sm(SOURCE, DESTINATION, CLEAN, sequence=sequence)


def events(log: LogLines) -> list[object]:
    return [line["event"] for line in log]


# Binding


@pytest.mark.parametrize("kind", ["trx", "tx", "rx"])
async def test_a_bind_opens_the_same_kind_of_bind_at_the_smsc(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, kind: str
) -> None:
    smsc.behaviour = Behaviour(passwords={"sp1": "secret"})

    await attach(gateway, kind=kind)
    await smsc.bound(1)

    assert [(one.system_id, one.bind_type) for one in smsc.sessions] == [("sp1", kind)]


async def test_a_bind_and_its_answer_are_relayed_to_the_octet(
    start: Start, attach: Attach, serve: Serve
) -> None:
    heard: list[bytes] = []
    body = c_octets("SMSC-7") + tlv_octets([(0x0210, b"\x50"), (0x1401, b"\xff\x00")])

    async def say(octets: bytes) -> bytes:
        heard.append(octets)
        return pdu(BOUND, sequence_of(octets), body)

    gateway = await start(smscs=(await serve(say),))
    esme = await attach(gateway, kind=None)
    bind = builders.bind(
        "sp1", "secret", interface_version=0x50, system_type="WEB", sequence=0x7ABBCCDD
    )

    answer = await esme.request(bind[:8] + b"\0\0\0\x45" + bind[12:])

    assert answer == pdu(BOUND, 0x7ABBCCDD, body)
    assert heard == [bind[:12] + (1).to_bytes(4, "big") + bind[16:]]


@pytest.mark.parametrize("version", [0, 0x33])
async def test_an_sp_that_knows_no_tlvs_gets_none_in_its_bind_answer(
    start: Start, attach: Attach, serve: Serve, version: int
) -> None:
    tlvs = tlv_octets([(0x0210, b"\x34"), (0x1401, b"\xff\x00")])

    async def say(octets: bytes) -> bytes:
        return pdu(BOUND, sequence_of(octets), c_octets("SMSC-7") + tlvs)

    gateway = await start(smscs=(await serve(say),))
    esme = await attach(gateway, kind=None)

    answer = await esme.request(
        builders.bind("sp1", "secret", interface_version=version, sequence=9)
    )

    assert answer == pdu(BOUND, 9, c_octets("SMSC-7"))


@pytest.mark.parametrize(("version", "told"), [(0x33, b""), (0x34, b"CONTENT K-FRAUD\0")])
async def test_a_refusal_names_its_reason_to_an_sp_that_knows_tlvs(
    start: Start, attach: Attach, sender: BuildSender, version: int, told: bytes
) -> None:
    gateway = await start(senders=(sender(refusal_tlvs=True),))
    esme = await attach(gateway, kind=None)
    assert await esme.bind("sp1", "secret", interface_version=version) == 0

    answer = decode(
        await esme.request(builders.submit_sm(SOURCE, DESTINATION, builders.ucs2("代开发票")))
    )

    assert answer.command_status == CommandStatus.ESME_RSUBMITFAIL
    assert (first(answer.tlvs, Tag.ADDITIONAL_STATUS_INFO_TEXT) or b"") == told


async def test_what_is_written_together_with_a_bind_is_served_in_its_order(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway, kind=None)

    await esme.send(builders.bind("sp1", "secret") + submit(2) + submit(3) + builders.unbind(4))
    await esme.next_stray(4)

    assert [header_of(stray)[1:] for stray in esme.strays] == [
        (BOUND, 0, 1),
        (CommandId.SUBMIT_SM | RESPONSE, 0, 2),
        (CommandId.SUBMIT_SM | RESPONSE, 0, 3),
        (CommandId.UNBIND | RESPONSE, 0, 4),
    ]
    assert smsc.counters.messages == 2


async def test_what_is_written_together_with_a_bind_that_is_refused_goes_nowhere(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc
) -> None:
    esme = await attach(gateway, kind=None)

    await esme.send(builders.bind("sp1", "wrong") + submit(2))
    await esme.lost()

    assert [header_of(stray)[1:] for stray in esme.strays] == [
        (BOUND, CommandStatus.ESME_RBINDFAIL, 1)
    ]
    assert smsc.counters.messages == 0


async def test_of_what_is_written_behind_a_bind_only_so_much_is_read_before_its_answer(
    start: Start, attach: Attach, serve: Serve, until: Until
) -> None:
    is_read = asyncio.Event()

    async def hang_up(_octets: bytes) -> None:
        await is_read.wait()

    gateway = await start(smscs=(await serve(hang_up),))
    esme = await attach(gateway, kind=None)

    await esme.send(builders.bind("sp1", "secret") + submit(2) * 10_000)
    session = next(iter(gateway.tick.connections))
    await until(lambda: gateway.tick.connections[session].is_paused_for(Pause.WINDOW))
    waiting = len(session.tail)
    is_read.set()
    await esme.lost()

    assert waiting < 128 * 1024


@pytest.mark.parametrize(
    ("command_id", "body"),
    [
        (BOUND, b"SMSC"),
        (BOUND, b"S" * 16 + b"\0"),
        (BOUND, c_octets("SMSC") + b"\x02\x10\0\2\x34"),
        (CommandId.BIND_RECEIVER | RESPONSE, c_octets("SMSC")),
    ],
)
async def test_an_answer_that_is_malformed_or_to_another_bind_binds_nobody(
    start: Start, attach: Attach, serve: Serve, command_id: int, body: bytes, log: LogLines
) -> None:
    async def say(octets: bytes) -> bytes:
        return pdu(command_id, sequence_of(octets), body)

    gateway = await start(smscs=(await serve(say),))
    esme = await attach(gateway, kind=None)

    answer = await esme.request(builders.bind("sp1", "secret", sequence=9))

    assert answer == pdu(BOUND, 9, command_status=CommandStatus.ESME_RBINDFAIL)
    assert [line["said"] for line in log if line["event"] == "smsc.unreachable"] == [
        "its answer to the bind is none"
    ]


async def test_an_answer_with_another_number_binds_nobody(
    start: Start, attach: Attach, serve: Serve
) -> None:
    async def say(octets: bytes) -> bytes:
        sequence = sequence_of(octets)
        return pdu(BOUND, sequence + 1, c_octets("WRONG")) + pdu(BOUND, sequence, c_octets("SMSC"))

    gateway = await start(smscs=(await serve(say),))
    esme = await attach(gateway, kind=None)

    answer = await esme.request(builders.bind("sp1", "secret", sequence=9))

    assert answer == pdu(BOUND, 9, c_octets("SMSC"))


@pytest.mark.parametrize("status", [CommandStatus.ESME_RINVPASWD, 0x0000_0405])
async def test_the_smsc_s_refusal_is_relayed_and_takes_no_place(
    start: Start, attach: Attach, sender: BuildSender, smsc: SimulatedSmsc, status: int
) -> None:
    limits = BindLimits(1, frozenset(BindType), (ip_network("127.0.0.0/8"),))
    gateway = await start(senders=(sender(binds=limits),))
    smsc.behaviour = Behaviour(refuse_binds=status)
    refused = await attach(gateway, kind=None)

    answer = await refused.request(builders.bind("sp1", "secret", sequence=9))
    await refused.lost()
    smsc.behaviour = Behaviour()
    await attach(gateway)

    assert answer == pdu(BOUND, 9, command_status=status)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (CommandStatus.ESME_RINVCMDID, CommandStatus.ESME_RINVCMDID),
        (CommandStatus.ESME_ROK, CommandStatus.ESME_RBINDFAIL),
    ],
)
async def test_an_smsc_that_nacks_a_bind_has_refused_it(
    start: Start, attach: Attach, serve: Serve, said: int, status: int
) -> None:
    async def say(octets: bytes) -> bytes:
        return pdu(CommandId.GENERIC_NACK, sequence_of(octets), command_status=said)

    gateway = await start(smscs=(await serve(say),))
    esme = await attach(gateway, kind=None)

    assert await esme.bind("sp1", "secret") == status


async def test_without_an_smsc_nobody_is_bound(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, log: LogLines
) -> None:
    await smsc.stop()
    esme = await attach(gateway, kind=None)

    status = await esme.bind("sp1", "secret")
    await esme.lost()

    assert status == CommandStatus.ESME_RBINDFAIL
    assert gateway.gate.live_binds("sp1") == 0
    assert "smsc.unreachable" in events(log)


# The keeper of a busy machine would cut an ESME that was too slow for such a session_init.
@pytest.mark.usefixtures("unkept")
async def test_an_smsc_that_says_nothing_is_not_waited_for_longer_than_session_init(
    start: Start, attach: Attach, serve: Serve, until: Until
) -> None:
    async def say(_octets: bytes) -> bytes:
        return b""

    gateway = await start(smscs=(await serve(say),), timers=Timers(session_init_s=0.05))
    esme = await attach(gateway, kind=None)

    status = await esme.bind("sp1", "secret")

    assert status == CommandStatus.ESME_RBINDFAIL
    await until(lambda: not gateway.tick.connections)


async def test_an_smsc_that_hangs_up_instead_of_answering_has_bound_nobody(
    start: Start, attach: Attach, serve: Serve
) -> None:
    async def say(_octets: bytes) -> None:
        return None

    gateway = await start(smscs=(await serve(say),))
    esme = await attach(gateway, kind=None)

    assert await esme.bind("sp1", "secret") == CommandStatus.ESME_RBINDFAIL
    assert gateway.gate.live_binds("sp1") == 0


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (CommandStatus.ESME_ROK, CommandStatus.ESME_RBINDFAIL),
        (CommandStatus.ESME_RINVPASWD, CommandStatus.ESME_RINVPASWD),
    ],
)
async def test_a_bind_that_ends_in_the_turn_it_was_answered_in_is_none(
    gateway: Gateway,
    attach: Attach,
    smsc: SimulatedSmsc,
    monkeypatch: pytest.MonkeyPatch,
    said: int,
    heard: int,
) -> None:
    smsc.behaviour = Behaviour(refuse_binds=said)
    answered = gateway.dialler.answered

    def answered_and_gone(item: attention.BindAnswer) -> None:
        answered(item)
        connection = gateway.tick.connections[item.link]
        connection.abort()
        connection.connection_lost(ConnectionResetError())

    monkeypatch.setattr(gateway.dialler, "answered", answered_and_gone)
    esme = await attach(gateway, kind=None)

    status = await esme.bind("sp1", "secret")

    assert status == heard
    assert gateway.sessions.pairs == {}
    assert gateway.gate.live_binds("sp1") == 0


async def test_an_sp_that_goes_while_its_bind_is_dialled_leaves_nothing_behind(
    start: Start, attach: Attach, serve: Serve, until: Until
) -> None:
    dialled, may_answer = asyncio.Event(), asyncio.Event()
    heard: list[int] = []

    async def say(octets: bytes) -> bytes:
        heard.append(header_of(octets).command_id)
        dialled.set()
        await may_answer.wait()
        return pdu(header_of(octets).command_id | RESPONSE, sequence_of(octets), c_octets("x"))

    gateway = await start(smscs=(await serve(say),))
    esme = await attach(gateway, kind=None)
    await esme.send(builders.bind("sp1", "secret"))
    await dialled.wait()
    esme.close()
    await until(lambda: len(gateway.tick.connections) == 1)

    may_answer.set()
    await until(lambda: not gateway.tick.connections)

    assert heard == [CommandId.BIND_TRANSCEIVER, CommandId.UNBIND]
    assert gateway.gate.live_binds("sp1") == 0
    assert gateway.session_counts() == {}


async def test_an_sp_that_unbinds_while_its_bind_is_dialled_is_let_go(
    start: Start, attach: Attach, serve: Serve, until: Until
) -> None:
    may_answer = asyncio.Event()
    heard: list[int] = []

    async def say(octets: bytes) -> bytes:
        heard.append(header_of(octets).command_id)
        await may_answer.wait()
        return pdu(header_of(octets).command_id | RESPONSE, sequence_of(octets), c_octets("x"))

    gateway = await start(smscs=(await serve(say),))
    esme = await attach(gateway, kind=None)
    await esme.send(builders.bind("sp1", "secret", sequence=1))
    await until(lambda: len(heard) == 1)

    status = header_of(await esme.request(builders.unbind(2))).command_status
    await esme.lost()
    may_answer.set()

    assert status == CommandStatus.ESME_ROK
    await until(lambda: not gateway.tick.connections)
    assert heard == [CommandId.BIND_TRANSCEIVER, CommandId.UNBIND]


async def test_a_second_bind_changes_nothing(gateway: Gateway, attach: Attach) -> None:
    esme = await attach(gateway)

    again = await esme.bind("sp1", "guess", "rx")
    answer = await esme.submit(SOURCE, DESTINATION, "您好")

    assert again == CommandStatus.ESME_RALYBND
    assert answer.is_ok


@pytest.mark.parametrize(
    ("request_pdu", "status"),
    [
        (submit(5), CommandStatus.ESME_RINVBNDSTS),
        (builders.query_sm("1", SOURCE, sequence=5), CommandStatus.ESME_RINVBNDSTS),
        (builders.enquire_link(5), CommandStatus.ESME_ROK),
        (builders.unbind(5), CommandStatus.ESME_ROK),
    ],
)
async def test_before_the_bind_only_signs_of_life_and_farewells_are_taken(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, request_pdu: bytes, status: int
) -> None:
    esme = await attach(gateway, kind=None)

    answer = await esme.request(request_pdu)

    command_id = header_of(request_pdu).command_id
    assert answer == pdu(command_id | RESPONSE, 5, command_status=status)
    assert smsc.counters.connections == 0


async def test_a_receiver_does_not_submit(gateway: Gateway, attach: Attach) -> None:
    esme = await attach(gateway, kind="rx")

    answer = await esme.submit(SOURCE, DESTINATION, "您好")

    assert answer.command_status == CommandStatus.ESME_RINVBNDSTS


async def test_what_the_smsc_delivers_right_behind_its_bind_answer_arrives(
    start: Start, attach: Attach, serve: Serve
) -> None:
    delivery = builders.deliver_sm(DESTINATION, SOURCE, b"TD", data_coding=0, sequence=41)
    answers: list[bytes] = []
    delivered = asyncio.Event()

    async def say(octets: bytes) -> bytes:
        if header_of(octets).command_id == CommandId.BIND_TRANSCEIVER:
            return pdu(BOUND, sequence_of(octets), c_octets("x")) + delivery
        answers.append(octets)
        delivered.set()
        return b""

    gateway = await start(smscs=(await serve(say),))
    esme = await attach(gateway)

    received = await esme.next_pdu()
    await asyncio.wait_for(delivered.wait(), 60)

    assert received[16:] == delivery[16:]
    assert answers == [pdu(CommandId.DELIVER_SM | RESPONSE, 41, c_octets(""))]


@pytest.mark.usefixtures("unkept")
async def test_connections_past_the_limit_are_cut(
    start: Start, attach: Attach, until: Until
) -> None:
    gateway = await start(limits=Limits(sessions=1))
    first = await attach(gateway)

    second = await attach(gateway, kind=None)
    await second.lost()
    await first.unbind()
    await until(lambda: not gateway.tick.connections)
    third = await attach(gateway)

    assert (await third.submit(SOURCE, DESTINATION, "您好")).is_ok


async def test_strangers_that_never_bind_leave_room_for_a_sender(
    start: Start, attach: Attach
) -> None:
    gateway = await start(limits=Limits(sessions=16))
    strangers = [await attach(gateway, kind=None) for _ in range(16)]

    await asyncio.gather(*(stranger.lost() for stranger in strangers[:-4]))

    assert not any(stranger.is_lost for stranger in strangers[-4:])
    await attach(gateway, "sp1")
    assert gateway.sessions.unbound.refused == {"crowd": 13}
    assert len(gateway.sessions.unbound) == 3
