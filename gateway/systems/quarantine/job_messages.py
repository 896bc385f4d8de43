"""The messages that jobs are on: chosen ones, opinions among them, and how a step moves them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.records import NewAccess
from gateway.storage.journals import note_access
from gateway.storage.tables import IS_CAMPAIGN, IS_WAITING, held_messages
from gateway.systems.quarantine.decisions import (
    DECISION_WAITS,
    LEASED,
    UNKNOWN_MESSAGE,
    seen_digest,
)
from gateway.systems.quarantine.model import (
    NewCampaignReview,
    NewChosenReview,
    ReviewDecision,
    ReviewJob,
    ReviewJobState,
    ReviewState,
)
from gateway.systems.quarantine.moves import close_escalations, moved_in
from gateway.systems.quarantine.second_reviews import (
    SecondReview,
    as_dealt,
    second_review_of,
    seen_as_held,
)
from gateway.systems.quarantine.service import (
    OF_CAMPAIGN,
    OF_MESSAGE,
    STANDING,
    NotDone,
    move_for,
    of_exception,
)
from gateway.systems.quarantine.sql import TEXT_REPLACED
from gateway.systems.quarantine.tables import (
    HELD_SINCE,
    IS_OPINION,
    IS_UNDECIDED,
    chosen_among,
    is_excepted,
    review_decisions,
    review_job_messages,
    review_jobs,
    review_leases,
    second_reviews,
    subject_of,
)

# Of chosen messages a job moves so many in one commit. They are each of another text, and what is
# learnt of them takes time from the traffic.
CHOSEN_STEP = 100

_IDS_AT_ONCE = 1000
_ANY_ID = 2**63 - 1

_held, _chosen, _job = held_messages.c, review_job_messages.c, review_jobs.c
_IS_HELD = _held.state == HoldState.HELD


class SortedMessages(NamedTuple):
    """The messages that a decision may be on, by id, and why it may not be on the `left` ones.

    On the `dealt` ones it is a second opinion.
    """

    free: list[HeldMessage]
    dealt: list[HeldMessage]
    left: tuple[NotDone, ...]


@dataclass(frozen=True, slots=True)
class JobStep:
    """What one step of a job did: the job after it, and the messages that it moved."""

    job: ReviewJob
    moved: tuple[HeldMessage, ...]


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
    dealt = {subject_of(one): one for one in reversed(some.dealt)}  # of parts the first one
    if dealt:
        opinions = [_opinion(job, one, job.by) for one in dealt.values()]
        await connection.execute(sa.insert(review_decisions), opinions)
    for one in dealt.values():
        await _note_opinion(connection, job, one.message_id, job.by, job.decided_at)
    subjects = [subject_of(one) for one in (*some.free, *some.dealt)]
    leases = sa.delete(review_leases).where(review_leases.c.subject.in_(subjects))
    await connection.execute(leases)


async def keep_opinions(
    connection: AsyncConnection, job: ReviewJob, dealt: Sequence[HeldMessage], by: str
) -> None:
    """Keep the opinions of a job on a campaign, which count once a step comes to their message.

    Until then the message looks as the others of the campaign: no decision waits on it.
    """
    own = {subject_of(one): one for one in reversed(dealt)}  # of parts the first one
    opinions = [_opinion(job, one, by) | {"state": ReviewState.VOID} for one in own.values()]
    if opinions:
        await connection.execute(sa.insert(review_decisions), opinions)


async def _opinions_taken(
    connection: AsyncConnection, job: ReviewJob, now: datetime, upto_id: int
) -> int:
    """Let the opinions of a job on a campaign count, up to an id; return on how many messages.

    Each part of a long one is a message. What is not open to that person any more gets none.
    """
    opinion, deal = review_decisions.c, second_reviews.c
    query = (
        sa.select(review_decisions)
        .join(second_reviews, deal.message_id == opinion.message_id)
        .where(deal.until > now, deal.message_id <= upto_id)
        .where(opinion.job == job.number, opinion.state == ReviewState.VOID)
    )
    waiting = [ReviewDecision(**row) for row in (await connection.execute(query)).mappings()]
    messages = await _messages(connection, {one.message_id: "" for one in waiting})
    done = 0
    for one in waiting:
        if await seen_as_held(connection, messages[one.message_id], one.by, now) is None:
            continue
        taken = {"state": ReviewState.TAKEN, "not_before": now}
        own = sa.update(review_decisions).where(opinion.number == one.number)
        await connection.execute(own.values(taken))
        await _note_opinion(connection, job, one.message_id, one.by, now)
        parts = sa.select(sa.func.count()).where(deal.subject == one.subject)
        done += int((await connection.execute(parts)).scalar_one())
    return done


async def _note_opinion(
    connection: AsyncConnection, job: ReviewJob, message_id: int, by: str, at: datetime
) -> None:
    about = f"message {message_id}: {job.decision.value}"
    await note_access(connection, NewAccess(by, "quarantine opinion", job.why, about, at))


def _opinion(job: ReviewJob, shown: HeldMessage, by: str) -> dict[str, object]:
    return {
        "message_id": shown.message_id,
        "subject": subject_of(shown),
        "found_in": shown.state,
        "decision": job.decision,
        "by": by,
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
    """Return how many chosen messages got an opinion with a job: it counts them as done."""
    query = sa.select(sa.func.count()).where(IS_OPINION, review_decisions.c.job == job.number)
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


def open_messages(
    campaign: str, system_id: str = "", rule: str = "", as_held: Sequence[int] | None = None
) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for what a person may decide on of a campaign.

    Of an SP or of all, and of all rules or what an exception of one is about. With `as_held` for
    those of these ids instead, which a second reviewer sees among the held ones.
    """
    ours = [sa.and_(IS_CAMPAIGN, _held.campaign == campaign)]
    ours += [_IS_HELD, IS_UNDECIDED] if as_held is None else [_held.message_id.in_(as_held)]
    ours += [_held.system_id == system_id] if system_id else []
    return [*ours, is_excepted(rule)] if rule else ours


