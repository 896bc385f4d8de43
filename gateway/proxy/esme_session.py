"""SP sessions with their binds at the SMSC: start and end, reconnect, unbind, drain."""

import asyncio
import random
from collections.abc import Callable

import structlog

from gateway.dataplane import attention
from gateway.dataplane.link import Link
from gateway.dataplane.relay import renumbered
from gateway.proxy.connection import Connection
from gateway.proxy.gate import Gate
from gateway.proxy.pool import Pool, answer_to
from gateway.proxy.routes import Pair, Pairs, is_owed
from gateway.proxy.tick import Tick
from gateway.proxy.upstream import FATAL, Upstream
from gateway.runtime.clock import epoch, monotonic
from gateway.runtime.tasks import spawn
from gateway.session.binding import WITH_TLVS, bind_answer_for
from gateway.session.operations import BOUND_STATES, SessionState, Side
from gateway.session.timers import Timers, reconnect_delay_s
from gateway.settings.gateway import GatewaySettings
from gateway.smpp.commands import RESPONSE_BIT
from gateway.smpp.pdu import HEADER, header_only, unbind, unbind_resp
from gateway.smpp.status import CommandStatus, DecodeError

log = structlog.get_logger()

_FAREWELL_S = 3.0
_LOOK_S = 0.005


class SessionCloser:
    """Ends sessions after all their requests are answered."""

    def __init__(self, tick: Tick, pairs: Pairs, drain_s: float) -> None:
        self.is_draining = False
        self.leaves_binds = False  # without an answer: the process that follows serves them
        self._tick = tick
        self._pairs = pairs
        self.drain_s = drain_s
        self._unbinding: dict[Link, int] = {}  # unbind to answer once all is answered
        self._retiring: set[Link] = set()  # SMSC links whose SP is gone
        self._parting: set[Link] = set()  # to be dismissed once all is answered

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
        self._parting.discard(link)

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

    def part(self, *sessions: Link) -> None:
        """Refuse new messages of bound SPs, and unbind once the others are answered."""
        for session in sessions:
            session.is_leaving = True
        self._parting.update(sessions)
        self._tick.resume(sessions)  # requests that wait for room are refused now
        self.turned()

    def turned(self) -> None:
        """Finish after a tick the unbinds that waited for answers."""
        for session in [one for one in self._parting if not is_owed(one)]:
            self._parting.discard(session)
            self.dismiss(session)
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

    async def drain(self, *, hands_over: bool = False) -> None:
        """Accept no new binds or messages, answer what is outstanding, unbind both sides.

        One that `hands_over` leaves new binds without an answer, and most sessions end before.
        """
        deadline = monotonic() + self.drain_s
        if hands_over:
            await self._thin_out(deadline)
        self.is_draining, self.leaves_binds = True, hands_over
        for session in self._pairs:
            session.is_leaving = True
        self._tick.resume(self._pairs)  # requests that wait for room or an SMSC are rejected now
        # Polled: answers are written in many places, and this runs once in a process's life.
        while any(map(is_owed, self._pairs)) and monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)
        for connection in self._of(Side.ESME):
            self.dismiss(connection.link)
        await self._gone(Side.ESME)
        for connection in self._of(Side.ESME):
            connection.abort()  # it did not answer; its SMSC side must be unbound too
        for connection in self._of(Side.SMSC):
            if connection.link.is_shared:
                self.retire(connection.link)
        await self._gone(Side.SMSC)
        self.abort()

    async def _thin_out(self, deadline: float) -> None:
        """Unbind all but one of each SP's sessions of a type; the SP goes on on that one."""
        stay = set({(one.system_id, one.state): one for one in self._pairs}.values())
        self.part(*(one for one in self._pairs if one not in stay))
        while self._parting and monotonic() < deadline:  # noqa: ASYNC110 - as in drain
            await asyncio.sleep(_LOOK_S)

    def _of(self, side: Side) -> list[Connection]:
        return [one for link, one in self._tick.connections.items() if link.side is side]

    async def _gone(self, side: Side) -> None:
        deadline = monotonic() + _FAREWELL_S
        while self._of(side) and monotonic() < deadline:  # noqa: ASYNC110 - as in drain
            await asyncio.sleep(_LOOK_S)

    def abort(self) -> None:
        """Abort every connection that is left."""
        for connection in list(self._tick.connections.values()):
            connection.abort()


