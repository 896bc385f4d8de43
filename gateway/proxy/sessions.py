"""The SPs' sessions, each with its own bind at the SMSC, from connection to farewell."""

import asyncio
import random
from dataclasses import dataclass, field

import structlog

from gateway.dataplane import attention
from gateway.dataplane.link import Link
from gateway.dataplane.relay import renumbered
from gateway.domain.sender import Sender
from gateway.proxy.connection import Connection
from gateway.proxy.dialling import Dialler, SmscUnreachableError, status_of_answer
from gateway.proxy.gate import Gate
from gateway.proxy.numbers import Numbers
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, monotonic
from gateway.runtime.tasks import spawn
from gateway.session.binding import BindRequest
from gateway.session.reconnect import reconnect_delay_s
from gateway.session.states import BOUND_STATES, SessionState, Side
from gateway.session.timers import Timers
from gateway.smpp.answers import header_only, unbind, unbind_resp
from gateway.smpp.commands import RESPONSE_BIT
from gateway.smpp.errors import DecodeError
from gateway.smpp.framing import HEADER
from gateway.smpp.status import CommandStatus

log = structlog.get_logger()

# How long new messages wait for a lost SMSC before they are refused: a flap must not burn an
# SP's queue, a real outage must be told.
_WAIT_FOR_SMSC_S = 2.0
_FAREWELL_S = 3.0
_FEWEST_STRANGERS = 4
# The SMSC knows the SP no more: dialling on would lock its account there.
_FATAL = frozenset({CommandStatus.ESME_RINVPASWD, CommandStatus.ESME_RINVSYSID})


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


