"""The stores of the linkage: what came in, what is to go out, and how far each case has come."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import partial

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.linkage import Member, OutboxState
from gateway.storage.database import SqlStore, added, newest, oldest
from gateway.storage.dialect import upsert
from gateway.storage.errors import StoreUnavailable
from gateway.systems.linkage.envelope import EventSigner, VerifiedEvent, digest_of
from gateway.systems.linkage.model import (
    EventDraft,
    EventGap,
    InboxEntry,
    LinkageEvent,
    LinkageStanding,
    OutboxEntry,
)
from gateway.systems.linkage.tables import (
    IS_DEAD,
    IS_UNAPPLIED,
    IS_WAITING,
    linkage_cursors,
    linkage_inbox,
    linkage_outbox,
    linkage_streams,
)

# As long as records by default: so long a peer may pull what it has missed.
KEPT = timedelta(days=180)
# A member must not fill the store that the gateway holds messages in.
MOST_UNAPPLIED = 10_000
_PAGE = 500

_in, _out, _stream = linkage_inbox.c, linkage_outbox.c, linkage_streams.c


async def add_event(
    connection: AsyncConnection,
    draft: EventDraft,
    signer: EventSigner,
    source: str,
    now: datetime,
) -> int:
    """Sign `draft` and put it into the outbox, in the transaction of its cause.

    Returns its number. Raises ValueError for what every receiver would refuse.
    """
    key = {"source": source, "recipient": draft.recipient, "subject": draft.subject}
    sequence = (await _stream_at(connection, key))[1] + 1
    event = LinkageEvent(
        draft.id,
        source,
        draft.type,
        now.astimezone(UTC),
        draft.subject,
        draft.recipient,
        sequence,
        draft.data,
    )
    envelope = signer.sign_event(event)
    await _keep_stream(connection, key, (sequence, sequence))
    return await _put_out(connection, event, (digest_of(envelope), envelope.decode()), now)


async def add_event_of_entry(
    connection: AsyncConnection,
    entry: int,
    draft: EventDraft | None,
    signer: EventSigner,
    member: Member,
    now: datetime,
) -> bool:
    """Put the event of an entry of the cases' journal into the outbox, in one transaction.

    The journal of this node, `member`, is read up to `entry` then. False, and nothing is done, if
    it was before: no entry has two events. Raises ValueError as `add_event` does.
    """
    if await _pulled_to(connection, member.name) >= entry:
        return False
    if draft is not None:
        await add_event(connection, draft, signer, member.source, now)
    row = {"member": member.name, "pulled_to": entry}
    await connection.execute(upsert(linkage_cursors), row)
    return True


async def mark_event_applied(connection: AsyncConnection, number: int) -> None:
    """Note that an event is applied, in the transaction of what it does.

    Raises StoreUnavailable, which undoes the transaction, if another process has applied it.
    """
    change = sa.update(linkage_inbox).where(_in.number == number, IS_UNAPPLIED)
    if (await connection.execute(change.values(is_applied=True))).rowcount != 1:
        raise StoreUnavailable("another process applies events")


async def _pulled_to(connection: AsyncConnection, member: str) -> int:
    query = sa.select(linkage_cursors.c.pulled_to).where(linkage_cursors.c.member == member)
    return int((await connection.execute(query)).scalar() or 0)


async def _put_out(
    connection: AsyncConnection, event: LinkageEvent, signed: tuple[str, str], now: datetime
) -> int:
    digest, envelope = signed
    row = _row_of(event) | {"digest": digest, "envelope": envelope, "receipt": "", "said": ""}
    row |= {"created_at": now, "state": OutboxState.WAITING, "attempts": 0, "next_at": now}
    return await added(connection, linkage_outbox, row)


class LinkageInboxStore(SqlStore):
    """Events that members sent, each once.

    Every call raises StoreUnavailable when the store does not answer, and may be repeated.
    """

    async def take(
        self, verified: VerifiedEvent, receipt: bytes, now: datetime, *, forwards: bool = False
    ) -> str | None:
        """Keep an event; return its receipt, the first one if it was on record already.

        None, and a conflict is counted, if another event has its id or its place in its case, or
        had it and was forgotten.
        With `forwards` it is put into the outbox in the same transaction.
        """
        event = verified.event

        async def run(connection: AsyncConnection) -> str | None:
            known = await self._known(connection, event)
            if known is not None:
                if known["digest"] == verified.digest:
                    return str(known["receipt"])
                counted = sa.update(linkage_inbox).where(_in.number == known["number"])
                await connection.execute(counted.values(conflicts=_in.conflicts + 1))
                return None
            if event.sequence <= (await _stream_at(connection, _key_of(event)))[0]:
                return None  # it was taken and forgotten long ago
            row = _row_of(event) | {"digest": verified.digest, "receipt": receipt.decode()}
            row |= {"envelope": verified.envelope.decode(), "received_at": now}
            await added(connection, linkage_inbox, row | {"is_applied": forwards, "conflicts": 0})
            await self._advance(connection, event)
            if forwards:
                signed = verified.digest, verified.envelope.decode()
                await _put_out(connection, event, signed, now)
            return receipt.decode()

        return await self._database.writer.write(run, rows=3)

    async def _known(
        self, connection: AsyncConnection, event: LinkageEvent
    ) -> sa.RowMapping | None:
        place = sa.and_(*_in_stream(event), _in.sequence == event.sequence)
        query = sa.select(_in.number, _in.digest, _in.receipt).where(
            _in.source == event.source, sa.or_(_in.id == event.id, place)
        )
        return (await connection.execute(query.order_by(_in.number))).mappings().first()

    async def _advance(self, connection: AsyncConnection, event: LinkageEvent) -> None:
        """Note how far the case has come, over what had arrived before its turn."""
        key = _key_of(event)
        complete_to, highest = await _stream_at(connection, key)
        is_whole_page = event.sequence == complete_to + 1
        while is_whole_page:
            query = (
                sa.select(_in.sequence)
                .where(*_in_stream(event), _in.sequence > complete_to)
                .order_by(_in.sequence)
                .limit(_PAGE)
            )
            found = (await connection.execute(query)).scalars().all()
            run = [one for at, one in enumerate(found, complete_to + 1) if one == at]
            complete_to += len(run)
            is_whole_page = len(run) == _PAGE
        await _keep_stream(connection, key, (complete_to, max(highest, event.sequence)))

    async def listed(
        self,
        subject: str | None = None,
        *,
        source: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[InboxEntry]:
        """Return events, the newest first."""
        query = newest(linkage_inbox, limit, subject=subject, source=source, before=before)
        return await self._database.records(InboxEntry, query)

    async def ready(self, recipient: str, limit: int) -> list[InboxEntry]:
        """Return events to be applied: by case in order, none behind a gap, members in turns."""
        same = (_stream[name] == _in[name] for name in ("source", "recipient", "subject"))
        within = _in.subject, _in.sequence
        turn = sa.func.row_number().over(partition_by=_in.source, order_by=within)
        found = (
            sa.select(_in.number, _in.source, turn.label("turn"))
            .join(linkage_streams, sa.and_(*same))
            .where(IS_UNAPPLIED, _in.recipient == recipient, _in.sequence <= _stream.complete_to)
            .subquery()
        )
        order = found.c.turn, found.c.source
        # Before the envelopes are read: those of all that waits are large.
        some = sa.select(found).order_by(*order).limit(limit).subquery()
        query = sa.select(linkage_inbox).join(some, some.c.number == _in.number)
        query = query.order_by(some.c.turn, some.c.source)
        return await self._database.records(InboxEntry, query)

    async def mark_applied(self, numbers: Collection[int]) -> None:
        """Note that events were applied."""
        change = sa.update(linkage_inbox).where(_in.number.in_(numbers))
        await self._database.change(change.values(is_applied=True), rows=len(numbers))

    async def gaps(self, limit: int) -> list[EventGap]:
        """Return the cases in which events are missing before later ones."""
        first = (_stream.complete_to + 1).label("first_missing")
        query = sa.select(
            _stream.source, _stream.recipient, _stream.subject, first, _stream.highest
        )
        order = (_stream.source, _stream.recipient, _stream.subject)
        missing = query.where(_stream.highest > _stream.complete_to).order_by(*order)
        return await self._database.records(EventGap, missing.limit(limit))

    async def pulled_to(self, member: str) -> int:
        """Return up to which number the outbox of a member was read, 0 at first."""
        return await self._database.read(partial(_pulled_to, member=member))

    async def note_pulled(self, member: str, number: int) -> None:
        """Note up to which number the outbox of a member was read."""
        row = {"member": member, "pulled_to": number}
        await self._database.change(upsert(linkage_cursors), row)

    async def is_full(self, source: str) -> bool:
        """Tell whether as many events of a member wait to be applied as may."""
        some = sa.select(_in.number).where(IS_UNAPPLIED, _in.source == source)
        last = some.offset(MOST_UNAPPLIED - 1).limit(1)
        return await self._database.first(last) is not None

    async def forget_old(self, now: datetime) -> int:
        """Delete events that were applied and came longer than KEPT ago; return how many."""
        old = sa.delete(linkage_inbox).where(_in.received_at < now - KEPT, _in.is_applied)
        return await self._database.change(old)


class LinkageOutboxStore(SqlStore):
    """Events to be sent, each until its recipient has signed for it.

    Every call raises StoreUnavailable when the store does not answer, and all but `add` may be
    repeated.
    """

    async def add(self, draft: EventDraft, signer: EventSigner, source: str, now: datetime) -> int:
        """Sign an event and keep it to be sent, as `add_event` does."""
        run = partial(add_event, draft=draft, signer=signer, source=source, now=now)
        return await self._database.writer.write(run, rows=2)

    async def add_of_entry(
        self,
        entry: int,
        draft: EventDraft | None,
        signer: EventSigner,
        member: Member,
        now: datetime,
    ) -> bool:
        """Put out the event of an entry of the cases' journal, as `add_event_of_entry` does."""
        run = partial(
            add_event_of_entry, entry=entry, draft=draft, signer=signer, member=member, now=now
        )
        return await self._database.writer.write(run, rows=3)

    async def due(self, now: datetime, limit: int) -> list[OutboxEntry]:
        """Return events with an attempt that is due, the oldest first."""
        query = oldest(linkage_outbox, limit, IS_WAITING, _out.next_at <= now)
        return await self._database.records(OutboxEntry, query)

    async def confirm(self, number: int, receipt: bytes) -> None:
        """Note that the recipient has an event, also if it counted as dead."""
        done = {"state": OutboxState.DELIVERED, "receipt": receipt.decode(), "said": ""}
        await self._change((number,), done)

    async def postpone(self, entry: OutboxEntry, at: datetime, said: str) -> None:
        """Let an event be sent again from `at` on."""
        again = {"attempts": entry.attempts + 1, "next_at": at, "said": said}
        await self._change((entry.number,), again, IS_WAITING)

    async def bury(self, entry: OutboxEntry, said: str) -> None:
        """Send an event no more, until a person resends it."""
        dead = {"attempts": entry.attempts + 1, "state": OutboxState.DEAD, "said": said}
        await self._change((entry.number,), dead, IS_WAITING)

    async def resend(self, entry: OutboxEntry, envelope: bytes, now: datetime) -> bool:
        """Send a dead event again, signed anew perhaps; False if it is not dead."""
        again: dict[str, object] = {"envelope": envelope.decode(), "state": OutboxState.WAITING}
        again |= {"attempts": 0, "created_at": now, "next_at": now, "said": ""}
        is_dead = _out.state == OutboxState.DEAD
        return await self._change((entry.number,), again, is_dead) == 1

    async def after(self, recipient: str, number: int, limit: int) -> list[OutboxEntry]:
        """Return events to a recipient above a number, delivered or not, the oldest first."""
        query = oldest(linkage_outbox, limit, _out.recipient == recipient, after=number)
        return await self._database.records(OutboxEntry, query)

    async def listed(
        self, state: OutboxState | None = None, *, before: int | None = None, limit: int = 50
    ) -> list[OutboxEntry]:
        """Return events, the newest first."""
        query = newest(linkage_outbox, limit, state=state, before=before)
        return await self._database.records(OutboxEntry, query)

    async def standing(self) -> LinkageStanding:
        """Return how much waits to be sent, since when, how much is dead, and what is unapplied."""
        count = sa.func.count()
        waiting = sa.select(count.label("waiting"), sa.func.min(_out.created_at).label("since"))
        dead = sa.select(count).select_from(linkage_outbox).where(IS_DEAD).scalar_subquery()
        some = sa.select(count).select_from(linkage_inbox).where(IS_UNAPPLIED).scalar_subquery()
        query = waiting.add_columns(dead.label("dead"), some.label("unapplied")).where(IS_WAITING)
        (found,) = await self._database.records(LinkageStanding, query.select_from(linkage_outbox))
        return found

    async def find(self, numbers: Collection[int]) -> list[OutboxEntry]:
        """Return events by their numbers."""
        query = sa.select(linkage_outbox).where(_out.number.in_(numbers)).order_by(_out.number)
        return await self._database.records(OutboxEntry, query)

    async def forget_old(self, now: datetime) -> int:
        """Delete events that were made longer than KEPT ago and do not wait; return how many."""
        is_over = sa.and_(_out.created_at < now - KEPT, _out.state != OutboxState.WAITING)
        return await self._database.change(sa.delete(linkage_outbox).where(is_over))

    async def _change(
        self,
        numbers: Sequence[int],
        values: Mapping[str, object],
        *where: sa.ColumnElement[bool] | sa.TextClause,
    ) -> int:
        change = sa.update(linkage_outbox).where(_out.number.in_(numbers), *where)
        return await self._database.change(change.values(**values))


def _row_of(event: LinkageEvent) -> dict[str, object]:
    names = {one.name for one in fields(LinkageEvent)} & set(linkage_inbox.c.keys())
    return {name: getattr(event, name) for name in names}


def _key_of(event: LinkageEvent) -> dict[str, str]:
    return {"source": event.source, "recipient": event.recipient, "subject": event.subject}


def _in_stream(event: LinkageEvent) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        _in.source == event.source,
        _in.recipient == event.recipient,
        _in.subject == event.subject,
    )


async def _stream_at(connection: AsyncConnection, key: Mapping[str, str]) -> tuple[int, int]:
    """Return up to where a case is complete, and its highest sequence; 0 for a new one."""
    query = sa.select(_stream.complete_to, _stream.highest).filter_by(**key)
    row = (await connection.execute(query)).first()
    return (0, 0) if row is None else (row.complete_to, row.highest)


async def _keep_stream(
    connection: AsyncConnection, key: Mapping[str, str], to: tuple[int, int]
) -> None:
    row = {**key, "complete_to": to[0], "highest": to[1]}
    await connection.execute(upsert(linkage_streams), row)
