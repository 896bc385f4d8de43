"""The store of notices to SPs: how far each has heard of the answers on record."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.consent import EVERY_SENDER, Answer, bounds_of_parts
from gateway.storage.database import SqlStore
from gateway.storage.dialect import insert_or_update, upsert
from gateway.storage.sealed_columns import Kept, SealedNumber
from gateway.storage.tables import IS_TOLD, UtcTime, changes, consent_answers, metadata
from gateway.systems.optout_notices.model import (
    NOTICES_PER_BATCH,
    Notice,
    NoticeBatch,
    NoticeStanding,
    told_channel,
)


class FeedCursor(NamedTuple):
    """A place among the answers: one change may stand for a thousand of them."""

    change: int
    msisdn: int
    scope: str


START = FeedCursor(0, -1, "")


class CursorNotice(NamedTuple):
    """One answer's place, and its notice; None where it is for no ears of this SP."""

    place: FeedCursor
    notice: Notice | None


# Reads at most so many answers after one place, up to another one where it is given.
Read: TypeAlias = Callable[
    [FeedCursor, FeedCursor | None, int | None], Awaitable[Sequence[CursorNotice]]
]

# Strangers' refusals of every SP may come by the million: they are passed page by page.
_ANSWERS_PER_PAGE = NOTICES_PER_BATCH
_PAGES_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far an SP has `heard`, and where batch `batch_id` ends that was `given` to it since."""

    heard: FeedCursor = START
    given: FeedCursor | None = None
    batch_id: int = 0

    def acknowledged(self, batch_id: int) -> "Cursor":
        """Return the cursor once the SP has taken that batch."""
        if self.given is None or batch_id != self.batch_id:
            return self
        return replace(self, heard=self.given, given=None)

    def skipped_to(self, change: int) -> "Cursor":
        """Return the cursor with everything before `change` given up."""
        place = FeedCursor(change, *START[1:])
        return self if place <= self.heard else replace(self, heard=place, given=None)


async def next_for(cursor: Cursor, limit: int, read: Read) -> tuple[Cursor, NoticeBatch | None]:
    """Return what comes next, and the cursor to keep: the same one when nothing moved.

    One that moved without a batch has passed over what this SP is not told: go on from there.
    """
    if cursor.given is not None:
        again = _notices(await read(cursor.heard, cursor.given, None))
        if again:
            return cursor, await _batch(cursor.batch_id, again, cursor.given, read)
        # All of it was answered anew meanwhile, and stands further on.
        cursor = replace(cursor, heard=cursor.given, given=None)
    for _ in range(_PAGES_AT_ONCE):
        page = await read(cursor.heard, None, _ANSWERS_PER_PAGE)
        told = [one for one in page if one.notice is not None]
        if told:
            given = told[limit - 1].place if len(told) > limit else page[-1].place
            cursor = Cursor(cursor.heard, given, cursor.batch_id + 1)
            return cursor, await _batch(cursor.batch_id, _notices(told[:limit]), given, read)
        if not page:
            break
        cursor = replace(cursor, heard=page[-1].place)
    return cursor, None


async def first_told(cursor: Cursor, read: Read) -> FeedCursor | None:
    """Return the place of the first notice that waits, as far as one call of `next_for` looks."""
    place = cursor.heard
    for _ in range(_PAGES_AT_ONCE):
        page = await read(place, None, _ANSWERS_PER_PAGE)
        for one in page:
            if one.notice is not None:
                return one.place
        if not page:
            break
        place = page[-1].place
    return None


async def _batch(
    batch_id: int, notices: Sequence[Notice], end: FeedCursor, read: Read
) -> NoticeBatch:
    behind = await read(end, None, _ANSWERS_PER_PAGE)
    is_last = len(behind) < _ANSWERS_PER_PAGE and not _notices(behind)
    return NoticeBatch(batch_id, tuple(notices), is_last)


def _notices(rows: Sequence[CursorNotice]) -> list[Notice]:
    return [one.notice for one in rows if one.notice is not None]


# One row for each SP that was ever given a batch, or that a process wanted to deliver to.
notice_cursors = sa.Table(
    "notice_cursors",
    metadata,
    sa.Column("system_id", sa.String(16), primary_key=True),
    # A place among the answers, in the order of change, number and scope: up to where the
    # SP has acknowledged them, and where the batch ends that it was given since.
    sa.Column("heard_change", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("heard_msisdn", SealedNumber, nullable=False, server_default="-1"),
    sa.Column("heard_scope", sa.String(64), nullable=False, server_default=""),
    sa.Column("given_change", sa.BigInteger, nullable=True),
    sa.Column("given_msisdn", SealedNumber, nullable=True),
    sa.Column("given_scope", sa.String(64), nullable=True),
    sa.Column("batch_id", sa.BigInteger, nullable=False, server_default="0"),
    # The fields of NoticeStanding.
    sa.Column("delivered_at", UtcTime, nullable=True),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("failing_since", UtcTime, nullable=True),
    sa.Column("next_try_at", UtcTime, nullable=True),
    sa.Column("failed_at", UtcTime, nullable=True),
    sa.Column("failure", sa.Text, nullable=False, server_default=""),
    # Which process may deliver to the SP's webhook, and until when.
    sa.Column("claimed_by", sa.String(32), nullable=False, server_default=""),
    sa.Column("claimed_until", UtcTime, nullable=True),
)


_answer = consent_answers.c
_own = consent_answers.alias("own")
_column = notice_cursors.c
_HEARD = (_column.heard_change, _column.heard_msisdn, _column.heard_scope)
_GIVEN = (_column.given_change, _column.given_msisdn, _column.given_scope)
_NOT_GIVEN = (None, None, None)
_FREE = {"claimed_by": "", "claimed_until": None}
_WELL = {"attempts": 0, "failing_since": None, "next_try_at": None, **_FREE}


class NoticeStore(SqlStore):
    """Reads the answers on record in order, from the last one that each SP has acknowledged.

    Nothing is written here when a subscriber answers: a refusal does not wait for its notice
    (R37). A new SP gets all answers on record. An answer to every SP goes only to an SP that
    has, at the time of reading, its own answer of that number on record: a proven agreement or
    a refusal. So a token does not give access to strangers' numbers (R73). Every call raises
    StoreUnavailable when the store does not answer.
    """

    async def next_batch(
        self, system_id: str, limit: int = NOTICES_PER_BATCH
    ) -> NoticeBatch | None:
        """Return the next notices of this SP, at most `limit`; None when it has had all.

        It returns the same batch until that is acknowledged, even with another `limit`. An
        answer that changed meanwhile leaves the batch and comes in a later one. An answer that
        the SP may not know is skipped for good. Safe to repeat.
        """

        async def look(connection: AsyncConnection) -> tuple[bool, NoticeBatch | None]:
            cursor = await _cursor_of(connection, system_id)
            read = _reader(connection, system_id, self._database.kept)
            if cursor.given is None:
                return bool(await read(cursor.heard, None, 1)), None
            after, batch = await next_for(cursor, limit, read)
            return after != cursor, batch

        async def take(connection: AsyncConnection) -> NoticeBatch | None:
            before = await _cursor_of(connection, system_id)
            read = _reader(connection, system_id, self._database.kept)
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
        """Note that this SP has accepted a batch; False when it was never given that batch.

        Safe to repeat, also after later batches.
        """

        async def run(connection: AsyncConnection) -> bool:
            before = await _cursor_of(connection, system_id)
            cursor = before.acknowledged(batch_id)
            if cursor != before:
                values = _values_of(cursor) | _WELL | {"delivered_at": self._utcnow()}
                await _keep(connection, system_id, values)
            return 1 <= batch_id <= before.batch_id

        return await self._database.writer.write(run)

    async def waiting_since(self, system_id: str) -> datetime | None:
        """Return when the first answer not acknowledged by this SP was recorded.

        For an answer older than the oldest kept change it is the time of that change. None when
        nothing waits, or nothing among the next ten thousand answers.
        """

        async def run(connection: AsyncConnection) -> datetime | None:
            cursor = await _cursor_of(connection, system_id)
            waiting = await first_told(cursor, _reader(connection, system_id, self._database.kept))
            if waiting is None:
                return None
            # The change itself may be pruned by now: then the oldest that is kept.
            query = (
                sa.select(changes.c.at)
                .where(changes.c.number >= waiting.change)
                .order_by(changes.c.number)
                .limit(1)
            )
            at: datetime = (await connection.execute(query)).scalar_one()
            return at

        return await self._database.read(run)

    async def skip_before(self, system_id: str, at: datetime) -> int:
        """Give up waiting notices recorded before `at`; return how many."""
        number = changes.c.number
        later = sa.select(number).where(changes.c.at >= at).order_by(number).limit(1)
        latest = sa.select(sa.func.coalesce(sa.func.max(number), 0))

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
            for scope in await _scopes_of(connection, system_id):
                skipped = _between(before.heard, cursor.heard, scope)
                skipped = skipped.where(_is_told_to(system_id, scope))
                counted = sa.select(sa.func.count()).select_from(skipped.subquery())
                count += int((await connection.execute(counted)).scalar_one())
            return count

        return await self._database.writer.write(run)

    async def standing_of(self, system_id: str) -> NoticeStanding:
        """Return the standing of this SP's notices; all empty for a new SP."""
        columns = [_column[name] for name in NoticeStanding.__slots__]
        query = sa.select(*columns).where(_column.system_id == system_id)
        row = await self._database.first(query)
        return NoticeStanding(system_id) if row is None else NoticeStanding(**row)

    async def note_failure(
        self, system_id: str, failure: str, *, at: datetime, next_try_at: datetime
    ) -> None:
        """Note that a delivery failed and when the next one is due.

        `failure` is the reason in a few words, without a number or text from the peer.
        """
        noted = {"next_try_at": next_try_at, "failed_at": at, "failure": failure}
        first = {"system_id": system_id, "attempts": 1, "failing_since": at} | noted
        statement = insert_or_update(notice_cursors).values(first)
        more = {
            "attempts": _column.attempts + 1,
            "failing_since": sa.func.coalesce(
                _column.failing_since, statement.excluded.failing_since
            ),
        }
        noting = statement.on_conflict_do_update(
            index_elements=[_column.system_id], set_=noted | more | _FREE
        )
        await self._database.change(noting)

    async def claim(self, system_id: str, holder: str, *, now: datetime, until: datetime) -> bool:
        """Let only `holder` deliver to this SP until `until`; False while another holds it.

        The same holder extends its claim. An acknowledgement or a failure ends it.
        """
        is_free = sa.or_(
            _column.claimed_by == holder,
            _column.claimed_until.is_(None),
            _column.claimed_until <= now,
        )
        values = {"system_id": system_id, "claimed_by": holder, "claimed_until": until}
        claiming = upsert(notice_cursors, ("claimed_by", "claimed_until"), is_free).values(values)
        return bool(await self._database.returned(claiming.returning(_column.system_id)))

    async def scopes_changed(self, after: int, through: int) -> Collection[str]:
        """Return the scopes of answers with a last change above `after`, up to `through`.

        One may be EVERY_SENDER, which concerns every SP. Asserted answers are left out.
        """
        query = (
            sa.select(_answer.scope)
            .where(_answer.change > after, _answer.change <= through, IS_TOLD)
            .distinct()
        )
        return {str(row["scope"]) for row in await self._database.rows(query)}


