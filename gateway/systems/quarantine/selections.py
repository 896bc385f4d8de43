"""Messages that a person chose one by one: which of them a decision may be on, and which not."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.storage.tables import IS_WAITING, held_messages
from gateway.systems.quarantine.decisions import (
    DECISION_WAITS,
    LEASED,
    UNKNOWN_MESSAGE,
    seen_digest,
)
from gateway.systems.quarantine.model import NewChosenReview
from gateway.systems.quarantine.second_reviews import second_review_of
from gateway.systems.quarantine.service import STANDING, NotDone
from gateway.systems.quarantine.sql import TEXT_REPLACED
from gateway.systems.quarantine.tables import (
    chosen_among,
    review_decisions,
    review_job_messages,
    review_leases,
    subject_of,
)

_held, _chosen = held_messages.c, review_job_messages.c


class SortedMessages(NamedTuple):
    """The messages that a decision may be on, by id, and why it may not be on the `left` ones."""

    free: list[HeldMessage]
    left: tuple[NotDone, ...]


async def sorted_out(
    connection: AsyncConnection, new: NewChosenReview, at: datetime
) -> SortedMessages:
    """Return which of the chosen messages can be decided on now, in a transaction of the caller.

    These are held, have the text that was seen, and no decision waits on them; no other reviewer
    has their lease. Of the parts of a long message the first one stands for all.
    """
    seen = dict(new.chosen)
    found = await _messages(connection, seen)
    subjects = sorted({subject_of(one) for one in found.values()})
    taken = await _taken(connection, subjects)
    leased = await _leased(connection, subjects, new.by, at)
    free: dict[int, HeldMessage] = {}
    left: list[NotDone] = []
    for number in sorted(seen):
        held = found.get(number)
        if held is None:
            left.append(NotDone(number, None, UNKNOWN_MESSAGE))
        elif why := _changed(held, seen[number], at):
            is_dealt = await _is_dealt(connection, held, new.by, at)
            left.append(NotDone(number, held.state, LEASED if is_dealt else why))
        elif subject_of(held) in taken or subject_of(held) in leased:
            why = DECISION_WAITS if subject_of(held) in taken else LEASED
            left.append(NotDone(number, held.state, why))
        else:
            free.setdefault(subject_of(held), held)
    return SortedMessages(list(free.values()), tuple(left))


async def _is_dealt(connection: AsyncConnection, held: HeldMessage, by: str, at: datetime) -> bool:
    """Tell whether a person sees a message as held that another one has decided on.

    It is decided on by itself alone, and nothing here may tell that person why.
    """
    if not by.startswith("user: "):
        return False
    return await second_review_of(connection, held, by, at) is not None


def _changed(held: HeldMessage, seen: str, at: datetime) -> str:
    """Return how a message stands otherwise than it was shown, "" if it does not."""
    if held.state is not HoldState.HELD:
        return STANDING[held.state]
    if held.expires_at <= at:
        return STANDING[HoldState.EXPIRED]
    return TEXT_REPLACED if seen and seen != seen_digest(held) else ""


async def put_into_job(
    connection: AsyncConnection, number: int, chosen: Sequence[HeldMessage]
) -> None:
    """Note what a job is on. The leases of these messages end: their reviewer is done with them."""
    rows = [
        {"subject": subject_of(one), "message_id": one.message_id, "number": number}
        for one in chosen
    ]
    await connection.execute(sa.insert(review_job_messages), rows)
    subjects = [row["subject"] for row in rows]
    leases = sa.delete(review_leases).where(review_leases.c.subject.in_(subjects))
    await connection.execute(leases)


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


async def _taken(connection: AsyncConnection, subjects: Sequence[int]) -> set[int]:
    """Return those on which a decision waits, or another job on chosen messages."""
    decision = review_decisions.c.subject
    decided = sa.select(decision).where(IS_WAITING, decision.in_(subjects))
    found: set[int] = set()
    for query in (decided, chosen_among(subjects)):
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
