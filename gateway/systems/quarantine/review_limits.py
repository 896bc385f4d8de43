"""Time limits for reviews, by category: what becomes of a message that no person decided on."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

import sqlalchemy as sa

from gateway.domain.categories import covered_by
from gateway.domain.policy import ContentRule, OverdueAction, ReviewLimit
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.verdict import Reason
from gateway.storage.database import SqlStore
from gateway.storage.tables import held_messages
from gateway.systems.quarantine.model import BY_TIME_LIMIT, lowest_id_at
from gateway.systems.quarantine.service import ActResult, Outcome, QuarantineDesk
from gateway.systems.quarantine.tables import (
    IS_PARTLY_ESCALATED,
    IS_UNDECIDED,
    SUBJECT,
    review_leases,
)

FindLimit: TypeAlias = Callable[[str], ReviewLimit | None]
"""Returns the limit for messages of a category by the policy in force, None without one."""

UNLIMITED: FindLimit = ContentRule().limit_of

# So many messages of a category are moved in one look; the others with the next one.
AT_ONCE = 200

_held, _lease = held_messages.c, review_leases.c


def review_by(held: HeldMessage, limit: ReviewLimit | None) -> datetime | None:
    """Return until when people should decide on a message; None for no limit, or what is over.

    The time counts from when it came to be held, and ends with the message.
    """
    if limit is None or held.state is not HoldState.HELD:
        return None
    return min(held.held_since + timedelta(seconds=limit.within_s), held.expires_at)


def ends_at(held: HeldMessage, limit: ReviewLimit | None) -> datetime:
    """Return when a held message expires, or a limit releases or discards it."""
    moves = limit is not None and limit.then is not OverdueAction.KEEP
    return (review_by(held, limit) if moves else None) or held.expires_at


class OverdueStore(SqlStore):
    """Finds held messages that no person decided on in time."""

    async def overdue(self, category: str, before: datetime, now: datetime) -> list[int]:
        """Return the oldest messages of a category that are held since then or before.

        They are AT_ONCE at most.

        Left out are those that a reviewer has now, or that were decided on or escalated, and what a
        subscriber's own preferences hold. Raises StoreUnavailable.
        """
        is_free = ~(
            sa.exists()
            .where(_lease.subject == SUBJECT, _lease.until > now)
            .correlate(held_messages)
        )
        query = (
            sa.select(_held.message_id)
            .where(
                _held.category == category,
                _held.state == HoldState.HELD,
                _held.message_id < lowest_id_at(int(before.timestamp() * 1000)),
                sa.or_(_held.held_again_at.is_(None), _held.held_again_at <= before),
                _held.expires_at > now,
                _held.reason != Reason.USER_PREF,
                _held.decision == "",
                IS_UNDECIDED,
                ~IS_PARTLY_ESCALATED,
                is_free,
            )
            .order_by(_held.message_id)
            .limit(AT_ONCE)
        )
        return [row["message_id"] for row in await self._database.rows(query)]


class OverdueMessages:
    """Releases or discards what the limits of the policy in force say, when the time is over.

    A release is judged again, as that of a person: what is refused by then is not sent, nor what
    has expired.
    """

    def __init__(
        self, store: OverdueStore, desk: QuarantineDesk, content: Callable[[], ContentRule]
    ) -> None:
        self._store = store
        self._desk = desk
        self._content = content

    async def look(self, now: datetime) -> dict[OverdueAction, int]:
        """Do what is due; return how many messages were moved. Raises StoreUnavailable."""
        content, done = self._content(), dict.fromkeys(OverdueAction, 0)
        for category in _categories(content.review):
            limit = content.limit_of(category)
            if limit is None or limit.then is OverdueAction.KEEP:
                continue
            before = now - timedelta(seconds=limit.within_s)
            found = await self._store.overdue(category, before, now)
            if found:
                outcomes = await self._act(limit, category, found, now)
                done[limit.then] += sum(isinstance(one, ActResult) for one in outcomes)
        return {action: count for action, count in done.items() if count}

    async def _act(
        self, limit: ReviewLimit, category: str, found: Sequence[int], now: datetime
    ) -> list[Outcome]:
        by = f"{BY_TIME_LIMIT}{category}"
        why = f"nobody decided within {limit.within_s:g} s"
        if limit.then is OverdueAction.RELEASE:
            return await self._desk.request_release_each(found, by, now, why)
        return await self._desk.discard_each(found, by, now, why)


def _categories(limits: Mapping[str, ReviewLimit]) -> Collection[str]:
    """Return every category that has a limit, those below a named one among them."""
    return sorted({one for name in limits for one in covered_by(name)})
