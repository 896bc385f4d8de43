"""The store of sanctions (处罚): proposed for each violation, decided, undone by two persons."""

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.msisdn import is_mobile
from gateway.domain.records import NewAccess
from gateway.domain.sanction import (
    AUTOMATIC,
    ReopeningTerms,
    Sanction,
    SanctionLadder,
    SanctionRefusal,
    SanctionState,
    SanctionStep,
)
from gateway.domain.warning import ANSWERED_IN, Severity, WarningNote, WarningState
from gateway.runtime.masking import masked_text
from gateway.storage.change_feed import ChangeKind, note_changes
from gateway.storage.database import SqlStore, added, newest, oldest
from gateway.storage.journals import note_access
from gateway.storage.tables import MICROSECOND
from gateway.systems.early_warnings.sql import warnings
from gateway.systems.early_warnings.tables import IS_PENDING, sanctions

_Change: TypeAlias = Callable[[Sanction], Sanction | SanctionRefusal]

_row = sanctions.c
_warning = warnings.c
# What an SP was given, and counts for the next step.
GIVEN = (SanctionState.APPLIED, SanctionState.REOPENED)
# Violations are looked for above the newest that has a sanction, less so many: their numbers are
# given before they are committed.
_LOOK_BACK = 1000
_ROWS_PER_CHANGE = 3
_CHINA, _DAY = timedelta(hours=8), timedelta(days=1)  # of UTC


