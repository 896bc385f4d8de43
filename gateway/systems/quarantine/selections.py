"""Messages that a person chose one by one: which of them a decision may be on, and which not."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.records import NewAccess
from gateway.storage.journals import note_access
from gateway.storage.tables import IS_WAITING, held_messages
from gateway.systems.quarantine.decisions import (
    DECISION_WAITS,
    LEASED,
    UNKNOWN_MESSAGE,
    seen_digest,
)
from gateway.systems.quarantine.model import NewChosenReview, ReviewJob, ReviewState
from gateway.systems.quarantine.second_reviews import SecondReview, as_dealt, second_review_of
from gateway.systems.quarantine.service import STANDING, NotDone
from gateway.systems.quarantine.sql import TEXT_REPLACED
from gateway.systems.quarantine.tables import (
    IS_OPINION,
    chosen_among,
    review_decisions,
    review_job_messages,
    review_leases,
    subject_of,
)

_held, _chosen = held_messages.c, review_job_messages.c


class SortedMessages(NamedTuple):
    """The messages that a decision may be on, by id, and why it may not be on the `left` ones.

    On the `dealt` ones it is a second opinion.
    """

    free: list[HeldMessage]
    dealt: list[HeldMessage]
    left: tuple[NotDone, ...]


async def sorted_out(
    connection: AsyncConnection, new: NewChosenReview, at: datetime
) -> SortedMessages:
    """Return which of the chosen messages can be decided on now, in a transaction of the caller.

    These are held, have the text that was seen, and no decision waits on them; no other reviewer
    has their lease. Of the parts of a long message the first one stands for all. Nothing in `left`
    tells a second reviewer what is dealt to that person.
    """
    seen = dict(new.chosen)
    found = await _messages(connection, seen)
    subjects = sorted({subject_of(one) for one in found.values()})
    taken = await _taken(connection, subjects, at)
    leased = await _leased(connection, subjects, new.by, at)
    free: dict[int, HeldMessage] = {}
    dealt: dict[int, HeldMessage] = {}
    left: list[NotDone] = []
    for number in sorted(seen):
        held = found.get(number)
        if held is None:
            left.append(NotDone(number, None, UNKNOWN_MESSAGE))
            continue
        second = await _second_review(connection, held, new, at)
        shown = held if second is None else as_dealt(held, second, at)
        if why := _changed(shown, seen[number], at):
            left.append(NotDone(number, shown.state, why))
        elif subject_of(held) in taken or subject_of(held) in leased:
            why = DECISION_WAITS if subject_of(held) in taken else LEASED
            left.append(NotDone(number, shown.state, why))
        else:
            (free if second is None else dealt).setdefault(subject_of(held), shown)
    return SortedMessages(list(free.values()), list(dealt.values()), tuple(left))


async def _second_review(
    connection: AsyncConnection, held: HeldMessage, new: NewChosenReview, at: datetime
) -> SecondReview | None:
    if not new.may_be_second or held.state is HoldState.HELD:
        return None
    return await second_review_of(connection, held, new.by, at)


def _changed(held: HeldMessage, seen: str, at: datetime) -> str:
    """Return how a message stands otherwise than it was shown, "" if it does not."""
    if held.state is not HoldState.HELD:
        return STANDING[held.state]
    if held.expires_at <= at:
        return STANDING[HoldState.EXPIRED]
    return TEXT_REPLACED if seen and seen != seen_digest(held) else ""


async def put_into_job(connection: AsyncConnection, job: ReviewJob, some: SortedMessages) -> None:
    """Note what a job is on. The leases of these messages end: their reviewer is done with them.

    Opinions are taken with it at once, and change nothing of their messages.
    """
    rows = [
        {"subject": subject_of(one), "message_id": one.message_id, "number": job.number}
        for one in some.free
    ]
    if rows:
        await connection.execute(sa.insert(review_job_messages), rows)
    if some.dealt:
        opinions = [_opinion(job, one) for one in some.dealt]
        await connection.execute(sa.insert(review_decisions), opinions)
    for one in some.dealt:
        about = f"message {one.message_id}: {job.decision.value}"
        given = NewAccess(job.by, "quarantine opinion", job.why, about, job.decided_at)
        await note_access(connection, given)
    subjects = [subject_of(one) for one in (*some.free, *some.dealt)]
    leases = sa.delete(review_leases).where(review_leases.c.subject.in_(subjects))
    await connection.execute(leases)


def _opinion(job: ReviewJob, shown: HeldMessage) -> dict[str, object]:
    return {
        "message_id": shown.message_id,
        "subject": subject_of(shown),
        "found_in": shown.state,
        "decision": job.decision,
        "by": job.by,
        "reason": job.reason,
        "note": job.note,
        "category": job.category,
        "decided_at": job.decided_at,
        "not_before": job.not_before,
        "state": ReviewState.TAKEN,
        "ended_at": None,
        "outcome": "",
        "is_second": True,
        "job": job.number,
    }


async def opinions_of(connection: AsyncConnection, job: ReviewJob) -> int:
    """Return how many opinions were given with a job: it counts them as done."""
    count = sa.select(sa.func.count()).select_from(review_decisions)
    query = count.where(IS_OPINION, review_decisions.c.job == job.number)
    return int((await connection.execute(query)).scalar_one())


async def undo_job(connection: AsyncConnection, job: ReviewJob) -> None:
    """Forget what a job was on that was undone, and undo the opinions that were given with it."""
    await end_job(connection, job.number)
    ended = {"state": ReviewState.UNDONE, "ended_at": job.ended_at, "outcome": job.outcome}
    own = sa.update(review_decisions).where(IS_OPINION, review_decisions.c.job == job.number)
    await connection.execute(own.values(ended))


def of_job(number: int) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for the held messages that a job is on."""
    own = sa.select(_chosen.message_id).where(_chosen.number == number)
    return [_held.state == HoldState.HELD, _held.message_id.in_(own)]


async def end_job(connection: AsyncConnection, number: int) -> None:
    """Forget what a job was on that has ended."""
    await connection.execute(sa.delete(review_job_messages).where(_chosen.number == number))


async def _messages(connection: AsyncConnection, numbers: dict[int, str]) -> dict[int, HeldMessage]:
    query = sa.select(held_messages).where(_held.message_id.in_(sorted(numbers)))
    rows = (await connection.execute(query)).mappings().all()
    return {row["message_id"]: HeldMessage(**row) for row in rows}


async def _taken(connection: AsyncConnection, subjects: Sequence[int], at: datetime) -> set[int]:
    """Return those on which a decision waits, or another job, or what can still be undone."""
    decision = review_decisions.c.subject
    decided = sa.select(decision).where(decision.in_(subjects))
    opinions = decided.where(IS_OPINION, review_decisions.c.not_before > at)
    found: set[int] = set()
    for query in (decided.where(IS_WAITING), opinions, chosen_among(subjects)):
        found.update((await connection.execute(query)).scalars())
    return found


async def _leased(
    connection: AsyncConnection, subjects: Sequence[int], by: str, at: datetime
) -> set[int]:
    lease = review_leases.c
    query = sa.select(lease.subject).where(
        lease.subject.in_(subjects), lease.until > at, lease.by != by
    )
    return set((await connection.execute(query)).scalars())
