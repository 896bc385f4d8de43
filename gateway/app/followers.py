"""The loops that poll the store: refusals, releases, expiry, receipts. Each step on its own."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn, Protocol

import structlog

# Texts with marks of direction need the one, sets of numbers the other. Imported by the first
# message they would delay all traffic: compiling them takes seconds at the first start of a clone.
import gateway.kernel.display_loops
import gateway.kernel.number_rows  # noqa: F401
from gateway.policy.knowledge import Knowledge
from gateway.proxy.complaint_receiver import ComplaintReceiver
from gateway.proxy.connection import Dialler
from gateway.proxy.consent_book import ConsentAsker
from gateway.proxy.delivery_backlog import DeliveryBacklog
from gateway.proxy.hold_writer import HeldCounts, HoldWriter
from gateway.proxy.mt_sender import OutboundSender
from gateway.proxy.operations import Operations
from gateway.proxy.receipts import ReceiptDesk
from gateway.proxy.release_follower import ReleaseFollower
from gateway.proxy.replies import Replies
from gateway.proxy.scheduled_canceller import ScheduledCanceller
from gateway.proxy.sessions import Sessions
from gateway.runtime.clock import monotonic, utcnow
from gateway.runtime.tasks import spawn, wait_listening
from gateway.storage.change_feed import ChangeKind, Copy
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.complaints.model import INFO_WITHIN
from gateway.systems.consent.follower import ConsentFollower
from gateway.systems.filings.service import FilingsFollower
from gateway.systems.preferences.service import PreferencesFollower
from gateway.systems.quarantine.exceptions import ExceptionReleaser
from gateway.systems.quarantine.review_limits import OverdueMessages
from gateway.systems.quarantine.service import QuarantineDesk
from gateway.systems.users.model import WIDEST_LIMITS

log = structlog.get_logger()

# The least time that a look gets, even if the copy is late already.
_LOOK_S = 0.5


class Rounds:
    """Takes steps; `failures` counts, by step, those ended by a fault other than the store's.

    `taken_at` has the monotonic moment of the last success of each step.
    """

    def __init__(self) -> None:
        self.failures: Counter[str] = Counter()
        self.taken_at: dict[str, float] = {}
        self._broken: set[str] = set()

    async def take(self, name: str, step: Callable[[], Awaitable[object]]) -> bool:
        """Take the step `name`; tell whether it succeeded.

        The first failure in a row is logged, and the recovery. Raises StoreUnavailable, which
        is not a fault of the step, and no other exception.
        """
        # From 0 on: Prometheus sees no increase in a series that begins with 1.
        self.failures.setdefault(name, 0)
        try:
            await step()
        except StoreUnavailable:
            raise
        except Exception as error:  # any fault of a step: the step is taken again next time
            self.failures[name] += 1
            if name not in self._broken:
                self._broken.add(name)
                log.error("follower.failed", step=name, exc_info=error)
            return False
        self.taken_at[name] = monotonic()
        if name in self._broken:
            self._broken.discard(name)
            log.info("follower.recovered", step=name)
        return True


class Follower(Protocol):
    """Copies changes of the store into memory."""

    async def catch_up(self) -> int:
        """Copy what changed; return how much. Raises StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class PollInterval:
    """How often to look, and how long looks may fail before the copy is not current."""

    every_s: float
    stale_s: float


