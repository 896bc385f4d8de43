"""Pooled SMSCs: binds of the gateway's own, which the sessions of all SPs share."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.policy import RepliesRule
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.sender import BindType, Port, Route, RouteTable, Sender
from gateway.policy.bundle import Bundle
from gateway.proxy import esme_session
from gateway.proxy.upstream import SmscState
from gateway.session.timers import Timers
from gateway.settings.schema import Address
from gateway.settings.smscs import OwnAccount, OwnBindType, Smsc, SmscMode
from gateway.smpp.commands import RESPONSE_BIT, CommandId
from gateway.smpp.pdu import HEADER, decode, header_only
from gateway.smpp.status import CommandStatus
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc
from tests.proxy.people import hold, release

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
BuildSender = Callable[..., Sender]
Senders = tuple[Sender, ...]
Serve = Callable[[Callable[[bytes], Awaitable[bytes | None]]], Awaitable[Smsc]]
LogLines = list[dict[str, object]]

# The simulated SMSC stops on no other loop.
pytestmark = pytest.mark.asyncio(loop_factories=["asyncio"])

PORTS = {"sp1": "10690001", "sp2": "10690002"}
SUBSCRIBER = "13800138000"
QUICK = Timers(session_init_s=0.6, reconnect_max_s=0.1, drain_s=2)


@pytest.fixture
async def other() -> AsyncIterator[SimulatedSmsc]:
    """Run a second SMSC."""
    async with SimulatedSmsc(behaviour=Behaviour(seed=8)) as running:
        yield running


@pytest.fixture
def two(sender: BuildSender) -> Senders:
    """Return two SPs with a port each."""
    return tuple(sender(system_id=one, ports=(Port(number, 4),)) for one, number in PORTS.items())


def pooled(smsc: SimulatedSmsc, name: str = "a", binds: int = 2) -> Smsc:
    """Return the settings of an SMSC at which the gateway binds as gw."""
    return Smsc(
        name,
        Address(smsc.host, smsc.port),
        SmscMode.POOLED,
        binds=binds,
        system_id="gw",
        password="plain:gwsecret",
    )


async def test_the_gateway_binds_by_itself_and_answers_sps_itself(
    start: Start, attach: Attach, smsc: SimulatedSmsc
) -> None:
    smsc.behaviour = Behaviour(passwords={"gw": "gwsecret"})
    gateway = await start(smscs=(pooled(smsc, binds=3),))
    esme = await attach(gateway, kind=None)

    bound = decode(await esme.request(builders.bind("sp1", "secret", sequence=1)))

    assert [one.system_id for one in smsc.sessions] == ["gw"] * 3
    assert (bound.command_status, bound.octets("system_id")) == (0, b"smsward")
    assert [(tlv.tag, tlv.value) for tlv in bound.tlvs] == [(0x0210, b"\x34")]
    assert smsc.counters.binds == 3


async def test_sps_share_the_binds_and_each_hears_of_its_own_messages(
    start: Start, attach: Attach, smsc: SimulatedSmsc, two: Senders
) -> None:
    smsc.behaviour = Behaviour(receipts=True)
    gateway = await start(smscs=(pooled(smsc, binds=1),), senders=two)
    esmes = {one: await attach(gateway, one) for one in PORTS}

    answers = {
        one: await esme.submit(PORTS[one], SUBSCRIBER, "您好", registered_delivery=1)
        for one, esme in esmes.items()
    }

    for system_id, esme in esmes.items():
        receipt = decode(await esme.next_pdu())
        assert receipt.octets("destination_addr").decode() == PORTS[system_id]
        assert answers[system_id].message_id.encode() in receipt.octets("short_message")
    assert all(answer.is_ok for answer in answers.values())


async def test_a_session_joins_another_bind_at_once_when_its_own_is_lost(
    start: Start, attach: Attach, smsc: SimulatedSmsc, other: SimulatedSmsc
) -> None:
    smsc.behaviour = Behaviour(hold_answers=True)
    smscs = (pooled(smsc), replace(pooled(other, "b"), priority=2))
    gateway = await start(smscs=smscs)
    esme = await attach(gateway)

    async with asyncio.TaskGroup() as tasks:
        lost = tasks.create_task(esme.submit(PORTS["sp1"], SUBSCRIBER, "您好"))
        await smsc.received(1)
        await smsc.stop()

    assert lost.result().command_status == CommandStatus.ESME_RSYSERR
    assert (await esme.submit(PORTS["sp1"], SUBSCRIBER, "您好")).is_ok
    assert len(other.journal) == 1


async def test_a_session_outlives_all_binds_and_goes_on_when_one_is_back(
    start: Start, attach: Attach, until: Until, smsc: SimulatedSmsc
) -> None:
    gateway = await start(smscs=(pooled(smsc),), timers=QUICK)
    esme = await attach(gateway)
    await smsc.stop()
    await until(lambda: bool(gateway.upstream.faults()))
    stranger = await attach(gateway, kind=None)

    refused = await stranger.bind("sp1", "secret", "trx")
    await smsc.start()
    await smsc.bound(2)

    assert refused == CommandStatus.ESME_RBINDFAIL
    assert (await esme.submit(PORTS["sp1"], SUBSCRIBER, "您好")).is_ok
    assert not gateway.upstream.faults()


async def test_sessions_spread_over_the_binds_by_weight_within_the_lowest_priority(
    start: Start, attach: Attach, smsc: SimulatedSmsc, other: SimulatedSmsc
) -> None:
    smscs = (replace(pooled(smsc), weight=3), pooled(other, "b"))
    gateway = await start(smscs=smscs)

    for _ in range(8):
        await attach(gateway)

    links = [link for link in gateway.tick.connections if link.is_shared]
    on = {name: [len(li.sharers["sp1"]) for li in links if li.smsc == name] for name in "ab"}
    assert on == {"a": [3, 3], "b": [1, 1]}


async def test_a_session_that_goes_leaves_the_bind_to_the_others(
    start: Start, attach: Attach, until: Until, smsc: SimulatedSmsc
) -> None:
    gateway = await start(smscs=(pooled(smsc, binds=1),))
    first, second = await attach(gateway), await attach(gateway)

    assert await first.unbind() == 0
    await until(lambda: len(gateway.sessions.pairs) == 1)
    answer = await second.submit(PORTS["sp1"], SUBSCRIBER, "您好")
    await second.unbind()
    await until(lambda: not gateway.sessions.pairs)

    assert answer.is_ok
    assert [link.sharers for link in gateway.tick.connections if link.is_shared] == [{}]
    assert smsc.counters.unbinds == 0


async def test_an_sp_that_does_not_read_stops_no_other(
    start: Start, attach: Attach, smsc: SimulatedSmsc, two: Senders
) -> None:
    gateway = await start(smscs=(pooled(smsc, binds=1),), senders=two)
    deaf, light = await attach(gateway, "sp1"), await attach(gateway, "sp2")
    session = next(one for one in gateway.sessions.pairs if one.system_id == "sp1")
    deaf.pause()
    gateway.tick.slowed(gateway.tick.connections[session], is_slow=True)

    answer = await light.submit(PORTS["sp2"], SUBSCRIBER, "您好")

    assert answer.is_ok
    gateway.tick.slowed(gateway.tick.connections[session], is_slow=False)
    deaf.resume()


async def test_an_smsc_that_refuses_the_gateways_own_bind_is_down(
    start: Start, attach: Attach, smsc: SimulatedSmsc
) -> None:
    smsc.behaviour = Behaviour(passwords={"gw": "another"})
    gateway = await start(smscs=(pooled(smsc),), timers=QUICK)
    esme = await attach(gateway, kind=None)

    assert await esme.bind("sp1", "secret", "trx") == CommandStatus.ESME_RBINDFAIL
    assert len(gateway.upstream.faults()) == 1


async def test_the_gateways_own_binds_are_unbound_when_it_drains(
    start: Start, attach: Attach, smsc: SimulatedSmsc
) -> None:
    gateway = await start(smscs=(pooled(smsc),))
    await attach(gateway)

    await gateway.drain()

    assert smsc.counters.unbinds == 2
    await smsc.bound(0)


async def test_a_pool_may_send_and_leave_hearing_to_others(
    start: Start, attach: Attach, smsc: SimulatedSmsc
) -> None:
    gateway = await start(smscs=(replace(pooled(smsc), bind_type=BindType.TX),))
    esme = await attach(gateway)

    assert (await esme.submit(PORTS["sp1"], SUBSCRIBER, "您好")).is_ok


async def test_a_bind_that_the_sender_may_not_have_any_more_takes_none_from_the_pool(
    start: Start, attach: Attach, smsc: SimulatedSmsc
) -> None:
    gateway = await start(smscs=(pooled(smsc),))
    esme = await attach(gateway, kind=None)
    gateway.sessions.joining.maximum = 0

    assert await esme.bind("sp1", "secret", "trx") == CommandStatus.ESME_RBINDFAIL
    assert smsc.counters.unbinds == 0


async def test_sessions_go_over_to_a_pool_once_and_strand_no_other(
    start: Start, attach: Attach, smsc: SimulatedSmsc, two: Senders, until: Until
) -> None:
    gateway = await start(timers=QUICK, senders=two)
    esmes = [await attach(gateway, "sp1") for _ in range(10)]
    pairs = gateway.sessions.pairs

    gateway.sessions.follow_smscs([SmscState.of(pooled(smsc, "main", binds=2))])
    await until(lambda: all(p.smsc is not None and p.smsc.link.is_shared for p in pairs.values()))
    await until(lambda: not any(t.get_name().startswith("reconnect-") for t in asyncio.all_tasks()))
    binds = gateway.sessions.pool._binds
    on = sum(len(of) for link in binds for of in link.sharers.values())

    assert on == len(esmes)


async def test_an_sp_that_leaves_while_it_waits_for_a_bind_costs_the_pool_none(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_on = asyncio.Event()

    class Waiting:
        """asyncio whose sleep is over when the test says so."""

        def __getattr__(self, name: str) -> object:
            return getattr(asyncio, name)

        async def sleep(self, _seconds: float) -> None:
            await go_on.wait()

    gateway = await start(timers=QUICK)
    esme = await attach(gateway)
    monkeypatch.setattr(esme_session, "asyncio", Waiting())
    gateway.sessions.follow_smscs([SmscState.of(pooled(smsc, "main", binds=1))])
    await until(lambda: bool(gateway.sessions.pool._binds))
    before = smsc.counters.unbinds

    esme.abort()
    await until(lambda: not gateway.sessions.pairs)
    go_on.set()
    await until(lambda: not any(t.get_name().startswith("reconnect-") for t in asyncio.all_tasks()))

    assert smsc.counters.unbinds == before
    assert not gateway.sessions.leaving._retiring
    assert all(link.state.is_bound for link in gateway.sessions.pool._binds)


async def test_a_pool_with_a_bind_fewer_than_it_wants_is_not_down(
    start: Start, serve: Serve, until: Until, log: LogLines
) -> None:
    binds = count(1)

    async def say(pdu: bytes) -> bytes:
        _, command_id, _, sequence = HEADER.unpack_from(pdu)
        is_bind = command_id == CommandId.BIND_TRANSCEIVER
        refused = CommandStatus.ESME_RALYBND if is_bind and next(binds) > 1 else 0
        return header_only(command_id | RESPONSE_BIT, refused, sequence)

    one = replace(await serve(say), mode=SmscMode.POOLED, system_id="gw", password="plain:x")

    gateway = await start(smscs=(replace(one, binds=2),))
    await until(lambda: any(line["event"] == "smsc.refused" for line in log))

    assert gateway.upstream.faults() == []


async def test_what_the_gateway_submits_for_an_sp_goes_within_its_group(
    start: Start, smsc: SimulatedSmsc, other: SimulatedSmsc, until: Until
) -> None:
    account = OwnAccount("own", "plain:own", OwnBindType.TRANSCEIVER)
    codes = Smsc("b", Address(other.host, other.port), group="codes", own_bind=account)
    gateway = await start(smscs=(pooled(smsc, binds=1), codes))
    pool = gateway.sessions.pool
    await until(lambda: set(pool.own_binds().values()) == {1})

    def at(group: str, name: str = "") -> str | None:
        connection = pool.submitter(group, name)
        return None if connection is None else connection.link.smsc

    assert (at("main"), at("codes"), at("")) == ("a", "b", "b")
    assert (at("other"), at("codes", "b")) == (None, None)


@pytest.mark.parametrize(("long_s", "attempts"), [(15, [1, 2, 3]), (0, [0, 0, 0])])
async def test_a_bind_that_never_stands_for_long_is_dialled_ever_more_slowly(
    start: Start,
    until: Until,
    smsc: SimulatedSmsc,
    monkeypatch: pytest.MonkeyPatch,
    long_s: float,
    attempts: list[int],
) -> None:
    noted: list[int] = []

    def note(attempt: int, _maximum_s: float, _fraction: float) -> float:
        noted.append(attempt)
        return 0.0

    monkeypatch.setattr("gateway.proxy.pool.reconnect_delay_s", note)
    timers = replace(QUICK, reconnect_max_s=long_s)
    await start(smscs=(pooled(smsc, binds=1),), timers=timers)

    for times in range(1, 4):
        smsc.disconnect_all()
        await until(lambda times=times: smsc.counters.binds > times)  # type: ignore[misc]

    assert noted == attempts


async def test_what_is_released_leaves_room_on_the_bind_for_other_sps(
    start: Start, attach: Attach, smsc: SimulatedSmsc, two: Senders
) -> None:
    one = replace(pooled(smsc, binds=1), window=20)
    gateway = await start(smscs=(one,), senders=two, timers=Timers(response_s=30))
    first, second = await attach(gateway, "sp1"), await attach(gateway, "sp2")
    held = [await hold(first) for _ in range(30)]
    smsc.behaviour = Behaviour(hold_answers=True)
    (link,) = gateway.sessions.pool._binds

    for message_id in held:
        await release(gateway, message_id)
    await smsc.received(5)
    async with asyncio.TaskGroup() as tasks:
        other = tasks.create_task(second.submit(PORTS["sp2"], SUBSCRIBER, "您好"))
        await smsc.received(6)
        most = len(link.outstanding)
        smsc.behaviour = Behaviour()
        smsc.release_answers()
    await smsc.received(31)

    assert other.result().is_ok
    assert most == 6


ABROAD = "85291234567"


async def started_with_routes(
    start: Start, smsc: SimulatedSmsc, other: SimulatedSmsc, **changes: object
) -> Gateway:
    """Start a gateway that sends what is for 852 to another SMSC."""
    smscs = (pooled(smsc, binds=2), replace(pooled(other, "b", binds=2), group="abroad"))
    gateway = await start(smscs=smscs, timers=QUICK, **changes)
    gateway.plane.routes = RouteTable((Route("abroad", destination="852"),))
    return gateway


def went_to(smsc: SimulatedSmsc) -> list[str]:
    return [entry.destination for entry in smsc.journal]


async def test_each_message_goes_to_the_group_of_its_destination(
    start: Start, attach: Attach, until: Until, smsc: SimulatedSmsc, other: SimulatedSmsc
) -> None:
    other.behaviour = Behaviour(receipts=True)
    gateway = await started_with_routes(start, smsc, other)
    esme = await attach(gateway)

    answers = [await esme.submit(PORTS["sp1"], to, "您好") for to in (SUBSCRIBER, ABROAD)]
    last = await esme.submit(PORTS["sp1"], ABROAD, "您好", registered_delivery=1)
    receipt = decode(await esme.next_pdu())
    await esme.unbind()
    await until(lambda: not gateway.sessions.pairs)

    assert all(answer.is_ok for answer in answers)
    assert (went_to(smsc), went_to(other)) == ([SUBSCRIBER], [ABROAD, ABROAD])
    assert last.message_id.encode() in receipt.octets("short_message")
    assert not any(link.sharers for link in gateway.sessions.pool._binds)


async def test_a_session_outlives_the_loss_of_a_group_that_routes_lead_to(
    start: Start, attach: Attach, until: Until, smsc: SimulatedSmsc, other: SimulatedSmsc
) -> None:
    gateway = await started_with_routes(start, smsc, other)
    esme = await attach(gateway)
    assert (await esme.submit(PORTS["sp1"], ABROAD, "您好")).is_ok
    await other.stop()
    await until(lambda: bool(gateway.upstream.faults()))

    at_home = await esme.submit(PORTS["sp1"], SUBSCRIBER, "您好")
    refused = await esme.submit(PORTS["sp1"], ABROAD, "您好")
    await other.start()
    await other.bound(2)
    again = await esme.submit(PORTS["sp1"], ABROAD, "您好")

    assert (at_home.is_ok, again.is_ok) == (True, True)
    assert refused.is_ok or refused.command_status == CommandStatus.ESME_RMSGQFUL


async def test_what_waits_for_a_group_goes_on_when_a_bind_of_it_stands(
    start: Start, attach: Attach, until: Until, smsc: SimulatedSmsc, other: SimulatedSmsc
) -> None:
    gateway = await started_with_routes(start, smsc, other)
    esme = await attach(gateway)
    (session,) = gateway.sessions.pairs
    await other.stop()
    await until(lambda: bool(gateway.upstream.faults()))
    session.wait_until = float("inf")

    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(esme.submit(PORTS["sp1"], ABROAD, "您好"))
        await until(lambda: session.is_blocked)
        await other.start()

    assert waiting.result().is_ok


async def test_a_session_goes_on_after_the_loss_of_a_bind_that_it_joined_behind_a_detour(
    start: Start, attach: Attach, until: Until, smsc: SimulatedSmsc, other: SimulatedSmsc
) -> None:
    gateway = await started_with_routes(start, smsc, other)
    esme = await attach(gateway)
    assert (await esme.submit(PORTS["sp1"], ABROAD, "您好")).is_ok
    ((session, pair),) = gateway.sessions.pairs.items()
    (detour,) = session.detours
    pair.sender = replace(pair.sender, group="abroad")  # a reload says so
    for link in gateway.sessions.pool._binds:
        if link is not detour and link.smsc == "b":
            link.is_leaving = True
    smsc.disconnect_all()
    await until(lambda: session.peer is detour)
    other.disconnect_all()
    await until(lambda: session.peer not in {detour, None})

    assert (await esme.submit(PORTS["sp1"], SUBSCRIBER, "您好")).is_ok
    assert not session.detours


async def test_what_is_released_goes_by_the_routes_too(
    start: Start, attach: Attach, smsc: SimulatedSmsc, other: SimulatedSmsc
) -> None:
    gateway = await started_with_routes(start, smsc, other)
    esme = await attach(gateway)
    answer = await esme.submit(PORTS["sp1"], ABROAD, "低息贷款")

    await release(gateway, answer.message_id)
    await other.received(1)

    assert (went_to(smsc), went_to(other)) == ([], [ABROAD])


async def test_what_is_released_for_a_group_that_is_down_waits_without_being_tried(
    start: Start,
    attach: Attach,
    until: Until,
    smsc: SimulatedSmsc,
    other: SimulatedSmsc,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = await started_with_routes(start, smsc, other)
    esme = await attach(gateway)
    numbers = (ABROAD, ABROAD, SUBSCRIBER, SUBSCRIBER)
    held = [(await esme.submit(PORTS["sp1"], to, "低息贷款")).message_id for to in numbers]
    await other.stop()
    await until(lambda: bool(gateway.upstream.faults()))
    move, tried = gateway.stores.quarantine.move, list[str]()

    async def noted(message_id: int, **given: Any) -> HeldMessage | None:
        if given["to"] is HoldState.RELEASING:
            tried.append(str(message_id))
        return await move(message_id, **given)

    monkeypatch.setattr(gateway.stores.quarantine, "move", noted)
    for message_id in held[:3]:
        await release(gateway, message_id)
    await smsc.received(1)
    await release(gateway, held[3])
    await smsc.received(2)

    assert tried == held[2:]
    await other.start()
    await other.received(2)
    assert went_to(other) == [ABROAD, ABROAD]


async def test_a_cancel_without_an_id_goes_where_the_messages_went(
    start: Start, attach: Attach, until: Until, smsc: SimulatedSmsc, other: SimulatedSmsc
) -> None:
    gateway = await started_with_routes(start, smsc, other)
    esme = await attach(gateway)
    later = "991231000000000+"
    text = builders.ucs2("您好")
    await esme.request(builders.submit_sm(PORTS["sp1"], ABROAD, text, schedule=later))
    cancel = builders.cancel_sm("", PORTS["sp1"], ABROAD, sequence=90)

    await esme.request(cancel)
    await other.stop()
    await until(lambda: bool(gateway.upstream.faults()))
    failed = decode(await esme.request(cancel))

    assert (len(smsc.cancels), len(other.cancels)) == (0, 1)
    assert failed.command_status == CommandStatus.ESME_RCANCELFAIL


async def test_a_group_that_routes_lead_to_can_be_drained(
    start: Start, attach: Attach, smsc: SimulatedSmsc, other: SimulatedSmsc
) -> None:
    third = Behaviour(seed=9)
    async with SimulatedSmsc(behaviour=third) as spare:
        second = replace(pooled(spare, "c"), group="abroad", priority=2)
        smscs = (pooled(smsc), replace(pooled(other, "b"), group="abroad"), second)
        gateway = await start(smscs=smscs, timers=QUICK)
        gateway.plane.routes = RouteTable((Route("abroad", destination="852"),))
        esme = await attach(gateway)
        await esme.submit(PORTS["sp1"], ABROAD, "您好")
        next(one for one in gateway.upstream.smscs if one.name == "b").is_drained = True
        gateway.sessions.drain_smsc("b")

        answer = await esme.submit(PORTS["sp1"], ABROAD, "您好")

        assert answer.is_ok
        assert (len(other.journal), len(spare.journal)) == (1, 1)
        await gateway.stop()


async def test_a_query_goes_to_the_smsc_that_took_the_message(
    start: Start, attach: Attach, until: Until, smsc: SimulatedSmsc, other: SimulatedSmsc
) -> None:
    gateway = await start(smscs=(pooled(smsc), replace(pooled(other, "b"), priority=2)))
    esme = await attach(gateway)
    answer = await esme.submit(PORTS["sp1"], SUBSCRIBER, "您好")
    smsc.disconnect_all()
    (session,) = gateway.sessions.pairs
    await until(lambda: session.peer is not None and session.peer.smsc == "b")
    await smsc.bound(2)

    query = builders.query_sm(answer.message_id, PORTS["sp1"], sequence=90)
    found = decode(await esme.request(query))
    await smsc.stop()
    await until(lambda: bool(gateway.upstream.faults()))
    gone = decode(await esme.request(query))

    assert (found.command_status, found.octets("message_id").decode()) == (0, answer.message_id)
    assert gone.command_status == CommandStatus.ESME_RQUERYFAIL


async def test_in_transparent_mode_a_query_goes_by_another_session_of_the_sp(
    start: Start, attach: Attach, smsc: SimulatedSmsc, other: SimulatedSmsc
) -> None:
    smscs = (
        Smsc("a", Address(smsc.host, smsc.port)),
        Smsc("b", Address(other.host, other.port)),
    )
    gateway = await start(smscs=smscs)
    first, second = await attach(gateway), await attach(gateway)
    assert {link.peer.smsc for link in gateway.sessions.pairs if link.peer} == {"a", "b"}
    answer = await first.submit(PORTS["sp1"], SUBSCRIBER, "您好")

    found = decode(await second.request(builders.query_sm(answer.message_id, PORTS["sp1"])))

    assert (found.command_status, found.octets("message_id").decode()) == (0, answer.message_id)


async def test_a_released_message_is_asked_about_where_it_is_and_by_its_sp_alone(
    start: Start, attach: Attach, until: Until, smsc: SimulatedSmsc, two: Senders
) -> None:
    gateway = await start(smscs=(pooled(smsc),), senders=two)
    first, second = await attach(gateway, "sp1"), await attach(gateway, "sp2")
    held = await hold(first)
    await release(gateway, held)
    await until(lambda: gateway.plane.ids is not None and len(gateway.plane.ids) == 1)
    (entry,) = smsc.journal

    own = decode(await first.request(builders.query_sm(held, PORTS["sp1"], sequence=90)))
    theirs = builders.query_sm(entry.message_id, PORTS["sp2"], sequence=91)
    refused = decode(await second.request(theirs))

    assert (own.command_status, own.octets("message_id").decode()) == (0, held)
    assert refused.command_status == CommandStatus.ESME_RQUERYFAIL


async def test_two_sps_may_share_a_sender_number(
    start: Start, attach: Attach, smsc: SimulatedSmsc, sender: BuildSender
) -> None:
    smsc.behaviour = Behaviour(receipts=True)
    ports = (Port("BANK", shared=True),)
    senders = tuple(sender(system_id=one, ports=ports) for one in PORTS)
    gateway = await start(smscs=(pooled(smsc),), senders=senders)
    esmes = [await attach(gateway, one) for one in PORTS]

    for esme in (*esmes, *reversed(esmes)):
        answer = await esme.submit("BANK", SUBSCRIBER, "您好", registered_delivery=1)
        receipt = decode(await esme.next_pdu())
        assert answer.message_id.encode() in receipt.octets("short_message")


async def test_a_reply_goes_to_the_sp_of_the_message_that_was_released_last(
    start: Start, attach: Attach, smsc: SimulatedSmsc, sender: BuildSender
) -> None:
    ports = (Port("10690001", shared=True),)
    senders = tuple(sender(system_id=one, ports=ports) for one in PORTS)
    gateway = await start(smscs=(pooled(smsc),), senders=senders)
    first, second = [await attach(gateway, one) for one in PORTS]
    held = await hold(second, wants_receipt=False)
    await first.submit("10690001", SUBSCRIBER, "您好")

    await release(gateway, held)
    await smsc.received(2)
    await smsc.deliver("gw", SUBSCRIBER, "10690001", "好")
    reply = decode(await second.next_pdu())

    assert reply.octets("source_addr").decode() == SUBSCRIBER
    assert first.pdus().empty()


@pytest.mark.parametrize("released", [True, False])
async def test_a_refusal_at_a_shared_number_is_of_who_wrote_last_or_else_of_all_its_owners(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    sender: BuildSender,
    bundle: Bundle,
    *,
    released: bool,
) -> None:
    ports = (Port("10690001", shared=True),)
    senders = tuple(sender(system_id=one, ports=ports) for one in PORTS)
    hearing = replace(bundle, replies=RepliesRule("您已退订", "您已恢复"))
    gateway = await start(policy=hearing, smscs=(pooled(smsc),), senders=senders)
    first, second = [await attach(gateway, one) for one in PORTS]
    if released:
        held = await hold(second, wants_receipt=False)
        await first.submit("10690001", SUBSCRIBER, "您好")
        await release(gateway, held)
        await smsc.received(2)

    assert await smsc.deliver("gw", SUBSCRIBER, "10690001", "TD") == 0

    sets = gateway.plane.rules.knowledge.consent
    assert [sets.is_refused(one, 8613800138000) for one in PORTS] == [not released, True]
    answers = await gateway.stores.consent.answers_of([8613800138000])
    assert {one.scope for one in answers} == ({"sp2"} if released else {"sp1", "sp2"})


async def test_a_released_message_to_many_is_the_last_that_each_of_them_got(
    start: Start, attach: Attach, smsc: SimulatedSmsc, sender: BuildSender
) -> None:
    gateway = await start(
        smscs=(pooled(smsc),),
        senders=tuple(
            sender(system_id=one, ports=(Port("10690001", shared=True),)) for one in PORTS
        ),
    )
    esme = await attach(gateway, "sp2")
    to, text = [SUBSCRIBER, "13105551234"], builders.ucs2("低息贷款")
    kept = decode(await esme.request(builders.submit_multi("10690001", to, text, sequence=9)))

    await release(gateway, kept.octets("message_id").decode())
    await smsc.received(1)

    last = gateway.plane.writers.last
    assert [last("10690001", int(f"86{one}")) for one in to] == ["sp2", "sp2"]


async def test_receipts_for_a_shared_number_that_nobody_is_known_for_are_told_once_a_minute(
    start: Start, log: LogLines
) -> None:
    gateway = await start()
    tally, now = gateway.plane.tally, 1_000_000.0

    for unowned, at in ((0, now), (3, now + 1), (5, now + 30), (5, now + 62), (5, now + 200)):
        tally.receipts_unowned = unowned
        gateway.keeper.sweep(at)

    told = [line["count"] for line in log if line["event"] == "receipt.unowned"]
    assert told == [3, 2]
