"""Keep what the rules suspend, and keep at hand who is suspended."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from gateway.domain.suspension import GRACE, SUBSCRIBER, Allowance, Lift, NewSuspension, Suspension
from gateway.policy.checks.source_suspension import Suspender
from gateway.policy.knowledge import SuspendedSources
from gateway.runtime.clock import utcnow
from gateway.storage.change_feed import ChangeFeed, ChangeKind, FeedFollower
from gateway.systems.suspensions.sql import SuspendedPortStore, SuspensionRow, SuspensionStore


class SuspensionsFollower(FeedFollower):
    """Follows the suspended numbers that are in force."""

    kind = ChangeKind.SUSPENSION

    def __init__(
        self,
        store: SuspensionStore,
        feed: ChangeFeed,
        sources: SuspendedSources,
        utcnow: Callable[[], datetime] = utcnow,
    ) -> None:
        super().__init__(feed, sources)
        self._store = store
        self._sources = sources
        self._utcnow = utcnow

    async def _load(self) -> int:
        fresh = SuspendedSources()
        async for rows in self._store.in_force(self._utcnow() - GRACE):
            fresh.load(rows)
        self._sources.replace(fresh)
        return len(fresh.until)

    async def _apply(self, keys: Sequence[str]) -> None:
        msisdns = sorted(map(int, keys))
        rows = await self._store.rows_of(msisdns)
        nothing = (SuspensionRow(one, 0.0, 0.0) for one in msisdns if one not in rows)
        self._sources.load((*rows.values(), *nothing))


class SuspendedPorts(Protocol):
    """What must know which ports may not send."""

    is_current: bool

    def suspend_ports(self, ports: Mapping[str, frozenset[str]]) -> None:
        """Let these ports of SPs send nothing from now on, and all others send."""


class SuspendedPortsFollower(FeedFollower):
    """Follows the suspensions of ports that are in force. They are few: all are read again."""

    kind = ChangeKind.PORT

    def __init__(self, store: SuspendedPortStore, feed: ChangeFeed, ports: SuspendedPorts) -> None:
        super().__init__(feed, ports)
        self._store = store
        self._ports = ports

    async def _load(self) -> int:
        found = await self._store.in_force()
        self._ports.suspend_ports(found)
        return sum(map(len, found.values()))

    async def _apply(self, keys: Sequence[str]) -> None:
        del keys
        await self._load()


class SuspensionDesk:
    """What holds in this process is brought to the store here, and the other way round."""

    def __init__(self, store: SuspensionStore, sources: SuspendedSources) -> None:
        self._store = store
        self._sources = sources

    async def keep(self) -> list[NewSuspension]:
        """Keep what was found in this process; return what of it was news.

        Raises StoreUnavailable: what was not kept holds here, and is kept by a later call.
        """
        found = list(self._sources.found.values())
        return [new for new in found if await self._keep(new)]

    async def restore(
        self, msisdn: int, suspenders: Mapping[str, Suspender], at: datetime
    ) -> str | None:
        """Lift the suspension of a number that asks for it, if it may; return the answer.

        None when the rules in force know no answer. A clerk's suspension is a clerk's to lift.
        Safe to repeat. Raises StoreUnavailable; nothing was lifted then, or the next call finds
        that it was.
        """
        new = self._sources.found.get(msisdn)
        if new is not None:
            await self._keep(new)  # it is not in the store yet, or was lifted elsewhere
        active = await self._store.active_of(msisdn)
        if active is not None:
            await self._lift(active, suspenders, at)
        self._sources.load((await self._row_of(msisdn),))
        rule = active.rule if active is not None else ""
        answering = suspenders.get(rule) or next(iter(suspenders.values()), None)
        if answering is None:
            return None
        is_refused = self._sources.is_suspended(msisdn, at.timestamp())
        return answering.terms.refused if is_refused else answering.terms.restored

    async def end_due(self, at: datetime) -> int:
        """Mark what time has ended, and forget it here. Raises StoreUnavailable."""
        self._sources.forget(at.timestamp())
        return await self._store.end_due(at)

    async def _keep(self, new: NewSuspension) -> bool:
        is_news = await self._store.suspend(new)
        row = await self._row_of(new.msisdn)
        self._sources.found.pop(new.msisdn, None)
        self._sources.load((row,))
        return is_news

    async def _lift(
        self, active: Suspension, suspenders: Mapping[str, Suspender], at: datetime
    ) -> None:
        suspender = suspenders.get(active.rule)
        if suspender is None:
            return
        terms = suspender.terms
        allowance = Allowance(terms.self_restores, at - terms.restore_span)
        await self._store.lift(active.number, Lift(at, SUBSCRIBER), allowance)

    async def _row_of(self, msisdn: int) -> SuspensionRow:
        rows = await self._store.rows_of((msisdn,))
        return rows.get(msisdn, SuspensionRow(msisdn, 0.0, 0.0))
