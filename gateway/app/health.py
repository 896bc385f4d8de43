"""Disks that are watched, and how the gateway stands: readiness and metrics."""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import structlog

from gateway.app.background import BackgroundTasks
from gateway.app.followers import Followers
from gateway.app.installed_models import InstalledModels
from gateway.app.policies import Policies
from gateway.console.http_server import Readiness
from gateway.dataplane.link import Link
from gateway.dataplane.plane import Plane
from gateway.domain.live import WAITS_FOR_RESTART
from gateway.domain.sanction import SanctionStep
from gateway.domain.verdict import Action
from gateway.domain.warning import WarningCode
from gateway.policy.checks.suspicious import unscored
from gateway.policy.disk_stages import DiskReserve, DiskStage, DiskStages
from gateway.proxy.gate import Gate
from gateway.proxy.hold_writer import HeldCounts, HoldWriter
from gateway.proxy.sessions import Sessions
from gateway.proxy.tick import Tick
from gateway.proxy.upstream import Upstream
from gateway.records.writer import Records
from gateway.runtime.clock import monotonic
from gateway.runtime.snapshot import (
    Counters,
    DiskHealth,
    PolicyIdentity,
    SmscHealth,
    Snapshot,
)
from gateway.runtime.tasks import spawn
from gateway.session.binding import BindReason
from gateway.storage.change_feed import Copy
from gateway.storage.errors import StoreUnavailable

log = structlog.get_logger()

_EVERY_S = 2.0
_PATIENCE_S = 5.0
# Of a store with a small max_octets the stages begin where a quarter of it is left, and less.
_STORE_PART = 4
# From 0 on: Prometheus sees no increase in a series that begins with 1.
_NOT_ESCALATED: Mapping[str, int] = {one.value: 0 for one in WarningCode}
_NO_SANCTIONS: Mapping[str, int] = {one.value: 0 for one in SanctionStep}
_NO_BINDS = {one.value: 0 for one in BindReason}
_FILES_LEFT = 64  # fewer cannot take the hour's records and what SQLite makes beside its file


def free_octets(directory: Path) -> int:
    """Return the octets that this process may still write below `directory`.

    0 where no more files can be made. Raises OSError. It may block, on a network disk for long:
    never call it on the loop.
    """
    found = os.statvfs(directory)
    has_files = not found.f_files or found.f_favail >= _FILES_LEFT  # some file systems count none
    return found.f_bavail * found.f_frsize if has_files else 0


@dataclass(frozen=True, slots=True)
class StoreFile:
    """Where the store is, what it may take (`max_octets`) and what it takes (`used_octets`)."""

    directory: Path
    max_octets: int
    used_octets: Callable[[], Awaitable[int]]


