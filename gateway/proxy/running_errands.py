"""Send errands: the messages of processes that have no link to the SMSC."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

import structlog

from gateway.dataplane.attention import OwnAnswer
from gateway.dataplane.relay import message_id_of
from gateway.domain.errand import MAX_ATTEMPTS, Errand, ErrandState
from gateway.ports.errands import ErrandStore
from gateway.ports.errors import StoreUnavailable
from gateway.proxy.connection import Connection
from gateway.proxy.mt_sender import MtSender
from gateway.proxy.route import Routes
from gateway.proxy.tick import Tick
from gateway.runtime.clock import utcnow
from gateway.runtime.tasks import spawn
from gateway.smpp.commands import CommandId
from gateway.smpp.framing import HEADER
from gateway.smpp.status import CommandStatus

log = structlog.get_logger()

# A claim ends after this time, in case its process died. Far longer than the wait for an answer.
CLAIM = timedelta(minutes=2)
RETRY = timedelta(seconds=5)
KEPT = timedelta(days=7)  # for errands in a final state; the records keep them longer

_LATER = frozenset({CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RMSGQFUL})
_AT_ONCE = 50
_MAX_UNDER_WAY = 500
_MAX_PORTS = 500
# For so many errands the sender of the last bind is remembered, to use another next time.
_MAX_REMEMBERED = 10_000
# In turns of the loop. Waiting for a bind or a time causes no change in the store, so we poll.
_LOOK_EVERY = 8

# Tells the requester the outcome of an errand. Raises StoreUnavailable.
Tell: TypeAlias = Callable[[Errand, datetime], Awaitable[None]]

# Returns when an errand may be sent, now or later; None for never. Raises StoreUnavailable.
Due: TypeAlias = Callable[[Errand, datetime], Awaitable[datetime | None]]


@dataclass(frozen=True, slots=True)
class ErrandSource:
    """The requester of errands: `due` says when one may be sent, `tell` gets its outcome."""

    due: Due
    tell: Tell


@dataclass(frozen=True, slots=True)
class OnErrand:
    """The data plane's errand for the submit_sm of an Errand."""

    errand: Errand


@dataclass(slots=True)
class _SmscAnswer:
    """The SMSC's answer until the store and the requester have it; `state` None means resend."""

    errand: Errand
    state: ErrandState | None
    message_id: str = ""
    was_written: bool = False
    is_kept: bool = False
    is_busy: bool = False


