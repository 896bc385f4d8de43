"""What a gateway does beside traffic: closed hours are sealed, what is past keeping goes.

Both are done by processes of their own with low priority (`smsward records seal`, `records
purge`): packing an hour of ten million rows takes a minute of CPU, which the loop does not
have.
"""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Generic, NamedTuple, NoReturn, Protocol, TypeAlias, TypeVar

import orjson
import structlog

from gateway.domain.authority_report import AuthorityReport
from gateway.domain.consent import EVERY_SENDER, parts_of
from gateway.domain.msisdn import msisdn_of
from gateway.domain.quarantine import HeldMessage
from gateway.domain.records import NewPurge, last_purgeable
from gateway.domain.suspension import Suspension
from gateway.domain.warning import EarlyWarning
from gateway.records.archive import RecordArchive, hour_of, start_of
from gateway.records.sealed_values import RecordScope
from gateway.records.upkeep import FilePurge, Told, due, plan_purge, purge
from gateway.runtime.clock import utcnow
from gateway.runtime.sealing import Sealer
from gateway.storage.journals import SqlJournals
from gateway.stores import Stores
from gateway.systems.cases.model import Case
from gateway.systems.complaints.model import Complaint
from gateway.systems.consent_audits.model import ConsentAudit
from gateway.systems.ended_relations import EndedRelation, EndedRelations
from gateway.systems.learning.model import KeptSample
from gateway.systems.legal_holds.model import LegalHold
from gateway.systems.preferences.sql import OldEntry

log = structlog.get_logger()

_EVERY_S = 300.0
_PURGE_EVERY = 288  # a day of turns
_SAID_CHARS = 300
_NICENESS = 10
_COMMAND = (sys.executable, "-m", "gateway", "records")


class Housekeeping:
    """Starts the commands when they have something to do, one at a time."""

    def __init__(self, config: Path, directory: Path, *, is_sealing: bool) -> None:
        self._config = config
        self._archive = RecordArchive(directory)
        self._is_sealing = is_sealing

    async def keep(self, every_s: float = _EVERY_S) -> NoReturn:
        """Look every five minutes, until cancelled; the first purge comes with the first look."""
        turn = 0
        while True:
            await asyncio.sleep(every_s)
            await self.seal()
            if turn % _PURGE_EVERY == 0:
                await self.purge()
            turn += 1

    async def seal(self) -> None:
        """Seal the hours that are closed, if there are any and keys to do it with."""
        if self._is_sealing and await asyncio.to_thread(self._is_due):
            told = await self._run("seal", "--json")
            if told is not None:
                log.info("records.sealed", files=told.get("files"), rows=told.get("rows"))

    async def purge(self) -> None:
        """Delete what is past keeping."""
        told = await self._run("purge", "--json", "--by", "daily")
        if told is not None:
            log.info("records.purged", purged=told.get("purged"), before=told.get("before"))
            _tell_journals(told.get("journals"))

    def _is_due(self) -> bool:
        with suppress(OSError):  # the command will say what is wrong
            return bool(due(self._archive, hour_of(utcnow())))
        return True

    async def _run(self, *arguments: str) -> Mapping[str, object] | None:
        """Return what the command printed; log a failure and return None."""
        command = (*_COMMAND, *arguments, "--config", str(self._config))
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
            )
        except OSError as error:  # no memory or no room for one more process
            log.error("records.housekeeping_failed", command=arguments[0], said=error.strerror)
            return None
        with suppress(OSError):  # it may be done already
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
        try:
            out, said = await process.communicate()
        except asyncio.CancelledError:
            _end(process)
            raise
        if process.returncode == 0:
            told = orjson.loads(out)
            return told if isinstance(told, dict) else {}
        # What commands say on the standard error holds no number and no text.
        words = said[-_SAID_CHARS:].decode("utf-8", "replace").strip()
        log.error("records.housekeeping_failed", command=arguments[0], said=words)
        return None