async def keep_current(
    rounds: Rounds,
    name: str,
    follower: Follower,
    copy: Copy,
    pace: PollInterval,
    behind: Callable[[str], None],
) -> NoReturn:
    """Let `follower` catch up for ever; `copy` is not current after failures for too long.

    Too long means `pace.stale_s` of failed looks, or of one look without an answer. Only time in
    which the event loop was free to take the answer counts: a delay of our own is no fault of
    the store. `behind` is called with the reason once each time.
    """
    listened_s, is_behind, wait_s = 0.0, False, pace.every_s
    look: asyncio.Future[str | None] | None = None
    try:
        while True:
            await asyncio.sleep(wait_s)
            listened_s += wait_s
            began, wait_s = monotonic(), pace.every_s
            look = spawn(_look(rounds, name, follower), name=f"look-{name}")
            took_s = await wait_listening({look}, max(_LOOK_S, pace.stale_s - listened_s))
            if not look.done() and not is_behind:
                is_behind, copy.is_current = True, False
                behind("it did not answer in time")
            said = await look
            if said is None:
                listened_s, is_behind = 0.0, False
                # Under load a look takes long, so the next one starts sooner, or the copy would
                # be too old.
                wait_s = max(pace.every_s / 4, pace.every_s - (monotonic() - began))
                continue
            listened_s += took_s
            was_behind, is_behind = is_behind, is_behind or listened_s >= pace.stale_s
            copy.is_current = not is_behind  # a short lock of the store stops no traffic
            if is_behind and not was_behind:
                behind(said)
    finally:
        if look is not None:
            look.cancel()
        copy.is_current = False  # the loop has ended, so the copy is not followed any more


async def _look(rounds: Rounds, name: str, follower: Follower) -> str | None:
    """Catch up once; return what failed, None for success."""
    try:
        is_well = await rounds.take(name, follower.catch_up)
    except StoreUnavailable as error:
        return str(error)
    return None if is_well else "follower.failed tells why"


# A refusal must hold within a second in every process (DESIGN section 6).
_EVERY_S = 0.25
_STALE_S = 1.0
_CHANGES_AT_ONCE = 500
_LOOKS = 5
# In turns of the loop: each look at the store delays traffic a little.
_RECEIPTS_EVERY = 4
_EXPIRY_EVERY = 8
# Of ten million messages a count takes seconds: it rests so many times as long.
_COUNT_EVERY_S, _COUNT_REST, _LONGEST_REST_S = 2.0, 20, 300.0
_REPORTS_EVERY = 240  # about a minute
_PRUNE_EVERY = 14_400  # about an hour
_CHANGES_KEPT = timedelta(days=7)
_JOBS_KEPT = timedelta(days=366)  # the messages that they moved tell who decided, and longer
_SUBSCRIBERS_NAMED = timedelta(hours=1)  # in the feed; a later reader must load all again


async def keep_sanctions(rounds: Rounds, follower: Follower, copy: Copy) -> NoReturn:
    """Keep current which SPs are closed or on probation (R96, R97)."""

    def behind(said: str) -> None:
        log.error("sanctions.behind", said=said)

    pace = PollInterval(_EVERY_S, _STALE_S)
    await keep_current(rounds, "sanctions", follower, copy, pace, behind)


async def keep_ports(rounds: Rounds, follower: Follower, copy: Copy) -> NoReturn:
    """Keep current which ports are suspended (R88); the last known ones hold in any case."""

    def behind(said: str) -> None:
        log.error("ports.behind", said=said)

    await keep_current(rounds, "ports", follower, copy, PollInterval(_EVERY_S, _STALE_S), behind)


