"""The stores of suspensions (暂停): numbers and ports that may not send, and since when."""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.msisdn import is_mobile
from gateway.domain.records import NewAccess, NewPurge
from gateway.domain.suspension import (
    EXPIRY,
    SUBSCRIBER,
    Allowance,
    Lift,
    NewPortSuspension,
    NewSuspension,
    PortSuspension,
    Suspension,
    SuspensionState,
)
from gateway.runtime.masking import masked_text
from gateway.storage.change_feed import ChangeKind, note_changes
from gateway.storage.database import SqlStore, added, newest, oldest, values_of
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER, columns, partial_index
from gateway.storage.journals import note_access, purge_rows
from gateway.storage.sealed_columns import SealedNumber
from gateway.storage.tables import UtcTime, metadata, word


class SuspensionRow(NamedTuple):
    """What the data plane must know of a number: both times in epoch seconds, 0 for none."""

    msisdn: int
    until: float
    lifted_at: float


IS_ACTIVE = sa.text("state = 'active'")
IS_UNTOLD = sa.text("state = 'active' AND NOT is_told")

# One column for each field of domain.suspension.Suspension.
suspensions = sa.Table(
    "suspensions",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("msisdn", SealedNumber, nullable=False),
    sa.Column("system_id", sa.String(16), nullable=False),
    sa.Column("rule", sa.String(32), nullable=False),
    *columns(UtcTime, "since", "until"),
    sa.Column("state", word(SuspensionState, 8), nullable=False),
    sa.Column("is_told", sa.Boolean, nullable=False),
    sa.Column("lifted_at", UtcTime),
    *columns(sa.Text, "lifted_by", "note"),
    # By the store, not only by its code: two would be told twice and lifted once.
    partial_index("uq_suspensions_active", "msisdn", where=IS_ACTIVE, unique=True),
    sa.Index(None, "msisdn", "number"),
    partial_index("ix_suspensions_active_until", "until", where=IS_ACTIVE),
    partial_index("ix_suspensions_untold", "system_id", "number", where=IS_UNTOLD),
    **NEVER_REUSED,
)

IS_IN_FORCE = sa.text("lifted_at IS NULL")

# One column for each field of domain.suspension.PortSuspension.
suspended_ports = sa.Table(
    "suspended_ports",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("system_id", sa.String(16), nullable=False),
    sa.Column("port", sa.String(20), nullable=False),
    sa.Column("since", UtcTime, nullable=False),
    *columns(sa.Text, "by", "note"),
    sa.Column("until", UtcTime, nullable=True),
    sa.Column("sanction", sa.BigInteger, nullable=False),
    sa.Column("lifted_at", UtcTime, nullable=True),
    *columns(sa.Text, "lifted_by", "lift_note"),
    # By the store, not only by its code: two processes count the same complaints.
    partial_index(
        "uq_suspended_ports_active",
        *("port", "system_id", "sanction"),
        where=IS_IN_FORCE,
        unique=True,
    ),
    partial_index("ix_suspended_ports_until", "until", where=IS_IN_FORCE),
    sa.Index(None, "port", "system_id", "number"),
    **NEVER_REUSED,
)

_ROWS_PER_CHANGE = 3  # the one that ended, the new one, the feed

_column = suspensions.c
_IS_OVER = _column.state != SuspensionState.ACTIVE
_ENDED = sa.update(suspensions).values(state=SuspensionState.ENDED)
# The active one's end, and the latest lift, of each number.
_IN_FORCE = sa.select(
    _column.msisdn,
    sa.func.max(sa.case((_column.state == SuspensionState.ACTIVE, _column.until))).label("until"),
    sa.func.max(_column.lifted_at).label("lifted_at"),
).group_by(_column.msisdn)


