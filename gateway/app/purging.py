"""What is past keeping goes, kind by kind, but for what legal holds keep (R70-R72)."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from gateway.domain.consent import EVERY_SENDER
from gateway.domain.msisdn import msisdn_of
from gateway.domain.privacy import LegalHold, NewPurge
from gateway.domain.quarantine import HeldMessage
from gateway.domain.relation import EndedRelation
from gateway.domain.retention import last_purgeable
from gateway.ports.privacy import FinalMessages, Journals
from gateway.ports.relations import EndedRelations
from gateway.runtime.record_archive import RecordArchive, start_of
from gateway.runtime.record_picking import RecordScope
from gateway.runtime.record_purging import FilePurge, Told, plan_purge, purge
from gateway.runtime.sealing import Sealer

T = TypeVar("T")

# A day counts on every clock: it begins in the east and is over once it is over in the west.
_EAST = timedelta(hours=14)
_WEST = timedelta(hours=12)
_RELATIONS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class PurgeErrand:
    """Purge what was recorded before `before`; only count when `is_rehearsal`."""

    before: datetime
    holds: Sequence[LegalHold]
    at: datetime
    by: str
    is_rehearsal: bool = False


@dataclass(frozen=True, slots=True)
class Purged:
    """What came of it: how much of `what` went (or would), and how much a hold kept."""

    what: str
    gone: int
    held: int


class Purger(Protocol):
    """Deletes one kind of what is on record; each kind of evidence has one."""

    async def purge(self, errand: PurgeErrand) -> Purged:
        """Delete what is due, and write the purge log before or with it. Safe to repeat."""


def purge_before(months: int, at: datetime) -> datetime:
    """Return the moment before which everything has been kept `months`, on whichever clock."""
    last = last_purgeable(months, at.astimezone(UTC) - _WEST)
    midnight = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    return midnight - _EAST


class RecordPurger:
    """The hourly files of records. A file goes once its last row may."""

    def __init__(
        self, directory: Path, sealer: Sealer | None, journals: Journals, told: Told
    ) -> None:
        self._archive = RecordArchive(directory)
        self._sealer = sealer
        self._journals = journals
        self._told = told

    async def purge(self, errand: PurgeErrand) -> Purged:
        """Delete files and rewrite those of which a hold keeps rows; see Purger.

        The log is written before anything goes, and after everything was read: a run that
        is cut off in between is logged again with what it had left.
        """
        if not self._archive.directory.is_dir():
            return Purged("records", 0, 0)
        holds = [
            RecordScope(hold.since, hold.until, hold.system_id, hold.msisdn)
            for hold in errand.holds
        ]
        with self._archive.alone():
            for path in self._archive.superseded():
                path.unlink()
            plans = plan_purge(self._archive, errand.before, holds, self._sealer, self._told)
            gone, held = sum(plan.goes for plan in plans), sum(plan.stays for plan in plans)
            if not errand.is_rehearsal:
                if gone:
                    await self._journals.note_purge(_noted(plans, gone, errand))
                purge(self._archive, plans, holds, self._sealer)
        return Purged("records", gone, held)


@dataclass(frozen=True, slots=True)
class PagePurger(Generic[T]):
    """Rows of one kind, numbered as they came: read page by page, and forgotten by number.

    `page` returns those that were made before a moment, after a number; `keeps` tells whether a
    hold is about one.
    """

    what: str
    page: Callable[[datetime, int], Awaitable[Sequence[T]]]
    forget: Callable[[Sequence[int], NewPurge], Awaitable[int]]
    number_of: Callable[[T], int]
    made_at: Callable[[T], datetime]
    keeps: Callable[[LegalHold, T], bool]

    async def purge(self, errand: PurgeErrand) -> Purged:
        """Delete rows page by page, each with its line in the log; see Purger."""
        gone = held = last = 0
        while page := await self.page(errand.before, last):
            last = self.number_of(page[-1])
            free = [one for one in page if not any(self.keeps(hold, one) for hold in errand.holds)]
            held += len(page) - len(free)
            if errand.is_rehearsal or not free:
                gone += len(free)
                continue
            times = [self.made_at(one) for one in free]
            log = NewPurge(self.what, min(times), max(times), len(free), errand.at, errand.by)
            gone += await self.forget([self.number_of(one) for one in free], log)
        return Purged(self.what, gone, held)


def message_purger(messages: FinalMessages) -> Purger:
    """Return what purges messages that were held and are in a final state."""
    return PagePurger(
        "messages",
        lambda before, after: messages.held_before(before, after_id=after),
        messages.forget,
        lambda message: message.message_id,
        lambda message: message.held_at,
        _keeps,
    )


class RelationPurger:
    """What is on record of relations that have ended: orders, requests, how refusals were given.

    A relation is kept as long as anything of it is live; the refusal itself stays (R71).
    """

    def __init__(self, relations: EndedRelations) -> None:
        self._relations = relations

    async def purge(self, errand: PurgeErrand) -> Purged:
        """Forget relations page by page, each with its line in the log; see Purger."""
        gone = held = 0
        async for page in self._relations.ended_before(errand.before):
            free = [one for one in page if not any(_keeps_told(h, one) for h in errand.holds)]
            held += len(page) - len(free)
            for start in range(0, len(free), _RELATIONS_AT_ONCE):
                some = free[start : start + _RELATIONS_AT_ONCE]
                gone += len(some) if errand.is_rehearsal else await self._forget(some, errand)
        return Purged("relations", gone, held)

    async def _forget(self, relations: Sequence[EndedRelation], errand: PurgeErrand) -> int:
        since = min(one.began_at for one in relations)
        log = NewPurge("relations", since, errand.before, len(relations), errand.at, errand.by)
        return await self._relations.forget(relations, log)


def _noted(plans: Sequence[FilePurge], gone: int, errand: PurgeErrand) -> NewPurge:
    hours = [plan.file.hour for plan in plans if plan.goes]
    since, until = start_of(min(hours)), start_of(max(hours) + 1)
    return NewPurge("records", since, until, gone, errand.at, errand.by)


def _keeps(hold: LegalHold, message: HeldMessage) -> bool:
    return (
        hold.since <= message.held_at < hold.until
        and hold.system_id in (None, message.system_id)
        and (
            hold.msisdn is None
            or hold.msisdn in (_number(message.destination), _number(message.source))
        )
    )


def _keeps_told(hold: LegalHold, relation: EndedRelation) -> bool:
    return (
        hold.since <= relation.ended_at
        and relation.began_at < hold.until
        # What was said to every SP was said to the one that the hold is about.
        and (hold.system_id in (None, relation.system_id) or relation.system_id == EVERY_SENDER)
        and hold.msisdn in (None, relation.msisdn)
    )


def _number(address: str) -> int | None:
    return msisdn_of(address.encode("latin-1", "replace"))
