"""Notices in SQL (contract: gateway.ports.notices)."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Integer,
    Select,
    String,
    Table,
    Text,
    and_,
    func,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.sqlite import insert as insert_or_update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.consent import EVERY_SENDER, Answer
from gateway.domain.notice import Notice, NoticeBatch, NoticeStanding
from gateway.ports.consent_lists import Kept
from gateway.ports.notices import NOTICES_PER_BATCH
from gateway.stores.database import Database
from gateway.stores.notice_cursor import (
    Cursor,
    CursorNotice,
    FeedCursor,
    Read,
    first_told,
    next_for,
)
from gateway.stores.sealed_columns import SealedNumber
from gateway.stores.tables import IS_TOLD, UtcTime, changes, consent_answers, metadata

# One row for each SP that was ever given a batch, or that a process wanted to deliver to.
notice_cursors = Table(
    "notice_cursors",
    metadata,
    Column("system_id", String(16), primary_key=True),
    # A place among the answers, in the order of change, number and scope: up to where the
    # SP has acknowledged them, and where the batch ends that it was given since.
    Column("heard_change", BigInteger, nullable=False, server_default="0"),
    Column("heard_msisdn", SealedNumber, nullable=False, server_default="-1"),
    Column("heard_scope", String(16), nullable=False, server_default=""),
    Column("given_change", BigInteger, nullable=True),
    Column("given_msisdn", SealedNumber, nullable=True),
    Column("given_scope", String(16), nullable=True),
    Column("batch_id", BigInteger, nullable=False, server_default="0"),
    # The fields of domain.notice.NoticeStanding.
    Column("delivered_at", UtcTime, nullable=True),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("failing_since", UtcTime, nullable=True),
    Column("next_try_at", UtcTime, nullable=True),
    Column("failed_at", UtcTime, nullable=True),
    Column("failure", Text, nullable=False, server_default=""),
    # Which process may deliver to the SP's webhook, and until when.
    Column("claimed_by", String(32), nullable=False, server_default=""),
    Column("claimed_until", UtcTime, nullable=True),
)


_answer = consent_answers.c
_own = consent_answers.alias("own")
_column = notice_cursors.c
_HEARD = (_column.heard_change, _column.heard_msisdn, _column.heard_scope)
_GIVEN = (_column.given_change, _column.given_msisdn, _column.given_scope)
_NOT_GIVEN = (None, None, None)
_FREE = {"claimed_by": "", "claimed_until": None}
_WELL = {"attempts": 0, "failing_since": None, "next_try_at": None, **_FREE}


class SqlNotices:
    """One row of `notice_cursors` for each SP, over the answers that stand elsewhere."""

    def __init__(self, database: Database, utcnow: Callable[[], datetime]) -> None:
        self._database = database
        self._utcnow = utcnow

    async def next_batch(
        self, system_id: str, limit: int = NOTICES_PER_BATCH
    ) -> NoticeBatch | None:
        async def look(connection: AsyncConnection) -> tuple[bool, NoticeBatch | None]:
            cursor, read = (
                await _cursor_of(connection, system_id),
                _reader(connection, system_id, self._database.kept),
            )
            if cursor.given is None:
                return bool(await read(cursor.heard, None, 1)), None
            after, batch = await next_for(cursor, limit, read)
            return after != cursor, batch

        async def take(connection: AsyncConnection) -> NoticeBatch | None:
            before, read = (
                await _cursor_of(connection, system_id),
                _reader(connection, system_id, self._database.kept),
            )
            cursor, batch = await next_for(before, limit, read)
            if cursor != before:
                await _keep(connection, system_id, _values_of(cursor))
            return batch

        while True:
            is_news, batch = await self._database.read(look)
            # Most looks find nothing new, and those need not wait for whoever writes.
            if not is_news:
                return batch
            batch = await self._database.writer.write(take)
            if batch is not None:
                return batch

    async def acknowledge(self, system_id: str, batch_id: int) -> bool:
        async def run(connection: AsyncConnection) -> bool:
            before = await _cursor_of(connection, system_id)
            cursor = before.acknowledged(batch_id)
            if cursor != before:
                values = _values_of(cursor) | _WELL | {"delivered_at": self._utcnow()}
                await _keep(connection, system_id, values)
            return 1 <= batch_id <= before.batch_id

        return await self._database.writer.write(run)

    async def waiting_since(self, system_id: str) -> datetime | None:
        async def run(connection: AsyncConnection) -> datetime | None:
            cursor = await _cursor_of(connection, system_id)
            waiting = await first_told(cursor, _reader(connection, system_id, self._database.kept))
            if waiting is None:
                return None
            # The change itself may be pruned by now: then the oldest that is kept.
            query = (
                select(changes.c.at)
                .where(changes.c.number >= waiting.change)
                .order_by(changes.c.number)
                .limit(1)
            )
            at: datetime = (await connection.execute(query)).scalar_one()
            return at

        return await self._database.read(run)

    async def skip_before(self, system_id: str, at: datetime) -> int:
        number = changes.c.number
        later = select(number).where(changes.c.at >= at).order_by(number).limit(1)
        latest = select(func.coalesce(func.max(number), 0))

        async def run(connection: AsyncConnection) -> int:
            boundary = (await connection.execute(later)).scalar_one_or_none()
            if boundary is None:
                boundary = (await connection.execute(latest)).scalar_one() + 1
            before = await _cursor_of(connection, system_id)
            cursor = before.skipped_to(boundary)
            if cursor == before:
                return 0
            await _keep(connection, system_id, _values_of(cursor))
            count = 0
            for scope in (system_id, EVERY_SENDER):
                skipped = _between(before.heard, cursor.heard, scope)
                skipped = skipped.where(_is_told_to(system_id, scope))
                counted = select(func.count()).select_from(skipped.subquery())
                count += int((await connection.execute(counted)).scalar_one())
            return count

        return await self._database.writer.write(run)

    async def standing_of(self, system_id: str) -> NoticeStanding:
        columns = [_column[name] for name in NoticeStanding.__slots__]
        query = select(*columns).where(_column.system_id == system_id)
        for row in await self._database.rows(query):
            return NoticeStanding(**row)
        return NoticeStanding(system_id)

    async def note_failure(
        self, system_id: str, failure: str, *, at: datetime, next_try_at: datetime
    ) -> None:
        noted = {"next_try_at": next_try_at, "failed_at": at, "failure": failure}
        first = {"system_id": system_id, "attempts": 1, "failing_since": at} | noted
        statement = insert_or_update(notice_cursors).values(first)
        more = {
            "attempts": _column.attempts + 1,
            "failing_since": func.coalesce(_column.failing_since, statement.excluded.failing_since),
        }
        upsert = statement.on_conflict_do_update(
            index_elements=[_column.system_id], set_=noted | more | _FREE
        )

        async def run(connection: AsyncConnection) -> None:
            await connection.execute(upsert)

        await self._database.writer.write(run)

    async def claim(self, system_id: str, holder: str, *, now: datetime, until: datetime) -> bool:
        values = {"claimed_by": holder, "claimed_until": until}
        upsert = (
            insert_or_update(notice_cursors)
            .values({"system_id": system_id} | values)
            .on_conflict_do_update(
                index_elements=[_column.system_id],
                set_=values,
                where=or_(
                    _column.claimed_by == holder,
                    _column.claimed_until.is_(None),
                    _column.claimed_until <= now,
                ),
            )
            .returning(_column.system_id)
        )

        async def run(connection: AsyncConnection) -> bool:
            return (await connection.execute(upsert)).scalar_one_or_none() is not None

        return await self._database.writer.write(run)

    async def scopes_changed(self, after: int, through: int) -> Collection[str]:
        query = (
            select(_answer.scope)
            .where(_answer.change > after, _answer.change <= through, IS_TOLD)
            .distinct()
        )
        return {str(row["scope"]) for row in await self._database.rows(query)}


async def _cursor_of(connection: AsyncConnection, system_id: str) -> Cursor:
    query = select(*_HEARD, *_GIVEN, _column.batch_id).where(_column.system_id == system_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return Cursor()
    heard, given = FeedCursor(*row[:3]), None if row.given_change is None else FeedCursor(*row[3:6])
    return Cursor(heard, given, row.batch_id)


def _values_of(cursor: Cursor) -> dict[str, object]:
    given = cursor.given or _NOT_GIVEN
    columns = zip((*_HEARD, *_GIVEN), (*cursor.heard, *given), strict=True)
    return {column.name: value for column, value in columns} | {"batch_id": cursor.batch_id}


async def _keep(connection: AsyncConnection, system_id: str, values: dict[str, object]) -> None:
    statement = insert_or_update(notice_cursors).values({"system_id": system_id} | values)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=[_column.system_id], set_=values)
    )


def _reader(connection: AsyncConnection, system_id: str, kept: Callable[[int], Kept]) -> Read:
    def place(told: CursorNotice) -> tuple[int, Kept, str]:
        return told.place.change, kept(told.place.msisdn), told.place.scope

    async def read(
        after: FeedCursor, through: FeedCursor | None, limit: int | None
    ) -> Sequence[CursorNotice]:
        found: list[CursorNotice] = []
        # Each scope is a range of the index; together they would be a sort of all.
        for scope in (system_id, EVERY_SENDER):
            query = _between(after, through, scope).limit(limit)
            rows = await connection.execute(query.add_columns(_is_told_to(system_id, scope)))
            for change, msisdn, whose, answer, since, channel, is_told in rows:
                notice = Notice(msisdn, Answer(answer), since, channel, whose) if is_told else None
                found.append(CursorNotice(FeedCursor(change, msisdn, whose), notice))
        return sorted(found, key=place)[:limit]

    return read


def _is_told_to(system_id: str, scope: str) -> ColumnElement[bool]:
    """Return whether an answer to `scope` is told: of strangers no SP hears (R73)."""
    if scope != EVERY_SENDER:
        return true()
    own = _own.c
    return (
        select(own.msisdn)
        .where(
            own.msisdn == _answer.msisdn,
            own.scope == system_id,
            own.answer != Answer.ASSERTED.value,
        )
        .correlate(consent_answers)
        .exists()
    )


def _between(
    after: FeedCursor, through: FeedCursor | None, scope: str
) -> Select[int, int, str, str, datetime, str]:
    """Select the notices of one scope after one place, up to another."""
    key, is_told = tuple_(_answer.change, _answer.msisdn), and_(_answer.scope == scope, IS_TOLD)
    query = select(
        _answer.change,
        _answer.msisdn,
        _answer.scope,
        _answer.answer,
        _answer.since,
        _answer.channel,
    ).where(is_told, key >= after[:2] if scope > after.scope else key > after[:2])
    if through is not None:
        query = query.where(key <= through[:2] if scope <= through.scope else key < through[:2])
    return query.order_by(_answer.change, _answer.msisdn)
