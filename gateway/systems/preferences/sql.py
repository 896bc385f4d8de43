"""The store of what subscribers want to receive (用户接收策略), and the journal of it."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import NamedTuple, TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.preferences import (
    ChangeOrigin,
    Channel,
    Edit,
    JournalEntry,
    PreferenceList,
    packed,
    unpacked,
)
from gateway.domain.records import NewPurge
from gateway.storage.change_feed import ChangeKind, note_changes
from gateway.storage.database import SqlStore, newest, oldest
from gateway.storage.dialect import IN_KEY_ORDER, NEVER_REUSED, ROW_NUMBER, upsert
from gateway.storage.journals import purge_rows
from gateway.storage.sealed_columns import BEFORE_ALL, SealedNumber, SealedText
from gateway.storage.tables import UtcTime, changes, metadata

# msisdn, packed preferences. A plain tuple, because a snapshot may hold millions.
PreferenceRow: TypeAlias = tuple[int, str]


class PreferenceEdit(NamedTuple):
    """The preferences before and after an edit."""

    before: PreferenceList
    after: PreferenceList


class OldEntry(NamedTuple):
    """An entry of the journal as retention sees it; `msisdn` is None if it was erased."""

    number: int
    msisdn: int | None
    at: datetime


# `rules` is what gateway.domain.preferences.packed makes: a line for each preference, its kind
# and action a letter each. It is read, changed and written as a whole.
preferences = sa.Table(
    "preferences",
    metadata,
    sa.Column("msisdn", SealedNumber, primary_key=True, autoincrement=False),
    sa.Column("rules", SealedText("preferences.rules"), nullable=False),
    # As many short rows as subscribers, read in the order of their key.
    **IN_KEY_ORDER,
)

# Append-only: rows are added, and deleted by retention or at the subscriber's request.
preference_journal = sa.Table(
    "preference_journal",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("msisdn", SealedNumber, nullable=False),
    sa.Column("at", UtcTime, nullable=False, index=True),
    sa.Column("channel", sa.String(8), nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("before", SealedText("preference_journal.before"), nullable=False),
    sa.Column("after", SealedText("preference_journal.after"), nullable=False),
    sa.Column("is_erasure", sa.Boolean, nullable=False),
    sa.Index(None, "msisdn", "number"),
    **NEVER_REUSED,
)


_ROWS_PER_CHANGE = 3  # the preferences, the journal, the feed

_column = preferences.c
_entry = preference_journal.c
_OLD_ENTRY = (_entry.number, _entry.msisdn, _entry.at, _entry.is_erasure)


class PreferenceStore(SqlStore):
    """Keeps one list of preferences for each subscriber, and every change of it (R51).

    Every call raises StoreUnavailable when the store does not answer. Each change makes one
    row in the change feed with the msisdn as key; the key is never logged.
    """

    async def of(self, msisdn: int) -> PreferenceList:
        """Return a subscriber's preferences, empty when there are none."""
        found = await self.packed_of((msisdn,))
        return unpacked(found.get(msisdn, ""))

    async def change(self, msisdn: int, edit: Edit, origin: ChangeOrigin) -> PreferenceEdit:
        """Apply `edit` to the preferences in one transaction.

        `edit` must be pure: it may be called more than once. An exception from it is raised
        here, and nothing is changed. An edit without effect makes no journal entry and no
        change row.
        """
        query = sa.select(_column.rules).where(_column.msisdn == msisdn)

        async def run(connection: AsyncConnection) -> PreferenceEdit:
            # The writer has the write lock from the start: nobody changes it in between.
            before = unpacked((await connection.execute(query)).scalar() or "")
            after = edit(before)
            if after != before:
                await _put(connection, msisdn, packed(after))
                entry = JournalEntry(origin, before, after)
                await connection.execute(sa.insert(preference_journal), _values(msisdn, entry))
                await self._announce(connection, msisdn)
            return PreferenceEdit(before, after)

        return await self._database.writer.write(run, rows=_ROWS_PER_CHANGE)

    async def erase(self, msisdn: int, origin: ChangeOrigin) -> bool:
        """Delete a subscriber's preferences, with their entries in journal and feed.

        One entry stays: it says when, by whom and by which channel, without the subscriber.
        Returns False, and changes nothing, when nothing is on record.
        """
        something = sa.select(
            sa.exists().where(_column.msisdn == msisdn) | sa.exists().where(_entry.msisdn == msisdn)
        )
        announced = (
            changes.c.kind == ChangeKind.PREFERENCES,
            changes.c.key == sa.bindparam("key", type_=changes.c.key.type),
        )

        async def run(connection: AsyncConnection) -> bool:
            if not (await connection.execute(something)).scalar():
                return False
            await connection.execute(sa.delete(preferences).where(_column.msisdn == msisdn))
            await connection.execute(sa.delete(preference_journal).where(_entry.msisdn == msisdn))
            await connection.execute(sa.delete(changes).where(*announced), {"key": msisdn})
            entry = JournalEntry(origin, (), (), is_erasure=True)
            await connection.execute(sa.insert(preference_journal), _values(BEFORE_ALL, entry))
            await self._announce(connection, msisdn)
            return True

        is_erased = await self._database.writer.write(run, rows=_ROWS_PER_CHANGE)
        if is_erased:
            await self._database.empty_wal()
        return is_erased

    async def journal_of(self, msisdn: int, limit: int = 1000) -> list[JournalEntry]:
        """Return the newest `limit` changes of a subscriber's preferences, oldest first."""
        newest_first = await self._database.rows(newest(preference_journal, limit, msisdn=msisdn))
        return [_entry_of(row) for row in reversed(newest_first)]

    async def journaled_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[OldEntry]:
        """Return entries made before `before`, with numbers above `after`, by number."""
        query = oldest(preference_journal, limit, _entry.at < before, after=after)
        query = query.with_only_columns(*_OLD_ENTRY)
        return [
            OldEntry(row["number"], None if row["is_erasure"] else row["msisdn"], row["at"])
            for row in await self._database.rows(query)
        ]

    async def forget_entries(self, numbers: Sequence[int], purge: NewPurge) -> int:
        """Delete entries of the journal; return how many. For retention only.

        The purge log gets `purge` with that count in the same commit; nothing when it is 0.
        """
        statement = sa.delete(preference_journal).where(_entry.number.in_(numbers))
        return await purge_rows(self._database, statement, purge, len(numbers))

    async def all_preferences(self, batch: int = 10_000) -> AsyncIterator[list[PreferenceRow]]:
        """Yield all preferences on record by number, in lists of at most `batch`.

        Changes made meanwhile may or may not be included.
        """
        # Page by page, so that no long read keeps SQLite from emptying its -wal file.
        query = sa.select(_column.msisdn, _column.rules).order_by(_column.msisdn).limit(batch)
        last = -1
        while page := await self._rows(query.where(_column.msisdn > last)):
            yield page
            last = page[-1][0]

    async def packed_of(self, msisdns: Sequence[int]) -> dict[int, str]:
        """Return packed preferences of at most 1000 numbers; numbers without any are left out."""
        query = sa.select(_column.msisdn, _column.rules).where(_column.msisdn.in_(msisdns))
        return dict(await self._rows(query))

    async def _rows(self, query: sa.Executable) -> list[PreferenceRow]:
        async def run(connection: AsyncConnection) -> list[PreferenceRow]:
            return [(msisdn, rules) for msisdn, rules in await connection.execute(query)]

        return await self._database.read(run)

    async def _announce(self, connection: AsyncConnection, msisdn: int) -> None:
        await note_changes(connection, ChangeKind.PREFERENCES, (msisdn,), self._utcnow())


async def _put(connection: AsyncConnection, msisdn: int, rules: str) -> None:
    if rules:
        await connection.execute(upsert(preferences), {"msisdn": msisdn, "rules": rules})
    else:
        await connection.execute(sa.delete(preferences).where(_column.msisdn == msisdn))


def _values(msisdn: int, entry: JournalEntry) -> dict[str, object]:
    return {
        "msisdn": msisdn,
        "at": entry.origin.at,
        "channel": entry.origin.channel,
        "by": entry.origin.by,
        "before": packed(entry.before),
        "after": packed(entry.after),
        "is_erasure": entry.is_erasure,
    }


def _entry_of(row: sa.RowMapping) -> JournalEntry:
    origin = ChangeOrigin(Channel(row["channel"]), row["at"], row["by"])
    return JournalEntry(
        origin, unpacked(row["before"]), unpacked(row["after"]), is_erasure=row["is_erasure"]
    )
