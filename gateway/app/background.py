"""Work beside the traffic: no message waits for it. Warnings and suspensions are kept here."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NoReturn, TypeAlias

import structlog

from gateway.app.followers import Rounds
from gateway.app.sender_alerts import AlertMail, SenderAlerts
from gateway.app.webhook_client import Postman, WebhookNotifier
from gateway.console.held_evidence import review_tools
from gateway.dataplane.plane import Plane
from gateway.domain.detector import moment_of
from gateway.domain.quarantine import HeldMessage
from gateway.domain.sender import PEERS, Sender
from gateway.domain.suspension import Suspension
from gateway.domain.verdict import Action
from gateway.domain.warning import EarlyWarning, WarningCount, WarningKind
from gateway.policy.findings import MAX_KINDS
from gateway.policy.knowledge import Knowledge
from gateway.proxy.mt_sender import MtSender
from gateway.proxy.report_writer import ReportWriter
from gateway.proxy.routes import Routes
from gateway.proxy.scheduled_canceller import ScheduledCanceller
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, monotonic, utcnow
from gateway.runtime.snapshot import WarningsHealth
from gateway.runtime.tasks import spawn
from gateway.settings.gateway import GatewaySettings
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.cases.model import ESCALATIONS, ClockName
from gateway.systems.cases.service import CaseDesk
from gateway.systems.complaints.sql import ComplaintStore
from gateway.systems.early_warnings.detector_counts import DetectorStore
from gateway.systems.early_warnings.service import SanctionKeeper, WarningEscalations
from gateway.systems.early_warnings.sql import WarningStore
from gateway.systems.quarantine.campaigns import CampaignStore
from gateway.systems.quarantine.decisions import ReviewStore
from gateway.systems.quarantine.model import PersonDecision
from gateway.systems.quarantine.review_limits import UNLIMITED, FindLimit
from gateway.systems.suspensions.service import SuspensionDesk, SuspensionsFollower
from gateway.systems.suspensions.sql import SuspensionStore

log = structlog.get_logger()

Learn: TypeAlias = Callable[[Sequence[HeldMessage], PersonDecision, str], Awaitable[None]]

_EVERY_S = 1.0
_CASES_EVERY_S = 60.0
_AT_ONCE = 500
_FORWARD = Action.FORWARD.value


class EarlyWarnings:
    """Hands what the data plane noticed to the store once a second, and feeds it its shares.

    What the store does not take waits, at most `MAX_KINDS` kinds; messages of more kinds are
    only counted.
    """

    def __init__(self, plane: Plane, knowledge: Knowledge, store: WarningStore) -> None:
        self._raised: Counter[str] = Counter()
        self._plane = plane
        self._knowledge = knowledge
        self._store = store
        self._waiting: dict[WarningKind, WarningCount] = {}
        self._dropped = 0
        self._said = 0
        self._is_failing = False

    def health(self) -> WarningsHealth:
        """Return what is counted since the process started."""
        return WarningsHealth(self._raised.copy(), self._plane.warnings.others + self._dropped)

    async def watch(self) -> NoReturn:
        """Look once a second, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            self.feed()
            await self.hand_over()

    def feed(self) -> None:
        """Let the rules know how many numbers the SMSC did not know of late (R28)."""
        self._knowledge.answers.feed(self._totals(), epoch())

    async def hand_over(self) -> None:
        """Give what gathered to the store; what it does not take is tried again."""
        for one in self._plane.warnings.take():
            self._keep(one)
        unsorted = self._plane.warnings.others + self._dropped
        if unsorted > self._said:
            log.error("warning.kinds_exceeded", messages=unsorted - self._said)
            self._said = unsorted
        try:
            while self._waiting:
                some = list(self._waiting.values())[:_AT_ONCE]
                self._tell(await self._store.add(some))
                for one in some:
                    del self._waiting[one.kind]
        except StoreUnavailable as error:
            if not self._is_failing:
                log.error("warning.write_failed", said=str(error))
            self._is_failing = True
        else:
            self._is_failing = False

    def _totals(self) -> Mapping[str, tuple[int, int]]:
        sent, unknown = self._plane.tally.senders, self._plane.tally.unknown
        return {
            system_id: (sent.get((system_id, _FORWARD), 0), unknown.get(system_id, 0))
            for system_id in self._plane.rules.accounts
        }

    def _keep(self, one: WarningCount) -> None:
        before = self._waiting.get(one.kind)
        if before is not None:
            self._waiting[one.kind] = before.joined(one)
        elif len(self._waiting) < MAX_KINDS:
            self._waiting[one.kind] = one
        else:
            self._dropped += one.count

    def _tell(self, raised: Sequence[EarlyWarning]) -> None:
        for warning in raised:
            gathered, kind = warning.gathered, warning.gathered.kind
            self._raised[kind.code.value] += 1
            log.warning(
                "warning.raised",
                number=warning.number,
                **kind._asdict() | {"code": kind.code.value},
                severity=gathered.severity.value if gathered.severity is not None else "",
                category=gathered.category,
                campaign=gathered.campaign,
            )


