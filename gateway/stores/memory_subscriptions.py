"""The in-memory twin of the store of subscriptions; see gateway.stores.memory_changes."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from itertools import islice

from gateway.domain.consent_request import ConsentRequest, ConsentRequestState
from gateway.domain.subscription import MessageEvidence, Subscription, SubscriptionState
from gateway.ports.changes import ChangeKind
from gateway.ports.subscriptions import (
    SENT,
    UNSENT,
    Changes,
    OfferSession,
    RunningRow,
    ServiceKey,
    SubscriberRecords,
    SubscriptionEvent,
    SubscriptionQuery,
    SubscriptionStep,
)
from gateway.stores.memory_changes import MemoryChanges
from gateway.stores.memory_errands import MemoryErrands

_Key = tuple[int, str, str]


class MemorySubscriptions:
    """Twin of the store of subscriptions."""

    def __init__(
        self, changes: MemoryChanges, utcnow: Callable[[], datetime], errands: MemoryErrands
    ) -> None:
        self._changes = changes
        self._errands = errands
        self._utcnow = utcnow
        self._held: dict[_Key, tuple[Subscription, int]] = {}
        self._events: list[tuple[_Key, SubscriptionEvent]] = []
        self._requests: dict[tuple[int, str, int], ConsentRequest] = {}
        self._sessions: dict[tuple[int, str], OfferSession] = {}

    async def known(self, msisdn: int, port: str, now: datetime) -> SubscriberRecords:
        session = self._sessions.get((msisdn, port))
        open_now = (r for r in self._requests.values() if r.msisdn == msisdn and r.is_open(now))
        return SubscriberRecords(
            tuple(
                one for key, (one, _) in sorted(self._held.items(), key=_first) if key[0] == msisdn
            ),
            tuple(sorted(open_now, key=lambda request: request.asked_at)),
            session if session is not None and session.until > now else None,
        )

    async def keep(self, changes: Changes) -> bool:
        if not self._is_as_decided(changes):
            return False
        if changes.steps:
            number = self._changes.add(ChangeKind.SUBSCRIPTION, "", self._utcnow())
            for step in changes.steps:
                self._held[_key_of(step.after)] = (step.after, number)
                self._note(step, step.after.since)
        self._requests.update({request.key: request for request in changes.requests})
        if changes.closes is not None:
            self._sessions.pop(changes.closes, None)
        if changes.session is not None:
            self._sessions[changes.session.msisdn, changes.session.port] = changes.session
        if changes.errand is not None:
            self._errands.keep(changes.errand)
        return True

    async def note_sent(
        self, subscription: Subscription, said: MessageEvidence, *, is_taken: bool
    ) -> None:
        self._note(SubscriptionStep(subscription, SENT if is_taken else UNSENT, said), said.at)

    async def ask(self, request: ConsentRequest) -> bool:
        return self._requests.setdefault(request.key, request) is request

    async def unask(self, request: ConsentRequest) -> None:
        if self._is_pending(request):
            del self._requests[request.key]

    async def requests_of(self, msisdn: int, system_id: str) -> list[ConsentRequest]:
        own = (r for key, r in self._requests.items() if key[:2] == (msisdn, system_id))
        return sorted(own, key=lambda request: request.asked_at, reverse=True)

    async def waiting_of(self, system_id: str, limit: int) -> int:
        waiting = (
            one
            for one, _ in self._held.values()
            if one.system_id == system_id and one.state is SubscriptionState.PENDING
        )
        return len(list(islice(waiting, limit)))

    async def due(self, now: datetime, limit: int) -> list[Subscription]:
        due = [(one.due_at, one) for one, _ in self._held.values() if one.due_at is not None]
        over = [(at, one) for at, one in due if at <= now]
        return [one for _, one in sorted(over, key=lambda pair: pair[0])[:limit]]

    async def requests_due(self, now: datetime, limit: int) -> list[ConsentRequest]:
        over = (
            request
            for request in self._requests.values()
            if request.state is ConsentRequestState.PENDING and request.until <= now
        )
        return sorted(over, key=lambda request: request.until)[:limit]

    async def forget_sessions(self, now: datetime) -> int:
        kept = {key: session for key, session in self._sessions.items() if session.until > now}
        forgotten = len(self._sessions) - len(kept)
        self._sessions = kept
        return forgotten

    async def find(self, wanted: SubscriptionQuery) -> list[Subscription]:
        found = (
            one
            for _, (one, _) in sorted(self._held.items(), key=_first)
            if wanted.msisdn in (None, one.msisdn)
            and wanted.system_id in (None, one.system_id)
            and wanted.state in (None, one.state)
        )
        latest = sorted(found, key=lambda one: one.since, reverse=True)
        return latest[: wanted.limit]

    async def history(self, msisdn: int, service: ServiceKey) -> list[SubscriptionEvent]:
        return [event for key, event in self._events if key == (msisdn, *service)]

    async def running(self, batch: int = 10_000) -> AsyncIterator[list[RunningRow]]:
        pairs = {(one.msisdn, one.system_id) for one, _ in self._held.values() if one.is_running}
        rows = iter((*pair, True) for pair in sorted(pairs))
        while page := list(islice(rows, batch)):
            yield page

    async def running_changed(self, after: int, through: int) -> list[RunningRow]:
        touched = {key[:2] for key, (_, number) in self._held.items() if after < number <= through}
        return [(*pair, self._is_running(pair)) for pair in sorted(touched)]

    def every_order(self) -> list[Subscription]:
        """Return all subscriptions, for the twin of ended relations."""
        return [one for one, _ in self._held.values()]

    def every_event(self) -> list[tuple[_Key, SubscriptionEvent]]:
        """Return all steps, for the twin of ended relations."""
        return list(self._events)

    def every_request(self) -> list[ConsentRequest]:
        """Return all requests for consent, for the twin of ended relations."""
        return list(self._requests.values())

    def forget(self, whose: tuple[int, str]) -> None:
        """Forget the orders of a number at an SP, and what requests for consent said."""
        self._held = {key: one for key, one in self._held.items() if key[:2] != whose}
        self._events = [(key, event) for key, event in self._events if key[:2] != whose]
        for key, request in self._requests.items():
            if key[:2] == whose:
                bare = replace(request, text_sha256="", message_id="", answer_id="")
                self._requests[key] = bare

    def _is_running(self, pair: tuple[int, str]) -> bool:
        return any(one.is_running for key, (one, _) in self._held.items() if key[:2] == pair)

    def _is_as_decided(self, changes: Changes) -> bool:
        return all(self._step_of(step.after) == step.after.step - 1 for step in changes.steps) and (
            all(self._is_pending(request) for request in changes.requests)
        )

    def _step_of(self, subscription: Subscription) -> int:
        held = self._held.get(_key_of(subscription))
        return held[0].step if held is not None else 0

    def _is_pending(self, request: ConsentRequest) -> bool:
        held = self._requests.get(request.key)
        return held is not None and held.state is ConsentRequestState.PENDING

    def _note(self, step: SubscriptionStep, at: datetime) -> None:
        after, said = step.after, step.said
        said_id, digest = ("", "") if said is None else (said.message_id, said.text_sha256)
        event = SubscriptionEvent(at, step.act, after.state, said_id, digest)
        self._events.append((_key_of(after), event))


def _key_of(subscription: Subscription) -> _Key:
    return (subscription.msisdn, subscription.system_id, subscription.service_id)


def _first(item: tuple[_Key, object]) -> _Key:
    return item[0]
