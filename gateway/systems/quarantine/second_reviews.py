"""Second reviews: a share of the messages that one reviewer decided on is dealt to another one.

The second reviewer is not told. A message looks to that person as it looked to the first one, and
the decision on it is kept as an opinion, which changes nothing: not the message, its release, its
receipt, or what the classifier learns.
"""

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from secrets import token_bytes
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.permissions import Permission
from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.storage.database import SqlStore
from gateway.storage.tables import held_messages
from gateway.systems.quarantine.model import (
    PersonDecision,
    ReviewDecision,
    ReviewState,
)
from gateway.systems.quarantine.review_limits import UNLIMITED, FindLimit, ends_at
from gateway.systems.quarantine.service import move_for
from gateway.systems.quarantine.tables import (
    IS_OPINION,
    review_decisions,
    review_escalations,
    second_review_key,
    second_reviews,
    subject_of,
)

# So long after the decision of a second reviewer that person sees a message as if it had counted.
SHOWN_FOR = timedelta(hours=1)
# No more are dealt while so many are open.
MOST_DEALT = 500

_KEY_OCTETS = 32
_DRAWN_OCTETS = 8
# What is held anew, or waits for its hour, is no longer what the first reviewer decided on.
_OTHERWISE = frozenset({HoldState.HELD, HoldState.DEFERRED})
_held, _deal, _decision = held_messages.c, second_reviews.c, review_decisions.c
_escalation, _part = review_escalations.c, second_reviews.alias("part").c
# The words are those of the index of opinions, or SQLite does not take it.
_IS_GIVEN = sa.text("review_decisions.is_second AND review_decisions.state = 'taken'")
_IS_ANSWERED = (
    sa.exists().where(IS_OPINION, _decision.subject == _deal.subject).correlate(second_reviews)
)


class SecondReview(NamedTuple):
    """A message that is dealt to a second reviewer; `opinion` is what that person decided.

    `note` stood on the message when the first reviewer saw it. It `is_escalated` if that person
    put it before a senior reviewer, and `has_left` if it was released.
    """

    note: str
    opinion: ReviewDecision | None
    is_escalated: bool = False
    has_left: bool = False

    @property
    def is_open(self) -> bool:
        """Tell whether the second reviewer has decided nothing yet."""
        return self.opinion is None

    def is_waiting(self, now: datetime) -> bool:
        """Tell whether the opinion can still be undone."""
        return self.opinion is not None and now < self.opinion.not_before

    def state(self, now: datetime) -> HoldState:
        """Return the state in which the second reviewer sees the message."""
        if self.opinion is None or self.is_waiting(now):
            return HoldState.HELD
        if self.opinion.decision is PersonDecision.REJECTED:
            return HoldState.DISCARDED
        return HoldState.RELEASED if self.has_left else HoldState.RELEASE_REQUESTED


def gets_second_reviews(may: Callable[[Permission], bool]) -> bool:
    """Tell whether second reviews are dealt to who `may` do so much.

    They are not to who may not decide, and to who reads the audit, where the first decision stands.
    """
    return may(Permission.DECIDE_HELD) and not may(Permission.READ_AUDIT)


def is_dealt_twice(key: bytes, subject: int, share: float) -> bool:
    """Tell whether a message is among the `share` of all, 0 to 1, that is dealt twice.

    The same key and subject always give the same answer, and nothing of it can be foretold
    without the key.
    """
    drawn = hmac.digest(key, str(subject).encode(), sha256)[:_DRAWN_OCTETS]
    limit: float = share * 2 ** (8 * _DRAWN_OCTETS)
    return int.from_bytes(drawn) < limit


async def deal(
    connection: AsyncConnection,
    first: ReviewDecision,
    before: HeldMessage,
    moved: Sequence[HeldMessage],
    share: float,
    limit_of: FindLimit = UNLIMITED,
) -> None:
    """Deal what a first decision has moved to a second reviewer, if it is among the `share`.

    `before` is its message as it was decided on. It is dealt until it would have expired, or been
    released or discarded by the limit of its category. A message that had been decided on or
    escalated before that is not dealt: it shows that. No more are dealt while MOST_DEALT are open.
    """
    was_decided = before.decision or before.is_reviewed or before.is_wanted
    if not moved or share <= 0 or was_decided or first.found_in is not HoldState.HELD:
        return
    if not is_dealt_twice(await _key_in(connection), first.subject, share):
        return
    numbers = [one.message_id for one in moved]
    escalated = sa.select(_escalation.number).where(_escalation.message_id.in_(numbers))
    if (await connection.execute(escalated.limit(1))).first() is not None:
        return
    still = sa.select(sa.func.count()).where(_deal.until > first.not_before, ~_IS_ANSWERED)
    if (await connection.execute(still.where(_deal.escalated_by == ""))).scalar_one() >= MOST_DEALT:
        return
    rows = [
        {
            "message_id": one.message_id,
            "subject": first.subject,
            "decision": first.number,
            "by": first.by,
            "reason": one.reason,
            "rule": one.rule,
            "note": before.note,
            "dealt_at": first.not_before,
            "until": ends_at(before, limit_of(before.category)),
            "escalated_by": "",
        }
        for one in moved
    ]
    await connection.execute(sa.insert(second_reviews), rows)


