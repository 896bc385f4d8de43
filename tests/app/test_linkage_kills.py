"""Nodes of the linkage as processes, killed at each of their commits: no case lost or doubled."""

import multiprocessing
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from gateway.cli.demo.linkage_stage import (
    EAST,
    HUB,
    MEMBERS,
    PORT,
    WEST,
    DemoMember,
    LinkageStage,
    build_linkage_stage,
)
from gateway.domain.linkage import OutboxState
from gateway.runtime.clock import utcnow
from gateway.settings.schema import Address
from gateway.stores import Stores, open_store
from gateway.systems.cases.model import (
    Actor,
    Case,
    CaseFeedback,
    CaseFinding,
    CaseMeasure,
    CaseState,
    MeasureKind,
)
from gateway.systems.cases.service import CaseDesk
from tests.app.case_sites import calendar, complaint
from tests.app.mortal_node import Death, run_node
from tests.real_time import eventually

_NOWHERE = Address("127.0.0.1", 1)
_WITHIN_S = 200.0
# A node is killed at its first commit, the next time at its second, and so on, and from the first
# again: it must have so many as it takes to read a page of a peer's outbox.
_COMMITS = 6
_FEWEST_KILLS = 2


class Nodes:
    """The members as processes; `victim` is started again each time it has died."""

    def __init__(self, stage: LinkageStage, victim: DemoMember, death: Death) -> None:
        self._stage, self._victim, self._death = stage, victim, death
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.app.mortal_node"])
        self.kills = 0
        self._running = {one: self._started(one) for one in MEMBERS}

    def _started(self, member: DemoMember) -> ForkServerProcess:
        at = 1 + self.kills % _COMMITS if member is self._victim else 0
        given = self._stage.of(member), self._death, at
        process = self._context.Process(target=run_node, args=given)
        process.start()
        return process

    def raise_dead(self) -> None:
        for member, process in self._running.items():
            if not process.is_alive():
                assert member is self._victim
                assert process.exitcode == -signal.SIGKILL
                process.close()
                self.kills += 1
                self._running[member] = self._started(member)

    def stop(self) -> None:
        for process in self._running.values():
            process.kill()
            process.join()
            process.close()


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LinkageStage:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return build_linkage_stage(dict.fromkeys(MEMBERS, _NOWHERE))


@contextmanager
def running(stage: LinkageStage, victim: DemoMember, death: Death) -> Iterator[Nodes]:
    nodes = Nodes(stage, victim, death)
    try:
        yield nodes
    finally:
        nodes.stop()


@asynccontextmanager
async def opened(stage: LinkageStage, member: DemoMember) -> AsyncIterator[Stores]:
    stores = await open_store(f"sqlite:///{stage.of(member)}/smsward.db", deadline_s=30)
    try:
        yield stores
    finally:
        await stores.close()


async def work_on(stores: Stores) -> Case | None:
    """Do the next step of a case officer in case 1, and return it."""
    case = await stores.cases.get(1)
    now = utcnow()
    who, desk = Actor("lin", now), CaseDesk(stores.cases, calendar)
    if case is not None and case.state is CaseState.ACKED:
        await desk.measure(1, CaseMeasure(MeasureKind.PORT_SUSPENDED, now, PORT), who)
    elif case is not None and case.state is CaseState.ACTIONED:
        await desk.feedback(1, CaseFeedback(CaseFinding.CONFIRMED, (), "CDR 118"), who)
    return case


@pytest.mark.slow
@pytest.mark.parametrize("death", Death)
@pytest.mark.parametrize("victim", MEMBERS, ids=["sender", "receiver", "hub"])
async def test_r84_a_node_that_is_killed_at_each_commit_loses_no_case_and_doubles_none(
    stage: LinkageStage, victim: DemoMember, death: Death
) -> None:
    async with opened(stage, EAST) as east, opened(stage, WEST) as west, opened(stage, HUB) as hub:
        given = complaint(sender=PORT, front_owner=EAST.organisation, taken_at=utcnow())
        await CaseDesk(east.cases, calendar).take([given], "match")

        async def is_over() -> bool:
            nodes.raise_dead()
            theirs, ours = await work_on(west), await east.cases.get(1)
            if theirs is None or ours is None or ours.state is not CaseState.FEEDBACK_RECEIVED:
                return False
            stores, waiting = (east, west, hub), OutboxState.WAITING
            return not [some for one in stores for some in await one.linkage_outbox.listed(waiting)]

        with running(stage, victim, death) as nodes:
            await eventually(is_over, _WITHIN_S)

        acts = [[one.act for one in await store.cases.journal_of(1)] for store in (east, west)]
        assert acts[0] == ["open", "dispatch", "accept", "measure", "feedback"]
        assert acts[1] == [
            "open",
            "dispatch",
            "accept",
            "measure",
            "feedback",
            "tell_user",
            "close",
        ]
        assert [await one.cases.get(2) for one in (east, west)] == [None, None]
        assert await hub.cases.get(1) is None
        sent = [len(await one.linkage_outbox.listed()) for one in (east, west, hub)]
        assert sent == [1, 3, 4]
        heard = [await one.linkage_inbox.listed() for one in (east, west, hub)]
        assert [len(one) for one in heard] == [3, 1, 4]
        assert not any(event.conflicts for one in heard for event in one)
    assert nodes.kills >= _FEWEST_KILLS
