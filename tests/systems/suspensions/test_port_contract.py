"""What SuspendedPortStore promises, on every store."""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime, timedelta

import pytest

from gateway.domain.suspension import Lift, NewPortSuspension, PortSuspension
from gateway.storage.change_feed import ChangeKind
from gateway.stores import Stores
from gateway.systems.suspensions.service import SuspendedPortsFollower
from gateway.systems.suspensions.sql import suspended_ports

pytestmark = [pytest.mark.every_store, pytest.mark.postgresql]

PORT = "10690001"


class Ports:
    def __init__(self) -> None:
        self.is_current = True
        self.suspended: Mapping[str, frozenset[str]] = {}

    def suspend_ports(self, ports: Mapping[str, frozenset[str]]) -> None:
        self.suspended = ports


def new(at: datetime, system_id: str = "sp1", port: str = PORT) -> NewPortSuspension:
    return NewPortSuspension(system_id, port, at, "complaints", "R88: 5 subscribers")


def test_there_is_a_column_for_each_field_of_a_suspended_port() -> None:
    assert {column.name for column in suspended_ports.columns} == {
        field.name for field in fields(PortSuspension)
    }


async def test_r63_a_block_ends_by_itself_journaled_and_announced_and_may_begin_again(
    stores: Stores, noon: datetime
) -> None:
    store, end = stores.suspended_ports, noon + timedelta(days=30)
    block = replace(new(noon, "mt_in", "1065712345"), until=end)
    await store.suspend(block)
    await store.suspend(new(noon))

    ended = [await store.end_due(end - timedelta(seconds=1)), await store.end_due(end)]
    ended.append(await store.end_due(end))

    assert ended == [0, 1, 0]
    assert await store.in_force() == {"sp1": frozenset({PORT})}
    last, *_ = await stores.journals.accesses()
    assert (last.by, last.action, last.about) == (
        "expiry",
        "port resume",
        "port 1065712345 of mt_in",
    )
    assert len(await stores.changes.changes(0)) == 3
    assert await store.suspend(block)


async def test_r88_a_port_is_suspended_once_journaled_and_can_be_undone(
    stores: Stores, noon: datetime
) -> None:
    store, lift = stores.suspended_ports, Lift(noon + timedelta(hours=1), "wu", "checked")

    suspended = [await store.suspend(new(noon)), await store.suspend(new(noon))]
    in_force = await store.in_force()
    lifted = [await store.lift("sp1", PORT, lift), await store.lift("sp1", PORT, lift)]

    assert suspended == lifted == [True, False]
    assert in_force == {"sp1": frozenset({PORT})}
    assert await store.in_force() == {}
    last = await store.latest_of("sp1", PORT)
    assert last is not None
    assert (last.lifted_at, last.lifted_by, last.lift_note) == (lift.at, "wu", "checked")
    assert [(one.by, one.action, one.about) for one in await stores.journals.accesses()] == [
        ("wu", "port resume", f"port {PORT} of sp1"),
        ("complaints", "port suspend", f"port {PORT} of sp1"),
    ]
    assert [one.kind for one in await stores.changes.changes(0)] == [ChangeKind.PORT] * 2


async def test_r96_a_sanction_suspends_a_port_once_beside_what_else_suspends_it(
    stores: Stores, noon: datetime
) -> None:
    store, lift = stores.suspended_ports, Lift(noon, "wu", "fixed")
    first, second = replace(new(noon), sanction=1), replace(new(noon), sanction=2)

    suspended = [await store.suspend(one) for one in (first, new(noon), second, first, new(noon))]
    lifted = [await store.lift("sp1", PORT, lift, 1), await store.lift("sp1", PORT, lift, 1)]
    again = await store.suspend(first)
    held = [one.sanction for one in await store.holding("sp1", PORT)]
    await store.lift("sp1", PORT, lift)

    assert suspended == [True, True, True, False, False]
    assert (lifted, again, held) == ([True, False], False, [2, 0])
    assert await store.in_force() == {"sp1": frozenset({PORT})}
    last = await store.latest_of("sp1", PORT)
    assert last is not None
    assert (last.sanction, last.lifted_by) == (0, "wu")


async def test_r97_all_ports_of_a_sanction_are_let_go_together(
    stores: Stores, noon: datetime
) -> None:
    store, lift = stores.suspended_ports, Lift(noon, "wu", "sanction 1")
    for port in (PORT, "10690002"):
        await store.suspend(replace(new(noon, port=port), sanction=1))
    await store.suspend(replace(new(noon), sanction=2))

    lifted = [await store.lift_sanction(1, lift), await store.lift_sanction(1, lift)]

    assert lifted == [2, 0]
    assert await store.in_force() == {"sp1": frozenset({PORT})}
    accesses = await stores.journals.accesses()
    assert [one.action for one in accesses] == ["port resume"] * 2 + ["port suspend"] * 3
    assert len(await stores.changes.changes(0)) == 5


async def test_what_was_lifted_while_another_suspension_held_the_port_is_found(
    stores: Stores, noon: datetime
) -> None:
    store, hour = stores.suspended_ports, timedelta(hours=1)
    await store.suspend(new(noon))
    await store.suspend(replace(new(noon), sanction=1))
    await store.suspend(new(noon, "sp2"))
    await store.lift("sp1", PORT, Lift(noon + hour, "wu", "reviewed"))
    await store.lift("sp2", PORT, Lift(noon + hour, "wu", "reviewed"))
    beneath = await store.lifted_beneath(noon)
    await store.lift("sp1", PORT, Lift(noon + 2 * hour, "wu", "fixed"), 1)

    assert beneath == {1}
    assert await store.lifted_beneath(noon) == {1}  # the second one was the last
    assert await store.lifted_beneath(noon + hour) == set()


async def test_ports_are_listed_the_newest_first(stores: Stores, noon: datetime) -> None:
    store = stores.suspended_ports
    for one in (new(noon), new(noon, "sp2"), new(noon, "sp1", "10690002")):
        await store.suspend(one)
    await store.lift("sp2", PORT, Lift(noon, "wu", "checked"))

    assert [one.number for one in await store.listed()] == [3, 2, 1]
    assert [one.number for one in await store.listed(is_in_force=True)] == [3, 1]
    assert await store.in_force() == {"sp1": frozenset({PORT, "10690002"})}
    assert await store.latest_of("sp3", PORT) is None


async def test_a_follower_suspends_and_lifts(stores: Stores, noon: datetime) -> None:
    ports = Ports()
    follower = SuspendedPortsFollower(stores.suspended_ports, stores.changes, ports)
    await stores.suspended_ports.suspend(new(noon))

    assert await follower.load() == 1
    loaded = ports.suspended
    await stores.suspended_ports.lift("sp1", PORT, Lift(noon, "wu", "checked"))
    await follower.catch_up()

    assert loaded == {"sp1": frozenset({PORT})}
    assert ports.suspended == {}


async def test_suspensions_that_began_or_ended_lately_are_found(
    stores: Stores, noon: datetime
) -> None:
    store, hour = stores.suspended_ports, timedelta(hours=1)
    await store.suspend(new(noon - 9 * hour))
    await store.suspend(new(noon - 8 * hour, port="10690002"))
    await store.suspend(new(noon))
    await store.suspend(new(noon + hour, "sp2"))
    await store.lift("sp1", "10690002", Lift(noon + 2 * hour, "wu", "checked"))

    found = await store.changed_after(noon)

    assert [(one.system_id, one.port) for one in found] == [("sp2", PORT), ("sp1", "10690002")]