async def _key_in(connection: AsyncConnection) -> bytes:
    """Return the key of this store, which is made at its first use."""
    query = sa.select(second_review_key.c.key)
    found = (await connection.execute(query)).scalar_one_or_none()
    if found is not None:
        return bytes(found)
    key = token_bytes(_KEY_OCTETS)
    await connection.execute(sa.insert(second_review_key), {"number": 1, "key": key})
    return key


async def second_review_of(
    connection: AsyncConnection, held: HeldMessage, by: str, now: datetime
) -> SecondReview | None:
    """Return the second review of a message as it stands for a person, None for none.

    It is open for who has not decided on the message, until the message would have expired. Who
    gave the opinion, or escalated it, has it for an hour after that.
    """
    if held.state in _OTHERWISE:
        return None
    only = _deal.message_id == held.message_id
    if (await connection.execute(sa.select(_deal.subject).where(only))).first() is None:
        return None
    looks = [query.where(only) for query in _dealt_to(by, now)]
    unanswered, answered = [(await connection.execute(one)).mappings().all() for one in looks]
    return _reviews_of(unanswered, answered).get(held.message_id)


def _dealt_to(by: str, now: datetime) -> tuple[sa.Select[Any], sa.Select[Any]]:
    """Return the queries for what a person has not given an opinion on, and has within the hour."""
    is_as_dealt = sa.and_(
        _held.message_id == _deal.message_id,
        _held.state.not_in(sorted(_OTHERWISE)),
        _held.reason == _deal.reason,
        _held.rule == _deal.rule,
        sa.func.coalesce(_held.held_again_at, _deal.dealt_at) <= _deal.dealt_at,
    )
    unanswered = (
        sa.select(_deal.message_id, _deal.note, _is_escalated(by).label("is_escalated"))
        .join(held_messages, is_as_dealt)
        .where(*_open_to(by, now), ~_IS_ANSWERED)
    )
    answered = (
        sa.select(
            *(review_decisions, _deal.message_id.label("dealt"), _deal.note.label("dealt_note")),
            (_held.state == HoldState.RELEASED).label("has_left"),
        )
        .join(second_reviews, _deal.subject == _decision.subject)
        .join(held_messages, is_as_dealt)
        # An opinion is given before `until`: so what was dealt long ago is not read.
        .where(_deal.until > now - 2 * SHOWN_FOR)
        .where(_IS_GIVEN, _decision.by == by, _decision.not_before > now - SHOWN_FOR)
    )
    return unanswered, answered


def _reviews_of(
    unanswered: Iterable[sa.RowMapping], answered: Iterable[sa.RowMapping]
) -> dict[int, SecondReview]:
    """Return what the queries of `_dealt_to` found, by message_id."""
    found = {
        row["message_id"]: SecondReview(row["note"], None, bool(row["is_escalated"]))
        for row in unanswered
    }
    for row in answered:
        fields = dict(row)
        number, note = fields.pop("dealt"), fields.pop("dealt_note")
        has_left = bool(fields.pop("has_left"))
        found[number] = SecondReview(note, ReviewDecision(**fields), has_left=has_left)
    return found