async def _cursor_of(connection: AsyncConnection, system_id: str) -> Cursor:
    query = sa.select(*_HEARD, *_GIVEN, _column.batch_id).where(_column.system_id == system_id)
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
    await connection.execute(upsert(notice_cursors, [*values]), {"system_id": system_id} | values)


def _reader(connection: AsyncConnection, system_id: str, kept: Callable[[int], Kept]) -> Read:
    def place(told: CursorNotice) -> tuple[int, Kept, str]:
        return told.place.change, kept(told.place.msisdn), told.place.scope

    async def read(
        after: FeedCursor, through: FeedCursor | None, limit: int | None
    ) -> Sequence[CursorNotice]:
        found: list[CursorNotice] = []
        # Each scope is a range of the index; together they would be a sort of all.
        for scope in await _scopes_of(connection, system_id):
            query = _between(after, through, scope).limit(limit)
            rows = await connection.execute(query.add_columns(_is_told_to(system_id, scope)))
            for change, msisdn, whose, answer, since, channel, is_told in rows:
                given = msisdn, Answer(answer), since, told_channel(channel), whose
                notice = Notice(*given) if is_told else None
                found.append(CursorNotice(FeedCursor(change, msisdn, whose), notice))
        return sorted(found, key=place)[:limit]

    return read