def _tell_journals(states: object) -> None:
    """Put the heads of the journals where who rewrites the store does not reach: into the log."""
    for state in states if isinstance(states, list) else ():
        if state["problem"]:
            log.error("journal.broken", **state)
        else:
            told = {name: state[name] for name in ("journal", "rows", "head")}
            log.info("journal.verified", **told)


def _end(process: Process) -> None:
    """Stop a command half way: it leaves nothing that the next one does not mend."""
    with suppress(ProcessLookupError):
        process.kill()


Row = TypeVar("Row")
Row_co = TypeVar("Row_co", covariant=True)

# A day lasts in all time zones: from its start at UTC+14 to its end at UTC-12.
_EAST = timedelta(hours=14)
_WEST = timedelta(hours=12)
_RELATIONS_AT_ONCE = 200
# The longest restore_span that a rule may have is 180 days.
_SUSPENSIONS_REMEMBERED = timedelta(days=200)
# The ledger of violations is kept longer than its messages: a sanction looks back (R96).
_WARNINGS_REMEMBERED = timedelta(days=3 * 366)


@dataclass(frozen=True, slots=True)
class PurgeJob:
    """Purge what was recorded before `before`; only count when `is_rehearsal`."""

    before: datetime
    holds: Sequence[LegalHold]
    at: datetime
    by: str
    is_rehearsal: bool = False


@dataclass(frozen=True, slots=True)
class PurgeResult:
    """The result: how much of `what` was deleted (or would be), and how much a hold kept."""

    what: str
    gone: int
    held: int


def purge_before(months: int, at: datetime) -> datetime:
    """Return the time before which everything was kept for `months` in every time zone."""
    last = last_purgeable(months, at.astimezone(UTC) - _WEST)
    midnight = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    return midnight - _EAST


class RecordPurger:
    """Purges the hourly files of records. A file is due when its last row is due."""

    def __init__(
        self, directory: Path, sealer: Sealer | None, journals: SqlJournals, told: Told
    ) -> None:
        self._archive = RecordArchive(directory)
        self._sealer = sealer
        self._journals = journals
        self._told = told

    async def purge(self, job: PurgeJob) -> PurgeResult:
        """Delete due files; rewrite files that have rows kept by a hold.

        The purge log is written after everything was read and before anything is deleted. After
        an interrupted run the next one logs what was left.
        """
        if not self._archive.directory.is_dir():
            return PurgeResult("records", 0, 0)
        holds = [
            RecordScope(hold.since, hold.until, hold.system_id, hold.msisdn) for hold in job.holds
        ]
        with self._archive.alone():
            for path in self._archive.superseded():
                path.unlink()
            plans = plan_purge(self._archive, job.before, holds, self._sealer, self._told)
            gone, held = sum(plan.goes for plan in plans), sum(plan.stays for plan in plans)
            if not job.is_rehearsal:
                if gone:
                    await self._journals.note_purge(_noted(plans, gone, job))
                purge(self._archive, plans, holds, self._sealer)
        return PurgeResult("records", gone, held)


class PurgeRow(NamedTuple):
    """A row as legal holds see it: when it began and ended, its SP and its subscribers.

    A hold on an SP keeps nothing of `system_id` None; a hold on any subscriber keeps what may
    concern anybody, `msisdns` None. `made_at` is the time for the purge log.
    """

    number: int
    since: datetime
    until: datetime
    made_at: datetime
    system_id: str | None
    msisdns: Collection[int | None] | None


def _keeps(hold: LegalHold, row: PurgeRow) -> bool:
    return (
        hold.since <= row.until
        and row.since < hold.until
        # An answer to every SP is also an answer to the SP of the hold.
        and (hold.system_id in (None, _sp_of(row)) or row.system_id == EVERY_SENDER)
        and (hold.msisdn is None or row.msisdns is None or hold.msisdn in row.msisdns)
    )


def _sp_of(row: PurgeRow) -> str | None:
    return None if row.system_id is None else parts_of(row.system_id).system_id


