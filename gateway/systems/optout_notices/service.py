"""Deliver notices to SPs in batches, and pause after failures."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import orjson

from gateway.domain.consent import parts_of
from gateway.systems.optout_notices.model import Notice, NoticeBatch, NoticeStanding
from gateway.systems.optout_notices.sql import NoticeStore

GIVE_UP_AFTER = timedelta(hours=72)  # the time for which a notice is tried (R37)

_FIRST_S, _LONGEST_S = 1.0, 900.0
_DOUBLINGS = 10  # 1 s doubled ten times is over the longest pause
_SPREAD = 0.25

LONGEST_PAUSE = timedelta(seconds=_LONGEST_S)


def pause_after(attempts: int, jitter: float) -> timedelta:
    """Return how long to wait after so many failures in a row: 1 s, doubled, up to 15 min.

    `jitter`, from 0 to 1, takes up to a quarter off: webhooks that failed together, as with
    a network that went down, are not all tried again at once.
    """
    whole = min(_FIRST_S * 2 ** min(max(attempts, 1) - 1, _DOUBLINGS), _LONGEST_S)
    return timedelta(seconds=max(_FIRST_S, whole * (1 - _SPREAD * jitter)))


def body_of(system_id: str, batch: NoticeBatch) -> bytes:
    """Return a batch as JSON; the same octets for the same batch."""
    return orjson.dumps(
        {
            "system_id": system_id,
            "batch": batch.batch_id,
            "is_last": batch.is_last,
            "notices": [fields_of(notice) for notice in batch.notices],
        }
    )


def fields_of(notice: Notice) -> Mapping[str, str | bool]:
    """Return one notice as it stands in JSON, with the whole number: the SP has to know it."""
    whom = parts_of(notice.scope)
    return {
        "number": str(notice.msisdn),
        "answer": notice.answer.value,
        "all_senders": notice.is_for_every_sender,
        "port": whom.port,
        "category": whom.category,
        "since": notice.since.isoformat().replace("+00:00", "Z"),
        "channel": notice.channel,
    }


def signature_of(body: bytes, key: bytes, timestamp: int) -> str:
    """Return the HMAC-SHA256 of ``timestamp.body`` in hexadecimal digits.

    The timestamp, in seconds, is signed too: who records a request cannot play it much later.
    """
    return hmac.new(key, b"%d." % timestamp + body, hashlib.sha256).hexdigest()


# Brings a batch, of which so many attempts in a row have failed; returns why it was not
# taken, in a few words, and nothing when it was.
Bring: TypeAlias = Callable[[NoticeBatch, int], Awaitable[str]]

# Longer than a delivery and its store calls take: nobody else delivers meanwhile.
CLAIMED_FOR = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class CourierContext:
    """What a courier asks of the world: the time, chance from 0 to 1, and its own name.

    `holder` is one for each process: of several on one store only one delivers.
    """

    utcnow: Callable[[], datetime]
    jitter: Callable[[], float]
    holder: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of one call: notices delivered or given up, or why they were not.

    `attempts` is how many failed in a row before this one, or with it where it failed.
    `again_in` is None when nothing waits.
    """

    delivered: int = 0
    failure: str = ""
    attempts: int = 0
    given_up: int = 0
    again_in: timedelta | None = None


class Courier:
    """Delivers one SP's notices at least once, in order; the refusals hold meanwhile (R37)."""

    def __init__(
        self, system_id: str, store: NoticeStore, bring: Bring, surroundings: CourierContext
    ) -> None:
        self.system_id = system_id
        self._store = store
        self._bring = bring
        self._around = surroundings
        # Who has just been told of a webhook, or started again, may try at once.
        self._is_patient = False

    async def deliver(self) -> Delivery:
        """Bring the next batch if there is one and it may be tried by now.

        Raises StoreUnavailable: what was brought is brought again then.
        """
        standing = await self._store.standing_of(self.system_id)
        pause = self._pause_left(standing)
        if pause is not None:
            return Delivery(attempts=standing.attempts, again_in=pause)
        batch = await self._store.next_batch(self.system_id)
        if batch is None:
            return Delivery(attempts=standing.attempts)
        now, holder = self._around.utcnow(), self._around.holder
        if not await self._store.claim(self.system_id, holder, now=now, until=now + CLAIMED_FOR):
            return Delivery(again_in=CLAIMED_FOR)
        self._is_patient = True
        failure = await self._bring(batch, standing.attempts)
        if failure:
            return await self._failed(standing, failure)
        await self._store.acknowledge(self.system_id, batch.batch_id)
        return Delivery(len(batch.notices), attempts=standing.attempts, again_in=timedelta())

    def _pause_left(self, standing: NoticeStanding) -> timedelta | None:
        if standing.next_try_at is None or not self._is_patient:
            return None
        left = standing.next_try_at - self._around.utcnow()
        # A longer one was noted under a clock that has been set back since.
        return left if timedelta() < left <= LONGEST_PAUSE else None

    async def _failed(self, before: NoticeStanding, failure: str) -> Delivery:
        now, attempts = self._around.utcnow(), before.attempts + 1
        pause = pause_after(attempts, self._around.jitter())
        await self._store.note_failure(self.system_id, failure, at=now, next_try_at=now + pause)
        given_up, oldest = 0, now - GIVE_UP_AFTER
        if before.failing_since is not None and before.failing_since <= oldest:
            given_up = await self._store.skip_before(self.system_id, oldest)
        return Delivery(failure=failure, attempts=attempts, given_up=given_up, again_in=pause)