class Sessions:
    """Accepts, binds, reconnects and dismisses; one task for each bind, none per message."""

    def __init__(
        self, tick: Tick, dialler: Dialler, gate: Gate, numbers: Numbers, timers: Timers
    ) -> None:
        self.pairs: dict[Link, Pair] = {}
        self.maximum = 2000
        self.window = 1000
        self.is_draining = False
        self._tick = tick
        self._dialler = dialler
        self._gate = gate
        self._numbers = numbers
        self._timers = timers
        self._leaving: dict[Link, int] = {}  # unbind to answer once all is answered
        self._retiring: set[Link] = set()  # SMSC links whose SP is gone

    # Connections come and go.

    def accept(self) -> Connection:
        """Return the protocol for a connection that an SP opened."""
        link = Link(self._numbers.next(), Side.ESME, self.window, monotonic())
        return Connection(self._tick, link, self._welcome)

    def _welcome(self, connection: Connection) -> None:
        if self.is_draining or self._is_crowded(connection.peer_address):
            connection.abort()
        else:
            self._tick.add(connection)

    def forget(self, connection: Connection) -> None:
        """Clear up after a connection that is gone; its outstanding requests are answered."""
        link = connection.link
        if link.side is Side.ESME:
            self._forget_esme(link)
        else:
            self._forget_smsc(link)

    def _is_crowded(self, address: str) -> bool:
        """Tell whether there is no room for one more.

        Those that have not bound may take half of it at most, and those of one address a
        quarter: a crowd of strangers must leave room for SPs that come back.
        """
        open_now = [c for c in self._tick.connections.values() if c.link.side is Side.ESME]
        if len(open_now) >= self.maximum:
            return True
        strangers = [c for c in open_now if c.link not in self.pairs]
        from_there = sum(c.peer_address == address for c in strangers)
        return len(strangers) >= max(_FEWEST_STRANGERS, self.maximum // 2) or from_there >= max(
            _FEWEST_STRANGERS, self.maximum // 4
        )

    def _forget_esme(self, session: Link) -> None:
        self._leaving.pop(session, None)
        pair = self.pairs.pop(session, None)
        if pair is None:
            return
        self._gate.leave(pair.sender.system_id)
        log.info("esme.closed", system_id=pair.sender.system_id, session=session.number)
        if pair.smsc is not None:
            self._retiring.add(pair.smsc.link)
            self.turned()

    def _forget_smsc(self, link: Link) -> None:
        self._dialler.lost(link)
        self._retiring.discard(link)
        session = link.peer
        pair = self.pairs.get(session) if session is not None else None
        if session is None or pair is None or session.peer is not link:
            return
        session.peer = pair.smsc = None
        if session.state is SessionState.UNBINDING or self.is_draining:
            self.turned()
            return
        log.warning("smsc.lost", system_id=pair.sender.system_id, session=session.number)
        session.wait_until = monotonic() + _WAIT_FOR_SMSC_S
        spawn(self._reconnect(pair), name=f"reconnect-{session.number}")

    # Binding.

    def bind(self, item: attention.Bind) -> None:
        """Begin to answer an SP's bind."""
        spawn(self._bind(item.session, item.pdu), name=f"bind-{item.session.number}")

    async def _bind(self, session: Link, pdu: bytes) -> None:
        connection = self._tick.connections.get(session)
        if connection is not None:
            await self._bind_on(connection, pdu)

    async def _bind_on(self, connection: Connection, pdu: bytes) -> None:
        session = connection.link
        session.clocks.opened_at = monotonic()  # the SP has done its part of session_init
        try:
            admitted = await self._gate.admit(pdu, connection.peer_address)
        except DecodeError as error:
            self._refuse(connection, pdu, error.status)
            return
        if admitted.sender is None or self.is_draining:
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
            self._retire(smsc.link)
            self._refuse(connection, pdu, CommandStatus.ESME_RBINDFAIL)
            return
        connection.write(renumbered(answer, HEADER.unpack_from(pdu)[3]))
        session.system_id = system_id
        session.window = min(pair.sender.window, self.window)
        self.pairs[session] = pair
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
        """Tell whether a bind still stands; a reload may have come while it was dialled."""
        account = self._tick.pipeline.plane.rules.accounts.get(pair.sender.system_id)
        if account is None:
            return False
        pair.sender = account.sender
        return pair.esme.is_open and not self.is_draining

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

    async def _reconnect(self, pair: Pair) -> None:
        session, attempt = pair.session, 0
        while session in self.pairs and pair.smsc is None and not self.is_draining:
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
                    self.dismiss(session)
                    return
                continue
            if session not in self.pairs:
                self._retire(smsc.link)
                return
            self._join(pair, smsc)
            log.info("smsc.bound", system_id=pair.sender.system_id, session=session.number)
            self._tick.resume((session, smsc.link))

    # Leaving.

    def unbinding(self, item: attention.Unbind) -> None:
        """Let the other side go: an SP once its messages are answered, an SMSC at once."""
        link = item.link
        if link.side is Side.ESME and link in self.pairs:
            self._leaving[link] = item.sequence
            self.turned()
            return
        connection = self._tick.connections.get(link)
        if connection is not None:
            connection.write(unbind_resp(item.sequence))
            connection.close()

    def unbound(self, item: attention.Unbound) -> None:
        """Close what has answered our unbind."""
        connection = self._tick.connections.get(item.link)
        if connection is not None:
            connection.close()

    def follow_accounts(self) -> None:
        """Hold sessions to what a reload changed: whose sender is gone must go too."""
        accounts = self._tick.pipeline.plane.rules.accounts
        for session, pair in list(self.pairs.items()):
            account = accounts.get(pair.sender.system_id)
            if account is None:
                self.dismiss(session)
                continue
            pair.sender = account.sender
            session.window = min(account.sender.window, self.window)

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
        """Finish, after a tick, what only waited for answers."""
        if self._leaving:
            for session, sequence in list(self._leaving.items()):
                if not is_owed(session):
                    del self._leaving[session]
                    connection = self._tick.connections[session]
                    connection.write(unbind_resp(sequence))
                    log.info("esme.unbound", system_id=session.system_id, session=session.number)
                    connection.close()
        if self._retiring:
            for link in [link for link in self._retiring if not link.outstanding]:
                self._retiring.discard(link)
                self._retire(link)

    def _retire(self, link: Link) -> None:
        connection = self._tick.connections.get(link)
        if connection is not None:
            self._say_unbind(connection)

    def _say_unbind(self, connection: Connection) -> None:
        link = connection.link
        connection.write(unbind(link.next_sequence()))
        link.state = SessionState.UNBINDING
        link.clocks.unbind_sent_at = monotonic()

    async def drain(self) -> None:
        """Take no new binds or messages, answer what is under way, then unbind both sides."""
        self.is_draining = True
        deadline = monotonic() + self._timers.drain_s
        for session in self.pairs:
            session.is_leaving = True
        self._tick.resume(self.pairs)  # what waited for room or an SMSC is refused now
        # Polled: what is owed ends in a dozen places, and this happens once in a process's life.
        while any(map(is_owed, self.pairs)) and monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        for connection in self._of(Side.ESME):
            self.dismiss(connection.link)
        await self._gone(Side.ESME)
        for connection in self._of(Side.ESME):
            connection.abort()  # it says nothing; its SMSC side shall be unbound all the same
        await self._gone(Side.SMSC)
        self.abort()

    def _of(self, side: Side) -> list[Connection]:
        return [one for link, one in self._tick.connections.items() if link.side is side]

    async def _gone(self, side: Side) -> None:
        deadline = monotonic() + _FAREWELL_S
        while self._of(side) and monotonic() < deadline:  # noqa: ASYNC110 - as in drain
            await asyncio.sleep(0.02)

    def abort(self) -> None:
        """Cut every connection that is left."""
        for connection in list(self._tick.connections.values()):
            connection.abort()


def is_owed(session: Link) -> bool:
    """Tell whether a session still waits for an answer of ours."""
    if session.held:
        return True
    peer = session.peer
    return peer is not None and any(entry[0] is session for entry in peer.outstanding.values())


def _name(status: int) -> str:
    try:
        return CommandStatus(status).name
    except ValueError:
        return f"0x{status:08X}"
