"""Sanctions in a running gateway: carried out, obeyed, and undone by two persons."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from subprocess import CompletedProcess

import pytest
from structlog.testing import capture_logs

from gateway.app.gateway import Gateway
from gateway.domain.sanction import (
    ReopeningTerms,
    Sanction,
    SanctionLadder,
    SanctionState,
    SanctionStep,
)
from gateway.domain.suspension import Lift, NewPortSuspension
from gateway.domain.warning import Severity, WarningCode, WarningCount, WarningKind, WarningNote
from gateway.runtime import clock
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.early_warnings import service as sanction_service
from gateway.systems.early_warnings.service import SanctionKeeper, closed_of
from simulators.esme import RawEsme
from simulators.wire import CommandId, CommandStatus, header_of

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Command = Callable[..., Awaitable[CompletedProcess[str]]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
PORT, DESTINATION = "10690001", "13800138000"
RTHROTTLED = 0x58
KIND = WarningKind(WarningCode.W5, "R21", "sp1", PORT)
BY_HAND = SanctionLadder()
BY_ITSELF = replace(BY_HAND, automatic=frozenset(SanctionStep))


async def violate(stores: Stores, severity: Severity, at: datetime, port: str = PORT) -> None:
    await stores.warnings.add([WarningCount(KIND._replace(port=port), severity, 1, 0, at, at)])


async def reopen(stores: Stores, number: int, at: datetime, daily_max: int = 10_000) -> None:
    asked = ReopeningTerms("lin", at, "new owner", "own lists", daily_max=daily_max)
    await stores.sanctions.ask_reopening(number, asked)
    await stores.sanctions.approve_reopening(number, asked.digest, "wu", at)


def keeper(stores: Stores, ladder: SanctionLadder = BY_ITSELF) -> SanctionKeeper:
    ports = stores.suspended_ports
    return SanctionKeeper(stores.sanctions, ports, ladder, lambda _system_id: [PORT, "10690009"])


async def test_r96_a_serious_violation_suspends_its_port_once_by_two_processes(
    stores: Stores,
) -> None:
    await violate(stores, Severity.SERIOUS, NOON)
    one, other = keeper(stores), keeper(stores)

    with capture_logs() as logged:
        await one.look(NOON)
        await other.look(NOON)

    assert await stores.suspended_ports.in_force() == {"sp1": frozenset({PORT})}
    (port,) = await stores.suspended_ports.listed()
    assert (port.by, port.note) == ("automatic", "sanction 1")
    assert [found["event"] for found in logged] == ["sanction.proposed", "sanction.carried_out"]
    assert one.counts() == {"suspend": 1}


async def test_r96_a_step_that_a_person_decides_waits_for_it(stores: Stores) -> None:
    await violate(stores, Severity.SERIOUS, NOON)
    gateway = keeper(stores, BY_HAND)

    await gateway.look(NOON)
    waiting = await stores.suspended_ports.in_force()
    said = WarningNote("wu", NOON, "checked")
    await stores.sanctions.decide(1, SanctionState.APPLIED, said)
    await gateway.look(NOON)

    assert waiting == {}
    assert await stores.suspended_ports.in_force() == {"sp1": frozenset({PORT})}


async def test_r96_a_violation_without_a_port_suspends_all_of_the_sp(stores: Stores) -> None:
    await violate(stores, Severity.SERIOUS, NOON, port="")

    await keeper(stores).look(NOON)

    assert await stores.suspended_ports.in_force() == {"sp1": frozenset({PORT, "10690009"})}


async def test_r97_a_reopened_port_is_let_go_but_not_what_complaints_suspended(
    stores: Stores,
) -> None:
    await violate(stores, Severity.SERIOUS, NOON)
    await violate(stores, Severity.SERIOUS, NOON, port="10690009")
    await keeper(stores).look(NOON)
    await stores.suspended_ports.lift("sp1", "10690009", Lift(NOON, "wu", "fixed"), 2)
    complained = NewPortSuspension("sp1", "10690009", NOON, "complaints", "R88")
    await stores.suspended_ports.suspend(complained)

    await reopen(stores, 1, NOON)
    await reopen(stores, 2, NOON)
    await keeper(stores).look(NOON)

    assert await stores.suspended_ports.in_force() == {"sp1": frozenset({"10690009"})}


async def test_r96_complaints_and_a_sanction_suspend_a_port_each_of_its_own_right(
    stores: Stores,
) -> None:
    complained = NewPortSuspension("sp1", PORT, NOON, "complaints", "R88")
    await stores.suspended_ports.suspend(complained)
    await violate(stores, Severity.SERIOUS, NOON)

    await keeper(stores).look(NOON)
    both = [one.note for one in await stores.suspended_ports.listed(is_in_force=True)]
    await stores.suspended_ports.lift("sp1", PORT, Lift(NOON, "wu", "reviewed"))
    await keeper(stores).look(NOON)

    assert both == ["sanction 1", "R88"]
    assert await stores.suspended_ports.in_force() == {"sp1": frozenset({PORT})}
    assert await stores.sanctions.to_carry_out() == []


@pytest.mark.parametrize("first", [1, 2])
async def test_r97_the_end_of_one_sanction_does_not_open_a_port_that_another_suspends(
    stores: Stores, first: int
) -> None:
    rules = replace(BY_ITSELF, serious=(SanctionStep.SUSPEND,))
    for rule in ("R21", "R05"):
        kind = KIND._replace(rule=rule)
        await stores.warnings.add([WarningCount(kind, Severity.SERIOUS, 1, 0, NOON, NOON)])
    gateway = keeper(stores, rules)
    await gateway.look(NOON)

    await reopen(stores, first, NOON)
    held = [await stores.suspended_ports.in_force()]
    await gateway.look(NOON)
    held.append(await stores.suspended_ports.in_force())
    await reopen(stores, 3 - first, NOON)
    await gateway.look(NOON)

    assert held == [{"sp1": frozenset({PORT})}] * 2
    assert await stores.suspended_ports.in_force() == {}


async def test_r97_an_sp_that_two_sanctions_close_stays_closed_until_both_are_over(
    stores: Stores,
) -> None:
    for rule in ("R21", "R05"):
        kind = KIND._replace(rule=rule)
        await stores.warnings.add([WarningCount(kind, Severity.MAJOR, 1, 0, NOON, NOON)])
    await keeper(stores).look(NOON)

    await reopen(stores, 2, NOON)
    one_over = closed_of(await stores.sanctions.in_force(NOON))
    await reopen(stores, 1, NOON)

    assert one_over["sp1"].note == "closed by sanction 1"
    assert closed_of(await stores.sanctions.in_force(NOON)) == {}


async def test_r97_a_process_that_was_slow_suspends_no_port_that_was_reopened_meanwhile(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    await violate(stores, Severity.SERIOUS, NOON)
    slow, ports = keeper(stores), stores.suspended_ports
    suspend = ports.suspend

    async def suspend_late(new: NewPortSuspension) -> bool:
        monkeypatch.undo()
        await reopen(stores, 1, NOON)
        await keeper(stores).look(NOON)
        return await suspend(new)

    monkeypatch.setattr(ports, "suspend", suspend_late)
    await slow.look(NOON)

    assert await ports.in_force() == {}


async def test_r96_a_port_that_a_person_let_go_is_left(stores: Stores) -> None:
    await violate(stores, Severity.SERIOUS, NOON, port="")

    await keeper(stores).look(NOON)
    await stores.suspended_ports.lift("sp1", PORT, Lift(NOON, "wu", "fixed"), 1)
    await keeper(stores).look(NOON)

    assert await stores.suspended_ports.in_force() == {"sp1": frozenset({"10690009"})}


async def test_r96_an_sp_without_a_known_port_is_suspended_once_it_has_one(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sanction_service, "_AT_ONCE", 1)
    ports: list[str] = []
    await violate(stores, Severity.SERIOUS, NOON, port="")
    await violate(stores, Severity.SERIOUS, NOON)
    suspended = stores.suspended_ports
    gateway = SanctionKeeper(stores.sanctions, suspended, BY_ITSELF, lambda _system_id: ports)

    await gateway.look(NOON)
    await gateway.look(NOON)  # the second one does not wait for the first
    waiting = [one.number for one in await stores.sanctions.to_carry_out()]
    ports.append("10690009")
    for _ in range(2):
        await gateway.look(NOON)

    assert waiting == [1]
    assert await suspended.in_force() == {"sp1": frozenset({PORT, "10690009"})}
    assert await stores.sanctions.to_carry_out() == []


async def test_r97_of_several_caps_of_a_port_the_smallest_holds(
    start: Start, attach: Attach
) -> None:
    gateway = await start()
    esme = await attach(gateway)
    now = clock.utcnow()
    caps = [3, 1, 2]
    reopened = [
        Sanction(
            number,
            number,
            "sp1",
            PORT,
            Severity.SERIOUS,
            SanctionStep.SUSPEND,
            SanctionState.REOPENED,
            now,
            reopening=ReopeningTerms("lin", now, "new owner", "own lists", daily_max=cap),
            reopened_at=now,
        )
        for number, cap in enumerate(caps)
    ]

    gateway.policies.know_sanctions(reopened)
    answers = [await esme.submit(PORT, DESTINATION, "您好") for _ in range(2)]

    assert [int(one.command_status) for one in answers] == [0, RTHROTTLED]


async def test_what_the_store_does_not_take_is_told_once_and_done_later(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*_given: object) -> bool:
        raise StoreUnavailable("full")

    await violate(stores, Severity.SERIOUS, NOON)
    gateway = keeper(stores)
    with monkeypatch.context() as patch, capture_logs() as logged:
        patch.setattr(stores.suspended_ports, "suspend", failing)
        await gateway.look(NOON)
        await gateway.look(NOON)
    await gateway.look(NOON)

    assert [found["event"] for found in logged] == ["sanction.proposed", "sanction.write_failed"]
    assert await stores.suspended_ports.in_force() == {"sp1": frozenset({PORT})}


async def test_r96_a_closed_sp_is_unbound_its_binds_answered_0x0d_and_r97_it_comes_back_capped(
    start: Start, attach: Attach, until: Until, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sanction_service, "_EVERY_S", 0.01)
    gateway = await start()
    esme, other = await attach(gateway), await attach(gateway, "sp2")
    stores, policies = gateway.stores, gateway.policies

    await violate(stores, Severity.MAJOR, clock.utcnow())
    await until(lambda: gateway.beside.sanctions.counts() == {"close": 1})
    said = WarningNote("wu", clock.utcnow(), "prohibited content")
    await stores.sanctions.decide(1, SanctionState.APPLIED, said)
    farewell = await esme.next_pdu()
    again = await RawEsme.connect(*gateway.addresses["plain"])
    refused = await again.bind("sp1", "secret", "trx")
    shown = json.loads((await command("sender", "show", "sp1", "--json")).stdout)
    untouched = await other.submit("10690002", DESTINATION, "您好")
    await gateway.stop()
    gateway = await start()
    late = await RawEsme.connect(*gateway.addresses["plain"])
    restarted = await late.bind("sp1", "secret", "trx")
    stores, policies = gateway.stores, gateway.policies
    await reopen(stores, 1, clock.utcnow(), daily_max=2)
    await until(lambda: not policies.closed)
    esme = await attach(gateway)
    answers = [await esme.submit(PORT, DESTINATION, "您好") for _ in range(3)]
    policies.begin_day(clock.utcnow() + timedelta(days=1))
    next_day = await esme.submit(PORT, DESTINATION, "您好")
    policies.begin_day(clock.utcnow() + timedelta(days=31))
    free = [await esme.submit(PORT, DESTINATION, "您好") for _ in range(3)]

    assert header_of(farewell).command_id == CommandId.UNBIND
    assert refused == restarted == CommandStatus.ESME_RBINDFAIL  # 0x0D
    assert untouched.is_ok
    assert shown["suspended"]["note"] == "closed by sanction 1"
    assert [int(one.command_status) for one in answers] == [0, 0, RTHROTTLED]
    assert next_day.is_ok
    assert all(one.is_ok for one in free)
    for one in (again, late):
        await one.__aexit__(None, None, None)
