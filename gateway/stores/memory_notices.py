"""The in-memory twin of notices (contract: gateway.ports.notices).

One event loop uses it, and no call waits for anything: each is atomic as it is.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime

from gateway.domain.consent import EVERY_SENDER, Answer, ConsentAnswer
from gateway.domain.notice import Notice, NoticeBatch, NoticeStanding
from gateway.ports.notices import NOTICES_PER_BATCH
from gateway.stores.memory_changes import MemoryChanges
from gateway.stores.memory_consent import MemoryConsent
from gateway.stores.notice_cursor import (
    Cursor,
    CursorNotice,
    FeedCursor,
    Read,
    first_told,
    next_for,
)


class MemoryNotices:
    """Twin over the twins that hold the answers and the changes."""

    def __init__(
        self, consent: MemoryConsent, changes: MemoryChanges, utcnow: Callable[[], datetime]
    ) -> None:
        self._consent = consent
        self._changes = changes
        self._utcnow = utcnow
        self._cursors: dict[str, Cursor] = {}
        self._standings: dict[str, NoticeStanding] = {}
        self._claims: dict[str, tuple[str, datetime]] = {}

    async def next_batch(
        self, system_id: str, limit: int = NOTICES_PER_BATCH
    ) -> NoticeBatch | None:
        while True:
            before = self._cursor_of(system_id)
            cursor, batch = await next_for(before, limit, self._reader(system_id))
            self._cursors[system_id] = cursor
            if batch is not None or cursor == before:
                return batch

    async def acknowledge(self, system_id: str, batch_id: int) -> bool:
        before = self._cursor_of(system_id)
        if not 1 <= batch_id <= before.batch_id:
            return False
        cursor = before.acknowledged(batch_id)
        if cursor != before:
            self._cursors[system_id] = cursor
            self._claims.pop(system_id, None)
            self._standings[system_id] = replace(
                await self.standing_of(system_id),
                delivered_at=self._utcnow(),
                attempts=0,
                failing_since=None,
                next_try_at=None,
            )
        return True

    async def waiting_since(self, system_id: str) -> datetime | None:
        waiting = await first_told(self._cursor_of(system_id), self._reader(system_id))
        if waiting is None:
            return None
        changes = await self._changes.changes(waiting.change - 1, 1)
        return changes[0].at

    async def skip_before(self, system_id: str, at: datetime) -> int:
        changes = await self._changes.changes(0, await self._changes.latest())
        later = await self._changes.latest() + 1
        boundary = next((change.number for change in changes if change.at >= at), later)
        before = self._cursor_of(system_id)
        cursor = self._cursors[system_id] = before.skipped_to(boundary)
        if cursor == before:
            return 0
        skipped = await self._reader(system_id)(before.heard, cursor.heard, None)
        return sum(one.notice is not None for one in skipped)

    async def standing_of(self, system_id: str) -> NoticeStanding:
        return self._standings.get(system_id, NoticeStanding(system_id))

    async def note_failure(
        self, system_id: str, failure: str, *, at: datetime, next_try_at: datetime
    ) -> None:
        before = await self.standing_of(system_id)
        self._claims.pop(system_id, None)
        self._standings[system_id] = replace(
            before,
            attempts=before.attempts + 1,
            failing_since=before.failing_since or at,
            next_try_at=next_try_at,
            failed_at=at,
            failure=failure,
        )

    async def claim(self, system_id: str, holder: str, *, now: datetime, until: datetime) -> bool:
        other, held_until = self._claims.get(system_id, (holder, now))
        if other != holder and held_until > now:
            return False
        self._claims[system_id] = holder, until
        return True

    async def scopes_changed(self, after: int, through: int) -> Collection[str]:
        return {
            answer.scope
            for answer, number in self._consent.numbered_answers()
            if after < number <= through and answer.answer is not Answer.ASSERTED
        }

    def _cursor_of(self, system_id: str) -> Cursor:
        return self._cursors.get(system_id, Cursor())

    def _reader(self, system_id: str) -> Read:
        async def read(
            after: FeedCursor, through: FeedCursor | None, limit: int | None
        ) -> Sequence[CursorNotice]:
            answers = [
                (answer, FeedCursor(number, answer.msisdn, answer.scope))
                for answer, number in self._consent.numbered_answers()
                if answer.scope in (system_id, EVERY_SENDER)
                and answer.answer is not Answer.ASSERTED
            ]
            known = {answer.msisdn for answer, _ in answers if answer.scope == system_id}
            found = [
                CursorNotice(place, _notice(answer) if answer.msisdn in known else None)
                for answer, place in answers
                if after < place and (through is None or place <= through)
            ]
            return sorted(found, key=lambda told: told.place)[:limit]

        return read


def _notice(one: ConsentAnswer) -> Notice:
    return Notice(one.msisdn, one.answer, one.since, one.channel, one.scope)
