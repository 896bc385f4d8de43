"""Exceptions: what one rule holds of a campaign of an SP is released by itself from now on.

So is what is held for the size of that campaign: it may be of any.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Self

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.held_findings import OverruledFindings
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.records import NewAccess
from gateway.domain.verdict import Reason
from gateway.storage.database import SqlStore, added, newest
from gateway.storage.journals import note_access
from gateway.storage.tables import IS_CAMPAIGN, IS_HELD_AGAIN, held_messages
from gateway.systems.quarantine.decisions import MAX_NOTE_CHARS
from gateway.systems.quarantine.model import lowest_id_at
from gateway.systems.quarantine.service import ActResult, NotDone, QuarantineDesk, of_exception
from gateway.systems.quarantine.sql import QuarantineStore
from gateway.systems.quarantine.tables import (
    IS_UNDECIDED,
    hold_exceptions,
    is_excepted,
    never_excepted,
)

LONGEST = timedelta(days=366)
MAX_IN_FORCE = 200

NOT_OF_A_RULE = "no rule of the policy holds it, or it has no campaign"
OF_LAW = "what subscribers have a right to, and who may send at all, is not for exceptions"
TOO_MANY = f"{MAX_IN_FORCE} exceptions are in force: revoke some first"
IN_FORCE = "there is such an exception"

# So many exceptions are looked at in one look, and so many messages of each.
_EXCEPTIONS_AT_ONCE = 20
_MESSAGES_AT_ONCE = 100
# Messages become visible up to so long after they got their ids.
_LATE_BY = timedelta(seconds=10)

_column, _held = hold_exceptions.c, held_messages.c


@dataclass(frozen=True, slots=True)
class HoldException:
    """What `rule` holds of a campaign of an SP is released by itself until `until`.

    Only messages with an id above `after_id` are meant: those that came after it was made. So are
    older ones that came to be held after that: they waited for their hour, or were let go.
    """

    number: int
    rule: str
    system_id: str
    campaign: str
    by: str
    note: str
    created_at: datetime
    until: datetime
    after_id: int
    revoked_at: datetime | None
    revoked_by: str

    def is_in_force(self, now: datetime) -> bool:
        """Tell whether it lets messages go at `now`."""
        return self.revoked_at is None and now < self.until


class HeldAgain(NamedTuple):
    """A message that came to be held again, and when."""

    at: datetime
    message_id: int = 0


class ExceptionStore(SqlStore):
    """Keeps exceptions. Every call raises StoreUnavailable."""

    async def add(
        self, held: HeldMessage, by: str, note: str, at: datetime, until: datetime
    ) -> HoldException | NotDone:
        """Make an exception of the rule, the SP and the campaign of a message."""
        same = (
            _column.rule == held.rule,
            _column.system_id == held.system_id,
            _column.campaign == held.campaign,
        )
        in_force = _column.revoked_at.is_(None), _column.until > at
        existing = sa.select(_column.number).where(*same, *in_force)
        count = sa.select(sa.func.count()).select_from(hold_exceptions).where(*in_force)
        latest = sa.select(sa.func.coalesce(sa.func.max(_held.message_id), 0))

        async def run(connection: AsyncConnection) -> HoldException | NotDone:
            if (await connection.execute(existing)).first() is not None:
                return NotDone(held.message_id, held.state, IN_FORCE)
            if (await connection.execute(count)).scalar_one() >= MAX_IN_FORCE:
                return NotDone(held.message_id, held.state, TOO_MANY)
            values: dict[str, object] = {
                "rule": held.rule,
                "system_id": held.system_id,
                "campaign": held.campaign,
                "by": by,
                "note": note,
                "created_at": at,
                "until": until,
                "after_id": (await connection.execute(latest)).scalar_one(),
                "revoked_at": None,
                "revoked_by": "",
            }
            number = await added(connection, hold_exceptions, values)
            about = f"exception {number}: {held.rule}, {held.system_id}, campaign {held.campaign}"
            act = NewAccess(by, "quarantine except", note, about, at)
            await note_access(connection, act)
            query = sa.select(hold_exceptions).where(_column.number == number)
            return HoldException(**(await connection.execute(query)).mappings().one())

        return await self._database.writer.write(run)

    async def revoke(self, number: int, by: str, at: datetime) -> bool:
        """End an exception; tell whether it was in force."""
        ours = _column.number == number, _column.revoked_at.is_(None), _column.until > at
        statement = sa.update(hold_exceptions).where(*ours)

        async def run(connection: AsyncConnection) -> bool:
            values = {"revoked_at": at, "revoked_by": by}
            is_done = (await connection.execute(statement, values)).rowcount == 1
            if is_done:
                act = NewAccess(by, "quarantine revoke", "", f"exception {number}", at)
                await note_access(connection, act)
            return is_done

        return await self._database.writer.write(run)

    async def in_force(self, now: datetime) -> list[HoldException]:
        """Return the exceptions in force, oldest first; at most MAX_IN_FORCE."""
        query = (
            sa.select(hold_exceptions)
            .where(_column.revoked_at.is_(None), _column.until > now)
            .order_by(_column.number)
            .limit(MAX_IN_FORCE)
        )
        return await self._database.records(HoldException, query)

    async def listed(self, limit: int = 50) -> list[HoldException]:
        """Return the newest exceptions, those that ended too."""
        return await self._database.records(HoldException, newest(hold_exceptions, limit))

    async def forget(self, before: datetime) -> int:
        """Delete the exceptions that ended before then; return how many."""
        return await self._database.change(sa.delete(hold_exceptions).where(_column.until < before))

    async def held_by(self, one: HoldException, after_id: int, now: datetime) -> list[HeldMessage]:
        """Return messages that an exception is about, oldest first; 100 at most.

        What a person let go before, or decides on now, is not among them.
        """
        of_campaign = sa.and_(IS_CAMPAIGN, _held.campaign == one.campaign)
        wanted = of_campaign, _held.state == HoldState.HELD, _held.message_id > after_id
        query = _about(one, now).where(*wanted).order_by(_held.message_id)
        return await self._database.records(HeldMessage, query.limit(_MESSAGES_AT_ONCE))

    async def held_again_by(
        self, one: HoldException, after: HeldAgain, now: datetime
    ) -> list[HeldMessage]:
        """Return such messages that are held again since later than `after`, by that time."""
        at = _held.held_again_at
        is_later = sa.or_(
            at > after.at, sa.and_(at == after.at, _held.message_id > after.message_id)
        )
        wanted = IS_HELD_AGAIN, _held.campaign == one.campaign, at >= after.at, is_later
        query = _about(one, now).where(*wanted).order_by(at, _held.message_id)
        return await self._database.records(HeldMessage, query.limit(_MESSAGES_AT_ONCE))


def _about(one: HoldException, now: datetime) -> sa.Select[tuple[object, ...]]:
    return sa.select(held_messages).where(
        _held.system_id == one.system_id,
        is_excepted(one.rule),
        _held.is_reviewed.is_(False),
        _held.expires_at > now,
        IS_UNDECIDED,
    )


class ExceptionDesk:
    """Makes and revokes exceptions, for who may write them (WRITE_EXCEPTION): the caller asks.

    `mask` hides numbers in notes.
    """

    def __init__(self, store: ExceptionStore, mask: Callable[[str], str]) -> None:
        self._store = store
        self._mask = mask

    async def add(
        self, held: HeldMessage, by: str, note: str, at: datetime, until: datetime
    ) -> HoldException | NotDone:
        """Release from now on what the rule that holds `held` holds of its SP and campaign.

        Raises ValueError for an end that has passed or lies more than 366 days ahead, and for a
        note that is empty or too long.
        """
        if not at < until <= at + LONGEST:
            raise ValueError(f"an exception ends within {LONGEST.days} days")
        if not 0 < len(note) <= MAX_NOTE_CHARS:
            raise ValueError(f"a note has 1 to {MAX_NOTE_CHARS} characters")
        if not may_be_excepted(held):
            why = OF_LAW if held.reason in never_excepted() else NOT_OF_A_RULE
            return NotDone(held.message_id, held.state, why)
        return await self._store.add(held, by, self._mask(note), at, until)

    async def revoke(self, number: int, by: str, at: datetime) -> bool:
        """End an exception; tell whether it was in force."""
        return await self._store.revoke(number, by, at)


def may_be_excepted(held: HeldMessage) -> bool:
    """Tell whether an exception can be made of what holds a message."""
    return bool(held.rule and held.campaign) and held.reason not in never_excepted()


# Tells whether more than what is overruled stands against a message; given its other parts.
Besides = Callable[[HeldMessage, Sequence[HeldMessage], OverruledFindings], bool]


class _LookPosition(NamedTuple):
    """How far was looked: by id at what comes, and by time at what is held again."""

    last_id: int
    again: HeldAgain

    def behind(
        self, came: Sequence[HeldMessage], again: Sequence[HeldMessage], settled: datetime
    ) -> Self:
        """Return how far was looked then; what came after `settled` is looked for once more."""
        lowest = lowest_id_at(int(settled.timestamp() * 1000))
        ids = [one.message_id for one in came if one.message_id < lowest]
        times = [
            HeldAgain(one.held_again_at, one.message_id)
            for one in again
            if one.held_again_at is not None and one.held_again_at < settled
        ]
        return self._replace(
            last_id=max(ids, default=self.last_id), again=max(times, default=self.again)
        )


class ExceptionReleaser:
    """Requests the release of what exceptions are about, unless something else holds it, too.

    The release is judged again as that of a person. What stays held is for a person: it is not
    looked at again in this process.
    """

    def __init__(
        self,
        store: ExceptionStore,
        messages: QuarantineStore,
        desk: QuarantineDesk,
        besides: Besides,
    ) -> None:
        self._store = store
        self._messages = messages
        self._desk = desk
        self._besides = besides
        self._seen: dict[int, _LookPosition] = {}  # by the number of an exception
        # What stays held, and may be found once more; since when it does, if it came back.
        self._kept: dict[tuple[int, datetime | None], datetime] = {}
        self._turn = 0

    async def look(self, now: datetime) -> int:
        """Look at the next exceptions; return how many releases were asked for."""
        in_force = await self._store.in_force(now)
        numbers = {one.number for one in in_force}
        self._seen = {number: last for number, last in self._seen.items() if number in numbers}
        settled = now - 2 * _LATE_BY
        self._kept = {which: at for which, at in self._kept.items() if at > settled}
        asked = 0
        start = self._turn % max(1, len(in_force))
        self._turn = start + _EXCEPTIONS_AT_ONCE
        for one in (*in_force[start:], *in_force[:start])[:_EXCEPTIONS_AT_ONCE]:
            asked += await self._release(one, now)
        return asked

    async def _release(self, one: HoldException, now: datetime) -> int:
        seen = self._seen.get(one.number, _LookPosition(one.after_id, HeldAgain(one.created_at)))
        overruling = of_exception(one.rule)
        overruled = OverruledFindings(overruling.lines)
        came = await self._store.held_by(one, seen.last_id, now)
        again = await self._store.held_again_by(one, seen.again, now)
        ready: list[int] = []
        for held in {one.message_id: one for one in (*came, *again)}.values():
            which = held.message_id, held.held_again_at
            if which not in self._kept:
                if await self._may_go(held, one.rule, overruled):
                    ready.append(held.message_id)
                else:
                    self._kept[which] = now
        by = f"exception {one.number} of {one.by}"
        asked = 0
        if ready:
            done = await self._desk.request_release_each(ready, by, now, one.note, overruling)
            asked = sum(isinstance(outcome, ActResult) for outcome in done)
        self._seen[one.number] = seen.behind(came, again, now - _LATE_BY)
        return asked

    async def _may_go(self, held: HeldMessage, rule: str, overruled: OverruledFindings) -> bool:
        parts = await self._messages.parts_of(held.assembly) if held.assembly else []
        others = [part for part in parts if part.message_id != held.message_id]
        if not all(part.state is HoldState.HELD and _is_of(part, rule) for part in others):
            return False
        return not self._besides(held, others, overruled)


def _is_of(held: HeldMessage, rule: str) -> bool:
    return held.rule == rule or held.reason == Reason.CAMPAIGN