class SanctionStore(SqlStore):
    """Keeps sanctions. Every call raises StoreUnavailable when the store does not answer.

    Whoever decides is in the audit, and what gateways must obey in the change feed,
    in the commit of the act.
    """

    async def propose(
        self,
        ladder: SanctionLadder,
        at: datetime,
        *,
        exempt: Collection[str] = (),
        limit: int = 100,
    ) -> list[Sanction]:
        """Propose the next step for each violation that has none, at most `limit`; return them.

        None for what only rules in shadow mode noticed, and none for those in `exempt`: peers are
        no SPs. Steps that are automatic are applied. One violation has one sanction, also with two
        processes.
        """
        last = sa.select(sa.func.coalesce(sa.func.max(_row.warning), 0) - _LOOK_BACK)
        has_none = ~sa.exists().where(_row.warning == _warning.number)
        query = (
            sa.select(_warning.number)
            .where(
                _warning.severity != "",
                _warning.count > _warning.on_trial,
                _warning.number > last.scalar_subquery(),
                _warning.state != WarningState.CLOSED,
                _warning.first_at > at - ladder.window,
                _warning.system_id.not_in(exempt),
                has_none,
            )
            .order_by(_warning.number)
            .limit(limit)
        )
        if not await self._database.rows(query.limit(1)):
            return []  # as nearly always: no turn of the writer for it

        async def run(connection: AsyncConnection) -> list[Sanction]:
            numbers = (await connection.execute(query)).scalars().all()
            return [await self._propose(connection, one, ladder, at) for one in numbers]

        return await self._database.writer.write(run, rows=limit * _ROWS_PER_CHANGE)

    async def _propose(
        self, connection: AsyncConnection, number: int, ladder: SanctionLadder, at: datetime
    ) -> Sanction:
        found = sa.select(warnings).where(_warning.number == number)
        row = (await connection.execute(found)).mappings().one()
        severity = Severity(row["severity"])
        earlier = await _earlier(connection, row, ladder.window)
        step = ladder.step(severity, earlier)
        new = Sanction(
            0,
            number,
            row["system_id"],
            row["port"],
            severity,
            step,
            SanctionState.PROPOSED,
            at,
        )
        if step in ladder.automatic:
            new = replace(new, state=SanctionState.APPLIED, decided_at=at, decided_by=AUTOMATIC)
        kept = replace(new, number=await added(connection, sanctions, _values(new)))
        if kept.state is SanctionState.APPLIED:
            await self._announce(
                connection, kept, NewAccess(AUTOMATIC, "sanction apply", "", "", at)
            )
        return kept

    async def get(self, number: int) -> Sanction | None:
        """Return a sanction by its number."""
        row = await self._database.first(sa.select(sanctions).where(_row.number == number))
        return None if row is None else _sanction_of(row)

    async def find(
        self,
        *,
        system_id: str | None = None,
        state: SanctionState | None = None,
        given: bool = False,
        before: int | None = None,
        limit: int = 50,
    ) -> list[Sanction]:
        """Return the newest sanctions that fit; for the next page give the last as `before`.

        Those that the SP was `given` were applied, and may be reopened since.
        """
        where = [_row.state.in_(GIVEN)] if given else []
        query = newest(sanctions, limit, where, before=before, system_id=system_id, state=state)
        return [_sanction_of(row) for row in await self._database.rows(query)]

    async def changed_after(self, at: datetime, limit: int = 1000) -> list[Sanction]:
        """Return the newest sanctions that were applied or reopened after a moment."""
        where = [_row.state.in_(GIVEN), sa.or_(_row.decided_at > at, _row.reopened_at > at)]
        rows = await self._database.rows(newest(sanctions, limit, where))
        return [_sanction_of(row) for row in rows]

    async def in_force(self, at: datetime) -> list[Sanction]:
        """Return those that close an SP, and those with a probation that runs at a moment."""
        is_closed = (_row.state == SanctionState.APPLIED) & (_row.step == SanctionStep.CLOSE)
        query = sa.select(sanctions).where(is_closed | (_row.probation_until > at))
        return [_sanction_of(row) for row in await self._database.rows(query)]

    async def to_carry_out(self, after: int = 0, limit: int = 100) -> list[Sanction]:
        """Return suspensions of ports that were decided or undone, and not carried out yet.

        They are the oldest above the number `after`.
        """
        query = oldest(sanctions, limit, IS_PENDING, after=after)
        return [_sanction_of(row) for row in await self._database.rows(query)]

    async def carried_out(self, one: Sanction) -> bool:
        """Note that what was decided of a suspension is done; False if it is in another state."""
        statement = sa.update(sanctions).where(_row.number == one.number, _row.state == one.state)
        return await self._database.change(statement.values(is_pending=False)) > 0

    async def decide(
        self, number: int, state: SanctionState, said: WarningNote
    ) -> Sanction | SanctionRefusal:
        """Apply or dismiss a proposed sanction; return it as it is then.

        The same decision of the same person again changes nothing, and is no refusal.
        """

        def decided(one: Sanction) -> Sanction | SanctionRefusal:
            if (one.state, one.decided_by, one.note) == (state, said.by, said.note):
                return one
            if one.state is not SanctionState.PROPOSED:
                return SanctionRefusal.STATE
            return replace(one, state=state, decided_at=said.at, decided_by=said.by, note=said.note)

        act = "sanction apply" if state is SanctionState.APPLIED else "sanction dismiss"
        access = NewAccess(said.by, act, said.note, "", said.at)
        return await self._change(number, decided, access)

    async def ask_reopening(self, number: int, asked: ReopeningTerms) -> Sanction | SanctionRefusal:
        """Ask for the end of a suspension or closing; another person must approve it (R97).

        What is asked for stays as it is until it is approved or declined. The same again of the
        same person changes nothing.
        """

        def change(one: Sanction) -> Sanction | SanctionRefusal:
            if one.state is not SanctionState.APPLIED or one.step is SanctionStep.NOTICE:
                return SanctionRefusal.STATE
            if one.reopening is not None and one.reopening.is_like(asked):
                return one
            if one.reopening is not None:
                is_own = one.reopening.by == asked.by
                return SanctionRefusal.SAME_PERSON if is_own else SanctionRefusal.ASKED
            return replace(one, reopening=asked)

        access = NewAccess(asked.by, "sanction reopen ask", asked.reason, "", asked.at)
        return await self._change(number, change, access)

    async def approve_reopening(
        self, number: int, digest: str, by: str, at: datetime
    ) -> Sanction | SanctionRefusal:
        """Reopen what another person has asked for, on the terms of `digest`; probation begins.

        The same approval of the same person again changes nothing, and is no refusal.
        """

        def change(one: Sanction) -> Sanction | SanctionRefusal:
            asked = one.reopening
            if asked is None:
                return SanctionRefusal.STATE
            if (one.reopened_by, asked.digest) == (by, digest):
                return one
            if one.state is not SanctionState.APPLIED:
                return SanctionRefusal.STATE
            refusal = asked.refusal_of(by)
            if refusal is None and asked.digest != digest:
                refusal = SanctionRefusal.OTHER_TERMS
            reopened = replace(one, state=SanctionState.REOPENED, reopened_at=at, reopened_by=by)
            return refusal or reopened

        return await self._change(number, change, NewAccess(by, "sanction reopen", "", "", at))

    async def decline_reopening(self, number: int, said: WarningNote) -> Sanction | SanctionRefusal:
        """Drop what another person has asked for; the sanction stays.

        Who asked may not: other terms could come between a look at them and their approval.
        """

        def change(one: Sanction) -> Sanction | SanctionRefusal:
            if one.state is not SanctionState.APPLIED or one.reopening is None:
                return SanctionRefusal.STATE
            return one.reopening.refusal_of(said.by) or replace(one, reopening=None)

        access = NewAccess(said.by, "sanction reopen decline", said.note, "", said.at)
        return await self._change(number, change, access)

    async def _change(
        self, number: int, change: _Change, access: NewAccess
    ) -> Sanction | SanctionRefusal:
        """Change a sanction by `change`, which may refuse, and note who did it.

        Nothing is noted of one that `change` returns as it is.
        """

        async def run(connection: AsyncConnection) -> Sanction | SanctionRefusal:
            # The writer has the write lock from the start: nobody changes it in between.
            query = sa.select(sanctions).where(_row.number == number)
            row = (await connection.execute(query)).mappings().first()
            if row is None:
                return SanctionRefusal.MISSING
            before = _sanction_of(row)
            after = change(before)
            if isinstance(after, Sanction) and after is not before:
                changed = sa.update(sanctions).where(_row.number == number)
                await connection.execute(changed.values(_values(after)))
                await self._announce(connection, after, access)
            return after

        return await self._database.writer.write(run, rows=_ROWS_PER_CHANGE)

    async def _announce(
        self, connection: AsyncConnection, one: Sanction, access: NewAccess
    ) -> None:
        port = masked_text(one.port) if is_mobile(one.port.encode()) else one.port
        about = f"sanction {one.number}, {one.step}, of {one.system_id} {port}".rstrip()
        await note_access(connection, replace(access, about=about))
        await note_changes(connection, ChangeKind.SANCTION, (one.system_id,), self._utcnow())


