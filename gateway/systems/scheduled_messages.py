"""Messages that the SMSC keeps for later, so that a refusal can cancel them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.consent import EVERY_SENDER, Answer, parts_of
from gateway.domain.msisdn import misread_as
from gateway.domain.sender import NO_COMPANIONS, Companions
from gateway.storage.database import SqlStore
from gateway.storage.dialect import (
    NEVER_REUSED,
    ROW_NUMBER,
    columns,
    insert_or_update,
    partial_index,
)
from gateway.storage.sealed_columns import SealedAddress, SealedNumber
from gateway.storage.tables import UtcTime, consent_answers, metadata


@dataclass(frozen=True, slots=True)
class ScheduledMessage:
    """One commercial message to one subscriber; a refusal must still stop it (R21).

    The addresses are exactly those of the request: the SMSC compares them when it is asked to
    cancel. `message_id` is the SMSC's, `smsc` its name. `number` is 0 until the store has given
    one.
    """

    system_id: str
    smsc: str
    message_id: str
    source_ton: int
    source_npi: int
    source: str
    dest_ton: int
    dest_npi: int
    destination: str = field(repr=False)
    msisdn: int = field(repr=False)
    scheduled_at: datetime
    number: int = 0


IS_REFUSED = sa.text("is_refused")
IS_MISREAD = sa.text("misread_as IS NOT NULL")

# One column for each field of domain.scheduled.ScheduledMessage, whether its subscriber has
# refused, until when a process has claimed it, and as whom its number may be read, of which a
# sealed number tells nothing.
scheduled_messages = sa.Table(
    "scheduled_messages",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("system_id", sa.String(16), nullable=False),
    sa.Column("smsc", sa.String(64), nullable=False),
    sa.Column("message_id", sa.String(65), nullable=False),
    *columns(sa.SmallInteger, "source_ton", "source_npi"),
    sa.Column("source", sa.String(65), nullable=False),
    *columns(sa.SmallInteger, "dest_ton", "dest_npi"),
    sa.Column("destination", SealedAddress(65, "scheduled_messages.destination"), nullable=False),
    sa.Column("msisdn", SealedNumber, nullable=False, index=True),
    sa.Column("scheduled_at", UtcTime, nullable=False, index=True),
    sa.Column("is_refused", sa.Boolean, nullable=False),
    sa.Column("free_at", UtcTime, nullable=False),
    sa.Column("misread_as", SealedNumber, nullable=True),
    sa.Index(
        "uq_scheduled_messages_message", "system_id", "message_id", "destination", unique=True
    ),
    # Numbers of North America: mostly there is none.
    partial_index("ix_scheduled_messages_misread_as", "misread_as", where=IS_MISREAD),
    # What the gateway asks every few moments: mostly there is none.
    partial_index("ix_scheduled_messages_refused", "scheduled_at", "system_id", where=IS_REFUSED),
    # A number that was forgotten must not be mistaken for a later one.
    **NEVER_REUSED,
)

_column = scheduled_messages.c
_answer = consent_answers.c
_own = consent_answers.alias("own_answers").c
_SHOWN = [_column[field.name] for field in fields(ScheduledMessage)]
_KEPT = [field.name for field in fields(ScheduledMessage) if field.name != "number"]
_UNCLAIMED = {"is_refused": False, "free_at": datetime(1970, 1, 1, tzinfo=UTC)}
_IS_REFUSAL = _answer.answer == Answer.REFUSED.value
# A refusal of the SP's port is about what came from there or from an extension of it. One of a
# category is about every advert: what a scheduled message says is not kept.
_WITH_PORT = _column.system_id + " " + _column.source
_IS_ABOUT_IT = sa.or_(
    _answer.scope.in_((_column.system_id, EVERY_SENDER)),
    sa.and_(
        sa.func.length(_answer.scope) > sa.func.length(_column.system_id),
        sa.func.substr(_WITH_PORT, 1, sa.func.length(_answer.scope)) == _answer.scope,
    ),
    sa.func.substr(_answer.scope, 1, sa.func.length(_column.system_id) + 2)
    == _column.system_id + " #",
)

_insert = insert_or_update(scheduled_messages)
_UPSERT = _insert.on_conflict_do_update(
    index_elements=[_column.system_id, _column.message_id, _column.destination],
    set_={"scheduled_at": _insert.excluded.scheduled_at},
)


class ScheduledStore(SqlStore):
    """Keeps messages that the SMSC accepted for later, until cancelled or due.

    A message is *refused* once its subscriber's refusal of its SP, of its port, of any category of
    the SP's adverts, of one of the SP's `companions` (gateway.domain.sender), or of all SPs is on
    record, from any process; it stays refused if the subscriber agrees again. A North American
    number without its plus reads as another number: the refusal of that number counts too, unless
    the subscriber's own number agreed to the same scope. Every call raises StoreUnavailable when
    the store does not answer.
    """

    async def keep(
        self, messages: Sequence[ScheduledMessage], companions: Companions = NO_COMPANIONS
    ) -> bool:
        """Keep messages; tell whether any of them is refused already.

        May be repeated: a message of the same SP, message_id and destination is kept once,
        with the time of the later call.
        """
        values = [_values_of(one) for one in messages]
        keys = [(one.system_id, one.message_id) for one in messages]
        these = sa.tuple_(_column.system_id, _column.message_id).in_(keys)
        theirs = {one.system_id for one in messages}
        markings = self._markings(_companies(companions, theirs), these)

        async def run(connection: AsyncConnection) -> bool:
            if values:
                await connection.execute(_UPSERT, values)
            return await _marked(connection, markings)

        return await self._database.writer.write(run, rows=len(values))

    async def move(self, system_id: str, message_id: str, at: datetime) -> None:
        """Note that an SP has changed the scheduled time of `message_id` to `at`."""
        statement = (
            sa.update(scheduled_messages)
            .where(_column.system_id == system_id, _column.message_id == message_id)
            .values(scheduled_at=at)
        )
        await self._database.change(statement)

    async def note_refusals(
        self, after: int, through: int, companions: Companions = NO_COMPANIONS
    ) -> bool:
        """Mark messages refused by answers with change numbers above `after`, to `through`.

        Tell whether there was any. With an `after` of 0 every answer on record counts. May be
        repeated.
        """
        # Usually nothing is scheduled, and that must not cost a commit.
        if not await self._database.rows(sa.select(_column.number).limit(1)):
            return False
        markings = self._markings(_companies(companions, companions))
        if after:
            # Look up the rows of the few changed answers. At the start (`after` is 0) it is the
            # other way round: two look-ups for each row, not one for every refusal on record.
            told = (_answer.change > after) & (_answer.change <= through) & _IS_REFUSAL
            numbers = sa.select(_answer.msisdn).where(told)
            scopes = sa.select(_answer.scope).where(told).distinct() if companions else None
            refused = [] if scopes is None else await self._database.rows(scopes)
            markings = self._markings(
                _companies(companions, {parts_of(row["scope"]).system_id for row in refused}),
                _column.msisdn.in_(numbers) | _column.misread_as.in_(numbers),
            )
        return await self._database.writer.write(lambda connection: _marked(connection, markings))

    async def waiting_senders(self, now: datetime, closed: Collection[str] = ()) -> set[str]:
        """Return the SPs with refused messages that can still be cancelled.

        Of SPs that are `closed` all messages are to be cancelled.
        """
        is_due = _is_unwanted(closed), _column.scheduled_at > now
        query = sa.select(_column.system_id).where(*is_due).distinct()
        return {row["system_id"] for row in await self._database.rows(query)}

    async def take(
        self,
        now: datetime,
        until: datetime,
        senders: Collection[str],
        limit: int,
        closed: Collection[str] = (),
    ) -> list[ScheduledMessage]:
        """Claim refused messages of at most 500 `senders`, the next to be delivered first.

        All messages of those of them that are `closed`. The claim ends at `until`; if the process
        dies before, the next caller takes them then.
        """
        free = (
            sa.select(_column.number)
            .where(
                _is_unwanted(closed),
                _column.scheduled_at > now,
                _column.system_id.in_(senders),
                _column.free_at <= now,
            )
            .order_by(_column.scheduled_at, _column.number)
            .limit(limit)
        )
        # Messages that wait for a bind or a claim must not cost a commit each time.
        if not await self._database.rows(free.limit(1)):
            return []
        taking = (
            sa.update(scheduled_messages)
            .where(_column.number.in_(free.scalar_subquery()))
            .values(free_at=until)
            .returning(*_SHOWN)
        )
        taken = await self._database.returned(taking, rows=limit)
        messages = (ScheduledMessage(**row) for row in taken)
        return sorted(messages, key=lambda one: (one.scheduled_at, one.number))

    async def put_back(self, number: int, at: datetime) -> None:
        """Let a claimed message be taken again from `at` on."""
        statement = sa.update(scheduled_messages).where(_column.number == number).values(free_at=at)
        await self._database.change(statement)

    async def settle(self, number: int) -> bool:
        """Forget a message that needs no more action; False when it is gone already."""
        statement = sa.delete(scheduled_messages).where(_column.number == number)
        return await self._database.change(statement) == 1

    async def take_overdue(self, now: datetime, limit: int) -> list[ScheduledMessage]:
        """Forget and return refused messages past their time: they were not stopped.

        A claimed message is left alone until its claim ends.
        """
        over = (
            sa.select(_column.number)
            .where(IS_REFUSED, _column.scheduled_at <= now, _column.free_at <= now)
            .limit(limit)
        )
        if not await self._database.rows(over.limit(1)):
            return []
        ending = (
            sa.delete(scheduled_messages)
            .where(_column.number.in_(over.scalar_subquery()))
            .returning(*_SHOWN)
        )
        ended = await self._database.returned(ending, rows=limit)
        return sorted((ScheduledMessage(**row) for row in ended), key=lambda one: one.number)

    async def prune(self, now: datetime) -> int:
        """Forget messages that are not refused and past their time; return how many."""
        is_over = (_column.scheduled_at <= now) & sa.not_(_column.is_refused)
        if not await self._database.rows(sa.select(_column.number).where(is_over).limit(1)):
            return 0
        return await self._database.change(sa.delete(scheduled_messages).where(is_over))

    def _markings(
        self, companies: Sequence[Collection[str]], *those: sa.ColumnElement[bool]
    ) -> list[sa.Update]:
        """Return the statements that mark messages in `those` refused by an answer on record.

        One is for refusals of the messages' own SPs, and one for each company: SQLite limits the
        depth of a condition, and each statement finds its rows by the SPs' names.
        """
        return [
            self._marking(_IS_ABOUT_IT, *those),
            *(
                self._marking(_is_about_any(one), _column.system_id.in_(one), *those)
                for one in companies
            ),
        ]

    def _marking(
        self, is_about_it: sa.ColumnElement[bool], *those: sa.ColumnElement[bool]
    ) -> sa.Update:
        """Return the statement that marks messages in `those` refused by a matching answer.

        As in ConsentSets.is_refused: a refusal of the number that this number may be read as
        counts, unless this number itself agreed to the same scope.
        """
        has_agreed = (
            sa.exists()
            .where(
                _own.msisdn == _column.msisdn,
                _own.scope == _answer.scope,
                _own.answer == Answer.AGREED.value,
                sa.or_(_own.until.is_(None), _own.until > self._utcnow()),
            )
            .correlate(scheduled_messages, consent_answers)
        )
        refused = sa.exists().where(_answer.msisdn == _column.msisdn, is_about_it, _IS_REFUSAL)
        misread = sa.exists().where(
            _answer.msisdn == _column.misread_as, is_about_it, _IS_REFUSAL, sa.not_(has_agreed)
        )
        return (
            sa.update(scheduled_messages)
            .where(sa.not_(_column.is_refused), *those, sa.or_(refused, misread))
            .values(is_refused=True)
        )


def _is_unwanted(closed: Collection[str]) -> sa.ColumnElement[bool] | sa.TextClause:
    """Return whether a message is to be cancelled; the index of refused ones serves as a rule."""
    return sa.or_(IS_REFUSED, _column.system_id.in_(closed)) if closed else IS_REFUSED


def _is_about_any(company: Collection[str]) -> sa.ColumnElement[bool]:
    """Return whether an answer is to an account of a company, or to a part of one, as above."""
    conditions = []
    for length in sorted(set(map(len, company))):
        part = sa.func.substr(_answer.scope, length + 1)
        sent_from = sa.func.substr(" " + _column.source, 1, sa.func.length(part))
        conditions.append(
            sa.func.substr(_answer.scope, 1, length).in_(
                [one for one in company if len(one) == length]
            )
            & ((part == sent_from) | (sa.func.substr(part, 1, 2) == " #"))
        )
    return sa.or_(*conditions)


def _companies(companions: Companions, system_ids: Iterable[str]) -> list[tuple[str, ...]]:
    """Return, for each company that has one of `system_ids`, all its accounts."""
    found = {
        tuple(sorted((one, *companions[one]))): None for one in system_ids if one in companions
    }
    return list(found)


async def _marked(connection: AsyncConnection, markings: Iterable[sa.Update]) -> bool:
    """Execute `markings`; tell whether any message was marked."""
    counts = [(await connection.execute(one)).rowcount for one in markings]
    return sum(counts) > 0


def _values_of(message: ScheduledMessage) -> dict[str, object]:
    values = {name: getattr(message, name) for name in _KEPT}
    return values | _UNCLAIMED | {"misread_as": misread_as(message.msisdn)}