@dataclass(frozen=True, slots=True)
class SuspensionNotice:
    """The outbound message of a message about a suspension; its answer is not used."""

    number: int


class SuspensionNotifier:
    """Writes to suspended numbers from a hub code, on a bind of the SP that they sent through.

    It claims each notice in the store before it writes it: no number is told twice, even with
    several processes; a process killed in between leaves that number untold. Without a bind
    that can submit, the notice waits as long as the suspension lasts.
    """

    def __init__(
        self, tick: Tick, store: SuspensionStore, routes: Routes, speaking: MtSender
    ) -> None:
        self._tick = tick
        self._store = store
        self._routes = routes
        self._speaking = speaking

    async def tell_due(self) -> None:
        """Tell the suspended numbers that were not told yet. Raises StoreUnavailable."""
        reachable = self._routes.submitters()
        if not reachable:
            return
        for one in await self._store.untold(reachable):
            if await self._store.claim_telling(one.number):
                self._tell(one)

    def _tell(self, one: Suspension) -> None:
        plane = self._tick.pipeline.plane
        suspender = plane.rules.suspenders.get(one.rule)
        # One code for all, so that a phone shows one conversation.
        code = min(plane.hub.codes, default=None)
        # The bind is looked up only now: it may have closed during the store call.
        connection = self._routes.to_smsc(one.system_id)
        if code is None:
            _leave_untold(one, "there is no hub code")
        elif suspender is None:
            _leave_untold(one, "its rule suspends no more")
        elif connection is None:
            _leave_untold(one, "the bind was lost")
        else:
            text, notice = suspender.terms.reply, SuspensionNotice(one.number)
            self._speaking.write(connection, code, one.msisdn, text, notice)
            self._speaking.note_about("suspended", one.system_id, one.msisdn, rule=one.rule)


def _leave_untold(one: Suspension, reason: str) -> None:
    log.warning("suspension.notice_failed", number=one.number, rule=one.rule, reason=reason)


# A suspension must hold within a second in every process.
_SUSPENSIONS_EVERY_S = 0.25
_STALE_S = 1.0
# In turns of the loop.
_TELL_EVERY = 4
_END_EVERY = 8


class Suspensions:
    """What a process does about suspensions beside judging: every moment a little of it."""

    def __init__(self, tick: Tick, stores: Stores, routes: Routes, rounds: Rounds) -> None:
        self._tick = tick
        self._rounds = rounds
        sources = self._sources = tick.pipeline.plane.rules.knowledge.suspended
        self._follower = SuspensionsFollower(stores.suspensions, stores.changes, sources)
        self._desk = SuspensionDesk(stores.suspensions, sources)
        self._ports = stores.suspended_ports
        self._telling = SuspensionNotifier(tick, stores.suspensions, routes, MtSender(tick, routes))
        self._current_at = monotonic()
        self._is_behind = False
        self._turn = 0

    async def begin(self) -> None:
        """Load what is in force. Raises StoreUnavailable."""
        numbers = await self._follower.load()
        log.info("suspensions.loaded", numbers=numbers)

    async def restore(self, msisdn: int, at: datetime) -> str | None:
        """Lift the suspension of a number that asks for it; return the answer (R43).

        Raises StoreUnavailable.
        """
        return await self._desk.restore(msisdn, self._tick.pipeline.plane.rules.suspenders, at)

    async def follow(self) -> NoReturn:
        """Keep the numbers current and do what is due; say so when the store fails for too long."""
        while True:
            await asyncio.sleep(_SUSPENSIONS_EVERY_S)
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
            await self._ports.end_due(utcnow())