class DiskWatch:
    """Looks every few seconds, off the loop, and tells the data plane whom to stop.

    A store that nears its own bound counts as a disk that does. A disk that cannot be asked, or
    does not answer, stays in the stage that it was in.
    """

    def __init__(self, free: Callable[[Path], int], reserve: DiskReserve, plane: Plane) -> None:
        self.stages = {one: DiskStages(reserve) for one in ("store", "records")}
        self._free = free
        self._reserve = reserve
        self._plane = plane
        self._asked: dict[str, asyncio.Task[int | OSError]] = {}
        self._unread: set[str] = set()

    def follow(self, reserve: DiskReserve) -> None:
        """Use other limits from the next look on."""
        self._reserve = reserve
        for stages in self.stages.values():
            stages.reserve = reserve

    def stage_of(self, volume: str) -> DiskStage:
        """Return the stage of the disk of the `store` or of the `records`."""
        return self.stages[volume].stage

    def health(self) -> DiskHealth:
        """Return how the disks stand."""
        all_free = {one: stages.free_octets for one, stages in self.stages.items()}
        free = {one: octets for one, octets in all_free.items() if octets is not None}
        stages = {one: int(stages.stage) for one, stages in self.stages.items()}
        return DiskHealth(free, stages, len(self._plane.stopped))

    async def watch(
        self, records: tuple[Path, Records], store: StoreFile | None, counts: HeldCounts
    ) -> NoReturn:
        """Look for ever; without a `store` file only at the records, in their directory."""
        while True:
            await self.look(records, store, counts)
            await asyncio.sleep(_EVERY_S)

    async def look(
        self, records: tuple[Path, Records], store: StoreFile | None, counts: HeldCounts
    ) -> None:
        """Look once at both disks, and stop or let go who is to be."""
        directory, kept = records
        written = Counter(kept.lines.octets) + Counter(counts.added)
        await self._look_at("records", directory, None, written)
        if store is not None:
            await self._look_at("store", store.directory, store, written)
        stopped = frozenset[str]().union(*(stages.stopped for stages in self.stages.values()))
        for system_id in sorted(stopped - self._plane.stopped):
            log.error("disk.sender_stopped", system_id=system_id)
        self._plane.stopped = stopped

    async def _look_at(
        self, volume: str, directory: Path, store: StoreFile | None, written: Mapping[str, int]
    ) -> None:
        try:
            free = await self._free_of(volume, directory)
            if store is not None:
                free = min(free, await self._left_of(store))
        except (OSError, StoreUnavailable, TimeoutError) as error:
            if volume not in self._unread:
                self._unread.add(volume)
                log.error(
                    "disk.check_failed", volume=volume, said=str(error) or "no answer in time"
                )
            return
        self._unread.discard(volume)
        before = self.stage_of(volume)
        self.stages[volume].look(free, written, monotonic())
        if self.stage_of(volume) is not before:
            _tell(volume, self.stage_of(volume), free)

    async def _free_of(self, volume: str, directory: Path) -> int:
        """Ask in a thread. One that does not come back is waited for, not asked again."""
        asking = self._asked.get(volume)
        if asking is None:
            asking = spawn(asyncio.to_thread(self._ask, directory), name=f"disk-{volume}")
            self._asked[volume] = asking
        await asyncio.wait({asking}, timeout=_PATIENCE_S)
        if not asking.done():
            raise TimeoutError
        if self._asked.get(volume) is asking:  # another that waited for it may have asked again
            del self._asked[volume]
        free = asking.result()
        if isinstance(free, OSError):
            raise free
        return free

    def _ask(self, directory: Path) -> int | OSError:
        """Return what is free; a fault is nothing that a task should fail of."""
        try:
            return self._free(directory)
        except OSError as error:
            return error

    async def _left_of(self, store: StoreFile) -> int:
        """Return what the store's own bound leaves, on the scale of free octets of a disk."""
        left = max(0, store.max_octets - await store.used_octets())
        scale = max(1, _STORE_PART * self._reserve.warn_octets // store.max_octets)
        return left * scale


def _tell(volume: str, stage: DiskStage, free: int) -> None:
    match stage:
        case DiskStage.WELL:
            log.info("disk.recovered", volume=volume, free_octets=free)
        case DiskStage.FULL:
            log.error("disk.full", volume=volume, free_octets=free)
        case _:
            log.warning("disk.low", volume=volume, free_octets=free, stage=stage.name.lower())


REFUSED_WARNING = (
    "the last reload was refused, the policy before it is in force: `smsward policy check` and "
    "the log (policy.refused) tell the faults"
)


CONFIG_WARNING = (
    "gateway.yaml was refused, what it said before is in force: `smsward check` and the log"
    " (config.refused) tell the faults"
)


@dataclass(slots=True, eq=False)
class GatewayHealth:
    """Reads plain counters of all parts; nothing is counted twice for it.

    `unlisted` tells how many log events were not on the closed list.
    """

    tick: Tick
    sessions: Sessions
    upstream: Upstream
    gate: Gate
    holding: HoldWriter
    held_counts: HeldCounts
    followers: Followers
    policies: Policies
    models: InstalledModels
    beside: BackgroundTasks
    disk: DiskWatch
    unlisted: Callable[[], int]
    config_faults: Callable[[], int] = int
    config_waiting: Callable[[], tuple[str, ...]] = tuple
    is_started: bool = False

    def readiness(self) -> Readiness:
        """Tell whether traffic should come here."""
        rules = self.tick.pipeline.plane.rules
        stages, copies = self.disk.health().stages, self.copies()
        faults, waiting = self.config_faults(), self.config_waiting()
        low = sorted(volume for volume, stage in stages.items() if stage > DiskStage.WELL)
        warnings = (
            *(
                f"the disk of the {volume} fills up: make room, or SPs are refused"
                " (smsward_disk_free_octets)"
                for volume in low
            ),
            *self.upstream.faults(),
            *self.sessions.pool.faults(),
            *(
                f"the store is behind: {name} cannot be read, the last known hold ({name}.behind)"
                for name, copy in copies.items()
                if not copy.is_current
            ),
            *((CONFIG_WARNING,) if faults else ()),
            *((f"{WAITS_FOR_RESTART} {', '.join(waiting)}",) if waiting else ()),
            *(("the policy forwards everything",) if rules.bundle.is_open else ()),
            *((REFUSED_WARNING,) if self.policies.refused_faults else ()),
            *((f"a classifier was refused: {self.models.fault}",) if self.models.fault else ()),
            *(one.en for one in unscored(rules.bundle.rules, rules.knowledge.scorer)),
        )
        return Readiness(
            checks=self._checks(),
            warnings=warnings,
            is_degraded=bool(low or faults),
        )

    def copies(self) -> Mapping[str, Copy]:
        """Return the copies of the store; their last known content holds while they are behind."""
        knowledge = self.tick.pipeline.plane.rules.knowledge
        return {
            "filings": knowledge.filings,
            "preferences": knowledge.preferences,
            "suspensions": knowledge.suspended,
        }

    def _checks(self) -> dict[str, bool]:
        knowledge, records = self.tick.pipeline.plane.rules.knowledge, self.tick.records
        return {
            "started": self.is_started,
            "not_draining": not self.sessions.leaving.is_draining,
            "store": not self.holding.is_failing,
            "consent_is_current": knowledge.consent.is_current,
            "records": not records.failing,
            "records_have_room": not records.is_full,
            "disk_has_room": self.disk.stage_of("records") is not DiskStage.FULL,
        }

    def snapshot(self) -> Snapshot:
        """Return what one scrape tells."""
        bundle = self.tick.pipeline.plane.rules.bundle
        links = Counter((link.side.value, link.state.value) for link in self.tick.connections)
        return Snapshot(
            counters=self._counters(),
            sessions=links,
            in_flight=_in_flight(self.sessions.pairs),
            held=self.followers.held,
            records=self.tick.records.health(),
            policy=PolicyIdentity(
                bundle.name, bundle.digest, bundle.posture, self.policies.refused_faults
            ),
            checks={name: int(is_well) for name, is_well in self._checks().items()},
            config_faults=self.config_faults(),
            unlisted_events=self.unlisted(),
            warnings=replace(
                self.beside.warnings.health(),
                escalated={**_NOT_ESCALATED, **self.beside.escalations.counts()},
            ),
            cases_escalated=self.beside.cases.escalated(),
            complaints_waiting_s=self.beside.cases.complaints_waiting_s(),
            ports_unjudged_s=self.beside.cases.ports_unjudged_s(),
            notices=self.beside.notifying.health(),
            reports=self.beside.reporting.health(),
            scheduled=self.beside.cancelling.outcomes,
            sanctions={**_NO_SANCTIONS, **self.beside.sanctions.counts()},
            follower_failures=dict(self.followers.rounds.failures),
            models=self.models.health(),
            disk=self.disk.health(),
            held_octets=self.held_counts.octets(),
            smscs=SmscHealth(
                up={smsc.name: int(smsc.down_since is None) for smsc in self.upstream.smscs},
                binds={smsc.name: smsc.binds for smsc in self.upstream.smscs},
                own_binds=self.sessions.pool.own_binds(),
            ),
        )

    def _counters(self) -> Counters:
        rules, tally = self.tick.pipeline.plane.rules, self.tick.pipeline.plane.tally
        counters = Counters(
            link_losses=tally.link_lost,
            stray_answers=tally.stray + tally.late,
            framing_errors=tally.framing_faults,
            timeouts=tally.timeouts,
            malformed_pdus=tally.malformed,
            filter_failures=tally.filter_failures,
            classifier_failures=rules.scan.unscored + rules.knowledge.unscored,
            receipts_unowned=tally.receipts_unowned,
            replies_put_back=tally.replies_put_back,
            replies_unheard=tally.replies_unheard,
            tick_failures=self.tick.failures,
        )
        counters.submits.add((Action.FORWARD.value, ""), tally.forwarded)
        counters.submits.add_all(tally.verdicts)
        counters.findings = tally.findings.copy()
        counters.sender_submits.add_all(tally.senders)
        counters.answers.add_all(tally.answers)
        counters.binds.add_all(_NO_BINDS | self.gate.binds)
        counters.tick_us = self.tick.turn_us
        counters.answer_us.total = tally.latency_us_total
        for bits, count in enumerate(tally.latency_us[: len(counters.answer_us.buckets)]):
            counters.answer_us.buckets[bits] = count
        return counters


def _in_flight(sessions: Mapping[Link, object]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for session in sessions:
        counts[session.system_id] += session.under_way + session.held
    return dict(counts)
