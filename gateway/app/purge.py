"""Purge what is past its retention, kind by kind; legal holds keep what they cover (R70-R72)."""

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
from gateway.runtime.record_filter import RecordScope
from gateway.runtime.record_purge import FilePurge, Told, plan_purge, purge
from gateway.runtime.sealing import Sealer

T = TypeVar("T")

# A day lasts in all time zones: from its start at UTC+14 to its end at UTC-12.
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
class PurgeResult:
    """The result: how much of `what` was deleted (or would be), and how much a hold kept."""

    what: str
    gone: int
    held: int


class Purger(Protocol):
    """Deletes one kind of records; each kind of evidence has its own purger."""

    async def purge(self, errand: PurgeErrand) -> PurgeResult:
        """Delete what is due; write the purge log before, or in the same commit. Repeatable."""


def purge_before(months: int, at: datetime) -> datetime:
    """Return the time before which everything was kept for `months` in every time zone."""
    last = last_purgeable(months, at.astimezone(UTC) - _WEST)
    midnight = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    return midnight - _EAST


class RecordPurger:
    """Purges the hourly files of records. A file is due when its last row is due."""

    def __init__(
        self, directory: Path, sealer: Sealer | None, journals: Journals, told: Told
    ) -> None:
        self._archive = RecordArchive(directory)
        self._sealer = sealer
        self._journals = journals
        self._told = told

    async def purge(self, errand: PurgeErrand) -> PurgeResult:
        """Delete due files; rewrite files that have rows kept by a hold; see Purger.

        The purge log is written after everything was read and before anything is deleted. After
        an interrupted run the next one logs what was left.
        """
        if not self._archive.directory.is_dir():
            return PurgeResult("records", 0, 0)
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
        return PurgeResult("records", gone, held)


@dataclass(frozen=True, slots=True)
class PagePurger(Generic[T]):
    """Purges numbered rows of one kind: reads them page by page, forgets them by number.

    `page` returns the rows made before a time, with numbers above a given one; `keeps` tells
    whether a hold covers a row.
    """

    what: str
    page: Callable[[datetime, int], Awaitable[Sequence[T]]]
    forget: Callable[[Sequence[int], NewPurge], Awaitable[int]]
    number_of: Callable[[T], int]
    made_at: Callable[[T], datetime]
    keeps: Callable[[LegalHold, T], bool]

    async def purge(self, errand: PurgeErrand) -> PurgeResult:
        """Delete rows page by page, with one line in the purge log for a page; see Purger."""
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
        return PurgeResult(self.what, gone, held)


def message_purger(messages: FinalMessages) -> Purger:
    """Return the purger of held messages in a final state."""
    return PagePurger(
        "messages",
        lambda before, after: messages.held_before(before, after_id=after),
        messages.forget,
        lambda message: message.message_id,
        lambda message: message.held_at,
        _keeps,
    )


class RelationPurger:
    """Purges records of ended relations: orders, requests, how refusals were given.

    A relation is kept as long as any part of it is live; the refusal itself stays (R71).
    """

    def __init__(self, relations: EndedRelations) -> None:
        self._relations = relations

    async def purge(self, errand: PurgeErrand) -> PurgeResult:
        """Forget relations in batches, with one line in the purge log for a batch; see Purger."""
        gone = held = 0
        async for page in self._relations.ended_before(errand.before):
            free = [one for one in page if not any(_keeps_told(h, one) for h in errand.holds)]
            held += len(page) - len(free)
            for start in range(0, len(free), _RELATIONS_AT_ONCE):
                some = free[start : start + _RELATIONS_AT_ONCE]
                gone += len(some) if errand.is_rehearsal else await self._forget(some, errand)
        return PurgeResult("relations", gone, held)

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
        # An answer to every SP is also an answer to the SP of the hold.
        and (hold.system_id in (None, relation.system_id) or relation.system_id == EVERY_SENDER)
        and hold.msisdn in (None, relation.msisdn)
    )


def _number(address: str) -> int | None:
    return msisdn_of(address.encode("latin-1", "replace"))
