"""SP sessions with their binds at the SMSC: start and end, reconnect, unbind, drain."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import structlog

from gateway.dataplane import attention
from gateway.dataplane.link import Link
from gateway.dataplane.relay import renumbered
from gateway.domain.sender import Sender
from gateway.proxy.connection import Connection, Dialler, SmscUnreachableError
from gateway.proxy.gate import Gate
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, monotonic
from gateway.runtime.tasks import spawn
from gateway.session.binding import BindRequest, bind_answer_for
from gateway.session.operations import BOUND_STATES, SessionState, Side
from gateway.session.timers import reconnect_delay_s
from gateway.settings.gateway import GatewaySettings
from gateway.smpp.commands import RESPONSE_BIT
from gateway.smpp.pdu import HEADER, header_only, status_of, unbind, unbind_resp
from gateway.smpp.status import CommandStatus, DecodeError


@dataclass(slots=True, eq=False)
class Pair:
    """A bound SP and its bind at the SMSC, which may be away for a while."""

    esme: Connection
    sender: Sender
    request: BindRequest
    bind_pdu: bytes = field(repr=False)  # the password is in it
    smsc: Connection | None = None

    @property
    def session(self) -> Link:
        """Return the link on the SP's side."""
        return self.esme.link

    def can_submit(self, system_id: str = "") -> bool:
        """Tell whether its bind at the SMSC takes requests, and is of `system_id`, if given."""
        is_of = not system_id or system_id == self.sender.system_id
        return is_of and self.smsc is not None and self.smsc.link.state.can_submit


# By the link on the SP's side.
Pairs: TypeAlias = dict[Link, Pair]


def is_owed(session: Link) -> bool:
    """Tell whether a session still waits for an answer of ours."""
    if session.held:
        return True
    peer = session.peer
    return peer is not None and any(entry[0] is session for entry in peer.outstanding.values())


class Routes:
    """Looks among the live pairs; nothing is keyed by socket, so any bind of a sender will do."""

    def __init__(self, pairs: Mapping[Link, Pair]) -> None:
        self._pairs = pairs

    def to_smsc(self, system_id: str) -> Connection | None:
        """Return a bind at the SMSC that can submit for a sender."""
        binds = (pair.smsc for pair in self._pairs.values() if pair.can_submit(system_id))
        return next(binds, None)

    def to_esme(self, system_id: str) -> Connection | None:
        """Return a session of a sender that takes deliveries."""
        pairs = (one for one in self._pairs.values() if one.sender.system_id == system_id)
        return next((one.esme for one in pairs if one.session.state.can_deliver), None)

    def session_for(self, link: Link) -> Link | None:
        """Return a session that takes what came on an SMSC `link`: its own if that can."""
        if link.peer is not None and link.peer.state.can_deliver:
            return link.peer
        connection = self.to_esme(link.system_id)
        return connection.link if connection is not None else None

    def submitters(self) -> set[str]:
        """Return who has a bind at the SMSC that can submit."""
        return {pair.sender.system_id for pair in self._pairs.values() if pair.can_submit()}

    def senders(self) -> set[str]:
        """Return who is bound."""
        return {pair.sender.system_id for pair in self._pairs.values()}


log = structlog.get_logger()

_FAREWELL_S = 3.0