async def _earlier(connection: AsyncConnection, row: sa.RowMapping, window: timedelta) -> int:
    """Return on how many days sanctions were decided that count before a violation.

    They are those of its SP and severity that were applied within the window, at least 24 hours
    before it was raised: until then the SP may not know. A notice does not count once its warning
    is closed: that was fixed. One incident raises several warnings, so a day in China counts once.
    """
    raised = row["first_at"]
    china = sa.type_coerce(_row.decided_at, sa.BigInteger) + _CHINA // MICROSECOND
    query = (
        sa.select(sa.func.count(sa.distinct(china // (_DAY // MICROSECOND))))
        .select_from(sanctions.join(warnings, _warning.number == _row.warning))
        .where(
            _row.system_id == row["system_id"],
            _row.severity == row["severity"],
            _row.state.in_(GIVEN),
            _row.decided_at > raised - window,
            _row.decided_at <= raised - ANSWERED_IN,
            sa.or_(_row.step != SanctionStep.NOTICE, _warning.state != WarningState.CLOSED),
        )
    )
    return int((await connection.execute(query)).scalar_one())


def _values(one: Sanction) -> dict[str, object]:
    """Return the columns of a sanction, without its number."""
    asked = one.reopening
    is_decided = one.state in GIVEN and one.step is SanctionStep.SUSPEND
    plain = "warning system_id port severity step state proposed_at decided_at decided_by note"
    reopened = "reopened_at reopened_by probation_until"
    return {
        **{name: getattr(one, name) for name in f"{plain} {reopened}".split()},
        "asked_by": "" if asked is None else asked.by,
        "asked_at": None if asked is None else asked.at,
        "reason": "" if asked is None else asked.reason,
        "conditions": "" if asked is None else asked.conditions,
        "days": 0 if asked is None else asked.days,
        "daily_max": 0 if asked is None else asked.daily_max,
        "is_pending": is_decided,
    }


def _sanction_of(row: sa.RowMapping) -> Sanction:
    names = "by:asked_by at:asked_at reason:reason conditions:conditions days:days"
    pairs = (one.split(":") for one in f"{names} daily_max:daily_max".split())
    asked: dict[str, Any] = {name: row[column] for name, column in pairs}
    plain = "number warning system_id port proposed_at decided_at decided_by note"
    reopened = "reopened_at reopened_by"
    return Sanction(
        **{name: row[name] for name in f"{plain} {reopened}".split()},
        severity=Severity(row["severity"]),
        step=SanctionStep(row["step"]),
        state=SanctionState(row["state"]),
        reopening=None if row["asked_at"] is None else ReopeningTerms(**asked),
    )
