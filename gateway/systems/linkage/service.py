"""Take what members send, deliver what waits for them, and pull what was missed.

No clock and no chance of its own: callers pass the time and a number from 0 to 1.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from itertools import starmap
from typing import TypeAlias

import structlog

from gateway.domain.linkage import (
    MAX_SKEW,
    PASSING_REASONS,
    EventRefusal,
    Member,
    MemberRegistry,
    MemberRole,
    OutboxState,
    RefusalReason,
)
from gateway.systems.linkage.envelope import EventSigner, VerifiedEvent, open_event, open_receipt
from gateway.systems.linkage.model import EventType, LinkageCounts, OutboxEntry
from gateway.systems.linkage.sql import LinkageInboxStore, LinkageOutboxStore

log = structlog.get_logger()

# A node that was down for a week, and its hub with it, hears of everything.
GIVE_UP_AFTER = timedelta(days=14)
_FIRST_RETRY = timedelta(seconds=2)
_LAST_RETRY = timedelta(hours=1)
_MAX_DOUBLINGS = 16
_NO_ANSWER = "no_answer"
_AT_ONCE = 100
_PEERS_AT_ONCE = 16
_PAGES_AT_ONCE = 20
# What one member may add in an hour; it sends the rest later.
MOST_PER_HOUR = 10_000
_HOUR = timedelta(hours=1)

# Tells whether as many cases of a member are open here as may be.
HasMostCases: TypeAlias = Callable[[str], Awaitable[bool]]
# What a peer answers to an event: a receipt, a refusal, or nothing.
Post: TypeAlias = Callable[[Member, bytes], Awaitable[bytes | EventRefusal | None]]
# Events of a peer's outbox above a number, with their numbers there.
Fetch: TypeAlias = Callable[[Member, int], Awaitable[Sequence[tuple[int, bytes]]]]


def retry_at(attempts: int, now: datetime, chance: float) -> datetime:
    """Return when to try again after so many attempts: twice as late each time, up to an hour.

    By `chance` it is half of that or more, so that peers of a node that was down do not all
    come at once.
    """
    longest = min(_FIRST_RETRY * (1 << min(attempts, _MAX_DOUBLINGS)), _LAST_RETRY)
    return now + longest * (0.5 + chance / 2)


class LinkageInbox:
    """Takes events from members; a hub keeps those for other members to be sent on."""

    def __init__(
        self,
        store: LinkageInboxStore,
        registry: MemberRegistry,
        signer: EventSigner,
        has_most_cases: HasMostCases | None = None,
        counts: LinkageCounts | None = None,
    ) -> None:
        self._store = store
        self._registry = registry
        self._signer = signer
        self._has_most_cases = has_most_cases
        self._counts = counts or LinkageCounts()
        self._hours: dict[str, tuple[datetime, int]] = {}

    async def take(
        self, envelope: bytes, peer: Member | None, sent_at: datetime, now: datetime
    ) -> bytes | EventRefusal:
        """Return the receipt of an event that `peer` sent at `sent_at`, or why it is refused.

        `peer` is the member of the certificate that was shown. Raises StoreUnavailable: nothing was
        taken then, and the peer may send it again.
        """
        taken = await self._taken(envelope, peer, sent_at, now)
        if isinstance(taken, EventRefusal):
            self._counts.refused[taken.reason] += 1
            return taken
        receipt, kind = taken
        self._counts.events[kind, "received"] += 1
        return receipt

    async def _taken(
        self, envelope: bytes, peer: Member | None, sent_at: datetime, now: datetime
    ) -> tuple[bytes, EventType] | EventRefusal:
        refusal = _peer_refusal(peer, sent_at, now)
        opened = refusal or open_event(envelope, self._registry, now)
        if isinstance(opened, VerifiedEvent) and peer is not None:
            refused = self._misdirection(opened, peer)
            opened = opened if refused is None else EventRefusal(refused)
        if isinstance(opened, EventRefusal):
            name = None if peer is None else peer.name
            log.warning("linkage.refused", member=name, reason=opened.reason)
            return opened
        if await self._has_too_many(opened, now):
            return EventRefusal(RefusalReason.TOO_MANY)
        own = self._registry.own_member
        receipt = self._signer.sign_receipt(opened, own.source, now)
        forwards = opened.event.recipient != own.name
        kept = await self._store.take(opened, receipt, now, forwards=forwards)
        if kept is None:
            # Two events under one id: a fault of the member's, or a stolen key.
            log.error("linkage.conflict", member=opened.member.name, event_id=opened.event.id)
            return EventRefusal(RefusalReason.CONFLICT)
        return kept.encode(), opened.event.type

    async def _has_too_many(self, opened: VerifiedEvent, now: datetime) -> bool:
        """Tell whether a member must wait with an event; else the event counts for its hour."""
        name, event = opened.member.name, opened.event
        began, count = self._hours.get(name, (now, 0))
        if not timedelta(0) <= now - began < _HOUR:
            began, count = now, 0
        if count >= MOST_PER_HOUR or await self._store.is_full(opened.member.source):
            return True
        opens = event.type is EventType.DISPATCHED and event.recipient == self._registry.own
        if opens and self._has_most_cases is not None and await self._has_most_cases(name):
            return True
        self._hours[name] = began, count + 1
        return False

    def _misdirection(self, opened: VerifiedEvent, peer: Member) -> RefusalReason | None:
        """Return what is wrong with the way that an event took."""
        if peer.name != opened.member.name and peer.role is not MemberRole.HUB:
            return RefusalReason.WRONG_PEER
        own, recipient = self._registry.own_member, opened.event.recipient
        is_forwarded = own.role is MemberRole.HUB and self._registry.find(recipient) is not None
        if recipient != own.name and not is_forwarded:
            return RefusalReason.WRONG_RECIPIENT
        return None

    async def pull(self, peer: Member, fetch: Fetch, now: datetime) -> int:
        """Take what stands in the outbox of `peer` for this node; return how many were read.

        Stops before an event that may be taken later. Raises StoreUnavailable, and what `fetch`
        raises; the next call goes on where this one stopped.
        """
        at, read = await self._store.pulled_to(peer.name), 0
        for _ in range(_PAGES_AT_ONCE):  # the others have their turn
            start, found = at, await fetch(peer, at)
            for number, envelope in found:
                taken = await self.take(envelope, peer, now, now)
                if isinstance(taken, EventRefusal) and taken.reason in PASSING_REASONS:
                    break
                at, read = max(at, number), read + 1
            if at == start:
                break
            await self._store.note_pulled(peer.name, at)
        return read


def _peer_refusal(peer: Member | None, sent_at: datetime, now: datetime) -> EventRefusal | None:
    if peer is None:
        return EventRefusal(RefusalReason.UNKNOWN_PEER)
    return EventRefusal(RefusalReason.CLOCK_SKEW) if abs(now - sent_at) >= MAX_SKEW else None


class LinkageOutbox:
    """Delivers what waits for members; `hub`, if there is one, takes everything."""

    def __init__(
        self,
        store: LinkageOutboxStore,
        registry: MemberRegistry,
        hub: Member | None = None,
        counts: LinkageCounts | None = None,
    ) -> None:
        self._store = store
        self._registry = registry
        self._hub = hub
        self._counts = counts or LinkageCounts()

    async def deliver(self, post: Post, now: datetime, chance: Callable[[], float]) -> int:
        """Send each event that is due once; return how many are delivered now.

        Each peer gets its events one after the other, several peers at the same time. What is for
        a peer that does not answer waits, so that it is not in the way of the others. Raises
        StoreUnavailable: what was sent meanwhile is sent again, which does no harm.
        """
        by_peer: defaultdict[str, list[OutboxEntry]] = defaultdict(list)
        for entry in await self._store.due(now, _AT_ONCE):
            peer = self._hub or self._registry.find(entry.recipient)
            by_peer["" if peer is None else peer.name].append(entry)
        free = asyncio.Semaphore(_PEERS_AT_ONCE)

        async def send(name: str, entries: Sequence[OutboxEntry]) -> int:
            async with free:
                return await self._send(self._registry.find(name), entries, post, now, chance)

        sent = await asyncio.gather(*starmap(send, by_peer.items()), return_exceptions=True)
        for one in sent:
            if isinstance(one, BaseException):
                raise one
        return sum(one for one in sent if isinstance(one, int))

    async def _send(
        self,
        peer: Member | None,
        entries: Sequence[OutboxEntry],
        post: Post,
        now: datetime,
        chance: Callable[[], float],
    ) -> int:
        delivered = 0
        answer: bytes | EventRefusal | None = EventRefusal(RefusalReason.WRONG_RECIPIENT)
        for entry in entries:
            if peer is not None and answer is not None:
                answer = await post(peer, entry.envelope.encode())
            delivered += await self.settle(entry, peer, answer, now, chance())
        return delivered

    async def settle(
        self,
        entry: OutboxEntry,
        peer: Member | None,
        answer: bytes | EventRefusal | None,
        now: datetime,
        chance: float,
    ) -> bool:
        """Note what a peer answered; tell whether the event is delivered.

        A receipt counts that this peer signed for these octets; anything else is no answer.
        """
        if (
            isinstance(answer, bytes)
            and peer is not None
            and self._proves(answer, entry, peer, now)
        ):
            await self._store.confirm(entry.number, answer)
            self._counts.events[entry.type, "delivered"] += 1
            return True
        said = answer.reason.value if isinstance(answer, EventRefusal) else _NO_ANSWER
        is_final = isinstance(answer, EventRefusal) and answer.reason not in PASSING_REASONS
        if is_final or now - entry.created_at >= GIVE_UP_AFTER:
            log.error("linkage.dead", member=entry.recipient, number=entry.number, reason=said)
            await self._store.bury(entry, said)
            self._counts.events[entry.type, "dead"] += 1
        else:
            await self._store.postpone(entry, retry_at(entry.attempts, now, chance), said)
        return False

    def _proves(self, receipt: bytes, entry: OutboxEntry, peer: Member, now: datetime) -> bool:
        said = open_receipt(receipt, self._registry, now)
        return not isinstance(said, EventRefusal) and (
            said.source,
            said.id,
            said.digest,
            said.receiver,
        ) == (entry.source, entry.id, entry.digest, peer.source)

    async def resend(
        self, entries: Sequence[OutboxEntry], signer: EventSigner, now: datetime
    ) -> int:
        """Send dead events again, those of this node signed with the key in use; count them."""
        own, count = self._registry.own_member.source, 0
        for entry in entries:
            if entry.state is OutboxState.DEAD:
                octets = entry.envelope.encode()
                envelope = signer.sign_again(octets) if entry.source == own else octets
                count += await self._store.resend(entry, envelope, now)
        return count
