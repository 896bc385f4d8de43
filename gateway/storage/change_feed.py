"""The change feed that every process follows: the store is the message bus.

Outbound messages and subscribers' answers are added here: several systems do so with what they
write.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Protocol

from sqlalchemy import (
    ColumnElement,
    and_,
    case,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.outbound_message import NewOutboundMessage, OutboundState
from gateway.runtime.clock import monotonic
from gateway.storage.database import Database, added, values_of
from gateway.storage.dialect import insert_or_update
from gateway.storage.errors import StoreUnavailable
from gateway.storage.tables import changes, consent_answers, outbound_messages

# The key of a preferences change after the feed has forgotten its subscriber.
UNNAMED = "-1"
ANSWERS_PER_CHANGE = 1000

_column = changes.c


class ChangeKind(StrEnum):
    """What was changed."""

    QUARANTINE = "quarantine"
    CONSENT = "consent"
    PREFERENCES = "preferences"
    SUBSCRIPTION = "subscription"
    FILINGS = "filings"
    ERRAND = "errand"
    SUSPENSION = "suspension"
    PORT = "port"
    SANCTION = "sanction"


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `number` increases over all kinds and is never used again.

    `key` names what changed: a message_id for quarantine; the number of a message; the system_id
    of the SP for filings, suspended ports and sanctions; the msisdn for preferences and
    suspensions, which is never logged;
    empty for consent and subscriptions, where one change stands for a batch (see
    ConsentStore.answers_changed).
    """

    number: int
    kind: ChangeKind
    key: str
    at: datetime


