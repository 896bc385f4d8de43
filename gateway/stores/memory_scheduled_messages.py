"""Scheduled messages in memory (contract: gateway.ports.scheduled_messages)."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gateway.domain.consent import EVERY_SENDER, Answer
from gateway.domain.msisdn import readings_of
from gateway.domain.scheduled_message import ScheduledMessage
from gateway.domain.sender import NO_COMPANIONS, Companions
from gateway.stores.memory_consent import MemoryConsent

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _ScheduledRow:
    message: ScheduledMessage
    is_refused: bool = False
    free_at: datetime = _LONG_AGO


class MemoryScheduled:
    """Twin over the twin of consent: each call is atomic as it is, for none awaits anything."""

    def __init__(self, consent: MemoryConsent, utcnow: Callable[[], datetime]) -> None:
        self._consent = consent
        self._utcnow = utcnow
        self._rows: dict[int, _ScheduledRow] = {}
        self._latest = 0

    async def keep(
        self, messages: Sequence[ScheduledMessage], companions: Companions = NO_COMPANIONS
    ) -> bool:
        kept = [self._keep(message) for message in messages]
        return self._mark(kept, 0, None, companions)

    async def move(self, system_id: str, message_id: str, at: datetime) -> None:
        for row in self._rows.values():
            if (row.message.system_id, row.message.message_id) == (system_id, message_id):
                row.message = replace(row.message, scheduled_at=at)

    async def note_refusals(
        self, after: int, through: int, companions: Companions = NO_COMPANIONS
    ) -> bool:
        rows = list(self._rows.values())
        return self._mark(rows, after, through if after else None, companions)

    async def waiting_senders(self, now: datetime) -> set[str]:
        return {
            row.message.system_id
            for row in self._rows.values()
            if row.is_refused and row.message.scheduled_at > now
        }

    async def take(
        self, now: datetime, until: datetime, senders: Collection[str], limit: int
    ) -> list[ScheduledMessage]:
        free = [
            row
            for row in self._rows.values()
            if row.is_refused
            and row.message.scheduled_at > now
            and row.free_at <= now
            and row.message.system_id in senders
        ]
        free.sort(key=lambda row: (row.message.scheduled_at, row.message.number))
        for row in free[:limit]:
            row.free_at = until
        return [row.message for row in free[:limit]]

    async def put_back(self, number: int, at: datetime) -> None:
        if number in self._rows:
            self._rows[number].free_at = at

    async def settle(self, number: int) -> bool:
        return self._rows.pop(number, None) is not None

    async def take_overdue(self, now: datetime, limit: int) -> list[ScheduledMessage]:
        over = [
            row.message
            for row in self._rows.values()
            if row.is_refused and row.message.scheduled_at <= now and row.free_at <= now
        ][:limit]
        for message in over:
            del self._rows[message.number]
        return over

    async def prune(self, now: datetime) -> int:
        over = [
            number
            for number, row in self._rows.items()
            if row.message.scheduled_at <= now and not row.is_refused
        ]
        for number in over:
            del self._rows[number]
        return len(over)

    def _keep(self, message: ScheduledMessage) -> _ScheduledRow:
        key = (message.system_id, message.message_id, message.destination)
        for row in self._rows.values():
            on_record = row.message
            if (on_record.system_id, on_record.message_id, on_record.destination) == key:
                row.message = replace(on_record, scheduled_at=message.scheduled_at)
                return row
        self._latest += 1
        row = self._rows[self._latest] = _ScheduledRow(replace(message, number=self._latest))
        return row

    def _mark(
        self, rows: Sequence[_ScheduledRow], after: int, through: int | None, companions: Companions
    ) -> bool:
        now = self._utcnow()
        refusals: dict[tuple[int, str], int] = {}
        agreed: set[tuple[int, str]] = set()
        for answer, number in self._consent.numbered_answers():
            if answer.answer is Answer.REFUSED:
                refusals[answer.msisdn, answer.scope] = number
            elif answer.standing(now) is Answer.AGREED:
                agreed.add((answer.msisdn, answer.scope))
        told = {
            key[0]
            for key, number in refusals.items()
            if number > after and (through is None or number <= through)
        }
        refused = [
            row
            for row in rows
            if not row.is_refused
            and any(
                number in told
                and (number, scope) in refusals
                and (number == row.message.msisdn or (row.message.msisdn, scope) not in agreed)
                for number in readings_of([row.message.msisdn])
                for scope in _scopes_of(row.message.system_id, companions)
            )
        ]
        for row in refused:
            row.is_refused = True
        return bool(refused)


def _scopes_of(system_id: str, companions: Companions) -> tuple[str, ...]:
    return (system_id, *companions.get(system_id, ()), EVERY_SENDER)