class Page(Protocol[Row_co]):
    """Returns the rows made before a time, with numbers above `after`, by number."""

    def __call__(self, before: datetime, *, after: int = 0) -> Awaitable[Sequence[Row_co]]:
        """Return one page, an empty one at the end."""


@dataclass(frozen=True, slots=True)
class PagePurger(Generic[Row]):
    """Purges numbered rows of one kind: reads them page by page, forgets them by number.

    None is purged that is younger than `remembered`. Legal holds keep nothing unless `is_held`.
    """

    what: str
    page: Page[Row]
    forget: Callable[[Sequence[int], NewPurge], Awaitable[int]]
    evidence: Callable[[Row], PurgeRow]
    remembered: timedelta = timedelta()
    is_held: bool = True

    async def purge(self, job: PurgeJob) -> PurgeResult:
        """Delete rows page by page, with one line in the purge log for a page."""
        before = min(job.before, job.at - self.remembered) if self.remembered else job.before
        holds = job.holds if self.is_held else ()
        gone = held = last = 0
        while page := [self.evidence(row) for row in await self.page(before, after=last)]:
            last = page[-1].number
            free = [one for one in page if not any(_keeps(hold, one) for hold in holds)]
            held += len(page) - len(free)
            if job.is_rehearsal or not free:
                gone += len(free)
                continue
            times = [one.made_at for one in free]
            log = NewPurge(self.what, min(times), max(times), len(free), job.at, job.by)
            gone += await self.forget([one.number for one in free], log)
        return PurgeResult(self.what, gone, held)


class RelationPurger:
    """Purges records of ended relations: orders, requests, how refusals were given.

    A relation is kept as long as any part of it is live; the refusal itself stays (R71).
    """

    what = "relations"

    def __init__(self, relations: EndedRelations) -> None:
        self._relations = relations

    async def purge(self, job: PurgeJob) -> PurgeResult:
        """Forget relations in batches, with one line in the purge log for a batch."""
        gone = held = 0
        async for page in self._relations.ended_before(job.before):
            free = [
                one
                for one in page
                if not any(_keeps(hold, _of_relation(one)) for hold in job.holds)
            ]
            held += len(page) - len(free)
            for start in range(0, len(free), _RELATIONS_AT_ONCE):
                some = free[start : start + _RELATIONS_AT_ONCE]
                gone += len(some) if job.is_rehearsal else await self._forget(some, job)
        return PurgeResult(self.what, gone, held)

    async def _forget(self, relations: Sequence[EndedRelation], job: PurgeJob) -> int:
        since = min(one.began_at for one in relations)
        log = NewPurge(self.what, since, job.before, len(relations), job.at, job.by)
        return await self._relations.forget(relations, log)


# Deletes one kind of records; writes the purge log before, or in the same commit. Repeatable.
Purger: TypeAlias = RecordPurger | PagePurger[Any] | RelationPurger


def _noted(plans: Sequence[FilePurge], gone: int, job: PurgeJob) -> NewPurge:
    hours = [plan.file.hour for plan in plans if plan.goes]
    since, until = start_of(min(hours)), start_of(max(hours) + 1)
    return NewPurge("records", since, until, gone, job.at, job.by)