class ChangeFeed:
    """Reads the rows of `changes`; stores write them in the commit of the changed data.

    A change becomes visible together with its data, and never after a change with a higher
    number. Every call raises StoreUnavailable when the store does not answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def changes(self, after: int, limit: int = 1000) -> list[Change]:
        """Return at most `limit` changes with numbers above `after`, lowest first."""
        query = select(changes).where(_column.number > after).order_by(_column.number).limit(limit)
        rows = await self._database.rows(query)
        return [Change(**{**row, "kind": ChangeKind(row["kind"])}) for row in rows]

    async def latest(self) -> int:
        """Return the highest number given so far, 0 before the first.

        A process calls this before it loads a snapshot and then follows from this number:
        changes already in the snapshot are seen twice, none is missed.
        """
        query = select(func.coalesce(func.max(_column.number), 0).label("latest"))
        rows = await self._database.rows(query)
        return int(rows[0]["latest"])

    async def prune(self, before: datetime) -> int:
        """Forget the changes made before `before`; return how many.

        The latest change is always kept. A reader that has missed a forgotten change must
        load its snapshot again, so `before` must lie far behind every reader.
        """
        latest = select(func.max(_column.number)).scalar_subquery()
        statement = delete(changes).where(_column.at < before, _column.number < latest)
        return await self._database.change(statement)

    async def forget_subscribers(self, before: datetime) -> int:
        """Replace the key of preferences changes before `before` by UNNAMED; return how many.

        The number of a subscriber who asked for deletion must not stay here for days. A reader
        that finds UNNAMED must load its snapshot again.
        """
        is_named = _column.kind == ChangeKind.PREFERENCES, _column.key != UNNAMED
        old = update(changes).where(*is_named, _column.at < before)
        return await self._database.change(old.values(key=UNNAMED))


async def note_changes(
    connection: AsyncConnection, kind: ChangeKind, keys: Iterable[object], at: datetime
) -> None:
    """Write a change of each of `keys` in the transaction of what was changed."""
    noted = [{"kind": kind, "key": key, "at": at} for key in keys]
    if noted:
        await connection.execute(insert(changes), noted)


async def note_batch(connection: AsyncConnection, kind: ChangeKind, at: datetime) -> int:
    """Write a change that stands for a batch; return its number."""
    values = {"kind": kind, "key": "", "at": at}
    made = await connection.execute(insert(changes).returning(_column.number), values)
    return int(made.scalar_one())


async def add_outbound_message(
    connection: AsyncConnection, outbound: NewOutboundMessage, at: datetime
) -> int:
    """Insert an outbound message and its change within the transaction of what asks for it."""
    values = values_of(outbound)
    del values["not_before"]
    standing = {"state": OutboundState.WAITING, "attempts": 0, "message_id": ""}
    values |= {**standing, "free_at": outbound.due_at}
    number = await added(connection, outbound_messages, values)
    await note_changes(connection, ChangeKind.ERRAND, (str(number),), at)
    return number


def _is(column: ColumnElement[str], answer: Answer) -> ColumnElement[bool]:
    # As a literal: what keeps answers by the million has no parameters but the columns.
    return column == literal_column(f"'{answer.value}'")


_answer = consent_answers.c
_upsert = insert_or_update(consent_answers)
_new = _upsert.excluded
_is_asserted = _is(_new.answer, Answer.ASSERTED)
_was_asserted = _is(_answer.answer, Answer.ASSERTED)
# Keeps an answer that overrides the one on record.
KEEP_ANSWER = _upsert.on_conflict_do_update(
    index_elements=[_answer.msisdn, _answer.scope],
    set_={
        name: _new[name] for name in ("answer", "since", "channel", "change", "evidence", "until")
    },
    # ConsentAnswer.holds_over; a test holds the two against each other.
    where=case(
        (_is_asserted != _was_asserted, _was_asserted),
        else_=or_(
            _new.since > _answer.since,
            and_(_new.since == _answer.since, _is(_new.answer, Answer.REFUSED)),
        ),
    ),
)


async def put_answers(
    connection: AsyncConnection, answers: Sequence[ConsentAnswer], at: datetime
) -> int:
    """Keep each answer that overrides the one on record; return the last change number.

    Without answers it is 0. See ConsentAnswer.holds_over.
    """
    number = 0
    for start in range(0, len(answers), ANSWERS_PER_CHANGE):
        number = await note_batch(connection, ChangeKind.CONSENT, at)
        some = answers[start : start + ANSWERS_PER_CHANGE]
        rows = [values_of(answer) | {"change": number} for answer in some]
        await connection.execute(KEEP_ANSWER, rows)
    return number


class Copy(Protocol):
    """A copy in memory of data of the store; it may be old while `is_current` is False."""

    is_current: bool


@contextmanager
def keeping_current(copy: Copy) -> Iterator[None]:
    """Mark `copy` current if the body succeeds, and not current if the store fails."""
    try:
        yield
    except StoreUnavailable:
        copy.is_current = False
        raise
    copy.is_current = True


class FeedFollower(ABC):
    """Keeps a copy in memory of one kind of data: all of it once, then what changes.

    The copy is current while the last call succeeded. A kind gives what it loads, and how it
    applies changes; UNNAMED keys load all of it again.
    """

    kind: ClassVar[ChangeKind]
    changes_at_once: ClassVar = 500

    def __init__(self, feed: ChangeFeed, copy: Copy) -> None:
        self._feed = feed
        self._copy = copy
        self._seen = 0

    async def load(self) -> int:
        """Take over all that the store has; return how much that is.

        Until all of it is read the copy stays as it was. May be repeated. Raises
        StoreUnavailable.
        """
        with keeping_current(self._copy):
            seen = await self._feed.latest()
            total = await self._load()
        self._seen = seen
        return total

    async def catch_up(self) -> int:
        """Take over what changed since the last call; return how much.

        Call it at least every 250 ms, so that a change holds within a second. Raises
        StoreUnavailable; the next call goes on from where this one came to.
        """
        taken = 0
        with keeping_current(self._copy):
            while True:
                began = monotonic()
                page = await self._feed.changes(self._seen, self.changes_at_once)
                if page:
                    taken += await self._take_over(page)
                    self._seen = max(self._seen, page[-1].number)
                if len(page) < self.changes_at_once:
                    break
            await self._caught_up(began)
        return taken

    async def _take_over(self, page: Sequence[Change]) -> int:
        """Take over a page of changes of any kinds; return how much that was."""
        keys = list(dict.fromkeys(one.key for one in page if one.kind is self.kind))
        if UNNAMED in keys:  # so late that the feed has forgotten whose they are
            return await self.load()
        if keys:
            await self._apply(keys)
        return len(keys)

    async def _caught_up(self, began: float) -> None:  # noqa: B027 - most kinds have nothing
        """Do what is due beside the changes; the last look at the feed `began` then."""

    @abstractmethod
    async def _load(self) -> int:
        """Replace the copy by what the store has; return how much that is."""

    async def _apply(self, keys: Sequence[str]) -> None:
        """Take over what the store has for `keys`."""
        raise NotImplementedError
