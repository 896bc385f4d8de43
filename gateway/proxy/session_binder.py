"""Start of sessions: an SP's bind, its bind at the SMSC, and the reconnect if that is lost."""

import asyncio
import random
from collections.abc import Callable

import structlog

from gateway.dataplane import attention
from gateway.dataplane.link import Link
from gateway.dataplane.relay import renumbered
from gateway.proxy.connection import Connection
from gateway.proxy.gate import Gate
from gateway.proxy.pairs import Pair, Pairs
from gateway.proxy.session_closer import SessionCloser
from gateway.proxy.smsc_dialler import Dialler, SmscUnreachableError, status_of_answer
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, monotonic
from gateway.runtime.tasks import spawn
from gateway.session.reconnect import reconnect_delay_s
from gateway.session.states import BOUND_STATES
from gateway.session.timers import Timers
from gateway.smpp.answers import header_only
from gateway.smpp.commands import RESPONSE_BIT
from gateway.smpp.errors import DecodeError
from gateway.smpp.framing import HEADER
from gateway.smpp.status import CommandStatus

log = structlog.get_logger()

# The SMSC no longer accepts the SP's account: more attempts would lock it there.
_FATAL = frozenset({CommandStatus.ESME_RINVPASWD, CommandStatus.ESME_RINVSYSID})


class SessionBinder:
    """Binds and reconnects; one task for each bind, none for a message.

    At most `maximum` sessions are bound at once; `bound` is called for each new one.
    """

    def __init__(
        self,
        tick: Tick,
        dialler: Dialler,
        gate: Gate,
        pairs: Pairs,
        leaving: SessionCloser,
        timers: Timers,
    ) -> None:
        self.window = 1000
        self.maximum = 2000
        self.bound: Callable[[Connection], None] = _unheard
        self._tick = tick
        self._dialler = dialler
        self._gate = gate
        self._pairs = pairs
        self._leaving = leaving
        self._timers = timers

    def bind(self, item: attention.Bind) -> None:
        """Start to answer an SP's bind."""
        spawn(self._bind(item.session, item.pdu), name=f"bind-{item.session.number}")

    async def _bind(self, session: Link, pdu: bytes) -> None:
        connection = self._tick.connections.get(session)
        if connection is not None:
            await self._bind_on(connection, pdu)

    async def _bind_on(self, connection: Connection, pdu: bytes) -> None:
        session = connection.link
        session.clocks.opened_at = monotonic()  # restart session_init: the SP has sent its bind
        try:
            admitted = await self._gate.admit(pdu, connection.peer_address)
        except DecodeError as error:
            self._refuse(connection, pdu, error.status)
            return
        if admitted.sender is None or self._leaving.is_draining:
            self._refuse(connection, pdu, CommandStatus.ESME_RBINDFAIL)
            return
        pair = Pair(connection, admitted.sender, admitted.request, pdu)
        system_id = admitted.sender.system_id
        try:
            smsc, answer = await self._dial(pair)
        except SmscUnreachableError as error:
            log.warning("smsc.unreachable", smsc=self._dialler.target.name, said=str(error))
            self._gate.leave(system_id)
            self._refuse(connection, pdu, CommandStatus.ESME_RBINDFAIL)
            return
        status = status_of_answer(answer)
        if status:
            log.warning("smsc.refused", system_id=system_id, status=_name(status))
            self._gate.leave(system_id)
            smsc.abort()
            self._refuse(connection, pdu, status)
            return
        if not self._may_join(pair):
            self._gate.leave(system_id)
            self._leaving.retire(smsc.link)
            self._refuse(connection, pdu, CommandStatus.ESME_RBINDFAIL)
            return
        connection.write(renumbered(answer, HEADER.unpack_from(pdu)[3]))
        session.system_id = system_id
        session.window = min(pair.sender.window, self.window)
        self._pairs[session] = pair
        self.bound(connection)
        self._join(pair, smsc)
        session.state = BOUND_STATES[admitted.request.bind_type]
        session.clocks.last_traffic_at = monotonic()
        self._record(pair, connection, "bound")
        log.info(
            "esme.bound",
            system_id=system_id,
            session=session.number,
            address=connection.peer_address,
            bind_type=admitted.request.bind_type.value,
        )
        self._tick.resume((session, smsc.link))

    def _may_join(self, pair: Pair) -> bool:
        """Tell whether the bind is still allowed; a reload may have come during the dialling."""
        account = self._tick.pipeline.plane.rules.accounts.get(pair.sender.system_id)
        if account is None:
            return False
        pair.sender = account.sender
        if len(self._pairs) >= self.maximum:
            return False
        return pair.esme.is_open and not self._leaving.is_draining

    async def _dial(self, pair: Pair) -> tuple[Connection, bytes]:
        return await self._dialler.dial(
            pair.bind_pdu,
            system_id=pair.sender.system_id,
            window=self.window,
            within_s=self._timers.session_init_s,
        )

    def _join(self, pair: Pair, smsc: Connection) -> None:
        session, link = pair.session, smsc.link
        pair.smsc = smsc
        session.peer, link.peer = link, session
        link.state = BOUND_STATES[pair.request.bind_type]
        link.clocks.last_traffic_at = monotonic()

    def _refuse(self, connection: Connection, pdu: bytes, status: int) -> None:
        _, command_id, _, sequence = HEADER.unpack_from(pdu)
        connection.write(header_only(command_id | RESPONSE_BIT, status, sequence))
        connection.close()

    def _record(self, pair: Pair, connection: Connection, what: str) -> None:
        about = {
            "system_id": pair.sender.system_id,
            "session": connection.link.number,
            "address": connection.peer_address,
            "bind_type": pair.request.bind_type.value,
            "smsc": self._dialler.target.name,
        }
        self._tick.records.rows.append(("e", epoch(), what, about))

    async def reconnect(self, pair: Pair) -> None:
        """Bind again after the SMSC link was lost; retry until bound, dismissed or draining."""
        session, attempt = pair.session, 0
        while session in self._pairs and pair.smsc is None and not self._leaving.is_draining:
            fraction = random.random()  # noqa: S311 - jitter, not a secret
            await asyncio.sleep(reconnect_delay_s(attempt, self._timers.reconnect_max_s, fraction))
            attempt += 1
            try:
                smsc, answer = await self._dial(pair)
            except SmscUnreachableError as error:
                if attempt == 1:
                    log.warning("smsc.unreachable", smsc=self._dialler.target.name, said=str(error))
                continue
            status = status_of_answer(answer)
            if status:
                smsc.abort()
                log.warning("smsc.refused", system_id=pair.sender.system_id, status=_name(status))
                if status in _FATAL:
                    self._leaving.dismiss(session)
                    return
                continue
            if session not in self._pairs:
                self._leaving.retire(smsc.link)
                return
            self._join(pair, smsc)
            log.info("smsc.bound", system_id=pair.sender.system_id, session=session.number)
            self._tick.resume((session, smsc.link))


def _unheard(_connection: Connection) -> None:
    """Do nothing yet: the shell is not wired."""


def _name(status: int) -> str:
    try:
        return CommandStatus(status).name
    except ValueError:
        return f"0x{status:08X}"
