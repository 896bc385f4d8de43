"""Tell SPs by webhook of their subscribers' answers; one task for each SP (R36, R37)."""

import asyncio
import random
import secrets
from collections.abc import Collection, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NoReturn

import structlog

from gateway.app.webhook_client import Postman
from gateway.domain.consent import EVERY_SENDER
from gateway.domain.notice import NoticeBatch
from gateway.domain.sender import Sender, Webhook
from gateway.ports.changes import ChangeFeed, ChangeKind
from gateway.ports.errors import StoreUnavailable
from gateway.ports.notices import NoticeStore
from gateway.runtime.clock import utcnow
from gateway.runtime.snapshot import NoticesHealth
from gateway.runtime.tasks import spawn
from gateway.settings.webhooks import webhook_key
from gateway.systems.notices.courier import Courier, CourierContext, Delivery
from gateway.systems.notices.notice_batch import body_of, signature_of

log = structlog.get_logger()

_EVERY_S = 1.0
_CHANGES_AT_ONCE = 20
_STORE_PAUSE = timedelta(seconds=5)
# At most so many webhooks that failed last time are tried at once; working ones do not wait.
_DOUBTFUL_AT_ONCE = 8
# A batch of 500 costs the loop about 10 ms and the store three commits. This pace leaves most of
# both to traffic, for any number of SPs and notices.
_PACE_S, _NOTICES_PER_S = 0.01, 5000


@dataclass(slots=True, eq=False)
class _Round:
    """One SP's webhook, and the task that delivers to it."""

    webhook: Webhook
    courier: Courier
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[NoReturn] | None = None
    waiting_since: datetime | None = None


class WebhookNotifier:
    """Delivers to every webhook of senders.yaml while it runs."""

    def __init__(self, store: NoticeStore, feed: ChangeFeed, postman: Postman) -> None:
        self._store = store
        self._feed = feed
        self._postman = postman
        self._rounds: dict[str, _Round] = {}
        self._doubtful = asyncio.Semaphore(_DOUBTFUL_AT_ONCE)
        self._pace, self._owed_s = asyncio.Lock(), 0.0
        self._seen: int | None = None
        self._is_failing = False
        self._delivered = self._failed = self._given_up = 0
        # Randomness without a security purpose.
        jitter = random.random
        self._around = CourierContext(utcnow, jitter, secrets.token_hex(8))

    def follow(self, senders: Mapping[str, Sender]) -> None:
        """Deliver to the webhooks of `senders` and to no others from now on."""
        wanted = {one.system_id: one.webhook for one in senders.values() if one.webhook}
        for system_id, around in list(self._rounds.items()):
            if wanted.get(system_id) != around.webhook:
                del self._rounds[system_id]
                if around.task is not None:
                    around.task.cancel()
        for system_id in wanted.keys() - self._rounds.keys():
            self._begin(system_id, wanted[system_id])

    async def watch(self) -> NoReturn:
        """Wake the tasks of SPs that have new answers of subscribers; runs until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            if not self._rounds:
                self._seen = None
                continue
            with suppress(StoreUnavailable):  # the other loops on the store log it
                await self._look()

    def stop(self) -> None:
        """Stop delivering; unfinished deliveries are repeated after the next start."""
        self.follow({})
        self._postman.close()

    def health(self) -> NoticesHealth:
        """Return the health for one scrape of the metrics."""
        now = utcnow()
        waits = [now - one.waiting_since for one in self._rounds.values() if one.waiting_since]
        return NoticesHealth(
            waiting_s=max((wait.total_seconds() for wait in waits), default=0.0),
            delivered=self._delivered,
            failed=self._failed,
            given_up=self._given_up,
        )

    def _begin(self, system_id: str, webhook: Webhook) -> None:
        async def bring(batch: NoticeBatch, attempts: int) -> str:
            async with self._turn(attempts):
                return await self._post(webhook, system_id, batch)

        courier = Courier(system_id, self._store, bring, self._around)
        around = self._rounds[system_id] = _Round(webhook, courier)
        around.task = spawn(self._go(around), name=f"notices-{system_id}")

    def _turn(self, attempts: int) -> AbstractAsyncContextManager[object]:
        return self._doubtful if attempts else nullcontext()

    async def _post(self, webhook: Webhook, system_id: str, batch: NoticeBatch) -> str:
        body, timestamp = body_of(system_id, batch), int(utcnow().timestamp())
        signature = signature_of(body, webhook_key(webhook.key), timestamp)
        headers = {
            "Content-Type": "application/json",
            "X-Smsward-Timestamp": str(timestamp),
            "X-Smsward-Signature": f"sha256={signature}",
        }
        await self._postman.open()
        return await self._postman.post(webhook.url, body, headers)

    async def _go(self, around: _Round) -> NoReturn:
        while True:
            around.wake.clear()
            pause = await self._deliver(around)
            with suppress(TimeoutError):
                async with asyncio.timeout(None if pause is None else pause.total_seconds()):
                    await around.wake.wait()

    async def _deliver(self, around: _Round) -> timedelta | None:
        """Deliver all that the webhook accepts; return the pause, None to wait for new answers."""
        courier = around.courier
        try:
            while (delivery := await self._next(courier)).delivered:
                self._tell(courier.system_id, delivery)
            self._tell(courier.system_id, delivery)
            waiting = delivery.again_in is not None
            around.waiting_since = (
                await self._store.waiting_since(courier.system_id) if waiting else None
            )
        except StoreUnavailable as error:
            if not self._is_failing:
                self._is_failing = True
                log.error("notice.store_failed", said=str(error))
            return _STORE_PAUSE
        self._is_failing = False
        return delivery.again_in

    async def _next(self, courier: Courier) -> Delivery:
        async with self._pace:  # first come, first served: one SP's backlog delays no other
            pause_s, self._owed_s = _PACE_S + self._owed_s, 0.0
            await asyncio.sleep(pause_s)
        delivery = await courier.deliver()
        self._owed_s += delivery.delivered / _NOTICES_PER_S
        return delivery

    def _tell(self, system_id: str, delivery: Delivery) -> None:
        self._delivered += delivery.delivered
        self._given_up += delivery.given_up
        if delivery.failure:
            self._failed += 1
            if delivery.attempts == 1:  # the first in a row: a dead webhook fills no log
                log.warning("notice.failed", system_id=system_id, said=delivery.failure)
        if delivery.delivered and delivery.attempts:
            log.info("notice.recovered", system_id=system_id, attempts=delivery.attempts)
        if delivery.given_up:
            log.error("notice.given_up", system_id=system_id, notices=delivery.given_up)

    async def _look(self) -> None:
        if self._seen is None:
            self._seen = await self._feed.latest()
            self._wake({EVERY_SENDER})
        while page := await self._feed.changes(self._seen, _CHANGES_AT_ONCE):
            last = page[-1].number
            if any(change.kind is ChangeKind.CONSENT for change in page):
                self._wake(await self._store.scopes_changed(self._seen, last))
            self._seen = last

    def _wake(self, scopes: Collection[str]) -> None:
        for system_id, around in self._rounds.items():
            if EVERY_SENDER in scopes or system_id in scopes:
                around.wake.set()
