"""The in-memory twin of ended relations (contract: gateway.ports.relations)."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from gateway.domain.consent import EVERY_SENDER, Answer
from gateway.domain.consent_request import ConsentRequestState
from gateway.domain.privacy import NewPurge
from gateway.domain.relation import FORGOTTEN, EndedRelation
from gateway.domain.subscription import ASKED_STATES, RUNNING_STATES
from gateway.stores.memory_consent import MemoryConsent
from gateway.stores.memory_privacy import MemoryJournals
from gateway.stores.memory_subscriptions import MemorySubscriptions

_Key = tuple[int, str]


class _RelationRow(NamedTuple):
    """What one row says of a relation."""

    began_at: datetime
    ended_at: datetime
    is_live: bool
    is_told: bool


class MemoryEndedRelations:
    """Twin over the twins that hold what is forgotten."""

    def __init__(
        self, subscriptions: MemorySubscriptions, consent: MemoryConsent, journals: MemoryJournals
    ) -> None:
        self._subscriptions = subscriptions
        self._consent = consent
        self._journals = journals

    async def ended_before(self, before: datetime) -> AsyncIterator[list[EndedRelation]]:
        found = self._ended(before)
        if found:
            yield list(found.values())

    async def forget(self, relations: Sequence[EndedRelation], purge: NewPurge) -> int:
        ended = self._ended(purge.until)
        keys = {relation.key for relation in relations}.intersection(ended)
        for key in keys:
            self._subscriptions.forget(key)
            self._consent.forget(key)
        if keys:
            await self._journals.note_purge(replace(purge, count=len(keys)))
        return len(keys)

    def _ended(self, before: datetime) -> dict[_Key, EndedRelation]:
        told = self._told()
        return {
            key: EndedRelation(*key, min(one.began_at for one in rows), ended)
            for key, rows in sorted(told.items())
            if (ended := max(one.ended_at for one in rows)) < before
            and any(one.is_told for one in rows)
            and not any(one.is_live for one in rows)
        }

    def _told(self) -> dict[_Key, list[_RelationRow]]:
        told: defaultdict[_Key, list[_RelationRow]] = defaultdict(list)
        for one in self._subscriptions.every_order():
            is_live = one.state in RUNNING_STATES | ASKED_STATES
            told[one.msisdn, one.system_id].append(
                _RelationRow(one.since, one.since, is_live, True)
            )
        for (msisdn, system_id, _), event in self._subscriptions.every_event():
            told[msisdn, system_id].append(_RelationRow(event.at, event.at, False, True))
        for request in self._subscriptions.every_request():
            row = _RelationRow(
                request.asked_at,
                request.until,
                request.state is ConsentRequestState.PENDING,
                request.text_sha256 != "",
            )
            told[request.msisdn, request.system_id].append(row)
        for answer in self._consent.every_answer():
            if answer.scope != EVERY_SENDER or answer.until is not None:
                is_live = answer.answer is not Answer.REFUSED and answer.until is None
                ended_at = max(answer.since, answer.until or answer.since)
                row = _RelationRow(answer.since, ended_at, is_live, answer.channel != FORGOTTEN)
                told[answer.msisdn, answer.scope].append(row)
        return told