def _open_to(by: str, now: datetime) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for what a person may give the first opinion on.

    A second reviewer who has escalated a part of it has it for an hour.
    """
    own = sa.exists().where(_decision.subject == _deal.subject, _decision.by == by)
    escalated = sa.exists().where(_escalation.message_id == _deal.message_id, _escalation.by == by)
    lately = sa.exists().where(
        _part.subject == _deal.subject,
        _escalation.message_id == _part.message_id,
        _escalation.by == by,
        _escalation.at > now - SHOWN_FOR,
    )
    is_new = sa.and_(_deal.escalated_by == "", ~escalated.correlate(second_reviews))
    is_own = sa.and_(_deal.escalated_by == by, lately.correlate(second_reviews))
    return [
        _deal.until > now,
        _deal.by != by,
        ~own.where(~_decision.is_second).correlate(second_reviews),
        sa.or_(is_new, is_own),
    ]


def _is_escalated(by: str) -> sa.ColumnElement[bool]:
    """Return the condition for what a person has escalated as its second reviewer."""
    own = sa.exists().where(_escalation.message_id == _deal.message_id, _escalation.by == by)
    return sa.and_(_deal.escalated_by == by, own.correlate(second_reviews))


async def escalate_opinion(connection: AsyncConnection, message_id: int, by: str) -> None:
    """End the second review of a message without an opinion: it was escalated."""
    own = sa.select(_deal.subject).where(_deal.message_id == message_id).scalar_subquery()
    ended = sa.update(second_reviews).where(_deal.subject == own).values(escalated_by=by)
    await connection.execute(ended)


def as_dealt(held: HeldMessage, second: SecondReview, now: datetime) -> HeldMessage:
    """Return a message as its second reviewer sees it: held, or as that person has decided."""
    opinion = second.opinion
    shown = replace(
        held,
        state=second.state(now),
        receipt=ReceiptState.NONE,
        smsc_message_id="",
        note=second.note,
        decision="",
        is_reviewed=False,
        overruled="",
    )
    if opinion is None or second.is_waiting(now):
        return shown
    left = move_for(opinion.decision, opinion.by, opinion.why, opinion.not_before)
    shown = replace(shown, note=left["note"], decision=left["decision"])
    if opinion.decision is PersonDecision.RELEASED:
        smsc_message_id = held.smsc_message_id if second.has_left else ""
        return replace(shown, overruled=held.found, smsc_message_id=smsc_message_id)
    is_told = held.receipt_asked and held.receipt is ReceiptState.NONE
    return replace(shown, receipt=ReceiptState.SENT if is_told else held.receipt)


async def seen_as_held(
    connection: AsyncConnection, held: HeldMessage, by: str, now: datetime
) -> HeldMessage | None:
    """Return a message as a second reviewer sees it among the held ones, None if it is not so."""
    second = await second_review_of(connection, held, by, now)
    return None if second is None or not second.is_open else as_dealt(held, second, now)


def as_decided(decision: ReviewDecision, now: datetime) -> ReviewDecision:
    """Return a decision as the person sees it: an opinion can be undone as long as any other."""
    if decision.is_second and decision.state is ReviewState.TAKEN and now < decision.not_before:
        return replace(decision, state=ReviewState.WAITING)
    return decision


@dataclass(frozen=True, slots=True)
class DealtMessages:
    """What is dealt to a second reviewer, by message_id, as it is at `now`."""

    reviews: Mapping[int, SecondReview]
    now: datetime

    @property
    def as_held(self) -> tuple[int, ...]:
        """Return the messages that the reviewer sees among those that are held."""
        return tuple(number for number, one in self.reviews.items() if one.is_open)

    def listed(self, *, is_undecided: bool, is_escalated: bool) -> dict[int, HoldState | None]:
        """Return in which state a list shows each message to the reviewer, None for in none.

        With `is_undecided` a list has none on which a decision waits, with `is_escalated` only
        those that were put before senior reviewers.
        """
        return {
            number: None
            if (is_undecided and one.is_waiting(self.now))
            or (is_escalated and not one.is_escalated)
            else one.state(self.now)
            for number, one in self.reviews.items()
        }

    def message(self, held: HeldMessage) -> HeldMessage:
        """Return a message as the reviewer sees it."""
        second = self.reviews.get(held.message_id)
        return held if second is None else as_dealt(held, second, self.now)


class SecondReviewStore(SqlStore):
    """Tells what is dealt to a second reviewer. Every call raises StoreUnavailable."""

    async def seen_by(self, by: str, held: HeldMessage, now: datetime) -> HeldMessage:
        """Return a message as a person sees it; as it is for the name "", who gets none."""
        if not by:
            return held
        of_message = partial(second_review_of, held=held, by=by, now=now)
        second = await self._database.read(of_message)
        return held if second is None else as_dealt(held, second, now)

    async def waiting_on(self, held: HeldMessage, by: str, now: datetime) -> ReviewDecision | None:
        """Return the opinion of a person on a message while it can be undone, else None."""
        query = sa.select(review_decisions).where(
            IS_OPINION, _decision.subject == subject_of(held), _decision.by == by
        )
        found = await self._database.record(ReviewDecision, query.where(_decision.not_before > now))
        return None if found is None else as_decided(found, now)

    async def dealt_to(self, by: str, now: datetime) -> DealtMessages:
        """Return what is dealt to a person; none to "".

        Those on which the person gave an opinion, or which that person escalated, within the last
        hour are among them.
        """
        if not by:
            return DealtMessages({}, now)
        looks = [await self._database.rows(query) for query in _dealt_to(by, now)]
        return DealtMessages(_reviews_of(*looks), now)
