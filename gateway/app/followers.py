"""The loops that follow the store: refusals, releases, expiry, receipts."""

import asyncio
from datetime import timedelta
from typing import NoReturn

import structlog

from gateway.policy.consent_sets import ConsentSets
from gateway.ports.changes import ChangeKind
from gateway.ports.errors import StoreUnavailable
from gateway.proxy.receipts import ReceiptDesk
from gateway.proxy.releasing import Releasing
from gateway.proxy.replies import Replies
from gateway.runtime.clock import monotonic, utcnow
from gateway.stores.open import Stores
from gateway.systems.consent.follower import ConsentFollower
from gateway.systems.quarantine.desk import QuarantineDesk

log = structlog.get_logger()

# A refusal must hold within a second in every process (DESIGN section 6).
_EVERY_S = 0.25
_STALE_S = 1.0
_CHANGES_AT_ONCE = 500
# In turns of the loop: every look into the store costs the traffic of its moment.
_RECEIPTS_EVERY = 4
_EXPIRY_EVERY = 8
_PRUNE_EVERY = 14_400  # about an hour
_CHANGES_KEPT = timedelta(days=7)


class Followers:
    """Reads what other processes wrote, several times a second."""

    def __init__(
        self,
        stores: Stores,
        sets: ConsentSets,
        desk: QuarantineDesk,
        releasing: Releasing,
        receipts: ReceiptDesk,
        replies: Replies,
    ) -> None:
        self.held: dict[str, int] = {}
        self._stores = stores
        self._sets = sets
        self._consent = ConsentFollower(stores.consent, stores.changes, sets)
        self._desk = desk
        self._releasing = releasing
        self._receipts = receipts
        self._replies = replies
        self._seen = 0
        self._is_failing = False

    async def begin(self) -> None:
        """Load what the store holds. Raises StoreUnavailable."""
        answers = await self._consent.load()
        log.info("consent.loaded", answers=answers)
        self._seen = await self._stores.changes.latest()
        await self._releasing.begin()
        await self._receipts.begin()
        await self._count()

    async def follow_consent(self) -> NoReturn:
        """Keep the consent sets current; say so when they may not be."""
        try:
            await self._follow_consent()
        finally:
            self._sets.is_current = False  # whatever ended it, nobody follows any more

    async def _follow_consent(self) -> NoReturn:
        current_at, is_behind = monotonic(), False
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                await self._consent.catch_up()
            except StoreUnavailable as error:
                was_behind, is_behind = is_behind, monotonic() - current_at >= _STALE_S
                self._sets.is_current = not is_behind  # a lock of a moment stops no traffic
                if is_behind and not was_behind:
                    log.error("consent.behind", said=str(error))
                continue
            current_at, is_behind = monotonic(), False

    async def follow_quarantine(self) -> NoReturn:
        """Release, expire and report what people and time decide."""
        turn = 0
        while True:
            await asyncio.sleep(_EVERY_S)
            turn += 1
            try:
                await self._follow_changes()
                await self._releasing.release_wanted()
                await self._replies.keep_unkept()
                if turn % _RECEIPTS_EVERY == 0:
                    await self._receipts.send_due()
                if turn % _EXPIRY_EVERY == 0:
                    await self._expire()
                    await self._count()
                if turn % _PRUNE_EVERY == 0:
                    await self._stores.changes.prune(utcnow() - _CHANGES_KEPT)
            except StoreUnavailable as error:
                self._note_failure(error)
            else:
                self._note_success()

    def _note_failure(self, error: StoreUnavailable) -> None:
        if not self._is_failing:
            self._is_failing = True
            log.error("store.failed", said=str(error))

    def _note_success(self) -> None:
        if self._is_failing:
            self._is_failing = False
            log.info("store.recovered")

    async def _follow_changes(self) -> None:
        for change in await self._stores.changes.changes(self._seen, _CHANGES_AT_ONCE):
            if change.kind is ChangeKind.QUARANTINE:
                held = await self._stores.quarantine.get(int(change.key))
                if held is not None:
                    self._releasing.want(held)
            self._seen = change.number

    async def _expire(self) -> None:
        expired = await self._desk.expire_due(utcnow())
        if expired:
            log.info("quarantine.expired", messages=len(expired))

    async def _count(self) -> None:
        counts = await self._stores.quarantine.count_by_state()
        self.held = {state.value: count for state, count in counts.items()}
