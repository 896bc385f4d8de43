"""The store of complaints (举报): the message, its sender, the reporter and the state."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer, parts_of
from gateway.domain.outbound_message import NewOutboundMessage
from gateway.domain.records import NewPurge
from gateway.storage.change_feed import add_outbound_message, put_answers
from gateway.storage.database import SqlStore, added, newest, oldest, values_of
from gateway.storage.dialect import insert_or_update, upsert
from gateway.storage.journals import purge_rows
from gateway.storage.tables import consent_answers
from gateway.systems.complaints.model import (
    JUDGED,
    LAST_JUDGED,
    TRANSITIONS,
    UNMATCHED,
    Complaint,
    ComplaintSource,
    ComplaintState,
    IntakeResult,
    InvalidReason,
    TakenComplaint,
    agreements,
    is_malicious,
)
from gateway.systems.complaints.tables import (
    IS_OPEN,
    complaint_of,
    complaint_reporters,
    complaints,
    digest_of,
    row_of,
    status_queries,
)

_column = complaints.c
_query = status_queries.c
_of_reporter = complaint_reporters.c
_note = insert_or_update(complaint_reporters)
_NOTE_REPORTER = _note.on_conflict_do_update(
    index_elements=list(complaint_reporters.primary_key),
    set_={"last_at": _note.excluded.last_at},
    where=_of_reporter.last_at < _note.excluded.last_at,
)
_ROWS_PER_COMPLAINT = 4  # itself, its reporter, the refusal, the feed
_FORGOTTEN_AT_ONCE = 1000
# Of one reporter, the complaints that are compared with the next.
_COMPARED = 200
_ANSWERS = sa.select(*(consent_answers.c[one] for one in ConsentAnswer.__slots__))


def _moving_to(state: ComplaintState) -> sa.Update:
    """Return what brings the complaint `key` to a state, if it is in one that leads there."""
    origins = [one for one, following in TRANSITIONS.items() if state in following]
    is_before = sa.or_(*(_column.state == one for one in origins))  # IN is not for many at once
    moving = sa.update(complaints).where(_column.number == sa.bindparam("key"), is_before)
    return moving.values(state=state)


_JUDGED = (
    sa.update(complaints)
    .where(_column.number == sa.bindparam("key"), _column.state == ComplaintState.RECEIVED)
    .values(state=sa.bindparam("to"), invalid_reason=sa.bindparam("why"))
)
_CLUSTERED = _moving_to(ComplaintState.CLUSTERED).values(case_number=sa.bindparam("case"))
_CLOSED = _moving_to(ComplaintState.CLOSED)
_COMPARED_WITH = ("reporter", "number", "sender", "is_proved")
_BEFORE = (
    sa.select(
        *(_column[one] for one in ("number", "sender", "digest", "is_proved", "state", "taken_at"))
    )
    .where(_column.reporter == sa.bindparam("reporter"), _column.number < sa.bindparam("number"))
    .order_by(_column.number.desc())
    .limit(_COMPARED)
    .subquery()
)
_SAME = sa.select(_BEFORE.c.number).where(
    _BEFORE.c.sender == sa.bindparam("sender"),
    _BEFORE.c.digest == sa.bindparam("digest"),
    # Who only says to be somebody must not end that person's own complaint.
    _BEFORE.c.is_proved == sa.bindparam("is_proved"),
    _BEFORE.c.state != ComplaintState.INVALID,
    _BEFORE.c.taken_at >= sa.bindparam("since"),
)
_NEXT_CASE = (
    sa.select(_column.case_number)
    .where(_column.state == ComplaintState.CLUSTERED, _column.case_number > sa.bindparam("after"))
    .order_by(_column.case_number)
    .limit(1)
)

# What a complaint that is on record now is followed by in its commit: refusals of its reporter.
Shield: TypeAlias = Callable[[Complaint], Sequence[ConsentAnswer]]


class ComplaintStore(SqlStore):
    """Keeps complaints; every call raises StoreUnavailable when the store does not answer."""

    async def receive(self, given: Sequence[Complaint], shield: Shield) -> list[IntakeResult]:
        """Keep complaints that are new, with their shields, in one commit; return what came of all.

        `number` of what is given counts for nothing. One that has the source and the source_id of
        another, on record or before it in `given`, is that complaint. Safe to repeat.
        """
        keys = [(one.source, one.source_id) for one in given]
        is_known = sa.tuple_(_column.source, _column.source_id).in_(keys)
        query = sa.select(_column.source, _column.source_id, _column.number, _column.state).where(
            is_known
        )

        async def run(connection: AsyncConnection) -> list[IntakeResult]:
            # The writer has the write lock from the start: nobody adds one in between.
            known = {
                (row.source, row.source_id): IntakeResult(row.number, row.state, False, False)
                for row in await connection.execute(query)
            }
            results: list[IntakeResult] = []
            answers: list[ConsentAnswer] = []
            noted: list[Complaint] = []
            new = [one for key, one in zip(keys, given, strict=True) if key not in known]
            agreed = await _agreements(connection, [(one, shield(one)) for one in new])
            for key, one in zip(keys, given, strict=True):
                if key not in known:
                    since = agreed.get(key)
                    number = await added(
                        connection, complaints, row_of(one) | {"agreed_since": since}
                    )
                    shields = shield(_numbered(one, number))
                    answers += shields
                    if shields:
                        noted.append(one)
                    results.append(IntakeResult(number, one.state, True, bool(shields)))
                    known[key] = IntakeResult(number, one.state, False, False)
                else:
                    results.append(known[key])
            await _note_reporters(connection, noted)
            await put_answers(connection, answers, self._utcnow())
            return results

        return await self._database.writer.write(run, rows=_ROWS_PER_COMPLAINT * len(given))

    async def complete(
        self, one: Complaint, shield: Shield, was: ComplaintState = ComplaintState.NEED_INFO
    ) -> bool:
        """Keep what a complaint lacked, with its shield; False if it is not in the state `was`.

        Sender, port and text of `one`, and its state, are kept.
        """
        values = {
            name: getattr(one, name) for name in ("sender", "text", "system_id", "port", "state")
        }
        values["digest"] = digest_of(one.text)
        statement = sa.update(complaints).where(_column.number == one.number, _column.state == was)

        async def run(connection: AsyncConnection) -> bool:
            agreed = await _agreements(connection, [(one, shield(one))])
            since = agreed.get((one.source, one.source_id))
            # A complaint that was complete has refused the port: what was agreed before is noted.
            noted = {"agreed_since": since} if was is ComplaintState.NEED_INFO else {}
            completed = statement.values(values | noted)
            if (await connection.execute(completed)).rowcount != 1:
                return False
            await _note_reporters(connection, [one])
            await put_answers(connection, shield(one), self._utcnow())
            return True

        return await self._database.writer.write(run, rows=_ROWS_PER_COMPLAINT)

    async def get(self, number: int) -> Complaint | None:
        """Return a complaint by its number."""
        row = await self._database.first(sa.select(complaints).where(_column.number == number))
        return None if row is None else complaint_of(row)

    async def find(
        self,
        *,
        before: int | None = None,
        limit: int = 50,
        ports: Collection[str] | None = None,
        **equal: str | int | None,
    ) -> list[Complaint]:
        """Return the newest complaints that fit, newest first; with `ports` of one of these.

        `equal` are state, source, sender, port and reporter; None matches all. For the next page
        give the last number as `before`.
        """
        where = [] if ports is None else [_column.port.in_(sorted(ports))]
        query = newest(complaints, limit, where, before=before, **equal)
        return [complaint_of(row) for row in await self._database.rows(query)]

    async def waiting(self, state: ComplaintState, limit: int) -> list[Complaint]:
        """Return complaints in a state, the oldest first."""
        query = oldest(complaints, limit, _column.state == state)
        return [complaint_of(row) for row in await self._database.rows(query)]

    async def waiting_since(self) -> datetime | None:
        """Return when the oldest complaint was taken that is not in a case yet; None for none."""
        found = []
        for state in UNMATCHED:  # each alone: it is the first row of an index then
            query = oldest(complaints, 1, _column.state == state)
            only = query.with_only_columns(_column.taken_at)
            found += [row["taken_at"] for row in await self._database.rows(only)]
        return min(found, default=None)

    async def taken_after(self, number: int, limit: int = 1000) -> list[TakenComplaint]:
        """Return what is to be counted of complaints above `number`, the lowest first."""
        chosen = [_column[one] for one in TakenComplaint._fields]
        query = oldest(complaints, limit, after=number).with_only_columns(*chosen)
        return await self._database.records(TakenComplaint, query)

    async def count_of(self, states: Collection[ComplaintState]) -> int:
        """Return how many complaints are in any of some states."""
        query = sa.select(sa.func.count().label("count")).where(_column.state.in_(states))
        row = await self._database.first(query.select_from(complaints))
        return 0 if row is None else int(row["count"])

    async def counts(self) -> dict[ComplaintState, int]:
        """Return how many complaints are in each state."""
        query = sa.select(_column.state, sa.func.count().label("count")).group_by(_column.state)
        rows = await self._database.rows(query)
        return {ComplaintState(row["state"]): int(row["count"]) for row in rows}

    async def counts_of(
        self, ports: Collection[str], since: datetime
    ) -> dict[tuple[ComplaintState, str], int]:
        """Return how many complaints of ports were taken since then, by state and category."""
        alike = _column.state, _column.category
        query = (
            sa.select(*alike, sa.func.count().label("count"))
            .where(_column.port.in_(sorted(ports)), _column.taken_at >= since)
            .group_by(*alike)
        )
        return {
            (ComplaintState(row["state"]), row["category"]): int(row["count"])
            for row in await self._database.rows(query)
        }

    async def texts_of(self, numbers: Collection[int]) -> dict[int, str]:
        """Return the texts of at most 500 complaints that are on record, by number."""
        query = sa.select(_column.number, _column.text).where(_column.number.in_(numbers))
        return {row["number"]: row["text"] for row in await self._database.rows(query)}

    async def repeated(self, given: Sequence[Complaint], within: timedelta) -> dict[int, list[int]]:
        """Return the numbers of the same complaints before each of `given`, not invalid ones.

        Of the newest _COMPARED of the reporter, those with sender and text, taken `within` then.
        """
        reporters = {one.reporter for one in given} - {None}
        firsts = (
            sa.select(_column.reporter, sa.func.min(_column.number).label("lowest"))
            .where(_column.reporter.in_(reporters))
            .group_by(_column.reporter)
        )

        async def run(connection: AsyncConnection) -> dict[int, list[int]]:
            # Most complain once: all of these cost one query.
            first = {row.reporter: row.lowest for row in await connection.execute(firsts)}
            found: dict[int, list[int]] = {}
            for one in given:
                if first.get(one.reporter, one.number) < one.number:
                    same = {name: getattr(one, name) for name in _COMPARED_WITH}
                    same |= {"digest": digest_of(one.text), "since": one.taken_at - within}
                    numbers = list((await connection.execute(_SAME, same)).scalars())
                    if numbers:
                        found[one.number] = numbers
            return found

        return await self._database.read(run) if reporters else {}

    async def judge(self, reasons: Mapping[int, InvalidReason | None]) -> None:
        """Let complaints that are received be valid, or invalid for a reason, in one commit.

        Those in another state stay as they are. Safe to repeat.
        """
        valid, invalid = ComplaintState.VALID, ComplaintState.INVALID
        rows = [
            {"key": number, "to": invalid if why else valid, "why": why}
            for number, why in reasons.items()
        ]
        await self._set_each(_JUDGED, rows)

    async def cluster(self, cases: Mapping[int, int]) -> None:
        """Note the case of each valid complaint, by number, in one commit. Safe to repeat."""
        rows = [{"key": number, "case": case} for number, case in cases.items()]
        await self._set_each(_CLUSTERED, rows)

    async def clustered(self, case: int, limit: int) -> list[Complaint]:
        """Return clustered complaints of a case, the oldest first."""
        is_such = _column.state == ComplaintState.CLUSTERED, _column.case_number == case
        query = oldest(complaints, limit, *is_such)
        return [complaint_of(row) for row in await self._database.rows(query)]

    async def cases_of_clustered(self, after: int, limit: int) -> list[int]:
        """Return cases above a number that have clustered complaints, by number."""

        async def run(connection: AsyncConnection) -> list[int]:
            # A look into the index for each: a case may have many complaints.
            found = [after]
            while len(found) <= limit and (
                number := await connection.scalar(_NEXT_CASE, {"after": found[-1]})
            ):
                found.append(number)
            return found[1:]

        return await self._database.read(run)

    async def close(self, answers: Mapping[int, NewOutboundMessage | None]) -> list[int]:
        """Close clustered complaints, each with the message to its reporter, in one commit.

        Return the numbers of those with a message. A complaint in another state stays, and its
        reporter is not written to: safe to repeat.
        """

        async def run(connection: AsyncConnection) -> list[int]:
            told: list[int] = []
            for number, message in answers.items():
                closed = await connection.execute(_CLOSED, {"key": number})
                if closed.rowcount == 1 and message is not None:
                    await add_outbound_message(connection, message, self._utcnow())
                    told.append(number)
            return told

        return await self._database.writer.write(run, rows=3 * len(answers))

    async def _set_each(self, statement: sa.Update, rows: Sequence[Mapping[str, object]]) -> None:
        if rows:
            await self._database.change(statement, rows, rows=len(rows))

    async def reporters_of(self, port: str, since: datetime, most: int) -> int:
        """Return how many subscribers complained of what a port has sent since then.

        They are counted to `most`. Where it is not known when a message came, it is when it was
        reported.
        """
        is_one = _of_reporter.port == port, _of_reporter.last_at > since
        some = sa.select(_of_reporter.reporter).where(*is_one).limit(most).subquery()
        row = await self._database.first(
            sa.select(sa.func.count().label("count")).select_from(some)
        )
        return 0 if row is None else int(row["count"])

    async def forget_malicious(self, port: str, since: datetime, most: int) -> int:
        """Look at `most` reporters as `reporters_of` counts them, forget malicious ones: how many.

        Malicious is who mostly complained of what was never sent (R89).
        """
        is_one = _of_reporter.port == port, _of_reporter.last_at > since
        counted = sa.select(_of_reporter.reporter).where(*is_one).limit(most)
        found: list[int] = []
        for row in await self._database.rows(counted):
            own = sa.select(_column.invalid_reason).where(_column.reporter == row["reporter"])
            judged = own.where(_column.state.in_(JUDGED), _column.is_proved)
            last = await self._database.rows(
                judged.order_by(_column.number.desc()).limit(LAST_JUDGED)
            )
            if is_malicious([one["invalid_reason"] for one in last]):
                found.append(row["reporter"])
        if not found:
            return 0
        statement = sa.delete(complaint_reporters).where(
            _of_reporter.port == port, _of_reporter.reporter.in_(found)
        )
        return await self._database.change(statement, rows=len(found))

    async def forget_reporters(self, before: datetime) -> int:
        """Forget the reporters of messages that came before `before`; return how many."""
        key = sa.tuple_(_of_reporter.port, _of_reporter.reporter)
        due = (
            sa.select(_of_reporter.port, _of_reporter.reporter)
            .where(_of_reporter.last_at < before)
            .limit(_FORGOTTEN_AT_ONCE)
        )
        if not await self._database.rows(due.limit(1)):
            return 0
        statement = sa.delete(complaint_reporters).where(key.in_(due))
        return await self._database.change(statement, rows=_FORGOTTEN_AT_ONCE)

    async def admit_query(self, reporter: int, day: date, by: str = "") -> bool:
        """Note that a reporter is told today how its complaints stand; False if it was already.

        An app that names a reporter without proof is counted for itself, as `by`.
        """
        is_older = _query.day < day
        is_due = sa.select(_query.reporter).where(is_older).limit(_FORGOTTEN_AT_ONCE)
        forgetting = sa.delete(status_queries).where(is_older, _query.reporter.in_(is_due))
        noting = upsert(status_queries, where=is_older).values(reporter=reporter, by=by, day=day)

        async def run(connection: AsyncConnection) -> bool:
            await connection.execute(forgetting)
            return (await connection.execute(noting.returning(_query.day))).first() is not None

        return await self._database.writer.write(run)

    async def withdraw_query(self, reporter: int) -> None:
        """Forget that a reporter was told, for it was not."""
        told = sa.delete(status_queries).where(_query.reporter == reporter, _query.by == "")
        await self._database.change(told)

    async def give_up(self, before: datetime, limit: int = 1000) -> int:
        """End complaints that still lack something and were taken before `before`: how many."""
        due = sa.select(_column.number).where(IS_OPEN, _column.taken_at < before).limit(limit)
        values = {"state": ComplaintState.INVALID, "invalid_reason": InvalidReason.INCOMPLETE}
        # In one statement: what is completed meanwhile stays.
        statement = sa.update(complaints).where(IS_OPEN, _column.number.in_(due)).values(values)
        return await self._database.change(statement, rows=limit)

    async def taken_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[Complaint]:
        """Return complaints taken before `before`, by number.

        For the next page give the last number as `after`.
        """
        query = oldest(complaints, limit, _column.taken_at < before, after=after)
        return [complaint_of(row) for row in await self._database.rows(query)]

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        """Delete complaints; return how many.

        The journal gets `purge` with that count in the same commit; nothing when it is 0.
        """
        statement = sa.delete(complaints).where(_column.number.in_(numbers))
        return await purge_rows(self._database, statement, purge, len(numbers))


async def _agreements(
    connection: AsyncConnection, given: Sequence[tuple[Complaint, Sequence[ConsentAnswer]]]
) -> dict[tuple[ComplaintSource, str], datetime]:
    """Return by source and id since when reporters have agreed to what they complain of."""
    shields = [one for _, of_it in given for one in of_it]
    if not shields:
        return {}
    scopes = {scope for one in shields for scope in (one.scope, parts_of(one.scope).system_id)}
    on_record = _ANSWERS.where(
        consent_answers.c.msisdn.in_({one.msisdn for one in shields}),
        consent_answers.c.scope.in_(scopes | {EVERY_SENDER}),
    )
    rows = (await connection.execute(on_record)).mappings()
    answers = [ConsentAnswer(**{**row, "answer": Answer(row["answer"])}) for row in rows]
    return agreements(given, answers) if answers else {}


async def _note_reporters(connection: AsyncConnection, given: Sequence[Complaint]) -> None:
    # A complaint that comes late says nothing of today, nor does one of an old message.
    rows = [
        {
            "port": one.port,
            "reporter": one.reporter,
            "last_at": min(one.came_at, one.reported_at, one.taken_at),
        }
        for one in given
        if one.port and one.reporter is not None and one.is_proved
    ]
    if rows:
        await connection.execute(_NOTE_REPORTER, rows)


def _numbered(one: Complaint, number: int) -> Complaint:
    return Complaint(**values_of(one) | {"number": number})  # type: ignore[arg-type]