async def _scopes_of(connection: AsyncConnection, system_id: str) -> list[str]:
    """Return the scopes of answers that an SP is told of; each part of it is found by one seek."""
    scopes, (last, end) = [system_id, EVERY_SENDER], bounds_of_parts(system_id)
    while True:
        first = sa.select(sa.func.min(_answer.scope)).where(
            IS_TOLD, _answer.scope > last, _answer.scope < end
        )
        last = (await connection.execute(first)).scalar_one()
        if last is None:
            return scopes
        scopes.append(last)


def _is_told_to(system_id: str, scope: str) -> sa.ColumnElement[bool]:
    """Return whether an answer to `scope` is told: of strangers no SP hears (R73)."""
    if scope != EVERY_SENDER:
        return sa.true()
    own, (last, end) = _own.c, bounds_of_parts(system_id)
    return (
        sa.select(own.msisdn)
        .where(
            own.msisdn == _answer.msisdn,
            sa.or_(own.scope == system_id, sa.and_(own.scope > last, own.scope < end)),
            own.answer != Answer.ASSERTED.value,
        )
        .correlate(consent_answers)
        .exists()
    )


def _between(
    after: FeedCursor, through: FeedCursor | None, scope: str
) -> sa.Select[int, int, str, str, datetime, str]:
    """Select the notices of one scope after one place, up to another."""
    key, is_told = (
        sa.tuple_(_answer.change, _answer.msisdn),
        sa.and_(_answer.scope == scope, IS_TOLD),
    )
    query = sa.select(
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
