"""`smsward warnings watch`: what ports do over time becomes early warnings (R95)."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import orjson
import structlog

from gateway.domain.consent import EVERY_SENDER, parts_of
from gateway.domain.detector import DetectorHit, Measure, moment_of
from gateway.domain.msisdn import is_mobile, masked
from gateway.domain.sender import PEERS, PortOwners
from gateway.domain.warning import EarlyWarning, WarningCount, WarningKind
from gateway.policy.bundle import Bundle
from gateway.proxy.consent_book import CHANNEL
from gateway.records.archive import RecordArchive, hour_of, start_of
from gateway.records.measure_counts import MeasureCounter, MeasureCounts
from gateway.records.record_tail import RecordTail, TailLines, TailPosition
from gateway.runtime.child_process import give_way
from gateway.runtime.clock import utcnow
from gateway.runtime.sealing import Sealer
from gateway.runtime.tasks import asked_to_stop, cancel_all, spawn
from gateway.settings.gateway import GatewaySettings, load_sealer
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores, worker_stores
from gateway.systems.complaints.model import TakenComplaint
from gateway.systems.early_warnings.detector_judge import (
    HOURS,
    STEP_S,
    STEPS,
    STEPS_PER_HOUR,
    DetectorJudge,
    PortCounts,
)
from gateway.terminal.failure import ExitCode

log = structlog.get_logger()

_LOOK_EVERY_S = 5.0
_REST_S = 0.12  # between commits, for others: as in gateway.app.complaint_worker
_STOP_S = 3.0
# The gateway writes a row within 0.1 s; a minute later it is there.
_GRACE_S = 60
# Rows of a clock that was set wrong would end all counting.
_MOST_AHEAD = STEPS_PER_HOUR
_PORTS_AT_HAND = 100_000
_LINES_AT_ONCE = 50_000
_MOST_REPORTERS = 200_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class WatchCounts:
    """What a round did: lines of records that were counted, and warnings that were raised."""

    lines: int = 0
    raised: list[EarlyWarning] = field(default_factory=list)


class _Unkept:
    """What the store has not taken yet: it is tried again before anything else is read."""

    def __init__(self) -> None:
        self.counts: MeasureCounts | None = None
        self.warnings: list[WarningCount] | None = None
        self.state: dict[str, str] = {}


class DetectorWorker:
    """Counts what is new in the records and in the stores, and judges each step that is over."""

    def __init__(
        self, stores: Stores, bundle: Bundle, owners: PortOwners, sealer: Sealer | None
    ) -> None:
        self._stores = stores
        self._detectors = bundle.detectors
        locale = bundle.surroundings
        self._counts = PortCounts(bundle.detectors, locale.zone, locale.calendar)
        self._judge = DetectorJudge(bundle.detectors, self._counts)
        self._owners = owners
        self._counter = MeasureCounter(port_finder(owners), sealer)
        self._state: dict[str, str] = {}
        self._unkept = _Unkept()
        self._reporters: dict[tuple[int, str, int], None] = {}
        self._day = -1  # of complaints
        self._before_day = 0  # the last complaint before it
        self._uncounted: TailLines | None = None  # read before the store failed
        self._hour = -1
        self._uncommitted = 0
        self._forgot_at = -1

    async def open(self, archive: RecordArchive, now: datetime, history: timedelta) -> None:
        """Read what was kept; without anything begin `history` ago. Raises StoreUnavailable."""
        state = self._state = await self._stores.detectors.state()
        if not state:
            latest = await self._stores.changes.latest()
            first = hour_of(now - history)
            state |= {
                "records": _position_said(TailPosition(first, {})),
                "judged": str(step_of(now)),
                "complaints": "0",
                "consent": str(latest),
                "revision": "0",
            }
        judged = int(state["judged"])
        async for rows in self._stores.detectors.hours(judged // STEPS_PER_HOUR - HOURS):
            for hour, system_id, port, counts in rows:
                self._counts.add_hour(hour, (system_id, port), counts)
        async for rows in self._stores.detectors.steps(judged - STEPS):
            for step, system_id, port, counts in rows:
                self._counts.add_step(step, (system_id, port), counts)
        by_id = {one.id: one for one in self._detectors}
        since = moment_of(judged - STEPS)
        for rule, system_id, port, end in await self._stores.detectors.warned(list(by_id), since):
            self._judge.silence(by_id[rule], (system_id, port), step_of(end))
        self._complaint = int(state.get("complaints_day", state["complaints"]))
        self._position = _position_of(state["records"])
        self._tail = RecordTail(archive, self._position)

    async def work(self, now: datetime) -> WatchCounts:
        """Count and judge all that there is. Raises StoreUnavailable."""
        done = WatchCounts()
        await self._retry(done)
        if self._uncounted is not None:
            await self._count_lines(self._uncounted, now, done)
        for some in self._tail.read(hour_of(now)):
            self._uncounted = some
            await self._count_lines(some, now, done)
        await self._keep_lines(now)
        self._say_unread()
        await self._count_complaints(now)
        await self._count_refusals(now)
        await self._judge_until(step_of(now - timedelta(seconds=_GRACE_S)), now, done)
        if self._forgot_at != hour_of(now):
            self._forgot_at = hour_of(now)
            judged = int(self._state["judged"])
            await self._stores.detectors.forget(judged - STEPS, judged // STEPS_PER_HOUR - HOURS)
        return done

    async def _count_lines(self, some: TailLines, now: datetime, done: WatchCounts) -> None:
        if some.hour != self._hour:
            await self._keep_lines(now)
            await self._judge_until(some.hour * STEPS_PER_HOUR, now, done)
            self._hour = some.hour
            self._counter.begin_hour()
        if some.new_from:
            await self._keep_lines(now)
            self._counter.add(some.lines[: some.new_from])
            self._counter.take()
        # From here to the count nothing is awaited: a commit has both or neither.
        self._uncounted, self._position = None, self._tail.position()
        self._counter.add(some.lines[some.new_from :])
        done.lines += len(some.lines) - some.new_from
        self._uncommitted += len(some.lines) - some.new_from
        if self._uncommitted >= _LINES_AT_ONCE:
            await self._keep_lines(now)
            await asyncio.sleep(_REST_S)

    async def _keep_lines(self, now: datetime) -> None:
        """Commit what was counted of lines, with how far they were counted."""
        if not self._uncommitted:
            return
        counts, self._uncommitted = self._counter.take(), 0
        await self._keep(counts, {"records": _position_said(self._position)}, now)

    def _say_unread(self) -> None:
        for hour, said in self._tail.unread.items():
            log.error("detectors.records_unread", hour=start_of(hour).isoformat(), said=said)
        self._tail.unread.clear()

    async def _count_complaints(self, now: datetime) -> None:
        """Count complaints about ports, of each proved reporter one a day.

        Those of the day are read once more after a start, to know their reporters. A port that
        several SPs share counts for each.
        """
        counted = int(self._state["complaints"])
        while taken := await self._stores.complaints.taken_after(self._complaint):
            counts: MeasureCounts = defaultdict(Counter)
            for one in taken:
                if self._is_first(one) and one.number > counted:
                    owners = (one.system_id,) if one.system_id else self._owners.of(one.port)
                    for system_id in owners:
                        counts[step_of(one.taken_at), system_id, one.port][Measure.COMPLAINTS] += 1
            self._complaint = taken[-1].number
            if self._complaint > counted:
                said = {"complaints": self._complaint, "complaints_day": self._before_day}
                await self._keep(counts, {name: str(one) for name, one in said.items()}, now)

    def _is_first(self, one: TakenComplaint) -> bool:
        day = (one.taken_at - _EPOCH).days
        if day > self._day:
            self._day, self._before_day = day, one.number - 1
        if not one.port or one.reporter is None or not one.is_proved:
            return False
        key = day, one.port, one.reporter
        if key in self._reporters:
            return False
        if len(self._reporters) >= _MOST_REPORTERS:
            del self._reporters[next(iter(self._reporters))]
        self._reporters[key] = None
        return True

    async def _count_refusals(self, now: datetime) -> None:
        """Count what subscribers refused by SMS, for the SP or for its port."""
        after, through = int(self._state["consent"]), await self._stores.changes.latest()
        if through <= after:
            return
        counts: MeasureCounts = defaultdict(Counter)
        refused = await self._stores.consent.refusals_changed(after, through, CHANNEL)
        for scope, since, count in refused:
            whom = parts_of(scope)
            if whom.system_id not in {EVERY_SENDER, PEERS}:  # nobody is warned of these
                key = step_of(since), whom.system_id, whom.port
                counts[key][Measure.OPTOUTS] += count
        await self._keep(counts, {"consent": str(through)}, now)

    async def _judge_until(self, end: int, now: datetime, done: WatchCounts) -> None:
        """Judge the steps up to `end` that were not judged yet."""
        for step in range(int(self._state["judged"]) + 1, end + 1):
            self._state["judged"] = str(step)
            if hits := self._judge.judge(step):
                await self._raise(hits, now, done)

    async def _raise(self, hits: Sequence[DetectorHit], now: datetime, done: WatchCounts) -> None:
        for one in hits:
            log.info(
                "detector.hit",
                rule=one.detector.id,
                system_id=one.system_id,
                port=_port_said(one.port),
                until=moment_of(one.end).isoformat(),
                count=one.count,
                events=one.events,
                usual=None if one.usual is None else round(one.usual, 6),
                score=round(one.score, 1),
            )
        samples_of = self._counter.samples_of
        self._unkept.warnings = [
            warning_of(one, samples_of(one.system_id, one.port, one.detector.counts), now)
            for one in hits
        ]
        self._next({})
        await self._retry(done)

    async def _keep(self, counts: MeasureCounts, state: Mapping[str, str], now: datetime) -> None:
        last = step_of(now) + _MOST_AHEAD
        for key in [key for key in counts if key[0] > last]:
            del counts[key]
        self._unkept.counts = counts
        self._next(state)
        await self._retry(WatchCounts())

    def _next(self, state: Mapping[str, str]) -> None:
        revision = str(int(self._state["revision"]) + 1)
        self._state |= {**state, "revision": revision}
        self._unkept.state = dict(self._state)

    async def _retry(self, done: WatchCounts) -> None:
        """Give the store what it has not taken. Raises StoreUnavailable."""
        unkept = self._unkept
        if unkept.warnings is not None:
            raised = await self._stores.detectors.raise_warnings(unkept.warnings, unkept.state)
            unkept.warnings = None
            done.raised += raised
            for one in raised:
                log.warning("warning.raised", number=one.number, **_kind_said(one))
        if unkept.counts is not None:
            counts = unkept.counts
            await self._stores.detectors.add(counts, unkept.state)
            unkept.counts = None
            for (step, system_id, port), some in counts.items():
                self._counts.add(step, (system_id, port), some)


def warning_of(hit: DetectorHit, samples: Sequence[str], now: datetime) -> WarningCount:
    """Return what a warning has of a hit: it is raised now, for the SP has 24 hours to answer."""
    kind = WarningKind(hit.detector.warning, hit.detector.id, hit.system_id, hit.port)
    return WarningCount(kind, None, hit.count, 0, now, now, tuple(samples))


def step_of(moment: datetime) -> int:
    """Return the step (since 1970) of a moment."""
    return int(moment.timestamp()) // STEP_S


def port_finder(owners: PortOwners) -> Callable[[str, str], str]:
    """Return what finds the number of the port of an SP that a source belongs to, "" for none."""

    @lru_cache(_PORTS_AT_HAND)
    def port_of(system_id: str, source: str) -> str:
        port, system_ids = owners.port_of(source)
        return port if system_id in system_ids else ""

    return port_of


def _kind_said(warning: EarlyWarning) -> dict[str, str]:
    kind = warning.gathered.kind
    return {**kind._asdict(), "code": kind.code.value, "port": _port_said(kind.port)}


def _port_said(port: str) -> str:
    return masked(port) if is_mobile(port.encode()) else port


def _position_said(position: TailPosition) -> str:
    lines = {str(hour): count for hour, count in position.lines.items()}
    return orjson.dumps({"first": position.first, "lines": lines}).decode()


def _position_of(said: str) -> TailPosition:
    read = orjson.loads(said)
    return TailPosition(read["first"], {int(hour): one for hour, one in read["lines"].items()})


@dataclass(frozen=True, slots=True)
class WatchDeployment:
    """What the process works on; it reads records from `history` ago on at its very first start."""

    settings: GatewaySettings
    bundle: Bundle
    owners: PortOwners
    history: timedelta


async def watch_once(deployment: WatchDeployment) -> WatchCounts:
    """Count and judge what there is. Raises StoreUnavailable."""
    async with _opened(deployment) as worker:
        return await worker.work(utcnow())


def serve_detectors(deployment: WatchDeployment) -> int:
    """Run until SIGTERM or SIGINT; return the exit code."""
    return asyncio.run(_serve(deployment))


async def _serve(deployment: WatchDeployment) -> int:
    give_way()
    asked = asked_to_stop()
    try:
        async with _opened(deployment) as worker:
            log.info("detectors.opened", detectors=len(deployment.bundle.detectors))
            spawn(_rounds(worker), name="detectors")
            await asked.wait()
            await cancel_all(_STOP_S)
    except StoreUnavailable as error:
        log.error("detectors.failed", said=str(error))
        return ExitCode.FAILED
    return ExitCode.FINE


@asynccontextmanager
async def _opened(deployment: WatchDeployment) -> AsyncIterator[DetectorWorker]:
    """Open the store for this process alone: two would count everything twice."""
    settings = deployment.settings
    async with worker_stores(settings, "warnings watch") as stores:
        sealer = load_sealer(settings)
        worker = DetectorWorker(stores, deployment.bundle, deployment.owners, sealer)
        archive = RecordArchive(settings.records.directory)
        await worker.open(archive, utcnow(), deployment.history)
        yield worker


async def _rounds(worker: DetectorWorker) -> None:
    """Work every few seconds until cancelled; what fails is tried again."""
    while True:
        try:
            await worker.work(utcnow())
        except StoreUnavailable as error:
            log.warning("store.failed", said=str(error))
        except Exception as error:  # noqa: BLE001 - the loop's edge: the next round tries again
            log.error("detectors.failed", said=type(error).__name__)
        await asyncio.sleep(_LOOK_EVERY_S)
