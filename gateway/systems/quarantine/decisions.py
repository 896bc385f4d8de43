"""Decisions of people on held messages that take effect after ten seconds, and can be undone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import chain
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.categories import category_of
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.records import NewAccess
from gateway.storage.database import SqlStore, added, newest
from gateway.storage.journals import note_access
from gateway.storage.tables import IS_WAITING, held_messages
from gateway.systems.quarantine.model import (
    TRANSITIONS,
    Escalation,
    NewReview,
    ReviewDecision,
    ReviewJobState,
    ReviewState,
)
from gateway.systems.quarantine.moves import close_escalations, moved_in
from gateway.systems.quarantine.review_limits import UNLIMITED, FindLimit
from gateway.systems.quarantine.second_reviews import (
    SecondReview,
    as_dealt,
    as_decided,
    deal,
    escalate_opinion,
    second_review_of,
)
from gateway.systems.quarantine.service import ACTS_OF, STANDING, NotDone, move_for
from gateway.systems.quarantine.sql import TEXT_REPLACED
from gateway.systems.quarantine.tables import (
    IS_OPEN_JOB,
    IS_OPINION,
    chosen_among,
    may_have_left,
    review_decisions,
    review_escalations,
    review_job_messages,
    review_jobs,
    review_leases,
    subject_of,
)

UNDO_FOR = timedelta(seconds=10)
MAX_NOTE_CHARS = 1000
_MAX_REASON_CHARS = 64
# A message that ends sooner leaves before it ends: the gateway needs a moment to send it.
_BEFORE_END = timedelta(seconds=2)

UNKNOWN_MESSAGE = "there is no such message"
LEASED = "another reviewer is looking at it"
DECISION_WAITS = "another decision on it waits"
UNKNOWN_DECISION = "there is no such decision"
RESTORED = "the store was restored from a backup"
NOT_YOURS = "only who decided may undo it, or who may decide on campaigns"

_ENDINGS = {
    ReviewState.WAITING: "",
    ReviewState.TAKEN: "it has taken effect",
    ReviewState.UNDONE: "it was undone before",
    ReviewState.VOID: "it had no effect",
}
# What a person may release or discard.
_ALLOWED = [TRANSITIONS[act].allowed for act in ACTS_OF.values()]
_DECIDABLE: frozenset[HoldState] = frozenset(chain.from_iterable(_ALLOWED))
_DOUBTED = HoldState.IN_DOUBT
_IN_DOUBT = frozenset({HoldState.IN_DOUBT})
_LEFT = frozenset({HoldState.IN_DOUBT, HoldState.RELEASE_REQUESTED})
_column, _held = review_decisions.c, held_messages.c


class DecidedMessage(NamedTuple):
    """A decision, and the state in which its message is now; None if that is deleted."""

    decision: ReviewDecision
    state: HoldState | None


class TakenDecision(NamedTuple):
    """A decision that was taken up, and the messages that it moved; none if it is void."""

    decision: ReviewDecision
    moved: tuple[HeldMessage, ...]


@dataclass(frozen=True, slots=True)
class NotUndone:
    """Nothing changed. `decision` is as it stands, None for a number that was never given."""

    decision: ReviewDecision | None
    why: str


def seen_digest(held: HeldMessage) -> str:
    """Return what tells a text, what holds it, and since when, from later ones: 16 hex digits.

    What came to be in doubt, or was released, is told, too: who saw it held does not know that the
    SMSC may have it, or that another person was faster.
    """
    state = held.state if held.state in _LEFT else ""
    seen = f"{held.joined}\0{held.found}\0{held.rule}\0{held.held_again_at}\0{state}"
    return sha256(held.pdu + seen.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class ReviewStore(SqlStore):
    """Keeps decisions, and takes up those that are due. Every call raises StoreUnavailable."""

    async def add(
        self, new: NewReview, at: datetime, undo_for: timedelta
    ) -> ReviewDecision | NotDone:
        """Keep a decision that waits for `undo_for`; NotDone if the message cannot take it.

        A message that expires sooner is decided on sooner. What was released already and is
        discarded now does not wait at all.
        """

        async def run(connection: AsyncConnection) -> ReviewDecision | NotDone:
            reviewer = new.by if new.may_be_second else ""
            held, second = await _seen(connection, new.message_id, reviewer, at)
            why = _stands(second, at) or await _hindrance(connection, new, held, at)
            if held is None or why:
                return NotDone(new.message_id, None if held is None else held.state, why)
            soonest = max(at, min(at + undo_for, held.expires_at - _BEFORE_END))
            is_leaving = held.state is HoldState.RELEASE_REQUESTED
            values: dict[str, object] = {
                "message_id": new.message_id,
                "subject": subject_of(held),
                "found_in": held.state,
                "decision": new.decision,
                "by": new.by,
                "reason": new.reason,
                "note": new.note,
                "category": new.category,
                "decided_at": at,
                "not_before": at if is_leaving else soonest,
                "state": ReviewState.WAITING if second is None else ReviewState.TAKEN,
                "ended_at": None,
                "outcome": "",
                "is_second": second is not None,
            }
            number = await added(connection, review_decisions, values)
            await _let_others(connection, subject_of(held))
            found = await _decision(connection, number)
            assert found is not None  # noqa: S101 - it was added in this transaction
            if second is not None:
                about = f"message {held.message_id}: {new.decision.value}"
                given = NewAccess(new.by, "quarantine opinion", found.why, about, at)
                await note_access(connection, given)
            return as_decided(found, at)

        return await self._database.writer.write(run)

    async def end(
        self, number: int, by: str, at: datetime, *, of_others: bool
    ) -> ReviewDecision | NotUndone:
        """Undo a decision that waits; of another person only with `of_others`."""
        own = (_column.job.is_(None), *(() if of_others else (_column.by == by,)))
        statement = (
            sa.update(review_decisions)
            .where(_column.number == number, sa.or_(IS_WAITING, _is_fresh_opinion(at)), *own)
            .values(state=ReviewState.UNDONE, ended_at=at, outcome=f"undone by {by}")
        )

        async def run(connection: AsyncConnection) -> ReviewDecision | NotUndone:
            is_done = (await connection.execute(statement)).rowcount == 1
            found = await _decision(connection, number)
            if is_done and found is not None:
                about = f"message {found.message_id}"
                await note_access(connection, NewAccess(by, "quarantine undo", "", about, at))
                return found
            if found is None or found.job is not None:
                return NotUndone(None, UNKNOWN_DECISION)
            shown = as_decided(found, at)
            return NotUndone(shown, _ENDINGS[shown.state] or NOT_YOURS)

        return await self._database.writer.write(run)

    async def escalate(
        self, message_id: int, by: str, note: str, at: datetime, *, may_be_second: bool
    ) -> Escalation | NotDone:
        """Put a held message before senior reviewers; NotDone if it is not held, or taken.

        What is dealt to a second reviewer was decided on: its escalation is kept as closed, and
        returned as that of any other message.
        """

        async def run(connection: AsyncConnection) -> Escalation | NotDone:
            reviewer = by if may_be_second else ""
            held, second = await _seen(connection, message_id, reviewer, at)
            if held is None:
                return NotDone(message_id, None, UNKNOWN_MESSAGE)
            if held.state not in _DECIDABLE:
                return NotDone(message_id, held.state, STANDING[held.state])
            if why := _stands(second, at) or await _taken_by_others(connection, held, by, at):
                return NotDone(message_id, held.state, why)
            if second is not None:
                await escalate_opinion(connection, message_id, by)
            values = {"message_id": message_id, "by": by, "note": note, "at": at}
            values["is_open"] = second is None
            number = await added(connection, review_escalations, values)
            await _let_others(connection, subject_of(held))
            act = NewAccess(by, "quarantine escalate", note, f"message {message_id}", at)
            await note_access(connection, act)
            return Escalation(number, message_id, by, note, at, is_open=True)

        return await self._database.writer.write(run)

    async def escalations_of(self, message_id: int) -> list[Escalation]:
        """Return the escalations of a message, newest first, at most 50."""
        query = newest(review_escalations, 50, message_id=message_id)
        return await self._database.records(Escalation, query)

    async def take_up(
        self,
        now: datetime,
        limit: int = 100,
        dealt_twice: float = 0.0,
        limit_of: FindLimit = UNLIMITED,
    ) -> list[TakenDecision]:
        """Let the decisions that are due take effect, in one commit; return them.

        Each is taken up by one caller only, and not after it was undone. The share `dealt_twice`,
        0 to 1, of their messages is dealt to a second reviewer, as long as `limit_of` lets it wait.
        """
        due = (
            sa.select(review_decisions)
            .where(IS_WAITING, _column.not_before <= now)
            .order_by(_column.not_before, _column.number)
            .limit(limit)
        )
        # Usually nothing is due, and then the write lock is not needed.
        if not await self._database.rows(due.limit(1)):
            return []

        async def run(connection: AsyncConnection) -> list[TakenDecision]:
            rows = (await connection.execute(due)).mappings().all()
            due_ones = [ReviewDecision(**row) for row in rows]
            return [await _take(connection, one, now, dealt_twice, limit_of) for one in due_ones]

        return await self._database.writer.write(run, rows=limit)

    async def latest(self, by: str, now: datetime, limit: int = 10) -> list[DecidedMessage]:
        """Return what a person decided last, newest first, with the states of the messages.

        What was decided on many messages is a job, and not among these.
        """
        alone = _column.job.is_(None)
        last = newest(review_decisions, limit, by=by).where(alone).subquery()
        query = (
            sa.select(last, _held.state.label("held_state"))
            .outerjoin(held_messages, _held.message_id == last.c.message_id)
            .order_by(last.c.number.desc())
        )
        found = []
        for row in await self._database.rows(query):
            fields = dict(row)
            state = fields.pop("held_state")
            found.append(DecidedMessage(as_decided(ReviewDecision(**fields), now), state))
        return found

    async def waiting_on(self, subjects: Sequence[int]) -> list[ReviewDecision]:
        """Return the decisions that wait on messages, by `subject_of` each, at most 1000."""
        query = sa.select(review_decisions).where(IS_WAITING, _column.subject.in_(subjects))
        return await self._database.records(ReviewDecision, query)

    async def doubt_unsent(self, now: datetime) -> int:
        """Set messages IN_DOUBT that the gateway would send by itself; return how many.

        For a store that was restored: they may have left since its backup, and would leave twice.
        They are being sent, or due, or a person wanted their release: so far, in a decision that
        waits, or in a job that is open. These end without effect, with the opinions of a job that
        has not begun. What is DEFERRED until after
        `now` cannot have left.
        """

        async def run(connection: AsyncConnection) -> int:
            moved = await connection.execute(
                sa.update(held_messages).where(may_have_left(now)).values(state=_DOUBTED)
            )
            ended = {"ended_at": now, "outcome": RESTORED}
            waiting = sa.update(review_decisions).where(_column.state == ReviewState.WAITING)
            await connection.execute(waiting.values(state=ReviewState.VOID, **ended))
            undone = sa.select(review_jobs.c.number).where(
                review_jobs.c.state == ReviewJobState.WAITING
            )
            opinions = sa.update(review_decisions).where(IS_OPINION, _column.job.in_(undone))
            await connection.execute(opinions.values(state=ReviewState.UNDONE, **ended))
            jobs = sa.update(review_jobs).where(IS_OPEN_JOB)
            await connection.execute(jobs.values(state=ReviewJobState.UNDONE, **ended))
            await connection.execute(sa.delete(review_job_messages))
            return moved.rowcount

        return await self._database.writer.write(run)


class ReviewDesk:
    """Takes decisions of people that can be undone; `mask` hides numbers in what they write.

    A decision has no effect on its message before the gateway takes it up, so that closing the
    browser or the end of a process changes nothing. Every call raises StoreUnavailable.
    """

    def __init__(self, store: ReviewStore, mask: Callable[[str], str]) -> None:
        self._store = store
        self._mask = mask

    async def decide(
        self, new: NewReview, at: datetime, undo_for: timedelta = UNDO_FOR
    ) -> ReviewDecision | NotDone:
        """Decide on a message, with all parts of a long one; it waits for `undo_for`.

        NotDone if its state does not allow that, another decision waits, another reviewer has
        its lease, its time is over, or it has another text than `new.seen` says. Raises
        ValueError for a note or reason that is too long, and an unknown category: `said_wrong`
        tells that before.
        """
        if problem := said_wrong(new):
            raise ValueError(problem)
        reason, note = self._mask(new.reason), self._mask(new.note)
        masked = replace(new, reason=reason, note=note)
        return await self._store.add(masked, at, undo_for)

    async def escalate(
        self, message_id: int, by: str, note: str, at: datetime, *, may_be_second: bool = False
    ) -> Escalation | NotDone:
        """Put a message before senior reviewers, with a note of 1 to MAX_NOTE_CHARS characters.

        They find it with `HeldFilter.is_escalated` until it is decided on. `may_be_second` is as
        in NewReview. Raises ValueError for another note.
        """
        if not 0 < len(note) <= MAX_NOTE_CHARS:
            raise ValueError(f"a note has 1 to {MAX_NOTE_CHARS} characters")
        note = self._mask(note)
        return await self._store.escalate(message_id, by, note, at, may_be_second=may_be_second)

    async def escalations_of(self, message_id: int) -> list[Escalation]:
        """Return the escalations of a message, newest first, at most 50."""
        return await self._store.escalations_of(message_id)

    async def undo(
        self, number: int, by: str, at: datetime, *, may_undo_others: bool = False
    ) -> ReviewDecision | NotUndone:
        """Undo a decision that has not taken effect: its message is held again as it was.

        `may_undo_others` is true for who may decide on campaigns.
        """
        return await self._store.end(number, by, at, of_others=may_undo_others)

    async def last_ten(self, by: str, now: datetime) -> list[DecidedMessage]:
        """Return the last ten decisions of a person, newest first."""
        return await self._store.latest(by, now, 10)

    async def waiting_on(self, held: HeldMessage) -> ReviewDecision | None:
        """Return the decision that waits on a message, None without one."""
        return next(iter(await self._store.waiting_on((subject_of(held),))), None)


def _is_fresh_opinion(at: datetime) -> sa.ColumnElement[bool]:
    is_given = _column.is_second, _column.state == ReviewState.TAKEN
    return sa.and_(*is_given, _column.not_before > at)


def said_wrong(new: NewReview) -> str:
    """Return what is wrong with what a person gave as reason, note or category; "" if nothing."""
    if len(new.reason) > _MAX_REASON_CHARS or not new.reason.isprintable():
        return f"a reason is one line of at most {_MAX_REASON_CHARS} characters"
    if len(new.note) > MAX_NOTE_CHARS:
        return f"a note has at most {MAX_NOTE_CHARS} characters"
    if new.category and category_of(new.category) is None:
        return "there is no such category"
    return ""


async def _message(connection: AsyncConnection, message_id: int) -> HeldMessage | None:
    query = sa.select(held_messages).where(_held.message_id == message_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else HeldMessage(**row)


async def _seen(
    connection: AsyncConnection, message_id: int, reviewer: str, at: datetime
) -> tuple[HeldMessage | None, SecondReview | None]:
    """Return a message as a second reviewer sees it, and why so; as it is for ""."""
    held = await _message(connection, message_id)
    if held is None or not reviewer:
        return held, None
    second = await second_review_of(connection, held, reviewer, at)
    return (held if second is None else as_dealt(held, second, at)), second


async def _decision(connection: AsyncConnection, number: int) -> ReviewDecision | None:
    query = sa.select(review_decisions).where(_column.number == number)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else ReviewDecision(**row)


def _stands(second: SecondReview | None, at: datetime) -> str:
    """Return how a message stands for who has given an opinion on it, "" for all others."""
    if second is None or second.is_open or second.is_waiting(at):
        return ""
    is_discarded = second.state(at) is HoldState.DISCARDED
    return STANDING[HoldState.DISCARDED if is_discarded else HoldState.RELEASED]


async def _hindrance(
    connection: AsyncConnection, new: NewReview, held: HeldMessage | None, at: datetime
) -> str:
    """Return what stands against a decision, "" if nothing does."""
    if held is None:
        return UNKNOWN_MESSAGE
    if held.state not in TRANSITIONS[ACTS_OF[new.decision]].allowed:
        return STANDING[held.state]
    if held.expires_at <= at:
        return STANDING[HoldState.EXPIRED]
    if new.seen and new.seen != seen_digest(held):
        return STANDING[held.state] if held.state in _LEFT else TEXT_REPLACED
    return await _taken_by_others(connection, held, new.by, at)


async def _taken_by_others(
    connection: AsyncConnection, held: HeldMessage, by: str, at: datetime
) -> str:
    """Return why others have a message now: a decision that waits, or a lease; "" if none has."""
    if await _waits(connection, held, at):
        return DECISION_WAITS
    leased = sa.select(review_leases.c.by).where(
        review_leases.c.subject == subject_of(held),
        review_leases.c.until > at,
        review_leases.c.by != by,
    )
    return LEASED if (await connection.execute(leased)).first() is not None else ""


async def _waits(connection: AsyncConnection, held: HeldMessage, at: datetime) -> bool:
    """Tell whether a decision waits on a message, a job, or what can still be undone."""
    own = sa.select(_column.number).where(_column.subject == subject_of(held))
    opinion = own.where(IS_OPINION, _column.not_before > at)
    for waiting in (own.where(IS_WAITING), opinion, chosen_among((subject_of(held),))):
        if (await connection.execute(waiting)).first() is not None:
            return True
    return False


async def _let_others(connection: AsyncConnection, subject: int) -> None:
    """End the lease of a message: its reviewer is done with it."""
    await connection.execute(sa.delete(review_leases).where(review_leases.c.subject == subject))


async def _take(
    connection: AsyncConnection,
    decision: ReviewDecision,
    now: datetime,
    dealt_twice: float,
    limit_of: FindLimit,
) -> TakenDecision:
    """Move what a decision is on, if that stands as it stood; end the decision either way."""
    held = await _message(connection, decision.message_id)
    moved: list[HeldMessage] = []
    if held is None:
        outcome = "the message was deleted"
    elif held.expires_at <= now:
        outcome = STANDING[HoldState.EXPIRED]
    else:
        outcome = STANDING[held.state]
        move = move_for(decision.decision, decision.by, decision.why, now)
        was_in_doubt = decision.found_in is HoldState.IN_DOUBT
        # What came to be in doubt meanwhile, the SMSC may have: the person has not seen that.
        others = move["allowed"] if was_in_doubt else move["allowed"] - _IN_DOUBT
        first = others & _IN_DOUBT if was_in_doubt else others
        if decision.found_in is HoldState.HELD:  # what let it go meanwhile is another's decision
            first &= {HoldState.HELD}
        moved = await moved_in(connection, (held.message_id,), {**move, "allowed": first})
        if moved and held.assembly:
            parts = sa.select(_held.message_id).where(
                _held.assembly == held.assembly, _held.message_id != held.message_id
            )
            rest = list((await connection.execute(parts)).scalars())
            moved += await moved_in(connection, rest, {**move, "allowed": others})
    if held is not None:
        await deal(connection, decision, held, moved, dealt_twice, limit_of)
    await close_escalations(connection, moved)
    state = ReviewState.TAKEN if moved else ReviewState.VOID
    ended = {"state": state, "ended_at": now, "outcome": "" if moved else outcome}
    own = sa.update(review_decisions).where(_column.number == decision.number)
    await connection.execute(own.values(ended))
    found = await _decision(connection, decision.number)
    return TakenDecision(found or decision, tuple(moved))
