"""Running errands: sending what processes without a link to the SMSC have to say."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

import structlog

from gateway.dataplane.attention import Answered
from gateway.dataplane.relay import message_id_of
from gateway.domain.errand import Errand, ErrandState
from gateway.ports.errands import ErrandStore
from gateway.ports.errors import StoreUnavailable
from gateway.proxy.connection import Connection
from gateway.proxy.route import Routes
from gateway.proxy.speaking import Speaking
from gateway.proxy.tick import Tick
from gateway.runtime.clock import utcnow
from gateway.runtime.tasks import spawn
from gateway.smpp.commands import CommandId
from gateway.smpp.framing import HEADER
from gateway.smpp.status import CommandStatus

log = structlog.get_logger()

# A process that died is made up for after this long. Well past the wait for an answer.
CLAIM = timedelta(minutes=2)
RETRY = timedelta(seconds=5)
KEPT = timedelta(days=7)  # what is done: the records tell of it for as long as they must

_LATER = frozenset({CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RMSGQFUL})
_AT_ONCE = 50
_MAX_UNDER_WAY = 500
_MAX_PORTS = 500
# In turns of the loop: what waits for a bind, or for its time, makes no change in the store.
_LOOK_EVERY = 8

# Tells whoever asked what became of an errand. Raises StoreUnavailable.
Tell: TypeAlias = Callable[[Errand, datetime], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class OnErrand:
    """The errand, in the sense of the data plane, of an errand."""

    errand: Errand


@dataclass(slots=True)
class _Outcome:
    """What the SMSC said, until the store and whoever asked know it; None is no answer."""

    errand: Errand
    state: ErrandState | None
    message_id: str = ""
    was_written: bool = False
    is_kept: bool = False
    is_busy: bool = False


class RunningErrands:
    """Takes errands from the store and sends each from its port, as a real submit_sm.

    At least once: one whose answer never came is sent again, MAX_ATTEMPTS times in all, for
    a code that arrives twice is the same code, and one that is lost helps nobody. Policy does
    not judge our own word. While no bind can submit for a port, what it has waits.
    """

    def __init__(
        self,
        tick: Tick,
        store: ErrandStore,
        routes: Routes,
        speaking: Speaking,
        hub_codes: Collection[str],
        tell: Tell,
    ) -> None:
        self._tick = tick
        self._store = store
        self._routes = routes
        self._speaking = speaking
        self._hub_codes = hub_codes
        self._tell = tell
        self._under_way: set[int] = set()
        self._outcomes: dict[int, _Outcome] = {}
        self._is_news = True
        self._turn = 0

    def wake(self) -> None:
        """Note that there is something new in the store."""
        self._is_news = True

    async def run(self) -> None:
        """Send what waits, if it may be time; call it every turn. Raises StoreUnavailable."""
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
        """Delete what was done a week ago. Raises StoreUnavailable."""
        await self._store.forget(utcnow() - KEPT)

    def answered(self, item: Answered, on: OnErrand) -> None:
        """Take what the SMSC said, or that it will say nothing."""
        errand = on.errand
        self._under_way.discard(errand.number)
        outcome = _outcome_of(errand, item.pdu)
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
            # Looked for again: what was awaited meanwhile may have cost the bind.
            connection = self._bind_for(errand.port)
            if connection is None:
                await self._store.put_back(errand.number, now, was_written=False)
            elif errand.number not in self._under_way:
                self._send(connection, errand)
        return len(taken)

    def _send(self, connection: Connection, errand: Errand) -> None:
        self._under_way.add(errand.number)
        self._outcomes.pop(errand.number, None)
        self._speaking.write(connection, errand.port, errand.msisdn, errand.text, OnErrand(errand))
        self._note(errand, connection.link.system_id, "written")

    def _bind_for(self, port: str) -> Connection | None:
        """Return a bind of whoever owns `port`; a hub code that nobody owns goes by any."""
        is_owned = False
        for system_id, account in self._tick.pipeline.plane.rules.accounts.items():
            if account.sender.port_of(port) is not None:
                is_owned = True
                connection = self._routes.to_smsc(system_id)
                if connection is not None:
                    return connection
        if is_owned or port not in self._hub_codes:
            return None
        some = min(self._routes.submitters(), default=None)
        return self._routes.to_smsc(some) if some is not None else None

    async def _settle(self, outcome: _Outcome) -> None:
        try:
            await self._keep(outcome)
        except StoreUnavailable as error:
            log.error("store.failed", said=str(error))

    async def _keep(self, outcome: _Outcome) -> None:
        """Let the store and whoever asked know what the SMSC said; the rest is tried again."""
        if outcome.is_busy:
            return
        outcome.is_busy = True
        try:
            await self._pass_on(outcome)
        finally:
            outcome.is_busy = False
        if self._outcomes.get(outcome.errand.number) is outcome:
            del self._outcomes[outcome.errand.number]

    async def _pass_on(self, outcome: _Outcome) -> None:
        errand, state, now = outcome.errand, outcome.state, utcnow()
        if state is None:
            at, was_written = now + RETRY, outcome.was_written
            await self._store.put_back(errand.number, at, was_written=was_written)
            return
        if not outcome.is_kept:
            if not await self._store.finish(errand.number, state, outcome.message_id):
                return  # a late answer to what another one settled
            outcome.is_kept = True
            self._note(errand, "", state.value)
        await self._tell(replace(errand, state=state, message_id=outcome.message_id), now)

    async def _end_overdue(self) -> None:
        expired = await self._store.expire(utcnow(), _AT_ONCE)
        if expired:
            log.warning("errands.expired", count=len(expired))
        for errand in expired:
            self._note(errand, "", ErrandState.EXPIRED.value)
            self._outcomes[errand.number] = _Outcome(errand, ErrandState.EXPIRED, is_kept=True)
        for errand in expired:
            await self._keep(self._outcomes[errand.number])

    def _note(self, errand: Errand, system_id: str, what: str) -> None:
        about = {"errand": errand.kind.value, "ref": errand.ref, "state": what}
        self._speaking.note_about("errand", system_id, errand.msisdn, port=errand.port, **about)


def _outcome_of(errand: Errand, pdu: bytes | None) -> _Outcome:
    if pdu is None:
        return _Outcome(errand, None, was_written=True)
    _, command_id, status, _ = HEADER.unpack_from(pdu)
    if status in _LATER:
        return _Outcome(errand, None)
    if status or command_id == CommandId.GENERIC_NACK:
        return _Outcome(errand, ErrandState.REFUSED)
    return _Outcome(errand, ErrandState.SENT, message_id_of(pdu).decode("latin-1"))