class SessionCloser:
    """Ends sessions after all their requests are answered."""

    def __init__(self, tick: Tick, pairs: Pairs, drain_s: float) -> None:
        self.is_draining = False
        self._tick = tick
        self._pairs = pairs
        self._drain_s = drain_s
        self._unbinding: dict[Link, int] = {}  # unbind to answer once all is answered
        self._retiring: set[Link] = set()  # SMSC links whose SP is gone

    def unbinding(self, item: attention.Unbind) -> None:
        """Answer a peer's unbind: an SP's after its messages are answered, an SMSC's at once."""
        link = item.link
        if link.side is Side.ESME and link in self._pairs:
            self._unbinding[link] = item.sequence
            self.turned()
            return
        connection = self._tick.connections.get(link)
        if connection is not None:
            connection.write(unbind_resp(item.sequence))
            connection.close()

    def unbound(self, item: attention.Unbound) -> None:
        """Close a link that has answered our unbind."""
        connection = self._tick.connections.get(item.link)
        if connection is not None:
            connection.close()

    def forget(self, link: Link) -> None:
        """Drop the pending unbind and unbind_resp of a connection that is gone."""
        self._unbinding.pop(link, None)
        self._retiring.discard(link)

    def retire(self, link: Link) -> None:
        """Unbind the SMSC link of an SP that is gone, after its outstanding requests."""
        self._retiring.add(link)
        self.turned()

    def dismiss(self, session: Link) -> None:
        """Unbind from an SP; it has `response_s` to answer."""
        connection = self._tick.connections.get(session)
        if connection is None or session.state in {SessionState.UNBINDING, SessionState.CLOSED}:
            return
        if not session.state.is_bound:
            connection.close()
            return
        self._say_unbind(connection)

    def turned(self) -> None:
        """Finish after a tick the unbinds that waited for answers."""
        if self._unbinding:
            for session, sequence in list(self._unbinding.items()):
                if not is_owed(session):
                    del self._unbinding[session]
                    esme = self._tick.connections[session]
                    esme.write(unbind_resp(sequence))
                    log.info("esme.unbound", system_id=session.system_id, session=session.number)
                    esme.close()
        if self._retiring:
            for link in [link for link in self._retiring if not link.outstanding]:
                self._retiring.discard(link)
                connection = self._tick.connections.get(link)
                if connection is not None:
                    self._say_unbind(connection)

    def _say_unbind(self, connection: Connection) -> None:
        link = connection.link
        connection.write(unbind(link.next_sequence()))
        link.state = SessionState.UNBINDING
        link.clocks.unbind_sent_at = monotonic()

    async def drain(self) -> None:
        """Accept no new binds or messages, answer what is outstanding, unbind both sides."""
        self.is_draining = True
        deadline = monotonic() + self._drain_s
        for session in self._pairs:
            session.is_leaving = True
        self._tick.resume(self._pairs)  # requests that wait for room or an SMSC are rejected now
        # Polled: answers are written in many places, and this runs once in a process's life.
        while any(map(is_owed, self._pairs)) and monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        for connection in self._of(Side.ESME):
            self.dismiss(connection.link)
        await self._gone(Side.ESME)
        for connection in self._of(Side.ESME):
            connection.abort()  # it did not answer; its SMSC side must be unbound too
        await self._gone(Side.SMSC)
        self.abort()

    def _of(self, side: Side) -> list[Connection]:
        return [one for link, one in self._tick.connections.items() if link.side is side]

    async def _gone(self, side: Side) -> None:
        deadline = monotonic() + _FAREWELL_S
        while self._of(side) and monotonic() < deadline:  # noqa: ASYNC110 - as in drain
            await asyncio.sleep(0.02)

    def abort(self) -> None:
        """Abort every connection that is left."""
        for connection in list(self._tick.connections.values()):
            connection.abort()


# The SMSC no longer accepts the SP's account: more attempts would lock it there.
_FATAL = frozenset({CommandStatus.ESME_RINVPASWD, CommandStatus.ESME_RINVSYSID})