async def dealt_among(
    connection: AsyncConnection, new: NewCampaignReview, at: datetime
) -> list[HeldMessage]:
    """Return what of `new.as_held` is dealt to who decides on a campaign, as it is seen then."""
    ours = open_messages(new.campaign, new.system_id, new.rule, new.as_held)
    query = sa.select(held_messages).where(*ours).order_by(_held.message_id)
    rows = (await connection.execute(query)).mappings().all() if new.as_held else ()
    seen = [
        await seen_as_held(connection, HeldMessage(**row), new.second_reviewer, at) for row in rows
    ]
    return [one for one in seen if one is not None]


async def job_of(connection: AsyncConnection, number: int) -> ReviewJob:
    """Return a job that there is."""
    query = sa.select(review_jobs).where(_job.number == number)
    return ReviewJob(**(await connection.execute(query)).mappings().one())


async def take_step(
    connection: AsyncConnection, job: ReviewJob, now: datetime, limit: int
) -> JobStep:
    """Move the next messages of a job, `limit` at most, and say so in the job."""
    if job.campaign:
        ours = open_messages(job.campaign, job.system_id, job.rule)
        ours.append(job.decided_at >= HELD_SINCE)  # an old message may be held for something new
    else:
        ours, limit = of_job(job.number), min(limit, CHOSEN_STEP)
    page = (
        sa.select(_held.message_id, _held.assembly)
        .where(
            *ours,
            _held.message_id > job.last_id,
            _held.message_id <= job.upto_id,
            _held.expires_at > now,
        )
        .order_by(_held.message_id)
        .limit(limit)
    )
    rows = (await connection.execute(page)).mappings().all()
    moved = await _moved(connection, job, rows, now)
    last_id, is_last = rows[-1]["message_id"] if rows else job.last_id, len(rows) < limit
    if job.campaign:
        done = len(moved)
        done += await _opinions_taken(connection, job, now, _ANY_ID if is_last else last_id)
    else:
        done = len({subject_of(one) for one in moved})
        done += await opinions_of(connection, job) if job.state is ReviewJobState.WAITING else 0
    values: dict[str, object] = {
        "state": ReviewJobState.RUNNING,
        "done": job.done + done,
        "last_id": last_id,
    }
    if is_last:
        values |= {"state": ReviewJobState.DONE, "ended_at": now}
        await end_job(connection, job.number)
    own = sa.update(review_jobs).where(_job.number == job.number)
    await connection.execute(own.values(values))
    return JobStep(await job_of(connection, job.number), tuple(moved))


async def _moved(
    connection: AsyncConnection, job: ReviewJob, rows: Sequence[sa.RowMapping], now: datetime
) -> list[HeldMessage]:
    """Move messages, and the other parts of the long ones among them that may be moved."""
    of_many = OF_CAMPAIGN if job.campaign else OF_MESSAGE
    overruling = of_exception(job.rule) if job.rule else of_many
    move = move_for(job.decision, job.by, job.why, now, overruling)
    spared = {HoldState.IN_DOUBT}  # the SMSC may have it: that is decided on by its id
    move["allowed"] -= spared
    ids = [row["message_id"] for row in rows]
    if assemblies := {row["assembly"] for row in rows if row["assembly"]}:
        parts = sa.select(_held.message_id).where(_held.assembly.in_(sorted(assemblies)))
        ids = sorted({*ids, *(await connection.execute(parts)).scalars()})
    moved: list[HeldMessage] = []
    for at in range(0, len(ids), _IDS_AT_ONCE):
        some = await moved_in(connection, ids[at : at + _IDS_AT_ONCE], move)
        await close_escalations(connection, some)
        moved += some
    return moved
