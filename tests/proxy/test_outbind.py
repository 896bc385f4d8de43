"""outbind: an SMSC connects, says who it is, and the gateway binds on that connection."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import ip_network

import pytest

from gateway.app.gateway import Gateway
from gateway.proxy.upstream import SmscState
from gateway.session.timers import Timers
from gateway.settings.schema import Address
from gateway.settings.smscs import OutbindPeer, OwnAccount, OwnBindType, Smsc, SmscMode
from gateway.smpp.commands import RESPONSE_BIT, CommandId
from gateway.smpp.pdu import HEADER, decode, header_only, make
from gateway.smpp.status import CommandStatus
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import c_octets
from simulators.wire import pdu as pdu_of

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

PORT, SUBSCRIBER, RIGHT = "10690001", "13800138000", "calls"
CALLS = OutbindPeer((ip_network("127.0.0.0/8"),), "smsc", "plain:calls")
QUICK = Timers(session_init_s=0.5, reconnect_max_s=0.1, drain_s=2)
UNKNOWN = CommandStatus.ESME_RINVCMDID


def calling(smsc: SimulatedSmsc, **changes: object) -> Smsc:
    """Return the settings of an SMSC that asks for the gateway's own bind."""
    usual = Smsc(
        "a",
        Address(smsc.host, smsc.port),
        own_bind=OwnAccount("gw", "plain:gw", OwnBindType.RECEIVER),
        outbind=CALLS,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def outbind(system_id: str = "smsc", secret: str = RIGHT, sequence: int = 1) -> bytes:
    return pdu_of(CommandId.OUTBIND, sequence, c_octets(system_id) + c_octets(secret))


async def called(smsc: RawEsme, status: int = 0, *behind: bytes) -> tuple[int, bytes, bytes]:
    """Answer the bind of the gateway; return its command_id, system_id and password."""
    pdu = await smsc.next_pdu()
    _, command_id, _, sequence = HEADER.unpack_from(pdu)
    bind = decode(pdu)
    if status:
        answer = header_only(command_id | RESPONSE_BIT, status, sequence)
    else:
        answer = make(command_id | RESPONSE_BIT, sequence, system_id=b"smsc")
    await smsc.send(b"".join((answer, *behind)))
    return command_id, bind.octets("system_id"), bind.octets("password")


def mo(text: str = "好", sequence: int = 7) -> bytes:
    return builders.deliver_sm(SUBSCRIBER, PORT, builders.ucs2(text), sequence=sequence)


async def test_the_gateway_binds_as_its_own_account_on_the_connection_of_the_smsc(
    start: Start, attach: Attach, until: Until, smsc: SimulatedSmsc
) -> None:
    gateway = await start(smscs=(calling(smsc),))
    assert gateway.sessions.pool.own_binds() == {"a": 0}
    assert gateway.sessions.pool.faults() == []
    esme, caller = await attach(gateway), await attach(gateway, kind=None)

    caller.answers_requests = False
    await caller.send(outbind())
    bound = await called(caller, 0, mo())
    delivered = decode(await esme.next_pdu())
    answer = decode(await caller.next_stray())

    assert bound == (CommandId.BIND_RECEIVER, b"gw", b"gw")
    assert delivered.octets("source_addr").decode() == SUBSCRIBER
    assert (answer.command_id, answer.command_status) == (CommandId.DELIVER_SM_RESP, 0)
    assert gateway.sessions.pool.own_binds() == {"a": 1}
    assert len(gateway.sessions.unbound) == 0
    caller.abort()
    await until(lambda: gateway.sessions.pool.own_binds() == {"a": 0})


async def test_on_a_pooled_smsc_it_is_one_more_bind_that_sps_share(
    start: Start, attach: Attach, until: Until, smsc: SimulatedSmsc
) -> None:
    pooled = calling(
        smsc, own_bind=None, mode=SmscMode.POOLED, binds=1, system_id="gw", password="plain:gw"
    )
    gateway = await start(smscs=(pooled,))
    caller = await attach(gateway, kind=None)

    caller.answers_requests = False
    await caller.send(outbind())
    bound = await called(caller)
    await until(lambda: len(gateway.sessions.pool._binds) == 2)

    assert bound == (CommandId.BIND_TRANSCEIVER, b"gw", b"gw")
    assert gateway.upstream.smscs[0].binds == 2


async def test_the_smsc_is_unbound_when_the_gateway_drains(
    start: Start, attach: Attach, until: Until, smsc: SimulatedSmsc
) -> None:
    gateway = await start(smscs=(calling(smsc),))
    caller = await attach(gateway, kind=None)
    caller.answers_requests = False
    await caller.send(outbind())
    await called(caller)
    await until(lambda: gateway.sessions.pool.own_binds() == {"a": 1})

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(gateway.drain())
        unbind = decode(await caller.next_pdu())
        await caller.send(make(CommandId.UNBIND_RESP, unbind.sequence_number))

    assert unbind.command_id == CommandId.UNBIND


@pytest.mark.parametrize(
    "pdu",
    [
        outbind("other"),
        outbind(secret="guess"),
        outbind(secret=""),
        outbind("smsc" * 20),
        outbind()[:-1] + b"x",
        outbind()[:3] + b"\x10" + outbind()[4:16],
    ],
)
async def test_who_is_not_the_smsc_is_refused_as_an_unknown_command_is(
    start: Start, attach: Attach, smsc: SimulatedSmsc, pdu: bytes
) -> None:
    gateway = await start(smscs=(calling(smsc),))
    stranger = await attach(gateway, kind=None)

    await stranger.send(pdu)
    refused = HEADER.unpack_from(await stranger.next_stray())
    bound = await stranger.bind("sp1", "secret", "trx")

    assert refused[1:3] == (CommandId.GENERIC_NACK, UNKNOWN)
    assert bound == 0


async def test_an_address_that_is_not_named_is_refused_with_the_right_password(
    start: Start, attach: Attach, smsc: SimulatedSmsc
) -> None:
    elsewhere = replace(CALLS, addresses=(ip_network("10.0.0.0/8"),))
    gateway = await start(smscs=(calling(smsc, outbind=elsewhere),))
    stranger = await attach(gateway, kind=None)

    await stranger.send(outbind())

    assert HEADER.unpack_from(await stranger.next_stray())[1:3] == (CommandId.GENERIC_NACK, UNKNOWN)


async def test_where_nobody_may_call_and_behind_a_bind_an_outbind_is_an_unknown_command(
    start: Start, attach: Attach, smsc: SimulatedSmsc
) -> None:
    gateway = await start(smscs=(calling(smsc, outbind=None, own_bind=None),))
    unbound, bound = await attach(gateway, kind=None), await attach(gateway)

    for peer in (unbound, bound):
        await peer.send(outbind())
        assert HEADER.unpack_from(await peer.next_stray())[1:3] == (CommandId.GENERIC_NACK, UNKNOWN)


async def test_a_password_that_the_environment_has_lost_lets_nobody_in(
    start: Start, attach: Attach, smsc: SimulatedSmsc
) -> None:
    lost = replace(CALLS, password="env:NOT_THERE_ANY_MORE")
    gateway = await start(smscs=(calling(smsc, outbind=lost),))
    stranger = await attach(gateway, kind=None)

    await stranger.send(outbind(secret=""))

    assert HEADER.unpack_from(await stranger.next_stray())[1] == CommandId.GENERIC_NACK


async def test_guessing_is_locked_out_and_floods_end_their_connection(
    start: Start, attach: Attach, smsc: SimulatedSmsc
) -> None:
    gateway = await start(smscs=(calling(smsc),))
    stranger = await attach(gateway, kind=None)

    await stranger.send(b"".join(outbind(secret=f"g{n}", sequence=n) for n in range(1, 200)))
    await stranger.lost()
    late = await attach(gateway, kind=None)
    await late.send(outbind())

    assert gateway.gate.lockouts.is_locked("127.0.0.1", "smsc", asyncio.get_running_loop().time())
    assert HEADER.unpack_from(await late.next_stray())[1] == CommandId.GENERIC_NACK


async def test_one_bind_of_an_smsc_stands_at_a_time(
    start: Start, attach: Attach, until: Until, smsc: SimulatedSmsc
) -> None:
    gateway = await start(smscs=(calling(smsc),))
    first, second = await attach(gateway, kind=None), await attach(gateway, kind=None)
    first.answers_requests = False
    await first.send(outbind())
    await called(first)

    second.answers_requests = False
    await second.send(outbind())
    assert HEADER.unpack_from(await second.next_stray())[1] == CommandId.GENERIC_NACK
    first.abort()
    await until(lambda: not gateway.sessions.pool._called)
    second.answers_requests = False
    await second.send(outbind(sequence=2))
    await called(second)

    await until(lambda: gateway.sessions.pool.own_binds() == {"a": 1})


@pytest.mark.parametrize("status", [0, CommandStatus.ESME_RBINDFAIL])
async def test_an_smsc_whose_address_is_down_stays_down_when_it_calls(
    start: Start, attach: Attach, until: Until, smsc: SimulatedSmsc, status: int
) -> None:
    gateway = await start(smscs=(calling(smsc),), timers=QUICK)
    (state,) = gateway.upstream.smscs
    await smsc.stop()
    sp = await attach(gateway, kind=None)
    assert await sp.bind("sp1", "secret", "trx")
    assert state.down_since is not None
    caller = await attach(gateway, kind=None)
    caller.answers_requests = False

    await caller.send(outbind())
    await called(caller, status)

    await until(lambda: bool(status) or gateway.sessions.pool.own_binds() == {"a": 1})
    await until(lambda: not status or not gateway.sessions.pool._called)
    assert state.down_since is not None
    assert gateway.upstream.faults()


async def test_a_drained_smsc_is_not_bound_at(
    start: Start, attach: Attach, smsc: SimulatedSmsc
) -> None:
    gateway = await start(smscs=(calling(smsc),))
    gateway.upstream.smscs[0].is_drained = True
    caller = await attach(gateway, kind=None)

    caller.answers_requests = False
    await caller.send(outbind())

    assert HEADER.unpack_from(await caller.next_stray())[1] == CommandId.GENERIC_NACK


@pytest.mark.parametrize("status", [CommandStatus.ESME_RBINDFAIL, None])
async def test_an_smsc_that_calls_and_does_not_bind_loses_its_connection(
    start: Start, attach: Attach, smsc: SimulatedSmsc, status: int | None
) -> None:
    gateway = await start(smscs=(calling(smsc),), timers=QUICK)
    caller = await attach(gateway, kind=None)

    caller.answers_requests = False
    await caller.send(outbind())
    if status:
        await called(caller, status)
    await caller.lost()

    assert gateway.upstream.faults() == []
    assert gateway.sessions.pool.own_binds() == {"a": 0}


async def test_what_comes_before_the_bind_is_not_an_sps_any_more(
    start: Start, attach: Attach, until: Until, smsc: SimulatedSmsc
) -> None:
    gateway = await start(smscs=(calling(smsc),))
    caller = await attach(gateway, kind=None)

    caller.answers_requests = False
    await caller.send(outbind() + builders.enquire_link(2) + builders.enquire_link(3))
    heard = [HEADER.unpack_from(await caller.next_stray())[1] for _ in range(2)]
    await called(caller)

    assert heard == [CommandId.ENQUIRE_LINK_RESP] * 2
    await until(lambda: gateway.sessions.pool.own_binds() == {"a": 1})


async def test_an_smsc_that_the_file_names_no_more_while_it_calls_is_left_alone(
    start: Start, attach: Attach, smsc: SimulatedSmsc
) -> None:
    gateway = await start(smscs=(calling(smsc),))
    caller = await attach(gateway, kind=None)
    (link,) = gateway.tick.connections

    gateway.sessions.follow_smscs([SmscState.of(calling(smsc, name="b", outbind=None))])
    gateway.sessions.pool.answer(gateway.tick.connections[link], "a")

    await caller.lost()


async def test_one_bind_of_an_smsc_stands_although_it_calls_several_times_in_a_tick(
    start: Start,
    attach: Attach,
    until: Until,
    smsc: SimulatedSmsc,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = await start(smscs=(calling(smsc),))
    callers = [await attach(gateway, kind=None) for _ in range(3)]
    with monkeypatch.context() as late:
        late.setattr(gateway.tick, "_must_wait", lambda _now: True)
        for caller in callers:
            caller.answers_requests = False
            await caller.send(outbind())
        await until(lambda: len(gateway.tick._from_esme) == len(callers))

    await until(lambda: any(not caller.pdus().empty() for caller in callers))
    (bound,) = [caller for caller in callers if not caller.pdus().empty()]
    await called(bound)
    await until(lambda: gateway.sessions.pool.own_binds() == {"a": 1})

    assert all(caller.pdus().empty() for caller in callers)
    assert len(gateway.sessions.pool._own) == len(gateway.sessions.pool._called) == 1