@dataclass(frozen=True, slots=True)
class EventParts:
    """The parts that events of the tick go to; some are driven by the loops here, too.

    Those do not see by themselves what other processes wrote.
    """

    sessions: Sessions
    dialler: Dialler
    holding: HoldWriter
    operations: Operations
    asking: ConsentAsker
    desk: QuarantineDesk
    releasing: ReleaseFollower
    receipts: ReceiptDesk
    replies: Replies
    complaints: ComplaintReceiver
    outbound_messages: OutboundSender
    cancelling: ScheduledCanceller
    undelivered: DeliveryBacklog


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
        parts: EventParts,
        counts: HeldCounts,
        rounds: Rounds,
    ) -> None:
        self.held: dict[str, int] = {}
        self.outbound = 0  # messages of the gateway's own that wait
        self._stores = stores
        self._knowledge = knowledge
        feed = stores.changes
        self._consent = ConsentFollower(
            stores.consent, stores.subscriptions, feed, knowledge.consent
        )
        self._filings = FilingsFollower(stores.filings, feed, knowledge.filings)
        self._preferences = PreferencesFollower(stores.preferences, feed, knowledge.preferences)
        self._parts = parts
        self._counts = counts
        self._exceptions = ExceptionReleaser(
            stores.exceptions, stores.quarantine, parts.desk, parts.releasing.stands_besides
        )
        self._overdue = OverdueMessages(stores.overdue, parts.desk, parts.releasing.content)
        self._seen = 0
        self._is_failing = False
        self.rounds = rounds
        self._steps = self._steps_of(parts)

    async def load(self) -> None:
        """Copy what the store holds; another may write to it. Raises StoreUnavailable."""
        log.info("consent.loaded", answers=await self._consent.load())
        log.info("filings.loaded", filings=await self._filings.load())
        log.info("preferences.loaded", subscribers=await self._preferences.load())

    async def begin(self) -> None:
        """Take over what an earlier run left. Raises StoreUnavailable."""
        await self._begin_counting()
        await self._parts.cancelling.begin()
        await self._parts.releasing.begin()
        await self._parts.receipts.begin()
        await self._parts.undelivered.begin()
        await self._count()

    async def _begin_counting(self) -> None:
        """Count waiting messages as of one change number; later changes are followed from it."""
        for _ in range(_LOOKS):
            self._seen = await self._stores.changes.latest()
            self._counts.begin(await self._stores.quarantine.count_waiting())
            if await self._stores.changes.latest() == self._seen:
                break  # no other process ended a message between the two looks

    async def catch_up(self) -> None:
        """Load what is on record by now, just before traffic starts.

        Raises StoreUnavailable.
        """
        for copy in (self._consent, self._filings, self._preferences):
            await copy.catch_up()

    def follow(self) -> Mapping[str, Coroutine[object, object, NoReturn]]:
        """Return the loops, by name. What they keep current is logged when it may not be.

        While filings are behind, the known ones stay valid.
        """
        known = self._knowledge
        return {
            "consent": self._keep_current("consent.behind", self._consent, known.consent),
            "filings": self._keep_current("filings.behind", self._filings, known.filings),
            "preferences": self._keep_current(
                "preferences.behind", self._preferences, known.preferences
            ),
            "quarantine": self._follow_quarantine(),
            "counts": self._follow_counts(),
        }

    async def _keep_current(self, event: str, follower: Follower, copy: Copy) -> NoReturn:
        pace, name = PollInterval(_EVERY_S, _STALE_S), event.partition(".")[0]
        await keep_current(
            self.rounds, name, follower, copy, pace, lambda said: log.error(event, said=said)
        )

    async def _follow_counts(self) -> NoReturn:
        """Count what is held again and again; a long count comes seldom, and delays no step."""
        wait_s = _COUNT_EVERY_S
        while True:
            await asyncio.sleep(wait_s)
            began = monotonic()
            await self.rounds.take("count", self._counted)
            wait_s = max(_COUNT_EVERY_S, _COUNT_REST * (monotonic() - began))
            wait_s = min(wait_s, _LONGEST_REST_S)

    async def _counted(self) -> None:
        try:
            await self._count()
        except StoreUnavailable as error:  # a fault of this step: others may well be answered
            raise TimeoutError(str(error)) from None

    async def _follow_quarantine(self) -> NoReturn:
        """Take the steps that release, expire and report messages."""
        turn = 0
        while True:
            await asyncio.sleep(_EVERY_S)
            turn += 1
            is_well = True
            for step in self._steps:
                if turn % step.every == 0:
                    try:
                        await self.rounds.take(step.name, step.take)
                    except StoreUnavailable as error:  # the other steps go on in any case
                        is_well = False
                        if not self._is_failing:
                            self._is_failing = True
                            log.error("store.failed", said=str(error))
            if is_well and self._is_failing:
                self._is_failing = False
                log.info("store.recovered")

    async def _follow_changes(self) -> None:
        changes = await self._stores.changes.changes(self._seen, _CHANGES_AT_ONCE)
        moved = {int(change.key) for change in changes if change.kind is ChangeKind.QUARANTINE}
        found = await self._stores.quarantine.get_many(moved) if moved else []
        for held in found:
            self._parts.releasing.queue.follow(held)
        self._counts.follow(found, is_all=len(changes) < _CHANGES_AT_ONCE)
        if any(change.kind is ChangeKind.ERRAND for change in changes):
            self._parts.outbound_messages.wake()
        if any(change.kind is ChangeKind.CONSENT for change in changes):
            self._parts.cancelling.heard(self._seen, changes[-1].number)
        if changes:
            self._seen = changes[-1].number

    async def _release_excepted(self) -> None:
        await self._exceptions.look(utcnow())

    def _steps_of(self, parts: EventParts) -> tuple[_FollowStep, ...]:
        return (
            _FollowStep("changes", self._follow_changes),
            _FollowStep("due", parts.releasing.take_due),
            _FollowStep("exceptions", self._release_excepted),
            _FollowStep("releases", parts.releasing.release_wanted),
            _FollowStep("replies", parts.replies.keep_unkept),
            _FollowStep("errands", parts.outbound_messages.run),
            _FollowStep("cancelling", parts.cancelling.run),
            _FollowStep("undelivered", parts.undelivered.deliver_due),
            _FollowStep("receipts", parts.receipts.send_due, _RECEIPTS_EVERY),
            _FollowStep("expiry", self._expire, _EXPIRY_EVERY),
            _FollowStep("overdue_reviews", self._end_overdue, _EXPIRY_EVERY),
            _FollowStep("overdue_replies", parts.replies.end_overdue, _EXPIRY_EVERY),
            _FollowStep("released_reports", self._settle_reports, _REPORTS_EVERY),
            _FollowStep("old_changes", self._prune, _PRUNE_EVERY),
            _FollowStep("old_replies", parts.replies.forget_overdue, _PRUNE_EVERY),
            _FollowStep("old_errands", parts.outbound_messages.forget_old, _PRUNE_EVERY),
            _FollowStep("old_codes", self._forget_codes, _PRUNE_EVERY),
            _FollowStep("old_sign_ins", self._forget_sign_ins, _PRUNE_EVERY),
            _FollowStep("old_undelivered", parts.undelivered.forget_old, _PRUNE_EVERY),
            _FollowStep("old_linkage", self._forget_linkage, _PRUNE_EVERY),
            _FollowStep("incomplete_complaints", self._give_up_complaints, _PRUNE_EVERY),
        )

    async def _prune(self) -> None:
        await self._stores.changes.prune(utcnow() - _CHANGES_KEPT)
        await self._stores.changes.forget_subscribers(utcnow() - _SUBSCRIBERS_NAMED)
        await self._stores.campaigns.forget(utcnow() - _JOBS_KEPT)
        await self._stores.exceptions.forget(utcnow() - _JOBS_KEPT)
        await self._stores.empty_wal()

    async def _settle_reports(self) -> None:
        settled = await self._stores.authority_reports.settle_released(utcnow())
        if settled:
            log.info("reports.released", reports=settled)

    async def _forget_linkage(self) -> None:
        await self._stores.linkage_inbox.forget_old(utcnow())
        await self._stores.linkage_outbox.forget_old(utcnow())

    async def _give_up_complaints(self) -> None:
        while await self._stores.complaints.give_up(utcnow() - INFO_WITHIN):
            pass

    async def _forget_codes(self) -> None:
        await self._stores.number_codes.forget(utcnow())

    async def _forget_sign_ins(self) -> None:
        await self._stores.user_sessions.forget(utcnow(), WIDEST_LIMITS)

    async def _expire(self) -> None:
        expired = await self._parts.desk.expire_due(utcnow())
        if expired:
            log.info("quarantine.expired", messages=len(expired))

    async def _end_overdue(self) -> None:
        done = await self._overdue.look(utcnow())
        if done:
            log.info("quarantine.overdue", **{one.value: count for one, count in done.items()})

    async def _count(self) -> None:
        counts = await self._stores.quarantine.count_by_state()
        self.held = {state.value: count for state, count in counts.items()}
        self.outbound = await self._stores.outbound_messages.count_waiting()
