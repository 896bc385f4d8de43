"""`smsward complaints match`: complaints become cases, in a process of their own."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog

from gateway.app.installed_models import classifier_of
from gateway.app.peer_evidence import PeerEvidence
from gateway.domain.linkage import organisation_of
from gateway.domain.suspension import COMPLAINTS, PortSuspension
from gateway.filter.keywords.index import KeywordIndex
from gateway.policy.bundle import Bundle
from gateway.records.archive import RecordArchive
from gateway.records.passed_messages import PassedMessages
from gateway.runtime.child_process import give_way
from gateway.runtime.clock import utcnow
from gateway.runtime.tasks import asked_to_stop, cancel_all, spawn
from gateway.settings.gateway import GatewaySettings, load_sealer
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores, worker_stores
from gateway.systems.cases.model import Actor, Case, CaseComplaint, CaseJoin, MeasureKind
from gateway.systems.cases.service import CaseDesk
from gateway.systems.cases.sql import CaseStore
from gateway.systems.complaints.complaint_matcher import (
    ComplaintMatcher,
    MatchCounts,
    ValidComplaint,
)
from gateway.systems.complaints.model import MOST_AT_ONCE, UNMATCHED
from gateway.systems.complaints.reporter_teller import CaseAnswer, ReporterTeller
from gateway.systems.complaints.sql import ComplaintStore
from gateway.systems.linkage.number_plan import owner_of
from gateway.systems.suspensions.sql import SuspendedPortStore
from gateway.terminal.failure import ExitCode
from gateway.terminal.screen import masked_source

log = structlog.get_logger()

_BY = "complaints"  # in the journal of cases, where a person's account stands
_LOOK_EVERY_S = 1.0
# Between commits, for others: who waits for the write lock of SQLite tries every 0.1 s.
_REST_S = 0.12
_STOP_S = 3.0
_COMMAND = "complaints match"
# Of several measures reporters are told the first.
_TOLD_FIRST = (
    MeasureKind.PORT_CLOSED,
    MeasureKind.PORT_SUSPENDED,
    MeasureKind.SENDER_SUSPENDED,
    MeasureKind.NUMBER_SUSPENDED,
    MeasureKind.CONTENT_BLOCKED,
    MeasureKind.SENDER_WARNED,
)


class CampaignCases:
    """Puts complaints into cases for `front_owner`, which owes the reporters the answer (R87).

    Cases of `ports` that complaints have suspended are escalated (R88).
    """

    def __init__(
        self,
        desk: CaseDesk,
        store: CaseStore,
        front_owner: str,
        ports: SuspendedPortStore | None = None,
    ) -> None:
        self._desk = desk
        self._store = store
        self._front_owner = front_owner
        self._ports = ports
        self._looked_to = 0  # the number of the last suspension that was looked at

    async def take(self, given: Sequence[ValidComplaint]) -> list[CaseJoin]:
        """Return the case of each complaint, and whether it was opened or reopened by it."""
        complaints = [
            CaseComplaint(
                one.complaint.number,
                one.campaign,
                one.complaint.sender,
                one.complaint.reporter if one.complaint.is_proved else None,
                one.complaint.taken_at,
                self._front_owner,
                one.category,
                one.severity,
            )
            for one in given
        ]
        joins = await self._desk.take(complaints, _BY)
        for join in joins:
            if join.act == "open":
                log.info("case.opened", case=join.case_number, front_owner=self._front_owner)
            elif join.act == "reopen":
                log.info("case.reopened", case=join.case_number, front_owner=self._front_owner)
        await self._escalate(given, joins)
        return joins

    async def _escalate(self, given: Sequence[ValidComplaint], joins: Sequence[CaseJoin]) -> None:
        """Escalate the cases of suspended ports, once for each suspension.

        Also of complaints that were in a case: the call that put them there may have failed here.
        """
        if self._ports is None:
            return
        in_force = await self._ports.in_force()
        numbers = {one.complaint: one.case_number for one in joins}
        pairs = {(one.complaint.port, numbers[one.complaint.number]) for one in given}
        for port, number in sorted(pairs):
            for system_id in [one for one, ports in in_force.items() if port in ports]:
                last = await self._ports.latest_of(system_id, port)
                if last is None or last.by != COMPLAINTS or last.lifted_at is not None:
                    continue
                await self._escalate_for(last, number)

    async def escalate_suspended(self, complaints: ComplaintStore, counted: timedelta) -> None:
        """Escalate the cases that new suspensions find: complaints may have been matched before.

        Of each port those of its newest complaints that were `counted`, at most 500.
        """
        if self._ports is None:
            return
        for last in reversed(await self._ports.listed(is_in_force=True)):
            if last.number <= self._looked_to:
                continue
            if last.by == COMPLAINTS:
                found = await complaints.find(port=last.port, limit=MOST_AT_ONCE)
                since = last.since - counted
                of_it = {one.case_number or 0 for one in found if one.taken_at >= since}
                for number in sorted(of_it - {0}):
                    await self._escalate_for(last, number)
            self._looked_to = last.number

    async def _escalate_for(self, last: PortSuspension, number: int) -> None:
        about = f"port {masked_source(last.port)} of {last.system_id}"
        who = Actor(_BY, utcnow(), last.note)
        case = await self._desk.escalate_once(number, about, last.since, who)
        if isinstance(case, Case):
            log.warning("case.escalated", number=number, rule="R88", responsible=case.responsible)

    async def answered(self) -> list[CaseAnswer]:
        """Return some cases with feedback that are not closed: reporters are to be told."""
        return list(map(_answer_of, await self._store.answered(self._front_owner)))

    async def closed_of(self, numbers: Collection[int]) -> list[CaseAnswer]:
        """Return those of some cases that are closed."""
        found = await self._store.closed_of(self._front_owner, numbers)
        return list(map(_answer_of, found))

    async def told(self, number: int, now: datetime) -> None:
        """Note that the reporters were told, and close the case."""
        await self._desk.tell_user(number, Actor(_BY, now))
        await self._desk.close(number, Actor(_BY, now))

    async def campaigns_since(self, since: datetime, limit: int) -> list[tuple[str, int]]:
        """Return campaigns of cases not closed before then, each with the number of a complaint."""
        return await self._store.campaigns_since(since, limit)


def _answer_of(case: Case) -> CaseAnswer:
    kinds = {one.kind for one in case.measures}
    told = next((kind.value for kind in _TOLD_FIRST if kind in kinds), "")
    return CaseAnswer(case.number, case.answer, told)


def front_owner_of(settings: GatewaySettings) -> str:
    """Return the organisation that takes the complaints here."""
    return organisation_of(settings.node.carrier, settings.node.province)


@dataclass(frozen=True, slots=True)
class OtherNetworks:
    """The accounts that bring what they send, and the members that have numbers by prefix."""

    peers: Collection[str] = ()
    routes: Mapping[str, str] = field(default_factory=dict)


NO_NETWORKS = OtherNetworks()


def campaign_cases(stores: Stores, settings: GatewaySettings, bundle: Bundle) -> CampaignCases:
    """Return what puts complaints into the cases of a deployment."""
    desk = CaseDesk(stores.cases, lambda: bundle.surroundings.calendar)
    return CampaignCases(desk, stores.cases, front_owner_of(settings), stores.suspended_ports)


def complaint_matcher(
    stores: Stores, settings: GatewaySettings, bundle: Bundle, others: OtherNetworks = NO_NETWORKS
) -> ComplaintMatcher:
    """Return what works complaints off, by the records and the lists of a deployment."""
    cases = campaign_cases(stores, settings, bundle)
    records = PassedMessages(RecordArchive(settings.records.directory), load_sealer(settings))
    keywords = KeywordIndex(bundle.keyword_lists)
    return ComplaintMatcher(
        *(stores.complaints, cases, records, keywords, classifier_of(settings.learning)),
        carrier_of=partial(owner_of, routes=others.routes),
    )


def reporter_teller(stores: Stores, settings: GatewaySettings, bundle: Bundle) -> ReporterTeller:
    """Return what tells reporters what became of their complaints (R87)."""
    cases = campaign_cases(stores, settings, bundle)
    return ReporterTeller(stores.complaints, cases, tuple(settings.complaints.codes))


async def match_all(
    settings: GatewaySettings,
    bundle: Bundle,
    told: Callable[[int, int], object],
    others: OtherNetworks = NO_NETWORKS,
) -> tuple[MatchCounts, int]:
    """Work off the complaints that there are, and tell reporters; return what came of it.

    What is held of `others` is handed in first. `told` hears how many complaints of how many are
    done. Raises StoreUnavailable.
    """
    async with worker_stores(settings, _COMMAND) as stores:
        evidence, is_more_held = PeerEvidence(stores, others.peers, settings.node.block_after), True
        while is_more_held:
            is_more_held = await evidence.work(utcnow())
            await asyncio.sleep(_REST_S if is_more_held else 0)
        matcher = complaint_matcher(stores, settings, bundle, others)
        total = MatchCounts(has_more=True)
        count = await stores.complaints.count_of(UNMATCHED)
        try:
            while total.has_more:
                total.add(await matcher.work(utcnow()))
                told(total.handled, max(count, total.handled))
                await asyncio.sleep(_REST_S)
        finally:
            matcher.stop()
        counted = timedelta(days=settings.complaints.threshold.days)
        cases = campaign_cases(stores, settings, bundle)
        await cases.escalate_suspended(stores.complaints, counted)
        teller, reporters, has_more = reporter_teller(stores, settings, bundle), 0, True
        while has_more:
            some, has_more = await teller.work(utcnow())
            reporters += some
            await asyncio.sleep(_REST_S if has_more else 0)
        return total, reporters


def serve_complaints(settings: GatewaySettings, bundle: Bundle, others: OtherNetworks) -> int:
    """Run until SIGTERM or SIGINT; return the exit code."""
    return asyncio.run(_serve(settings, bundle, others))


async def _serve(
    settings: GatewaySettings, bundle: Bundle, others: OtherNetworks = NO_NETWORKS
) -> int:
    give_way()
    asked = asked_to_stop()
    counted = timedelta(days=settings.complaints.threshold.days)
    try:
        async with worker_stores(settings, _COMMAND) as stores:
            matcher = complaint_matcher(stores, settings, bundle, others)
            teller = reporter_teller(stores, settings, bundle)
            evidence = PeerEvidence(stores, others.peers, settings.node.block_after)
            cases = campaign_cases(stores, settings, bundle)

            async def turn() -> bool:
                is_more_held = await evidence.work(utcnow())
                counts, reporters = await matcher.work(utcnow()), await teller.work(utcnow())
                await cases.escalate_suspended(stores.complaints, counted)
                return is_more_held or counts.has_more or reporters.has_more

            log.info("complaints.opened", front_owner=front_owner_of(settings))
            spawn(_turns(turn), name="complaints")
            await asked.wait()
            await cancel_all(_STOP_S)
            # Only now, for of what a search has not read nothing must follow.
            matcher.stop()
    except StoreUnavailable as error:
        log.error("complaints.failed", said=str(error))
        return ExitCode.FAILED
    return ExitCode.FINE


async def _turns(turn: Callable[[], Awaitable[bool]]) -> None:
    """Take turns until cancelled: after a rest while there is more to do, else once a second."""
    while True:
        has_more = False
        try:
            has_more = await turn()
        except StoreUnavailable as error:
            log.warning("store.failed", said=str(error))
        except Exception as error:  # noqa: BLE001 - the loop's edge: the next turn tries again
            log.error("complaints.failed", said=type(error).__name__)
        await asyncio.sleep(_REST_S if has_more else _LOOK_EVERY_S)
