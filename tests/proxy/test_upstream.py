"""Several SMSCs: which one has a bind, what happens when one falls, and the way back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.sender import Sender
from gateway.proxy import upstream
from gateway.session.timers import Timers
from gateway.settings.schema import Address
from gateway.settings.smscs import Smsc
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
BuildSender = Callable[..., Sender]
Two = tuple[Smsc, Smsc]
LogLines = list[dict[str, object]]

# The simulated SMSC stops on no other loop.
pytestmark = pytest.mark.asyncio(loop_factories=["asyncio"])

RBINDFAIL, RINVPASWD = 0x0D, 0x0E
QUICK = Timers(session_init_s=0.6, reconnect_max_s=0.1, drain_s=2)


@pytest.fixture
async def standby() -> AsyncIterator[SimulatedSmsc]:
    """Run a second SMSC."""
    async with SimulatedSmsc(behaviour=Behaviour(seed=8)) as running:
        yield running


@pytest.fixture
def pair(smsc: SimulatedSmsc, standby: SimulatedSmsc) -> Two:
    """Return a primary and a standby of one group."""
    return named("a", smsc), replace(named("b", standby), priority=2)


def named(name: str, smsc: SimulatedSmsc) -> Smsc:
    return Smsc(name, Address(smsc.host, smsc.port))


async def test_a_bind_goes_to_the_lowest_priority_that_is_up(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    standby: SimulatedSmsc,
    pair: Two,
) -> None:
    gateway = await start(smscs=pair[::-1])

    await attach(gateway)

    await smsc.bound(1)
    assert not standby.counters.binds
    assert [(one.name, one.binds) for one in gateway.upstream.smscs] == [("b", 0), ("a", 1)]


async def test_equal_priorities_share_the_binds_by_weight(
    start: Start, attach: Attach, smsc: SimulatedSmsc, standby: SimulatedSmsc
) -> None:
    gateway = await start(smscs=(replace(named("a", smsc), weight=3), named("b", standby)))

    for _ in range(8):
        await attach(gateway)

    await smsc.bound(6)
    await standby.bound(2)


async def test_a_sender_binds_within_its_group(
    start: Start, attach: Attach, sender: BuildSender, smsc: SimulatedSmsc, standby: SimulatedSmsc
) -> None:
    smscs = (named("a", smsc), replace(named("b", standby), group="codes"))
    gateway = await start(smscs=smscs, senders=(sender(group="codes"),))

    await attach(gateway)

    await standby.bound(1)
    assert not smsc.counters.binds


async def test_a_bind_fails_over_to_the_standby_and_both_are_told_of(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    standby: SimulatedSmsc,
    pair: Two,
    log: LogLines,
) -> None:
    gateway = await start(smscs=pair)
    await smsc.stop()

    await attach(gateway)

    await standby.bound(1)
    assert [one["smsc"] for one in log if one["event"] == "smsc.unreachable"] == ["a"]
    (fault,) = gateway.upstream.faults()
    assert fault.startswith("the SMSC a is down since 20")


async def test_a_stalled_smsc_costs_a_bind_its_share_of_the_time_alone(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    standby: SimulatedSmsc,
    pair: Two,
) -> None:
    smsc.pause()
    gateway = await start(smscs=pair, timers=QUICK)

    await attach(gateway)

    await standby.bound(1)
    smsc.resume()


async def test_new_binds_go_back_to_the_primary_and_old_ones_stay(
    start: Start,
    attach: Attach,
    until: Until,
    smsc: SimulatedSmsc,
    standby: SimulatedSmsc,
    pair: Two,
) -> None:
    gateway = await start(smscs=pair, timers=QUICK)
    await smsc.stop()
    await attach(gateway)
    await smsc.start()
    await until(lambda: not gateway.upstream.faults())

    await attach(gateway)

    await smsc.bound(1)
    await standby.bound(1)


async def test_a_session_stays_when_its_smsc_falls_and_goes_on_at_the_other(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    standby: SimulatedSmsc,
    pair: Two,
) -> None:
    gateway = await start(smscs=pair)
    esme = await attach(gateway)
    before = await esme.submit("10690001", "13800138000", "您好")

    await smsc.stop()
    await standby.bound(1)
    after = await esme.submit("10690001", "13800138000", "您好")

    assert before.is_ok
    assert after.is_ok
    assert len(standby.journal) == 1
    assert [(one.name, one.binds) for one in gateway.upstream.smscs] == [("a", 0), ("b", 1)]


async def test_what_one_smsc_refuses_for_the_moment_the_other_may_take(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    standby: SimulatedSmsc,
    pair: Two,
) -> None:
    smsc.behaviour = Behaviour(refuse_binds=RBINDFAIL)
    gateway = await start(smscs=pair)

    await attach(gateway)

    await standby.bound(1)
    assert not gateway.upstream.faults()  # it answers: it is up


async def test_an_account_that_the_smsc_does_not_know_is_tried_nowhere_else(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    standby: SimulatedSmsc,
    pair: Two,
) -> None:
    smsc.behaviour = Behaviour(refuse_binds=RINVPASWD)
    gateway = await start(smscs=pair)
    esme = await attach(gateway, kind=None)

    status = await esme.bind("sp1", "secret", "trx")

    assert status == RINVPASWD
    assert not standby.counters.binds


async def test_a_standby_without_a_bind_is_asked_whether_it_lives(
    start: Start,
    until: Until,
    standby: SimulatedSmsc,
    pair: Two,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upstream, "_ASK_EVERY_S", 0.01)
    gateway = await start(smscs=pair, timers=QUICK)
    assert not gateway.upstream.faults()

    await standby.stop()

    await until(lambda: [one.name for one in gateway.upstream.order("main")] == ["a", "b"])
    await until(lambda: any("SMSC b is down" in one for one in gateway.upstream.faults()))


async def test_an_smsc_that_resets_a_stranger_lives(
    start: Start, until: Until, smsc: SimulatedSmsc, pair: Two, log: LogLines
) -> None:
    gateway = await start(smscs=pair, timers=QUICK)
    state = gateway.upstream.smscs[0]
    gateway.upstream._fallen(state)

    await until(lambda: len(smsc.sessions) > 0 or state.down_since is None)
    smsc.disconnect_all(by_reset=True)

    await until(lambda: state.down_since is None)
    assert [one["smsc"] for one in log if one["event"] == "smsc.recovered"] == ["a"]


async def test_an_smsc_that_is_gone_is_not_asked_for_a_sign_of_life(
    start: Start, smsc: SimulatedSmsc, pair: Two
) -> None:
    gateway = await start(smscs=pair, timers=QUICK)
    state, *others = gateway.upstream.smscs
    gateway.upstream.follow(others)
    await smsc.stop()

    pdu = builders.bind("sp1", "secret", sequence=1)
    connection, _, _ = await gateway.upstream.open(
        state, pdu, system_id="sp1", window=10, within_s=0.6, is_told=False
    )

    assert connection is None
    assert state.down_since is None
    assert "smsc-a" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_no_smsc_of_its_group_is_a_failed_bind(
    start: Start, attach: Attach, sender: BuildSender
) -> None:
    gateway = await start(senders=(sender(group="gone"),))
    esme = await attach(gateway, kind=None)

    assert await esme.bind("sp1", "secret", "trx") == RBINDFAIL