async def last_message_id(stores: Stores) -> int:
    """Return the highest message id on record: of what is held, or only reported.

    Raises StoreUnavailable.
    """
    held = await stores.quarantine.find(limit=1)
    reported = await stores.authority_reports.find(limit=1)
    ids = [one.message_id for one in held] + [one.message_id for one in reported]
    return max(ids, default=0)


# From 0 on: Prometheus sees no increase in a series that begins with 1.
_NOT_ESCALATED = {(clock.value, str(share)): 0 for clock in ClockName for share in ESCALATIONS}


class CaseWatch:
    """Tells which cases have used up 80 or 100 % of a time limit (R83), in the log and as metrics.

    It also looks since when the oldest complaint waits for `smsward complaints match`, and up to
    when `smsward warnings watch` has judged ports.
    """

    def __init__(
        self, desk: CaseDesk, complaints: ComplaintStore, detectors: DetectorStore
    ) -> None:
        self._desk = desk
        self._complaints = complaints
        self._detectors = detectors
        self._judged_step: int | None = None
        self._escalated: Counter[tuple[str, str]] = Counter(_NOT_ESCALATED)
        self._since: datetime | None = None

    def escalated(self) -> Mapping[tuple[str, str], int]:
        """Return how many were told since the process started, by clock and share."""
        return self._escalated.copy()

    def complaints_waiting_s(self) -> float:
        """Return how long the oldest complaint waits that waited at the last look; 0 for none."""
        since = self._since
        return 0.0 if since is None else max(0.0, (utcnow() - since).total_seconds())

    def ports_unjudged_s(self) -> float:
        """Return since when no port was judged over time; 0 where none ever was."""
        step = self._judged_step
        return 0.0 if step is None else (utcnow() - moment_of(step + 1)).total_seconds()

    async def watch(self) -> NoReturn:
        """Look once a minute, until cancelled."""
        while True:
            await asyncio.sleep(_CASES_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Escalate what is due now; what the store does not take is due in a minute, too."""
        try:
            async for one in self._desk.escalate_due(utcnow()):
                self._escalated[one.clock.value, str(one.share)] += 1
                log.warning(
                    "case.escalated",
                    number=one.number,
                    clock=one.clock.value,
                    share=one.share,
                    responsible=one.responsible,
                )
            self._since = await self._complaints.waiting_since()
            judged = (await self._detectors.state()).get("judged")
            self._judged_step = None if judged is None else int(judged)
        except StoreUnavailable as error:
            log.error("case.escalation_failed", said=str(error))


# A decision must take effect soon after its time, and a person waits for that.
_DECISIONS_EVERY_S = 0.25
_DECISIONS_AT_ONCE = 100
_LEARNT_OF_STEP = 20


class DecisionTaker:
    """Takes up what people decided on held messages once it can be undone no more.

    A decision on many is taken up in steps. `learn` keeps what a decision teaches, and never fails.
    """

    def __init__(
        self, reviews: ReviewStore, campaigns: CampaignStore, learn: Learn, rounds: Rounds
    ) -> None:
        self._reviews, self._campaigns = reviews, campaigns
        self._learn, self._rounds = learn, rounds
        self.dealing: tuple[float, FindLimit] = (0.0, UNLIMITED)  # the share dealt twice, its time
        self._is_failing = False

    async def watch(self) -> NoReturn:
        """Look several times a second, until cancelled."""
        while True:
            await asyncio.sleep(_DECISIONS_EVERY_S)
            try:
                await self._rounds.take("decisions", self.look)
            except StoreUnavailable as error:
                if not self._is_failing:
                    log.error("store.failed", said=str(error))
                self._is_failing = True
            else:
                self._is_failing = False

    async def look(self) -> None:
        """Take up what is due now, and take one step of a job.

        Raises StoreUnavailable; the rest is due at the next look.
        """
        taken = await self._reviews.take_up(utcnow(), _DECISIONS_AT_ONCE, *self.dealing)
        for one in taken:
            if one.moved:
                await self._learn(one.moved, one.decision.decision, one.decision.by)
        step = await self._campaigns.advance(utcnow())
        if step is not None and step.moved:
            # The texts of a campaign are alike, and to read them takes time from the traffic.
            some = step.moved[:_LEARNT_OF_STEP] if step.job.campaign else step.moved
            await self._learn(some, step.job.decision, step.job.by)


def _peers_of(plane: Plane) -> list[str]:
    accounts = plane.rules.accounts.items()
    return [PEERS, *(one for one, account in accounts if account.sender.is_peer)]


def _ports_of(plane: Plane, system_id: str) -> list[str]:
    account = plane.rules.accounts.get(system_id)
    return [] if account is None else [port.number for port in account.sender.ports]


class BackgroundTasks:
    """Runs reports, warnings, suspensions, notices, and the cancelling of scheduled messages."""

    def __init__(
        self,
        tick: Tick,
        stores: Stores,
        routes: Routes,
        settings: GatewaySettings,
        rounds: Rounds,
    ) -> None:
        plane = tick.pipeline.plane
        self.reporting = ReportWriter(stores.authority_reports)
        tick.report = self.reporting.stopped
        self.cancelling = ScheduledCanceller(tick, stores.scheduled, stores.changes, routes)
        self.suspensions = Suspensions(tick, stores, routes, rounds)
        self.warnings = EarlyWarnings(plane, plane.rules.knowledge, stores.warnings)
        self.escalations = WarningEscalations(stores.warnings)
        self.sanctions = SanctionKeeper(
            stores.sanctions,
            stores.suspended_ports,
            settings.sanctions.ladder,
            partial(_ports_of, plane),
            partial(_peers_of, plane),
        )
        self.cases = CaseWatch(
            CaseDesk(stores.cases, lambda: plane.rules.bundle.surroundings.calendar),
            stores.complaints,
            stores.detectors,
        )
        self.notifying = WebhookNotifier(
            stores.notices, stores.changes, Postman(settings.webhooks.networks)
        )
        tools = review_tools(stores.journals, stores.samples, learns=settings.learning.samples)
        self.deciding = DecisionTaker(stores.reviews, stores.campaigns, tools.learn, rounds)
        limit_of: FindLimit = lambda one: plane.rules.bundle.content.limit_of(one)  # noqa: E731, PLW0108
        self.deciding.dealing = settings.review.dealt_twice, limit_of
        self._offered, self._hints = stores.offered_words, plane.hints
        self.alerts = SenderAlerts(
            stores, lambda: plane.tally.senders, self.notifying.post, AlertMail(settings.mail).send
        )

    def begin(
        self, senders: Mapping[str, Sender], broken: Callable[[BaseException], None]
    ) -> list[asyncio.Task[NoReturn]]:
        """Start all tasks; `broken` is called if a task fails that must not end."""
        self.follow(senders)
        return [
            spawn(self.notifying.watch(), name="notices"),  # traffic can go on without notices
            spawn(self.alerts.watch(), name="alerts"),
            spawn(self.reporting.keep(), name="authority-reports", on_failure=broken),
            spawn(self.warnings.watch(), name="early-warning", on_failure=broken),
            spawn(self.escalations.watch(), name="warning-escalations", on_failure=broken),
            spawn(self.sanctions.watch(), name="sanctions", on_failure=broken),
            spawn(self.cases.watch(), name="case-escalations", on_failure=broken),
            spawn(self.suspensions.follow(), name="follow-suspensions", on_failure=broken),
            spawn(self.deciding.watch(), name="decisions", on_failure=broken),
            spawn(self._keep_offered(), name="offered-words", on_failure=broken),
        ]

    async def _keep_offered(self) -> NoReturn:
        """Store once a second what opt-out words ports have newly offered, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self._hand_over_offered()

    async def _hand_over_offered(self) -> None:
        ports = list(self._hints.unkept)[:_AT_ONCE]
        if not ports:
            return
        self._hints.unkept.difference_update(ports)
        try:
            await self._offered.keep({port: self._hints.of(*port)[::-1] for port in ports})
        except StoreUnavailable:
            self._hints.unkept.update(ports)  # again in a second

    def follow(self, senders: Mapping[str, Sender]) -> None:
        """Deliver notices to the present `senders`."""
        self.notifying.follow(senders)
        self.alerts.follow(senders)

    def stop(self) -> None:
        """Stop delivering notices and alerts to SPs."""
        self.alerts.follow({})
        self.notifying.stop()

    async def hand_over(self) -> None:
        """Store what was gathered last; call it after the loops have ended."""
        await self.warnings.hand_over()
        await self._hand_over_offered()
        await self.suspensions.hand_over()
        await self.reporting.finish()
        await self.cancelling.hand_over()
