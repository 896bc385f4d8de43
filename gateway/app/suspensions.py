"""Suspended numbers, put together: followed, kept, told, ended."""

import asyncio
from datetime import datetime
from typing import NoReturn

import structlog

from gateway.app.change_poller import Rounds
from gateway.domain.hub import Hub
from gateway.ports.errors import StoreUnavailable
from gateway.proxy.mt_sender import MtSender
from gateway.proxy.route import Routes
from gateway.proxy.suspension_notice import SuspensionNotifier
from gateway.proxy.tick import Tick
from gateway.runtime.clock import monotonic, utcnow
from gateway.stores.open import Stores
from gateway.systems.suspensions.desk import SuspensionDesk
from gateway.systems.suspensions.follower import SuspensionsFollower

log = structlog.get_logger()

# A suspension must hold within a second in every process.
_EVERY_S = 0.25
_STALE_S = 1.0
# In turns of the loop.
_TELL_EVERY = 4
_END_EVERY = 8


class Suspensions:
    """What a process does about suspensions beside judging: every moment a little of it."""

    def __init__(
        self, tick: Tick, stores: Stores, routes: Routes, hub: Hub, rounds: Rounds
    ) -> None:
        self._tick = tick
        self._rounds = rounds
        sources = self._sources = tick.pipeline.plane.rules.knowledge.suspended
        self._follower = SuspensionsFollower(stores.suspensions, stores.changes, sources)
        self._desk = SuspensionDesk(stores.suspensions, sources)
        self._telling = SuspensionNotifier(
            tick, stores.suspensions, routes, MtSender(tick, routes), hub
        )
        self._current_at = monotonic()
        self._is_behind = False
        self._turn = 0

    async def begin(self) -> None:
        """Load what is in force. Raises StoreUnavailable."""
        numbers = await self._follower.load(utcnow())
        log.info("suspensions.loaded", numbers=numbers)

    async def restore(self, msisdn: int, at: datetime) -> str | None:
        """Lift the suspension of a number that asks for it; return the answer (R43).

        Raises StoreUnavailable.
        """
        return await self._desk.restore(msisdn, self._tick.pipeline.plane.rules.suspenders, at)

    async def follow(self) -> NoReturn:
        """Keep the numbers current and do what is due; say so when the store fails for too long."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.look()

    async def hand_over(self) -> None:
        """Keep what the last moment found, if the store still takes it."""
        try:
            await self._desk.keep()
        except StoreUnavailable as error:
            log.error("suspensions.behind", said=str(error))

    async def look(self) -> None:
        """Do once what `follow` does again and again."""
        self._turn += 1
        try:
            is_well = await self._rounds.take("suspensions", self._follower.catch_up)
            await self._rounds.take("suspensions_due", self._work)
        except StoreUnavailable as error:
            self._note_failure(str(error))
        else:
            if is_well:
                self._current_at, self._is_behind = monotonic(), False
            else:
                self._note_failure("follower.failed tells why")

    def _note_failure(self, said: str) -> None:
        was_behind = self._is_behind
        self._is_behind = monotonic() - self._current_at >= _STALE_S
        if self._is_behind and not was_behind:
            self._sources.is_current = False
            log.error("suspensions.behind", said=said)

    async def _work(self) -> None:
        kept = await self._desk.keep()
        for new in kept:
            log.info("suspension.begun", rule=new.rule, system_id=new.system_id)
        if kept or self._turn % _TELL_EVERY == 0:
            await self._telling.tell_due()
        if self._turn % _END_EVERY == 0:
            await self._desk.end_due(utcnow())
