"""What gateways do about warnings without an answer, and about sanctions for violations."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NamedTuple, NoReturn, Protocol

import structlog

from gateway.domain.live import SuspendedSender
from gateway.domain.sanction import Sanction, SanctionLadder, SanctionState, SanctionStep
from gateway.domain.suspension import Lift, NewPortSuspension
from gateway.policy.submission import DailyCap
from gateway.runtime.clock import utcnow
from gateway.storage.change_feed import ChangeFeed, ChangeKind, FeedFollower
from gateway.storage.errors import StoreUnavailable
from gateway.systems.early_warnings.sanction_store import SanctionStore
from gateway.systems.early_warnings.sql import WarningStore

log = structlog.get_logger()

_EVERY_S = 1.0
_ESCALATED_EVERY_S = 60.0
_AT_ONCE = 100


class WarningEscalations:
    """Escalates warnings without an answer once a minute; two processes escalate each once."""

    def __init__(self, store: WarningStore) -> None:
        self._store = store
        self._escalated: Counter[str] = Counter()

    def counts(self) -> Mapping[str, int]:
        """Return how many were escalated since the process started, by code."""
        return self._escalated.copy()

    async def watch(self) -> NoReturn:
        """Look once a minute, until cancelled."""
        while True:
            await self.look(utcnow())
            await asyncio.sleep(_ESCALATED_EVERY_S)

    async def look(self, at: datetime) -> None:
        """Escalate what was due by `at`; what the store does not take is due in a minute, too."""
        try:
            while due := await self._store.escalate_due(at):
                for one in due:
                    kind = one.gathered.kind
                    self._escalated[kind.code.value] += 1
                    log.warning(
                        "warning.escalated",
                        number=one.number,
                        **kind._asdict() | {"code": kind.code.value},
                        due=one.due_at.isoformat(timespec="seconds"),
                    )
        except StoreUnavailable as error:
            log.error("warning.escalation_failed", said=str(error))


class Probation(NamedTuple):
    """The cap of a port on probation, of all ports of the SP where `port` is empty."""

    number: int  # of the sanction
    system_id: str
    port: str
    until: datetime
    cap: DailyCap


def probation_of(one: Sanction) -> Probation | None:
    """Return the cap that a reopened sanction leaves; None while it is not reopened."""
    until = one.probation_until
    if until is None or one.reopening is None:
        return None
    port = "" if one.step is SanctionStep.CLOSE else one.port
    return Probation(one.number, one.system_id, port, until, DailyCap(one.reopening.daily_max))


def probations_of(in_force: Iterable[Sanction]) -> list[Probation]:
    """Return the caps that reopened sanctions leave; of several of a port the last one holds.

    It is the smallest.
    """
    found = (probation_of(one) for one in in_force)
    caps = (one for one in found if one is not None)
    return sorted(caps, key=lambda one: one.cap.maximum, reverse=True)


class SanctionSubject(Protocol):
    """What must know which SPs are closed, and which send under a cap."""

    closed: Mapping[str, SuspendedSender]

    def know_sanctions(self, in_force: Iterable[Sanction]) -> None:
        """Close these SPs and hold these to their caps from now on, and no others."""

    def begin_day(self, at: datetime) -> None:
        """End probations that are over, and begin the counts of a day."""


@dataclass(slots=True)
class SanctionsInForce:
    """Whether what is known of sanctions is current; the last known ones hold in any case."""

    is_current: bool = True


class SanctionsFollower(FeedFollower):
    """Follows closings and probations that are in force. They are few: all are read again.

    `unbind` ends the sessions of an SP that is closed.
    """

    kind = ChangeKind.SANCTION

    def __init__(
        self,
        store: SanctionStore,
        feed: ChangeFeed,
        subject: SanctionSubject,
        unbind: Callable[[str], None],
        utcnow: Callable[[], datetime] = utcnow,
    ) -> None:
        self.copy = SanctionsInForce()
        super().__init__(feed, self.copy)
        self._store = store
        self._unbind = unbind
        self._subject = subject
        self._utcnow = utcnow

    async def _load(self) -> int:
        found = await self._store.in_force(self._utcnow())
        before = self._subject.closed
        self._subject.know_sanctions(found)
        for system_id in sorted(self._subject.closed.keys() - before.keys()):
            log.warning("sender.closed", system_id=system_id)
            self._unbind(system_id)
        return len(found)

    async def _apply(self, keys: Sequence[str]) -> None:
        del keys
        await self._load()

    async def _caught_up(self, began: float) -> None:
        del began
        self._subject.begin_day(self._utcnow())


class PortSwitch(Protocol):
    """Suspends ports of SPs. Every call raises StoreUnavailable, and is safe to repeat."""

    async def suspend(self, new: NewPortSuspension) -> bool:
        """Suspend a port for a sanction; False if that was done, also if it was lifted since."""

    async def lift_sanction(self, sanction: int, lift: Lift) -> int:
        """End at most 1000 suspensions of ports by a sanction; return how many."""


class SanctionKeeper:
    """Proposes a sanction for each violation, and suspends ports as was decided.

    Two processes do the same: the store gives a violation one sanction, and a port one suspension.
    """

    def __init__(
        self,
        store: SanctionStore,
        suspensions: PortSwitch,
        ladder: SanctionLadder,
        ports_of: Callable[[str], Collection[str]],
        peers: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self.ladder = ladder
        self._store = store
        self._suspensions = suspensions
        self._ports_of = ports_of
        self._peers = peers
        self._steps: Counter[str] = Counter()
        self._is_failing = False
        self._after = 0  # the number of a sanction

    def counts(self) -> Mapping[str, int]:
        """Return how many were proposed since the process started, by step."""
        return self._steps.copy()

    async def watch(self) -> NoReturn:
        """Look once a second, until cancelled."""
        while True:
            await self.look(utcnow())
            await asyncio.sleep(_EVERY_S)

    async def look(self, at: datetime) -> None:
        """Do what is due; what the store does not take is tried again with the next look."""
        try:
            propose = partial(self._store.propose, self.ladder, at)
            while proposed := await propose(exempt=self._peers()):
                self._tell(proposed)
            waiting = await self._store.to_carry_out(self._after, _AT_ONCE)
            # Some wait for long: the next look goes on behind the last one.
            self._after = waiting[-1].number if len(waiting) == _AT_ONCE else 0
            for one in waiting:
                await self._carry_out(one, at)
            self._is_failing = False
        except StoreUnavailable as error:
            if not self._is_failing:
                log.error("sanction.write_failed", said=str(error))
            self._is_failing = True

    async def _carry_out(self, one: Sanction, at: datetime) -> None:
        """Suspend the port of a violation, or all of its SP where it has none; or let them go.

        What else suspends a port does so of its own right: each ends for itself. It stays to be
        carried out while an SP of no known port is to be suspended.
        """
        why = f"sanction {one.number}"
        if one.state is SanctionState.REOPENED:
            await self._lift(one.number, Lift(at, one.reopened_by, why))
        else:
            ports = [one.port] if one.port else self._ports_of(one.system_id)
            for port in ports:
                who = one.system_id, port, at, one.decided_by, why
                await self._suspensions.suspend(NewPortSuspension(*who, sanction=one.number))
            if not ports:
                return
        if await self._store.carried_out(one):
            log.warning("sanction.carried_out", **_about(one))
        elif one.state is SanctionState.APPLIED:
            # It was reopened meanwhile, and another process may have let the ports go before this.
            await self._lift(one.number, Lift(at, one.decided_by, why))

    async def _lift(self, number: int, lift: Lift) -> None:
        while await self._suspensions.lift_sanction(number, lift):
            pass

    def _tell(self, proposed: Iterable[Sanction]) -> None:
        for one in proposed:
            self._steps[one.step.value] += 1
            log.warning("sanction.proposed", **_about(one), warning=one.warning)


def _about(one: Sanction) -> dict[str, object]:
    return {
        "number": one.number,
        "system_id": one.system_id,
        "step": one.step.value,
        "state": one.state.value,
    }


def closed_of(in_force: Iterable[Sanction]) -> dict[str, SuspendedSender]:
    """Return the SPs that are closed: since when, by whom, and by which sanction."""
    return {
        one.system_id: SuspendedSender(
            one.system_id,
            one.decided_at or one.proposed_at,
            one.decided_by,
            f"closed by sanction {one.number}",
        )
        for one in filter(is_closing, in_force)
    }


def is_closing(one: Sanction) -> bool:
    """Tell whether a sanction closes its SP."""
    return one.state is SanctionState.APPLIED and one.step is SanctionStep.CLOSE
