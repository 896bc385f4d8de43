"""The loops that poll the store: refusals, releases, expiry, receipts."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn

import structlog

# Texts with marks of direction need the one, large sets of numbers the other: imported only then,
# they would delay traffic while they are compiled.
import gateway.kernel.display_loops
import gateway.policy.number_set  # noqa: F401
from gateway.app.change_poller import Follower, PollInterval, Rounds, keep_current
from gateway.policy.knowledge import Knowledge
from gateway.proxy.hold_writer import HeldCounts
from gateway.proxy.mt_sender import OutboundSender
from gateway.proxy.receipts import ReceiptDesk
from gateway.proxy.release_follower import ReleaseFollower
from gateway.proxy.replies import Replies
from gateway.proxy.scheduled_canceller import ScheduledCanceller
from gateway.runtime.clock import utcnow
from gateway.storage.change_feed import ChangeKind, Copy
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.consent.follower import ConsentFollower
from gateway.systems.filings.service import FilingsFollower
from gateway.systems.preferences.service import PreferencesFollower
from gateway.systems.quarantine.service import QuarantineDesk

log = structlog.get_logger()

# A refusal must hold within a second in every process (DESIGN section 6).
_EVERY_S = 0.25
_STALE_S = 1.0
_CHANGES_AT_ONCE = 500
_LOOKS = 5
# In turns of the loop: each look at the store delays traffic a little.
_RECEIPTS_EVERY = 4
_EXPIRY_EVERY = 8
_REPORTS_EVERY = 240  # about a minute
_PRUNE_EVERY = 14_400  # about an hour
_CHANGES_KEPT = timedelta(days=7)
_SUBSCRIBERS_NAMED = timedelta(hours=1)  # in the feed; a later reader must load all again


@dataclass(frozen=True, slots=True)
class Driven:
    """The parts that the loops drive: they do not see by themselves what other processes wrote."""

    desk: QuarantineDesk
    releasing: ReleaseFollower
    receipts: ReceiptDesk
    replies: Replies
    outbound_messages: OutboundSender
    cancelling: ScheduledCanceller


@dataclass(frozen=True, slots=True)
class _FollowStep:
    """One step, taken every `every` turns of the loop."""

    name: str
    take: Callable[[], Awaitable[object]]
    every: int = 1


class Followers:
    """Reads from the store what other processes wrote, several times a second."""

    def __init__(
        self,
        stores: Stores,
        knowledge: Knowledge,
        driven: Driven,
        counts: HeldCounts,
        rounds: Rounds,
    ) -> None:
        self.held: dict[str, int] = {}
        self._stores = stores
        self._knowledge = knowledge
        self._consent = ConsentFollower(
            stores.consent, stores.subscriptions, stores.changes, knowledge.consent
        )
        self._filings = FilingsFollower(stores.filings, stores.changes, knowledge.filings)
        self._preferences = PreferencesFollower(
            stores.preferences, stores.changes, knowledge.preferences
        )
        self._desk = driven.desk
        self._releasing = driven.releasing
        self._receipts = driven.receipts
        self._outbound = driven.outbound_messages
        self._cancelling = driven.cancelling
        self._counts = counts
        self._seen = 0
        self._is_failing = False
        self._rounds = rounds
        self._steps = self._steps_of(driven)

    async def begin(self) -> None:
        """Load what the store holds. Raises StoreUnavailable."""
        answers = await self._consent.load()
        log.info("consent.loaded", answers=answers)
        filings = await self._filings.load()
        log.info("filings.loaded", filings=filings)
        subscribers = await self._preferences.load()
        log.info("preferences.loaded", subscribers=subscribers)
        await self._begin_counting()
        await self._cancelling.begin()
        await self._releasing.begin()
        await self._receipts.begin()
        await self._count()

    async def _begin_counting(self) -> None:
        """Count waiting messages as of one change number; later changes are followed from it."""
        for _ in range(_LOOKS):
            self._seen = await self._stores.changes.latest()
            self._counts.begin(await self._stores.quarantine.count_waiting())
            if await self._stores.changes.latest() == self._seen:
                break  # no other process ended a message between the two looks

    async def catch_up(self) -> None:
        """Load every refusal on record just before traffic starts.

        Raises StoreUnavailable.
        """
        await self._consent.catch_up()

    async def follow_consent(self) -> NoReturn:
        """Keep the consent sets current; log when they may not be."""

        def behind(said: str) -> None:
            log.error("consent.behind", said=said)

        await self._keep_current("consent", self._consent, self._knowledge.consent, behind)

    async def follow_filings(self) -> NoReturn:
        """Keep the filings current; while they are not, the known ones stay valid."""

        def behind(said: str) -> None:
            log.error("filings.behind", said=said)

        await self._keep_current("filings", self._filings, self._knowledge.filings, behind)

    async def follow_preferences(self) -> NoReturn:
        """Keep the preferences current; log when they may not be."""

        def behind(said: str) -> None:
            log.error("preferences.behind", said=said)

        await self._keep_current(
            "preferences", self._preferences, self._knowledge.preferences, behind
        )

    async def _keep_current(
        self, name: str, follower: Follower, copy: Copy, behind: Callable[[str], None]
    ) -> NoReturn:
        pace = PollInterval(_EVERY_S, _STALE_S)
        await keep_current(self._rounds, name, follower, copy, pace, behind)

    async def follow_quarantine(self) -> NoReturn:
        """Take the steps that release, expire and report messages."""
        turn = 0
        while True:
            await asyncio.sleep(_EVERY_S)
            turn += 1
            is_well = True
            for step in self._steps:
                if turn % step.every == 0:
                    is_well &= await self._take(step)
            if is_well:
                self._note_success()

    async def _take(self, step: _FollowStep) -> bool:
        """Take one step; return False if the store failed. The other steps go on in any case."""
        try:
            await self._rounds.take(step.name, step.take)
        except StoreUnavailable as error:
            self._note_failure(error)
            return False
        return True

    def _note_failure(self, error: StoreUnavailable) -> None:
        if not self._is_failing:
            self._is_failing = True
            log.error("store.failed", said=str(error))

    def _note_success(self) -> None:
        if self._is_failing:
            self._is_failing = False
            log.info("store.recovered")

    async def _follow_changes(self) -> None:
        changes = await self._stores.changes.changes(self._seen, _CHANGES_AT_ONCE)
        moved = {int(change.key) for change in changes if change.kind is ChangeKind.QUARANTINE}
        found = await self._stores.quarantine.get_many(moved) if moved else []
        for held in found:
            self._releasing.want(held)
        self._counts.follow(found, is_all=len(changes) < _CHANGES_AT_ONCE)
        if any(change.kind is ChangeKind.ERRAND for change in changes):
            self._outbound.wake()
        if any(change.kind is ChangeKind.CONSENT for change in changes):
            self._cancelling.heard(self._seen, changes[-1].number)
        if changes:
            self._seen = changes[-1].number

    def _steps_of(self, driven: Driven) -> tuple[_FollowStep, ...]:
        return (
            _FollowStep("changes", self._follow_changes),
            _FollowStep("due", driven.releasing.take_due),
            _FollowStep("releases", driven.releasing.release_wanted),
            _FollowStep("replies", driven.replies.keep_unkept),
            _FollowStep("errands", driven.outbound_messages.run),
            _FollowStep("cancelling", driven.cancelling.run),
            _FollowStep("receipts", driven.receipts.send_due, _RECEIPTS_EVERY),
            _FollowStep("expiry", self._expire, _EXPIRY_EVERY),
            _FollowStep("overdue_replies", driven.replies.end_overdue, _EXPIRY_EVERY),
            _FollowStep("count", self._count, _EXPIRY_EVERY),
            _FollowStep("released_reports", self._settle_reports, _REPORTS_EVERY),
            _FollowStep("old_changes", self._prune, _PRUNE_EVERY),
            _FollowStep("old_replies", driven.replies.forget_overdue, _PRUNE_EVERY),
            _FollowStep("old_errands", driven.outbound_messages.forget_old, _PRUNE_EVERY),
            _FollowStep("old_codes", self._forget_codes, _PRUNE_EVERY),
        )

    async def _prune(self) -> None:
        await self._stores.changes.prune(utcnow() - _CHANGES_KEPT)
        await self._stores.changes.forget_subscribers(utcnow() - _SUBSCRIBERS_NAMED)
        await self._stores.empty_wal()

    async def _settle_reports(self) -> None:
        settled = await self._stores.authority_reports.settle_released(utcnow())
        if settled:
            log.info("reports.released", reports=settled)

    async def _forget_codes(self) -> None:
        await self._stores.number_codes.forget(utcnow())

    async def _expire(self) -> None:
        expired = await self._desk.expire_due(utcnow())
        if expired:
            log.info("quarantine.expired", messages=len(expired))

    async def _count(self) -> None:
        counts = await self._stores.quarantine.count_by_state()
        self.held = {state.value: count for state, count in counts.items()}