def purgers_of(stores: Stores) -> Mapping[str, Purger]:
    """Return what purges the store, by kind: what a legal hold may keep, and for how long.

    Held messages in a final state; what is left of ended relations; reports that the authority
    has (PENDING ones always stay, R60); audits of asserted consents with their samples; the
    journal of preferences, which stay themselves; suspensions by the months since their end,
    but none while a rule may ask how often its number was restored (`restore_span`); warnings
    with the ledger of violations, three years after they last grew at the earliest; complaints
    by the time at which they were taken; cases by the months since they were closed, with their
    complaints and journals. Samples
    by the time of their verdict. No legal hold keeps a sample: it is a copy to learn from,
    without the numbers that would make it evidence. Its message stays with the hold.
    """
    messages = stores.quarantine
    preferences, suspensions, warnings = stores.preferences, stores.suspensions, stores.warnings
    complaints = stores.complaints
    reports, audits, samples = stores.authority_reports, stores.consent_audits, stores.samples
    kinds: tuple[PagePurger[Any] | RelationPurger, ...] = (
        PagePurger("messages", messages.held_before, messages.forget, _of_message),
        RelationPurger(stores.ended_relations),
        PagePurger("reports", reports.sent_before, reports.forget, _of_report),
        PagePurger("audits", audits.drawn_before, audits.forget, _of_audit),
        PagePurger(
            "preferences", preferences.journaled_before, preferences.forget_entries, _of_entry
        ),
        PagePurger(
            "suspensions",
            suspensions.over_before,
            suspensions.forget,
            _of_suspension,
            remembered=_SUSPENSIONS_REMEMBERED,
        ),
        PagePurger(
            "warnings",
            warnings.noticed_before,
            warnings.forget,
            _of_warning,
            remembered=_WARNINGS_REMEMBERED,
        ),
        PagePurger("complaints", complaints.taken_before, complaints.forget, _of_complaint),
        PagePurger("cases", stores.cases.closed_before, stores.cases.forget, _of_case),
        PagePurger("samples", samples.kept_before, samples.forget, _of_sample, is_held=False),
    )
    return {one.what: one for one in kinds}


def _number(address: str) -> int | None:
    return msisdn_of(address.encode("latin-1", "replace"))


def _of_moment(
    number: int, at: datetime, system_id: str | None, msisdns: Collection[int | None] | None
) -> PurgeRow:
    return PurgeRow(number, at, at, at, system_id, msisdns)


def _of_message(one: HeldMessage) -> PurgeRow:
    msisdns = _number(one.destination), _number(one.source)
    return _of_moment(one.message_id, one.held_at, one.system_id, msisdns)


def _of_relation(one: EndedRelation) -> PurgeRow:
    began, ended = one.began_at, one.ended_at
    return PurgeRow(0, began, ended, ended, one.system_id, (one.msisdn,))


def _of_report(one: AuthorityReport) -> PurgeRow:
    # With several recipients a report names only the first; the others are not known.
    is_certain = one.recipients == 1 and one.msisdn is not None
    msisdns = (one.msisdn, _number(one.source)) if is_certain else None
    return _of_moment(one.number, one.stopped_at, one.system_id, msisdns)


def _of_audit(one: ConsentAudit) -> PurgeRow:
    # A hold on any subscriber keeps the whole sample, or its share would mean nothing.
    return _of_moment(one.number, one.drawn_at, one.system_id, None)


def _of_entry(one: OldEntry) -> PurgeRow:
    # SPs are not told of preferences: a hold on an SP keeps none of them.
    return _of_moment(one.number, one.at, None, (one.msisdn,))


def _of_suspension(one: Suspension) -> PurgeRow:
    # One that people made names no SP: a hold on an SP keeps none of those.
    over, since = one.lifted_at or one.until, one.since
    return PurgeRow(one.number, since, over, since, one.system_id or None, (one.msisdn,))


def _of_warning(one: EarlyWarning) -> PurgeRow:
    # A hold on any subscriber keeps it: a warning counts messages without their recipients.
    first, last = one.gathered.first_at, one.gathered.last_at
    return PurgeRow(one.number, first, last, last, one.gathered.kind.system_id, None)


def _of_complaint(one: Complaint) -> PurgeRow:
    # Where the reporter is not known, a hold on any subscriber keeps it; a hold on any SP, where
    # no SP here owns the port alone.
    msisdns = None if one.reporter is None else (one.reporter, _number(one.sender))
    return _of_moment(one.number, one.taken_at, one.system_id, msisdns)


def _of_case(one: Case) -> PurgeRow:
    # A hold on any SP or subscriber keeps it: a case has many senders and reporters.
    closed = one.closed_at or one.grown_at
    return PurgeRow(one.number, one.opened_at, closed, one.opened_at, EVERY_SENDER, None)


def _of_sample(one: KeptSample) -> PurgeRow:
    return _of_moment(one.number, one.at, None, None)