class SuspensionStore(SqlStore):
    """Keeps suspensions; a number has at most one active suspension.

    Every call raises StoreUnavailable when the store does not answer, and is safe to
    repeat. Each start or end of a suspension makes one row in the change feed with the msisdn
    as key; the key is never logged.
    """

    async def suspend(self, new: NewSuspension) -> bool:
        """Keep a suspension; False, and nothing changes, if it is not new.

        It is not new while the number is suspended, or if a suspension of it was lifted at
        `since` or later: then another process found it before the lift.
        """
        of_number = _column.msisdn == new.msisdn
        over = _ENDED.where(of_number, IS_ACTIVE, _column.until <= new.since)
        is_known = sa.select(
            sa.exists().where(of_number, IS_ACTIVE)
            | sa.exists().where(of_number, _column.lifted_at >= new.since)
        )

        values = values_of(new) | {"state": SuspensionState.ACTIVE, "lifted_by": ""}

        async def run(connection: AsyncConnection) -> bool:
            # The writer has the write lock from the start: nobody suspends it in between.
            await connection.execute(over)
            if (await connection.execute(is_known)).scalar():
                return False
            await connection.execute(sa.insert(suspensions), values)
            await self._announce(connection, (new.msisdn,))
            return True

        return await self._database.writer.write(run, rows=_ROWS_PER_CHANGE)

    async def lift(self, number: int, lift: Lift, allowance: Allowance | None = None) -> bool:
        """End an active suspension; False when it is not active, or `allowance` is used up."""
        values: dict[str, object] = {
            "state": SuspensionState.LIFTED,
            "lifted_at": lift.at,
            "lifted_by": lift.by,
        }
        if lift.note:
            values["note"] = lift.note
        lifted = (
            sa.update(suspensions)
            .where(_column.number == number, IS_ACTIVE)
            .values(values)
            .returning(_column.msisdn)
        )

        async def run(connection: AsyncConnection) -> bool:
            if allowance is not None and await _is_used_up(connection, number, allowance):
                return False
            msisdn = (await connection.execute(lifted)).scalar()
            if msisdn is None:
                return False
            await self._announce(connection, (msisdn,))
            return True

        return await self._database.writer.write(run, rows=_ROWS_PER_CHANGE)

    async def active_of(self, msisdn: int) -> Suspension | None:
        """Return the active suspension of a number."""
        query = sa.select(suspensions).where(_column.msisdn == msisdn, IS_ACTIVE)
        return await self._database.record(Suspension, query)

    async def listed(
        self,
        state: SuspensionState | None = None,
        *,
        msisdn: int | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[Suspension]:
        """Return suspensions with numbers below `before`, the newest first."""
        query = newest(suspensions, limit, state=state, msisdn=msisdn, before=before)
        return await self._database.records(Suspension, query)

    async def untold(self, system_ids: Collection[str], limit: int = 100) -> list[Suspension]:
        """Return active suspensions found at these SPs that the numbers were not told of yet."""
        query = oldest(suspensions, limit, IS_UNTOLD, _column.system_id.in_(system_ids))
        return await self._database.records(Suspension, query)

    async def claim_telling(self, number: int) -> bool:
        """Claim to tell a number; False when any process has claimed it before."""
        statement = (
            sa.update(suspensions)
            .where(_column.number == number, _column.is_told.is_(False))
            .values(is_told=True)
        )
        return await self._database.change(statement) > 0

    async def end_due(self, at: datetime, limit: int = 1000) -> int:
        """Mark suspensions that end by `at` as ended; return how many."""
        due = (
            sa.select(_column.number)
            .where(IS_ACTIVE, _column.until <= at)
            .order_by(_column.until)
            .limit(limit)
        )
        if not await self._database.rows(due.limit(1)):
            return 0  # as nearly always: no turn of the writer for it
        ended = _ENDED.where(_column.number.in_(due.scalar_subquery())).returning(_column.msisdn)

        async def run(connection: AsyncConnection) -> int:
            msisdns = (await connection.execute(ended)).scalars().all()
            await self._announce(connection, msisdns)
            return len(msisdns)

        return await self._database.writer.write(run, rows=limit)

    async def in_force(
        self, lifted_after: datetime, batch: int = 10_000
    ) -> AsyncIterator[list[SuspensionRow]]:
        """Yield active suspensions and those lifted after `lifted_after`, by suspension number.

        An msisdn may occur more than once; the last row holds. Changes made meanwhile may or
        may not be included.
        """
        # Page by page, so that no long read keeps SQLite from emptying its -wal file.
        is_of_use = (_column.state == SuspensionState.ACTIVE) | (_column.lifted_at > lifted_after)
        query = _IN_FORCE.where(is_of_use).order_by(_column.msisdn).limit(batch)
        last = -1
        while page := await self._rows(query.where(_column.msisdn > last)):
            yield page
            last = page[-1].msisdn

    async def rows_of(self, msisdns: Sequence[int]) -> dict[int, SuspensionRow]:
        """Return the rows of at most 1000 numbers; numbers without a suspension are absent.

        `until` is the end of the active suspension, `lifted_at` the time of the latest lift.
        """
        found = await self._rows(_IN_FORCE.where(_column.msisdn.in_(msisdns)))
        return {row.msisdn: row for row in found if row.until or row.lifted_at}

    async def over_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[Suspension]:
        """Return suspensions that ended or were lifted before `before`, by number.

        For the next page give the last number as `after`.
        """
        over = sa.func.coalesce(_column.lifted_at, _column.until) < before
        query = oldest(suspensions, limit, _IS_OVER, over, after=after)
        return await self._database.records(Suspension, query)

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        """Delete suspensions that are over; return how many.

        The journal gets `purge` with that count in the same commit; nothing when it is 0.
        """
        statement = sa.delete(suspensions).where(_IS_OVER, _column.number.in_(numbers))
        return await purge_rows(self._database, statement, purge, len(numbers))

    async def _rows(self, query: sa.Executable) -> list[SuspensionRow]:
        return [
            SuspensionRow(row["msisdn"], _epoch(row["until"]), _epoch(row["lifted_at"]))
            for row in await self._database.rows(query)
        ]

    async def _announce(self, connection: AsyncConnection, msisdns: Iterable[int]) -> None:
        await note_changes(connection, ChangeKind.SUSPENSION, msisdns, self._utcnow())


async def _is_used_up(connection: AsyncConnection, number: int, allowance: Allowance) -> bool:
    whose = sa.select(_column.msisdn).where(_column.number == number).scalar_subquery()
    own = sa.select(sa.func.count()).where(
        _column.msisdn == whose,
        _column.lifted_by == SUBSCRIBER,
        _column.lifted_at >= allowance.since,
    )
    return ((await connection.execute(own)).scalar() or 0) >= allowance.at_most


def _epoch(at: datetime | None) -> float:
    return 0.0 if at is None else at.timestamp()


_port = suspended_ports.c
_IN_FORCE_PORTS = sa.select(_port.number, _port.system_id, _port.port).where(IS_IN_FORCE)


class SuspendedPortStore(SqlStore):
    """Keeps suspensions of ports. A port of an SP is suspended while one is in force.

    At most one for each sanction is (R96), and one for all else: complaints or a person. The end of
    one ends no other. Every call raises StoreUnavailable when the store does not answer, and is
    safe to repeat. Each start or end is in the audit and in the change feed, in one
    commit.
    """

    async def suspend(self, new: NewPortSuspension) -> bool:
        """Keep a suspension; False, and nothing changes, if the port is suspended already for it.

        A sanction suspends a port once: False, too, if a person has lifted that since. One that is
        past its `until` is in force until `end_due` has ended it.
        """
        same = [*_of_port(new.system_id, new.port), _port.sanction == new.sanction]
        if not new.sanction:
            same.append(_port.lifted_at.is_(None))
        is_known = sa.select(sa.exists().where(*same))
        values = values_of(new) | {"lifted_by": "", "lift_note": ""}

        async def run(connection: AsyncConnection) -> bool:
            # The writer has the write lock from the start: nobody suspends it in between.
            if (await connection.execute(is_known)).scalar():
                return False
            await added(connection, suspended_ports, values)
            about = _about(new.system_id, new.port)
            access = NewAccess(new.by, "port suspend", new.note, about, new.since)
            await self._announce(connection, new.system_id, access)
            return True

        return await self._database.writer.write(run, rows=_ROWS_PER_CHANGE)

    async def lift(self, system_id: str, port: str, lift: Lift, sanction: int = 0) -> bool:
        """End the suspension of a port by complaints or a person, or by a sanction.

        False if there was none. The port sends again unless another one is in force.
        """
        where = *_of_port(system_id, port), _port.sanction == sanction
        return await self._lift(where, lift, limit=1) > 0

    async def lift_sanction(self, sanction: int, lift: Lift) -> int:
        """End at most 1000 suspensions of ports by a sanction; return how many."""
        return await self._lift((_port.sanction == sanction,), lift)

    async def end_due(self, at: datetime, limit: int = 1000) -> int:
        """End suspensions that are past their `until`; return how many."""
        is_due = _port.until <= at
        if not await self._database.rows(_IN_FORCE_PORTS.where(is_due).limit(1)):
            return 0  # as nearly always: no turn of the writer for it
        return await self._lift((is_due,), Lift(at, EXPIRY, "its time is over"), limit)

    async def _lift(
        self, where: Sequence[sa.ColumnElement[bool]], lift: Lift, limit: int = 1000
    ) -> int:
        found = _IN_FORCE_PORTS.where(*where).order_by(_port.until, _port.number).limit(limit)
        values = {"lifted_at": lift.at, "lifted_by": lift.by, "lift_note": lift.note}
        end = sa.update(suspended_ports).where(_port.number == sa.bindparam("ended")).values(values)

        async def run(connection: AsyncConnection) -> int:
            # The writer has the write lock from the start: nobody lifts one in between.
            ended = (await connection.execute(found)).all()
            for one in ended:
                await connection.execute(end, {"ended": one.number})
                about = _about(one.system_id, one.port)
                access = NewAccess(lift.by, "port resume", lift.note, about, lift.at)
                await self._announce(connection, one.system_id, access)
            return len(ended)

        return await self._database.writer.write(run, rows=limit)

    async def latest_of(self, system_id: str, port: str) -> PortSuspension | None:
        """Return the last suspension of a port by complaints or a person, in force or lifted."""
        query = newest(suspended_ports, 1, system_id=system_id, port=port, sanction=0)
        return await self._database.record(PortSuspension, query)

    async def holding(self, system_id: str, port: str) -> list[PortSuspension]:
        """Return the suspensions of a port that are in force, the newest first."""
        query = newest(
            suspended_ports, 1000, [*_of_port(system_id, port), _port.lifted_at.is_(None)]
        )
        return await self._database.records(PortSuspension, query)

    async def lifted_beneath(self, at: datetime, limit: int = 1000) -> set[int]:
        """Return which suspensions were lifted after a moment while another one held the port."""
        other = suspended_ports.alias().c
        held = sa.exists().where(
            other.port == _port.port,
            other.system_id == _port.system_id,
            other.number != _port.number,
            other.since <= _port.lifted_at,
            sa.or_(other.lifted_at.is_(None), other.lifted_at > _port.lifted_at),
        )
        query = newest(suspended_ports, limit, [_port.lifted_at > at, held])
        return {row["number"] for row in await self._database.rows(query)}

    async def listed(
        self, *, is_in_force: bool = False, before: int | None = None, limit: int = 100
    ) -> list[PortSuspension]:
        """Return suspensions with numbers below `before`, the newest first."""
        where = [_port.lifted_at.is_(None)] if is_in_force else []
        query = newest(suspended_ports, limit, where, before=before)
        return await self._database.records(PortSuspension, query)

    async def changed_after(self, at: datetime, limit: int = 1000) -> list[PortSuspension]:
        """Return the newest suspensions that began or were lifted after a moment."""
        where = [sa.or_(_port.since > at, _port.lifted_at > at)]
        return await self._database.records(PortSuspension, newest(suspended_ports, limit, where))

    async def in_force(self) -> dict[str, frozenset[str]]:
        """Return the suspended ports of each SP that has any."""
        query = sa.select(_port.system_id, _port.port).where(IS_IN_FORCE)
        found: dict[str, set[str]] = {}
        for row in await self._database.rows(query):
            found.setdefault(row["system_id"], set()).add(row["port"])
        return {system_id: frozenset(ports) for system_id, ports in found.items()}

    async def _announce(
        self, connection: AsyncConnection, system_id: str, access: NewAccess
    ) -> None:
        await note_access(connection, access)
        await note_changes(connection, ChangeKind.PORT, (system_id,), self._utcnow())


def _of_port(system_id: str, port: str) -> tuple[sa.ColumnElement[bool], ...]:
    return _port.port == port, _port.system_id == system_id


def _about(system_id: str, port: str) -> str:
    """Return what a line of the journal is about: a port may be the number of a person."""
    return f"port {masked_text(port) if is_mobile(port.encode()) else port} of {system_id}"