class SessionBinder:
    """Binds and reconnects; one task for each bind, none for a message.

    At most `maximum` sessions are bound at once, each with at most `window` requests outstanding;
    `bound` is called for each new one.
    """

    def __init__(
        self,
        tick: Tick,
        dialler: Dialler,
        gate: Gate,
        pairs: Pairs,
        leaving: SessionCloser,
        settings: GatewaySettings,
    ) -> None:
        self.window = settings.limits.window
        self.maximum = settings.limits.sessions
        self.bound: Callable[[Connection], None] = lambda _connection: None
        self._tick = tick
        self._dialler = dialler
        self._gate = gate
        self._pairs = pairs
        self._leaving = leaving
        self._timers = settings.timers

    def bind(self, item: attention.Bind) -> None:
        """Start to answer an SP's bind."""
        spawn(self._bind(item.session, item.pdu), name=f"bind-{item.session.number}")

    async def _bind(self, session: Link, pdu: bytes) -> None:
        connection = self._tick.connections.get(session)
        if connection is None:
            return
        session.clocks.opened_at = monotonic()  # restart session_init: the SP has sent its bind
        try:
            admitted = await self._gate.admit(pdu, connection.peer_address)
        except DecodeError as error:
            self._refuse(connection, pdu, error.status)
            return
        if admitted is None or self._leaving.is_draining:
            self._refuse(connection, pdu, CommandStatus.ESME_RBINDFAIL)
            return
        request, sender = admitted
        pair, system_id = Pair(connection, sender, request, pdu), sender.system_id
        smsc, answer, status = await self._dial(pair)
        if smsc is not None and not self._may_join(pair):
            self._leaving.retire(smsc.link)
            smsc, status = None, CommandStatus.ESME_RBINDFAIL
        if smsc is None:
            self._gate.leave(system_id)
            self._refuse(connection, pdu, status)
            return
        answer = bind_answer_for(request.interface_version, answer)
        connection.write(renumbered(answer, HEADER.unpack_from(pdu)[3]))
        session.system_id = system_id
        session.window = min(pair.sender.window, self.window)
        self._pairs[session] = pair
        self.bound(connection)
        self._join(pair, smsc)
        session.state = BOUND_STATES[request.bind_type]
        session.clocks.last_traffic_at = monotonic()
        about = {
            "system_id": system_id,
            "session": session.number,
            "address": connection.peer_address,
            "bind_type": pair.request.bind_type.value,
        }
        log.info("esme.bound", **about)
        about["smsc"] = self._dialler.target.name
        self._tick.records.rows.append(("e", epoch(), "bound", about))
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

    async def _dial(
        self, pair: Pair, *, is_told: bool = True
    ) -> tuple[Connection | None, bytes, int]:
        """Bind at the SMSC; return the connection, the answer, and 0.

        Without a bind return None and the status to tell the SP; `is_told` logs an SMSC that
        cannot be reached.
        """
        try:
            smsc, answer = await self._dialler.dial(
                pair.bind_pdu,
                system_id=pair.sender.system_id,
                window=self.window,
                within_s=self._timers.session_init_s,
            )
        except SmscUnreachableError as error:
            if is_told:
                log.warning("smsc.unreachable", smsc=self._dialler.target.name, said=str(error))
            return None, b"", CommandStatus.ESME_RBINDFAIL
        status = status_of(answer, CommandStatus.ESME_RBINDFAIL)
        if status:
            log.warning("smsc.refused", system_id=pair.sender.system_id, status=_name(status))
            smsc.abort()
        return None if status else smsc, answer, status

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

    async def reconnect(self, pair: Pair) -> None:
        """Bind again after the SMSC link was lost; retry until bound, dismissed or draining."""
        session, attempt = pair.session, 0
        while session in self._pairs and pair.smsc is None and not self._leaving.is_draining:
            fraction = random.random()  # noqa: S311 - jitter, not a secret
            await asyncio.sleep(reconnect_delay_s(attempt, self._timers.reconnect_max_s, fraction))
            attempt += 1
            smsc, _, status = await self._dial(pair, is_told=attempt == 1)
            if status in _FATAL:
                self._leaving.dismiss(session)
                return
            if smsc is None:
                continue
            if session not in self._pairs:
                self._leaving.retire(smsc.link)
                return
            self._join(pair, smsc)
            log.info("smsc.bound", system_id=pair.sender.system_id, session=session.number)
            self._tick.resume((session, smsc.link))


def _name(status: int) -> str:
    try:
        return CommandStatus(status).name
    except ValueError:
        return f"0x{status:08X}"