class SessionBinder:
    """Binds and reconnects; one task for each bind, none for a message.

    At most `maximum` sessions are bound at once, each with at most `window` requests outstanding;
    `bound` is called for each new one.
    """

    def __init__(
        self,
        tick: Tick,
        binders: tuple[Upstream, Pool],
        gate: Gate,
        pairs: Pairs,
        leaving: SessionCloser,
        settings: GatewaySettings,
    ) -> None:
        self.window: int
        self.maximum: int
        self._timers: Timers
        self.follow_settings(settings)
        self.bound: Callable[[Connection], None] = lambda _connection: None
        self._tick = tick
        self._upstream, self._pool = binders
        self._gate = gate
        self._pairs = pairs
        self._leaving = leaving

    def follow_settings(self, settings: GatewaySettings) -> None:
        """Take over timers and limits, for the binds to come."""
        self.window, self.maximum = settings.limits.window, settings.limits.sessions
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
        # Dialling ends by itself after session_init: until then the SP is not cut, but answered.
        session.clocks.opened_at = monotonic() + self._timers.session_init_s
        smsc, answer, status = await self._dial(pair)
        if smsc is not None and not self._may_join(pair):
            if not smsc.link.is_shared:
                self._leaving.retire(smsc.link)
            smsc, status = None, CommandStatus.ESME_RBINDFAIL
        if smsc is None:
            self._gate.leave(system_id)
            self._refuse(connection, pdu, status)
            return
        answer = bind_answer_for(request.interface_version, answer)
        connection.write(renumbered(answer, HEADER.unpack_from(pdu)[3]))
        session.system_id = system_id
        session.knows_tlvs = request.interface_version >= WITH_TLVS
        session.window = min(pair.sender.window, self.window)
        self._pairs.add(pair)
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
        about["smsc"] = smsc.link.smsc
        self._tick.records.rows.append(("e", epoch(), "bound", about))
        self._tick.resume((session, smsc.link))

    def _may_join(self, pair: Pair) -> bool:
        """Tell whether the bind is still allowed; a reload may have come during the dialling."""
        account = self._tick.pipeline.plane.rules.accounts.get(pair.sender.system_id)
        if account is None or account.standing is not None:
            return False
        pair.sender = account.sender
        if len(self._pairs) >= self.maximum:
            return False
        return pair.esme.is_open and not self._leaving.is_draining

    async def _dial(
        self, pair: Pair, *, is_told: bool = True
    ) -> tuple[Connection | None, bytes, int]:
        """Bind at an SMSC of the SP's group, or take a bind of the pool; see Upstream.dial."""
        if pair.sender.group in self._pool:
            pooled = self._pool.pick(pair.sender.group)
            status = CommandStatus.ESME_RBINDFAIL if pooled is None else 0
            return pooled, answer_to(pair.bind_pdu), status
        return await self._upstream.dial(
            pair.bind_pdu,
            system_id=pair.sender.system_id,
            group=pair.sender.group,
            window=self.window,
            is_told=is_told,
        )

    def _join(self, pair: Pair, smsc: Connection) -> None:
        session, link = pair.session, smsc.link
        pair.smsc, session.peer = smsc, link
        if link.is_shared:
            session.detours.pop(link, None)
            link.share_with(session)
            return
        link.peer = session
        link.state = BOUND_STATES[pair.request.bind_type]
        link.clocks.last_traffic_at = monotonic()

    def _refuse(self, connection: Connection, pdu: bytes, status: int) -> None:
        _, command_id, _, sequence = HEADER.unpack_from(pdu)
        if not self._leaving.leaves_binds:
            connection.write(header_only(command_id | RESPONSE_BIT, status, sequence))
        connection.close()

    def rejoin(self, group: str) -> None:
        """Let the sessions go on that had no bind of a pooled group: it has one that is new."""
        for pair in self._pairs.values():
            if pair.smsc is None and pair.sender.group == group:
                self.rejoin_one(pair)
            elif pair.session.awaits is pair.session:  # routes lead there
                self._tick.resume((pair.session,))

    def rejoin_one(self, pair: Pair) -> None:
        """Give a session that has lost its shared bind another one, if there is one."""
        smsc = self._pool.pick(pair.sender.group)
        if smsc is not None:
            self._join(pair, smsc)
            self._tick.resume((pair.session,))

    def _is_without_smsc(self, pair: Pair) -> bool:
        is_there = pair.session in self._pairs and not self._leaving.is_draining
        return is_there and pair.smsc is None

    async def reconnect(self, pair: Pair) -> None:
        """Bind again after the SMSC link was lost; retry until bound, dismissed or draining."""
        session, attempt = pair.session, 0
        while self._is_without_smsc(pair):
            fraction = random.random()  # noqa: S311 - jitter, not a secret
            await asyncio.sleep(reconnect_delay_s(attempt, self._timers.reconnect_max_s, fraction))
            attempt += 1
            if not self._is_without_smsc(pair):  # it has joined a bind of the pool, say
                return
            smsc, _, status = await self._dial(pair, is_told=attempt == 1)
            if not self._is_without_smsc(pair):
                if smsc is not None:  # its own: a bind of the pool is there without a wait
                    self._leaving.retire(smsc.link)
                return
            if status in FATAL:
                self._leaving.dismiss(session)
                return
            if smsc is None:
                continue
            self._join(pair, smsc)
            log.info(
                "smsc.bound",
                system_id=pair.sender.system_id,
                session=session.number,
                smsc=smsc.link.smsc,
            )
            self._tick.resume((session, smsc.link))
