"""The store of cases (派单): their complaints, and the journal of what was done to them."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from copy import copy
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.records import NewPurge
from gateway.storage.database import added, newest, oldest
from gateway.storage.journals import note_purge
from gateway.systems.cases.case_search import CaseSearch
from gateway.systems.cases.model import (
    Case,
    CaseChange,
    CaseComplaint,
    CaseEntry,
    CaseJoin,
    CaseRefusal,
    CaseState,
    Recheck,
)
from gateway.systems.cases.tables import (
    HAS_NEXT,
    IS_HANDED_OVER,
    IS_OPEN_OF_ANOTHER,
    case_complaints,
    case_journal,
    case_of,
    cases,
    may_be_overdue,
    row_of,
)

_column = cases.c
_complaint = case_complaints.c
_entry = case_journal.c
_ENTRY = [_entry[name] for name in CaseEntry._fields]
_CLOSED = CaseState.CLOSED
_SET_CASE = (
    sa.update(cases)
    .where(_column.number == sa.bindparam("key"))
    .values({one.name: sa.bindparam(one.name) for one in cases.columns if one.name != "number"})
)
_ANSWERED_AT_ONCE = 100
_ANSWERED = (CaseState.FEEDBACK_RECEIVED, CaseState.USER_TOLD)
_ROWS_PER_COMPLAINT = 3  # itself, its case, the journal

# Decides what becomes of the newest case of a campaign, None without one, by one more complaint.
Cluster: TypeAlias = Callable[[Case | None, CaseComplaint], CaseChange]
# Decides what becomes of a case.
Decide: TypeAlias = Callable[[Case], CaseChange | CaseRefusal]
# Decides what becomes of the newest case of a subject, None without one.
Receive: TypeAlias = Callable[[Case | None], CaseChange | CaseRefusal]
# Returns why a case may not be changed, None if it may.
CaseGuard: TypeAlias = Callable[[Case], str | None]
# What else is done in the commit of a change.
AlsoDone: TypeAlias = Callable[[AsyncConnection], Awaitable[None]]


class CaseStore(CaseSearch):
    """Keeps cases. Every call raises StoreUnavailable when the store does not answer.

    A decision is made with the write lock held, so that the case is not changed in between. It may
    be asked for again, and has no effect of its own.
    """

    _also: AlsoDone | None = None
    _guard: CaseGuard | None = None

    async def take(self, given: Sequence[CaseComplaint], cluster: Cluster) -> list[CaseJoin]:
        """Put at most 500 complaints into cases, in one commit; return the case of each.

        `cluster` decides about each that is in no case yet. Safe to repeat.
        """

        async def run(connection: AsyncConnection) -> list[CaseJoin]:
            batch = await _known_of(connection, given)
            joined = [await batch.join(connection, one, cluster) for one in given]
            await batch.write(connection, self._utcnow())
            return joined

        return await self._database.writer.write(run, rows=_ROWS_PER_COMPLAINT * len(given))

    def along(self, also: AlsoDone, guard: CaseGuard | None = None) -> "CaseStore":
        """Return a store that does `also` in the commit of each change that `guard` allows."""
        store = copy(self)
        store._also, store._guard = also, guard  # noqa: SLF001 - its own class
        return store

    async def change(self, number: int, decide: Decide) -> CaseChange | CaseRefusal:
        """Do to a case what `decide` says, and journal it in the same commit."""

        def decided(case: Case | None) -> CaseChange | CaseRefusal:
            if case is None:
                return CaseRefusal(number, None, "there is no such case")
            return decide(case)

        return await self._change(sa.select(cases).where(_column.number == number), decided)

    async def receive(self, subject: str, decide: Receive) -> CaseChange | CaseRefusal:
        """Open a case of another node, or change the newest of its subject, as `decide` says."""
        return await self._change(_of_subject(subject), decide)

    async def _change(
        self, query: sa.Select[tuple[object, ...]], decide: Receive
    ) -> CaseChange | CaseRefusal:
        async def run(connection: AsyncConnection) -> CaseChange | CaseRefusal:
            found = (await connection.execute(query)).mappings().first()
            case = None if found is None else case_of(found)
            objection = None if case is None or self._guard is None else self._guard(case)
            if case is not None and objection is not None:
                return CaseRefusal(case.number, case.state, objection)
            change = decide(case)
            if isinstance(change, CaseRefusal):
                return change
            number = await _put(connection, change, self._utcnow())
            if self._also is not None:
                await self._also(connection)
            return change._replace(case=replace(change.case, number=number))

        return await self._database.writer.write(run, rows=3)

    async def get(self, number: int) -> Case | None:
        """Return a case by its number."""
        row = await self._database.first(sa.select(cases).where(_column.number == number))
        return None if row is None else case_of(row)

    async def of_subject(self, subject: str) -> Case | None:
        """Return the newest case of a subject of another node."""
        row = await self._database.first(_of_subject(subject))
        return None if row is None else case_of(row)

    async def find(  # noqa: PLR0913 - what may be asked for
        self,
        *,
        state: CaseState | None = None,
        owner: str | None = None,
        category: str | None = None,
        campaign: str | None = None,
        recheck: Recheck | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[Case]:
        """Return the newest cases that fit; for the next page give the last number as `before`."""
        equal = {"state": state, "owner": owner, "category": category, "campaign": campaign}
        equal["recheck"] = recheck
        query = newest(cases, limit, (), before=before, **equal)
        return [case_of(row) for row in await self._database.rows(query)]

    async def oldest_open(self, after: int, limit: int) -> list[Case]:
        """Return cases above a number that are open or reopened, by number."""
        is_open = _column.state.in_((CaseState.OPEN, CaseState.REOPENED))
        query = oldest(cases, limit, is_open, after=after)
        return [case_of(row) for row in await self._database.rows(query)]

    async def has_open_of(self, origin: str, most: int) -> bool:
        """Tell whether as many cases of another node as `most` are open here."""
        some = sa.select(_column.number).where(IS_OPEN_OF_ANOTHER, _column.origin == origin)
        return await self._has(some, most)

    async def has_entries_by(self, number: int, by: str, most: int) -> bool:
        """Tell whether the journal of a case has as many entries by somebody as `most`."""
        its = _entry.case_number == number, _entry.by == by
        return await self._has(sa.select(_entry.number).where(*its), most)

    async def was_escalated(self, number: int, about: str, since: datetime) -> bool:
        """Tell whether a case was escalated about this since then."""
        its = _entry.case_number == number, _entry.act == "escalate", _entry.about == about
        return await self._has(sa.select(_entry.number).where(*its, _entry.at >= since), 1)

    async def workers_of(self, number: int) -> list[str]:
        """Return who did more to a case than to draw it, each once."""
        query = sa.select(_entry.by).where(_entry.case_number == number, _entry.act != "draw")
        return [row["by"] for row in await self._database.rows(query.distinct())]

    async def _has(self, query: sa.Select[tuple[object]], most: int) -> bool:
        last = query.order_by(None).offset(most - 1).limit(1)
        return await self._database.first(last) is not None

    async def overdue(self, at: datetime, limit: int = 50) -> list[Case]:
        """Return open cases with a clock that runs and is past its limit `at`, the oldest first."""
        found: list[Case] = []
        last = 0
        while len(found) < limit:
            query = oldest(cases, limit, may_be_overdue(at), after=last)
            page = [case_of(row) for row in await self._database.rows(query)]
            if not page:
                break
            found += (one for one in page if one.overdue(at))
            last = page[-1].number
        return found[:limit]

    async def to_be_looked_at(self, at: datetime, limit: int = 200) -> list[int]:
        """Return the numbers of cases with a clock to look at by `at`, the longest due first."""
        query = (
            sa.select(_column.number)
            .where(HAS_NEXT, _column.next_at <= at)
            .order_by(_column.next_at)
            .limit(limit)
        )
        return [int(row["number"]) for row in await self._database.rows(query)]

    async def journal_of(self, number: int, limit: int = 500) -> list[CaseEntry]:
        """Return the newest entries of the journal of a case, in the order of the acts."""
        query = newest(case_journal, limit, case_number=number).with_only_columns(*_ENTRY)
        return (await self._database.records(CaseEntry, query))[::-1]

    async def journal_after(self, number: int, limit: int) -> list[tuple[int, int, CaseEntry]]:
        """Return entries of all cases above a number: the number, the case, the entry.

        An entry is never seen after one with a higher number: writers take turns.
        """
        rows = await self._database.rows(oldest(case_journal, limit, after=number))
        found = []
        for row in rows:
            entry = CaseEntry(**{name: row[name] for name in CaseEntry._fields})
            found.append((row["number"], row["case_number"], entry))
        return found

    async def complaints_of(self, number: int, limit: int = 50) -> list[tuple[int, str]]:
        """Return the newest complaints of a case: the number of each, and its sender."""
        query = (
            sa.select(_complaint.complaint, _complaint.sender)
            .where(_complaint.case_number == number)
            .order_by(_complaint.complaint.desc())
            .limit(limit)
        )
        return [(row["complaint"], row["sender"]) for row in await self._database.rows(query)]

    async def campaigns_since(self, since: datetime, limit: int) -> list[tuple[str, int]]:
        """Return the campaigns of the newest cases not closed before then, each with a complaint.

        At most `limit` cases are looked at.
        """
        latest = newest(cases, limit).subquery()
        some = (
            sa.select(_complaint.complaint)
            .where(_complaint.case_number == latest.c.number)
            .limit(1)
            .scalar_subquery()
        )
        query = sa.select(latest.c.campaign, some.label("complaint")).where(
            latest.c.closed_at.is_(None) | (latest.c.closed_at >= since)
        )
        rows = await self._database.rows(query)
        # A case of another node may have no complaint here.
        return [(row["campaign"], row["complaint"]) for row in rows if row["complaint"]]

    async def answered(self, front_owner: str) -> list[Case]:
        """Return the 100 oldest cases of a front owner with feedback, told or not, to be closed."""
        is_such = _column.front_owner == front_owner, _column.state.in_(_ANSWERED)
        query = oldest(cases, _ANSWERED_AT_ONCE, *is_such)
        return [case_of(row) for row in await self._database.rows(query)]

    async def closed_of(self, front_owner: str, numbers: Collection[int]) -> list[Case]:
        """Return those of at most 500 cases that are closed, by number."""
        is_such = _column.front_owner == front_owner, _column.state == _CLOSED
        query = oldest(cases, len(numbers), _column.number.in_(numbers), *is_such)
        return [case_of(row) for row in await self._database.rows(query)]

    async def closed_since(self, since: datetime, limit: int) -> list[tuple[int, Recheck | None]]:
        """Return the oldest cases that were closed since then, with how far their recheck is."""
        query = (
            sa.select(_column.number, _column.recheck)
            .where(_column.state == _CLOSED, _column.closed_at >= since)
            .order_by(_column.closed_at)
            .limit(limit)
        )
        return [(row["number"], row["recheck"]) for row in await self._database.rows(query)]

    async def closed_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[Case]:
        """Return cases that were closed before `before`, by number.

        For the next page give the last number as `after`.
        """
        query = oldest(
            cases, limit, _column.state == _CLOSED, _column.closed_at < before, after=after
        )
        return [case_of(row) for row in await self._database.rows(query)]

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        """Delete closed cases with their complaints and journals; return how many.

        The journal of purges gets `purge` with that count in the same commit; nothing when it is 0.
        """

        async def run(connection: AsyncConnection) -> int:
            is_closed = _column.number.in_(numbers) & (_column.state == _CLOSED)
            gone = sa.delete(cases).where(is_closed).returning(_column.number)
            found = (await connection.execute(gone)).scalars().all()
            for number in (_complaint.case_number, _entry.case_number):
                await connection.execute(sa.delete(number.table).where(number.in_(found)))
            await note_purge(connection, purge, len(found))
            return len(found)

        return await self._database.writer.write(run, rows=len(numbers))


class _CaseBatch:
    """The newest cases of some campaigns as complaints are put into them: read and written once.

    `known` has the case of each complaint that is in one, `reporters` who has complained before,
    by case.
    """

    def __init__(
        self, newest: dict[str, Case], known: dict[int, int], reporters: set[tuple[int, int]]
    ) -> None:
        self._newest = newest
        self._known = known
        self._reporters = reporters
        self._changed: dict[int, Case] = {}
        self._rows: list[dict[str, object]] = []
        self._entries: list[dict[str, object]] = []

    async def join(
        self, connection: AsyncConnection, one: CaseComplaint, cluster: Cluster
    ) -> CaseJoin:
        """Put a complaint into a case; only a new case is written at once, for its number."""
        number = self._known.get(one.complaint)
        if number is not None:
            return CaseJoin(one.complaint, number, "")
        case, entries = cluster(self._newest.get(one.campaign), one)
        if not case.number:
            values = row_of(case, one.taken_at)
            case = replace(case, number=await added(connection, cases, values))
        is_first = False
        if one.reporter is not None:
            is_first = (case.number, one.reporter) not in self._reporters
            self._reporters.add((case.number, one.reporter))
        case = replace(case, complaints=case.complaints + 1, reporters=case.reporters + is_first)
        self._newest[one.campaign] = self._changed[case.number] = case
        self._known[one.complaint] = case.number
        row = {"complaint": one.complaint, "case_number": case.number, "sender": one.sender}
        self._rows.append(row | {"reporter": one.reporter, "taken_at": one.taken_at})
        self._entries += ({"case_number": case.number, **entry._asdict()} for entry in entries)
        return CaseJoin(one.complaint, case.number, entries[0].act if entries else "join")

    async def write(self, connection: AsyncConnection, now: datetime) -> None:
        """Write what changed."""
        if not self._rows:
            return
        changed = [{"key": number, **row_of(case, now)} for number, case in self._changed.items()]
        await connection.execute(_SET_CASE, changed)
        await connection.execute(sa.insert(case_complaints), self._rows)
        if self._entries:
            await connection.execute(sa.insert(case_journal), self._entries)


def _of_subject(subject: str) -> sa.Select[tuple[object, ...]]:
    is_its = IS_HANDED_OVER, _column.subject == subject
    return sa.select(cases).where(*is_its).order_by(_column.number.desc()).limit(1)


async def _known_of(connection: AsyncConnection, given: Sequence[CaseComplaint]) -> _CaseBatch:
    """Read what is known of the campaigns and reporters of some complaints."""
    last = (
        sa.select(sa.func.max(_column.number))
        .where(_column.campaign.in_({one.campaign for one in given}))
        .group_by(_column.campaign)
    )
    found = await connection.execute(sa.select(cases).where(_column.number.in_(last)))
    newest = {row["campaign"]: case_of(row) for row in found.mappings()}
    of_them = sa.select(_complaint.complaint, _complaint.case_number).where(
        _complaint.complaint.in_([one.complaint for one in given])
    )
    known = {row.complaint: row.case_number for row in await connection.execute(of_them)}
    before = (
        sa.select(_complaint.case_number, _complaint.reporter)
        .where(
            _complaint.case_number.in_([one.number for one in newest.values()]),
            _complaint.reporter.in_({one.reporter for one in given} - {None}),
        )
        .distinct()
    )
    reporters = {(row.case_number, row.reporter) for row in await connection.execute(before)}
    return _CaseBatch(newest, known, reporters)


async def _put(connection: AsyncConnection, change: CaseChange, now: datetime) -> int:
    """Write a case and its journal; return its number."""
    case, entries = change
    values = row_of(case, now)
    number = case.number
    if number:
        await connection.execute(sa.update(cases).where(_column.number == number).values(values))
    else:
        number = await added(connection, cases, values)
    if entries:
        rows = [{"case_number": number, **entry._asdict()} for entry in entries]
        await connection.execute(sa.insert(case_journal), rows)
    return number
