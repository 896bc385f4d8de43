"""Whose turn it is to be released, as people ask or when the hour comes."""

from collections.abc import Sequence

import structlog

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.ports.errors import StoreUnavailable
from gateway.ports.quarantine import QuarantineStore
from gateway.proxy.consent_asker import ConsentAsker
from gateway.proxy.due import DUE_EACH, DueMessages
from gateway.proxy.letting_go import LettingGo
from gateway.proxy.receipts import ReceiptDesk
from gateway.proxy.release_queue import ReleaseQueue
from gateway.proxy.release_sender import ReleaseSender
from gateway.proxy.route import Routes
from gateway.proxy.tick import Tick
from gateway.runtime.clock import utcnow
from gateway.runtime.tasks import spawn
from gateway.systems.quarantine.desk import QuarantineDesk

log = structlog.get_logger()

_AT_ONCE = 200
_TOGETHER = 50
_FOUND_AT_ONCE = 1_000
_MANY_WAIT = 2_000


class ReleaseFollower:
    """Follows release requests, which come from any process through the store."""

    def __init__(
        self,
        tick: Tick,
        store: QuarantineStore,
        desk: QuarantineDesk,
        routes: Routes,
        receipts: ReceiptDesk,
        asking: ConsentAsker,
    ) -> None:
        self._tick = tick
        self._store = store
        self._due = DueMessages(store)
        self._desk = desk
        self._routes = routes
        self._queue = ReleaseQueue()
        self.submitting = ReleaseSender(tick, desk, routes, receipts, self._queue)
        self._letting_go = LettingGo(tick, desk, asking, self._queue, self.submitting)
        self._together: set[int] = set()  # long messages whose parts are being let go

    async def begin(self) -> None:
        """Find what an earlier run left: nothing that was written is written again."""
        for lost in await self._desk.lose_in_flight(utcnow()):
            log.warning("quarantine.in_doubt", message_id=str(lost.message_id))
        before: int | None = None
        asked = HoldState.RELEASE_REQUESTED
        while page := await self._store.find(state=asked, before_id=before, limit=_FOUND_AT_ONCE):
            for held in page:
                self._queue.follow(held)
            before = page[-1].message_id

    def want(self, held: HeldMessage) -> None:
        """Note that a message is to be released, or not any more."""
        self._queue.follow(held)

    async def take_due(self) -> None:
        """Want what has waited for its hour, of senders that have a way to the SMSC."""
        waiting = self._queue.waiting
        accounts = self._tick.pipeline.plane.rules.accounts
        senders = [s for s in self._routes.submitters() if s in accounts and waiting[s] < DUE_EACH]
        for held in await self._due.take(utcnow(), senders):
            self.want(held)

    def is_behind(self, system_id: str) -> bool:
        """Tell whether so much of a sender waits for the SMSC that it should send less."""
        return self._queue.waiting[system_id] >= _MANY_WAIT

    async def release_parts(self, assembly: int) -> None:
        """Let the parts of a long message go, which has come whole: all of them or none.

        At once if they can; else they wait their turn.
        """
        if assembly in self._together:
            return
        self._together.add(assembly)
        try:
            taken = await self._desk.take(assembly, utcnow())
            for held in taken.ready:
                self.want(held)
            senders = {held.system_id for held in taken.ready}
            has_room = self.submitting.under_way < _AT_ONCE
            if has_room and any(self._routes.to_smsc(sender) is not None for sender in senders):
                await self._letting_go.let_parts_go(taken)
        finally:
            self._together.discard(assembly)

    async def release_wanted(self) -> None:
        """Write what is wanted and has a way to the SMSC; the rest waits for its sender."""
        await self.submitting.confirm_late()
        # One look for each sender: thousands may wait for one that is away.
        ways = {s for s in self._queue.waiting if self._routes.to_smsc(s) is not None}
        room = max(0, _AT_ONCE - self.submitting.under_way)
        ready = self._queue.first_of(ways, room)
        try:
            for start in range(0, len(ready), _TOGETHER):
                await self._release_all(ready[start : start + _TOGETHER])
        finally:
            if self._queue.came_of:
                log.info("quarantine.due", **self._queue.came_of)
                self._queue.came_of.clear()

    async def _release_all(self, message_ids: Sequence[int]) -> None:
        """Release messages together, so that they share commits; each fails for itself.

        They stay wanted until the store has said what they are: a store that fails now is
        asked again in the next turn.
        """
        found = await self._store.get_many(message_ids)
        self._queue.drop(set(message_ids).difference(held.message_id for held in found))
        tasks = [spawn(self._try(held), name=f"release-{held.message_id}") for held in found]
        failures = [failure for task in tasks if (failure := await task) is not None]
        if failures:
            raise failures[0]

    async def _try(self, held: HeldMessage) -> StoreUnavailable | None:
        try:
            await self._release(held)
        except StoreUnavailable as error:
            return error
        return None

    async def _release(self, held: HeldMessage) -> None:
        if held.state is not HoldState.RELEASE_REQUESTED:
            self._queue.drop((held.message_id,))
        elif not held.assembly:
            await self._letting_go.let_go([held])
        elif held.assembly not in self._together:
            self._together.add(held.assembly)
            try:
                taken = await self._desk.take(held.assembly, utcnow())
                await self._letting_go.let_parts_go(taken)
            finally:
                self._together.discard(held.assembly)
