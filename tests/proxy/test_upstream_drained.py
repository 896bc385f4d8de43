"""An SMSC that is drained for maintenance: it answers what it has, the rest goes elsewhere."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app.gateway import Gateway
from gateway.app.orders import Orders
from gateway.console.control_socket import OrderRefusedError
from gateway.domain.records import NewAccess
from gateway.proxy.upstream import SmscState
from gateway.session.timers import Timers
from gateway.settings.schema import Address
from gateway.settings.smscs import Smsc, SmscMode
from gateway.storage.journals import SqlJournals
from simulators.esme import RawEsme
from simulators.smsc import Behaviour, SimulatedSmsc

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

# The simulated SMSC stops on no other loop.
pytestmark = pytest.mark.asyncio(loop_factories=["asyncio"])

SOURCE, DESTINATION = "10690001", "13800138000"
QUICK = Timers(session_init_s=0.6, reconnect_max_s=0.1, drain_s=2)


@pytest.fixture
async def other() -> AsyncIterator[SimulatedSmsc]:
    """Run a second SMSC."""
    async with SimulatedSmsc(behaviour=Behaviour(seed=8)) as running:
        yield running


def settings_of(name: str, smsc: SimulatedSmsc, mode: SmscMode, priority: int) -> Smsc:
    plain = Smsc(name, Address(smsc.host, smsc.port), priority=priority)
    if mode is SmscMode.TRANSPARENT:
        return plain
    return replace(plain, mode=mode, binds=2, system_id="gw", password="plain:secret")


async def order(gateway: Gateway, do: str, name: str, **said: object) -> object:
    orders = Orders(gateway.stores, gateway.sessions, gateway.policies, gateway.upstream)
    asked = {"do": do, "name": name, "by": "wu", "note": "new software", **said}
    return await orders.answers()[do](asked)


@pytest.mark.parametrize("mode", SmscMode)
async def test_what_a_drained_smsc_was_given_is_answered_and_the_rest_goes_to_another(
    start: Start, attach: Attach, smsc: SimulatedSmsc, other: SimulatedSmsc, mode: SmscMode
) -> None:
    two = settings_of("a", smsc, mode, 1), settings_of("b", other, mode, 2)
    gateway = await start(smscs=two, timers=QUICK)
    esme = await attach(gateway)
    smsc.behaviour = Behaviour(hold_answers=True)

    async with asyncio.TaskGroup() as tasks:
        given = tasks.create_task(esme.submit(SOURCE, DESTINATION, "您好"))
        await smsc.received(1)
        await order(gateway, "smsc drain", "a")
        waiting = tasks.create_task(esme.submit(SOURCE, DESTINATION, "再见"))
        smsc.release_answers()
    await smsc.until(lambda: not smsc.sessions)

    assert given.result().is_ok
    assert waiting.result().is_ok
    assert (len(smsc.journal), len(other.journal)) == (1, 1)
    assert smsc.counters.unbinds == smsc.counters.binds
    assert gateway.upstream.faults() == ["the SMSC a is drained: `smsward smsc resume a`"]


@pytest.mark.parametrize("mode", SmscMode)
async def test_an_smsc_that_is_resumed_gets_binds_again(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    other: SimulatedSmsc,
    mode: SmscMode,
    until: Until,
) -> None:
    two = settings_of("a", smsc, mode, 1), settings_of("b", other, mode, 2)
    gateway = await start(smscs=two, timers=QUICK)
    await order(gateway, "smsc drain", "a")
    await smsc.until(lambda: not smsc.sessions)
    first = await attach(gateway)
    await first.submit(SOURCE, DESTINATION, "您好")

    await order(gateway, "smsc resume", "a")
    if mode is SmscMode.POOLED:
        await smsc.bound(2)
        await until(lambda: gateway.upstream.smscs[0].binds == 2)
    second = await attach(gateway)
    await second.submit(SOURCE, DESTINATION, "您好")

    assert (len(smsc.journal), len(other.journal)) == (1, 1)
    assert gateway.upstream.faults() == []


async def test_the_last_smsc_that_is_up_is_drained_by_force_only(
    start: Start, attach: Attach, smsc: SimulatedSmsc
) -> None:
    gateway = await start(timers=QUICK)
    name = gateway.upstream.smscs[0].name
    await attach(gateway)

    with pytest.raises(OrderRefusedError, match="no other SMSC of the group main is up"):
        await order(gateway, "smsc drain", name)
    assert not gateway.upstream.smscs[0].is_drained
    await order(gateway, "smsc drain", name, force=True)
    await smsc.until(lambda: not smsc.sessions)


async def test_an_order_about_another_smsc_is_refused(start: Start) -> None:
    gateway = await start()
    name = gateway.upstream.smscs[0].name

    with pytest.raises(OrderRefusedError, match="there is no SMSC b9"):
        await order(gateway, "smsc drain", "b9")
    with pytest.raises(OrderRefusedError, match="is not drained"):
        await order(gateway, "smsc resume", name)


async def test_an_smsc_that_a_reload_replaces_meanwhile_is_drained_too(
    start: Start, smsc: SimulatedSmsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = settings_of("a", smsc, SmscMode.TRANSPARENT, 1)
    gateway = await start(smscs=(own,), timers=QUICK)
    note = SqlJournals.note_access

    async def note_amid_a_reload(journals: SqlJournals, access: NewAccess) -> int:
        gateway.sessions.follow_smscs([SmscState.of(replace(own, address=Address("::1", 1)))])
        return await note(journals, access)

    monkeypatch.setattr(SqlJournals, "note_access", note_amid_a_reload)
    await order(gateway, "smsc drain", "a", force=True)

    assert [one.is_drained for one in gateway.upstream.smscs] == [True]


async def test_a_drained_smsc_stays_so_over_a_restart_and_a_reload_until_it_is_resumed(
    start: Start, attach: Attach, smsc: SimulatedSmsc, other: SimulatedSmsc, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'smsward.db'}"
    pooled = SmscMode.POOLED
    two = [settings_of("a", smsc, pooled, 1), settings_of("b", other, pooled, 2)]
    first_run = await start(smscs=tuple(two), timers=QUICK, store_url=url)
    await order(first_run, "smsc drain", "a")
    await first_run.stop()

    gateway = await start(smscs=tuple(two), timers=QUICK, store_url=url)
    await attach(gateway)
    restarted = [one.is_drained for one in gateway.upstream.smscs]
    changed = [replace(two[0], binds=3), two[1]]
    gateway.sessions.follow_smscs(map(SmscState.of, changed))
    reloaded = [one.is_drained for one in gateway.upstream.smscs]
    assert not smsc.sessions
    await order(gateway, "smsc resume", "a")

    assert (restarted, reloaded) == ([True, False], [True, False])
    await smsc.until(lambda: len(smsc.sessions) == 3)
    assert await gateway.stores.drained_smscs.listed() == []