class RunningErrands:
    """Takes errands from the store and sends each from its port, as a real submit_sm.

    Each is sent at least once: without an answer it is sent again, at most MAX_ATTEMPTS times
    in all. A code that arrives twice does no harm; a lost one does. Policy does not judge these
    messages. While no bind can submit for a port, its errands wait. From a hub code that no SP
    owns, errands use the binds of all SPs in turn; a refusal is final only after other binds
    were tried.
    """

    def __init__(
        self,
        tick: Tick,
        store: ErrandStore,
        routes: Routes,
        speaking: MtSender,
        hub_codes: Collection[str],
        cause: ErrandSource,
    ) -> None:
        self._tick = tick
        self._store = store
        self._routes = routes
        self._speaking = speaking
        self._hub_codes = hub_codes
        self._due = cause.due
        self._tell = cause.tell
        self._under_way: set[int] = set()
        self._outcomes: dict[int, _SmscAnswer] = {}
        self._gone_by: dict[int, str] = {}
        self._is_news = True
        self._turn = 0

    def wake(self) -> None:
        """Note that the store has a new errand."""
        self._is_news = True

    async def run(self) -> None:
        """Send waiting errands; call it every turn. Raises StoreUnavailable."""
        self._turn += 1
        is_regular = self._turn % _LOOK_EVERY == 0
        if not (self._is_news or is_regular):
            return
        for outcome in list(self._outcomes.values()):
            await self._keep(outcome)
        if is_regular:
            await self._end_overdue()
        self._is_news = await self._send_waiting() == _AT_ONCE

    async def forget_old(self) -> None:
        """Delete finished errands created over a week ago. Raises StoreUnavailable."""
        await self._store.forget(utcnow() - KEPT)

    def answered(self, item: OwnAnswer, on: OnErrand) -> None:
        """Handle the SMSC's answer, or that no answer will come."""
        errand = on.errand
        self._under_way.discard(errand.number)
        outcome = _outcome_of(errand, item.pdu)
        if outcome.state is ErrandState.REFUSED and self._has_another(errand):
            outcome = _SmscAnswer(errand, None, was_written=True)
        self._outcomes[errand.number] = outcome
        spawn(self._settle(outcome), name=f"errand-{errand.number}")

    async def _send_waiting(self) -> int:
        binds = {port: self._bind_for(port) for port in await self._store.waiting_ports()}
        ports = [port for port, found in binds.items() if found is not None][:_MAX_PORTS]
        if not ports or len(self._under_way) >= _MAX_UNDER_WAY:
            return 0
        now = utcnow()
        taken = await self._store.take_waiting(now, now + CLAIM, ports, _AT_ONCE)
        for errand in taken:
            await self._begin(errand, now)
        return len(taken)

    async def _begin(self, errand: Errand, now: datetime) -> None:
        """Send a claimed errand, put it back until it may be sent, or drop it."""
        due = await self._due(errand, now)
        if due is None:
            dropped = self._outcomes[errand.number] = _SmscAnswer(errand, ErrandState.DROPPED)
            await self._keep(dropped)
            return
        # Look again: the bind may have closed during the await.
        connection = self._bind_of(errand) if due <= now else None
        if connection is None:
            await self._store.put_back(errand.number, max(due, now), was_written=False)
        elif errand.number not in self._under_way:
            self._send(connection, errand)

    def _send(self, connection: Connection, errand: Errand) -> None:
        self._under_way.add(errand.number)
        self._outcomes.pop(errand.number, None)
        self._remember(errand.number, connection.link.system_id)
        self._speaking.write(connection, errand.port, errand.msisdn, errand.text, OnErrand(errand))
        self._note(errand, connection.link.system_id, "written")

    def _bind_of(self, errand: Errand) -> Connection | None:
        """Return the bind to send an errand on: if possible another than last time."""
        if not self._goes_by_any(errand.port):
            return self._bind_for(errand.port)
        some = sorted(self._routes.submitters())
        if not some:
            return None
        last = self._gone_by.get(errand.number)
        if last is None:
            return self._routes.to_smsc(some[errand.number % len(some)])
        return self._routes.to_smsc(next((one for one in some if one > last), some[0]))

    def _bind_for(self, port: str) -> Connection | None:
        """Return a bind of the owner of `port`; for a hub code without owner, any bind."""
        some = self._routes.submitters() if self._goes_by_any(port) else self._owners_of(port)
        binds = (self._routes.to_smsc(system_id) for system_id in some)
        return next((bind for bind in binds if bind is not None), None)

    def _owners_of(self, port: str) -> list[str]:
        accounts = self._tick.pipeline.plane.rules.accounts
        return [
            one for one, account in accounts.items() if account.sender.port_of(port) is not None
        ]

    def _goes_by_any(self, port: str) -> bool:
        return port in self._hub_codes and not self._owners_of(port)

    def _has_another(self, errand: Errand) -> bool:
        """Tell whether another bind should be tried: the refusal may concern this bind only."""
        if not self._goes_by_any(errand.port):
            return False
        return errand.attempts < min(MAX_ATTEMPTS, len(self._routes.submitters()))

    def _remember(self, number: int, system_id: str) -> None:
        if number not in self._gone_by and len(self._gone_by) >= _MAX_REMEMBERED:
            del self._gone_by[next(iter(self._gone_by))]
        self._gone_by[number] = system_id

    async def _settle(self, outcome: _SmscAnswer) -> None:
        try:
            await self._keep(outcome)
        except StoreUnavailable as error:
            log.error("store.failed", said=str(error))

    async def _keep(self, outcome: _SmscAnswer) -> None:
        """Pass the outcome to the store and the requester; put an errand without one back."""
        if outcome.is_busy:
            return
        outcome.is_busy = True
        try:
            await self._pass_on(outcome)
        finally:
            outcome.is_busy = False
        if self._outcomes.get(outcome.errand.number) is outcome:
            del self._outcomes[outcome.errand.number]

    async def _pass_on(self, outcome: _SmscAnswer) -> None:
        errand, state, now = outcome.errand, outcome.state, utcnow()
        if state is None:
            at, was_written = now + RETRY, outcome.was_written
            await self._store.put_back(errand.number, at, was_written=was_written)
            return
        self._gone_by.pop(errand.number, None)
        if not outcome.is_kept:
            if not await self._store.finish(errand.number, state, outcome.message_id):
                return  # a late answer: an earlier one settled the errand
            outcome.is_kept = True
            self._note(errand, "", state.value)
        await self._tell(replace(errand, state=state, message_id=outcome.message_id), now)

    async def _end_overdue(self) -> None:
        expired = await self._store.expire(utcnow(), _AT_ONCE)
        if expired:
            log.warning("errands.expired", count=len(expired))
        for errand in expired:
            self._note(errand, "", ErrandState.EXPIRED.value)
            self._outcomes[errand.number] = _SmscAnswer(errand, ErrandState.EXPIRED, is_kept=True)
        for errand in expired:
            await self._keep(self._outcomes[errand.number])

    def _note(self, errand: Errand, system_id: str, what: str) -> None:
        about = {"errand": errand.kind.value, "ref": errand.ref, "state": what}
        self._speaking.note_about("errand", system_id, errand.msisdn, port=errand.port, **about)


def _outcome_of(errand: Errand, pdu: bytes | None) -> _SmscAnswer:
    if pdu is None:
        return _SmscAnswer(errand, None, was_written=True)
    _, command_id, status, _ = HEADER.unpack_from(pdu)
    if status in _LATER:
        return _SmscAnswer(errand, None)
    if status or command_id == CommandId.GENERIC_NACK:
        return _SmscAnswer(errand, ErrandState.REFUSED)
    return _SmscAnswer(errand, ErrandState.SENT, message_id_of(pdu).decode("latin-1"))
