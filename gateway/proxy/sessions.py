"""Connections and sessions of SPs, from connect to close."""

import asyncio

import structlog

from gateway.dataplane import attention
from gateway.dataplane.link import Link
from gateway.dataplane.relay import control_wait_s
from gateway.proxy.connection import Connection, Pause
from gateway.proxy.gate import Gate
from gateway.proxy.numbers import Numbers
from gateway.proxy.pairs import Pairs
from gateway.proxy.session_binder import SessionBinder
from gateway.proxy.session_closer import SessionCloser
from gateway.proxy.smsc_dialler import Dialler
from gateway.proxy.tick import Tick
from gateway.proxy.unbound_connections import UnboundConnections
from gateway.runtime.acceptor import Abandon
from gateway.runtime.clock import monotonic
from gateway.runtime.tasks import spawn
from gateway.session.states import SessionState, Side
from gateway.session.timers import Timers

log = structlog.get_logger()

# How long new messages wait for a lost SMSC before they are rejected: a short loss must not
# empty an SP's queue into errors, a real outage must be reported.
_WAIT_FOR_SMSC_S = 2.0
_CONNECTIONS_PER_S, _CONNECTIONS_AT_ONCE = 20, 200


class Sessions:
    """Accepts connections, forgets them, and knows which sessions are bound.

    `joining` binds them, `leaving` ends them. `maximum` limits the bound sessions of SPs,
    `unbound` the connections before their bind, `window` the outstanding requests of each
    session. An Acceptor uses it as its host.
    """

    def __init__(
        self, tick: Tick, dialler: Dialler, gate: Gate, numbers: Numbers, timers: Timers
    ) -> None:
        self.pairs: Pairs = {}
        self.leaving = SessionCloser(tick, self.pairs, timers.drain_s)
        self.joining = SessionBinder(tick, dialler, gate, self.pairs, self.leaving, timers)
        self.unbound = UnboundConnections(_CONNECTIONS_PER_S, _CONNECTIONS_AT_ONCE, gate.is_known)
        self.joining.bound = self._free_place
        self.strangers = gate.strangers
        self._tick = tick
        self._dialler = dialler
        self._gate = gate
        self._numbers = numbers

    @property
    def window(self) -> int:
        """Return how many requests of a session may be outstanding."""
        return self.joining.window

    @property
    def maximum(self) -> int:
        """Return how many sessions of SPs may be bound at once."""
        return self.joining.maximum

    def may_connect(self, address: str) -> bool:
        """Tell whether one more connection from `address` is accepted now."""
        if self.leaving.is_draining:
            return False
        if len(self.pairs) >= self.maximum:
            self.strangers.closed("as many sessions are bound as may be", address)
            return False
        if not self.unbound.admits(address):
            self.strangers.closed("its address opens too many connections a second", address)
            return False
        return True

    def accept(self, address: str, abandon: Abandon) -> Connection | None:
        """Return the protocol for a connection that an SP opened; it has not bound yet."""
        if self.leaving.is_draining:
            return None
        link = Link(self._numbers.next(), Side.ESME, self.window, monotonic())
        connection = Connection(self._tick, link, self._tick.add)
        connection.peer_address = address
        connection.abandon = abandon
        self.unbound.enter(connection)
        return connection

    def misdirected(self, address: str) -> None:
        """Note a load balancer at `address` with a missing or wrong PROXY header."""
        self.strangers.closed("its PROXY header is missing or wrong", address)

    def failed(self, protocol: asyncio.BaseProtocol) -> None:
        """Free the place of a connection after a failed TLS handshake."""
        if isinstance(protocol, Connection):
            self.unbound.leave(protocol)
            self.strangers.closed("its TLS handshake failed", protocol.peer_address)

    def _free_place(self, connection: Connection) -> None:
        self.unbound.leave(connection)

    def forget(self, connection: Connection) -> None:
        """Clean up after a lost connection; its outstanding requests are answered already."""
        link = connection.link
        if link.side is Side.ESME:
            self._free_place(connection)
            self._forget_esme(link)
        else:
            self._forget_smsc(link)

    def _forget_esme(self, session: Link) -> None:
        self.leaving.forget(session)
        pair = self.pairs.pop(session, None)
        if pair is None:
            return
        self._gate.leave(pair.sender.system_id)
        log.info("esme.closed", system_id=pair.sender.system_id, session=session.number)
        if pair.smsc is not None:
            self.leaving.retire(pair.smsc.link)

    def _forget_smsc(self, link: Link) -> None:
        self._dialler.lost(link)
        self.leaving.forget(link)
        session = link.peer
        pair = self.pairs.get(session) if session is not None else None
        if session is None or pair is None or session.peer is not link:
            return
        session.peer = pair.smsc = None
        if session.state is SessionState.UNBINDING or self.leaving.is_draining:
            self.leaving.turned()
            return
        log.warning("smsc.lost", system_id=pair.sender.system_id, session=session.number)
        session.wait_until = monotonic() + _WAIT_FOR_SMSC_S
        spawn(self.joining.reconnect(pair), name=f"reconnect-{session.number}")

    def wait(self, item: attention.Wait) -> None:
        """Stop reading an SP that sent too many control PDUs, until its rate is allowed again."""
        connection = self._tick.connections.get(item.link)
        if connection is not None:
            _leave_unread(connection)

    def follow_accounts(self) -> None:
        """Apply a reload to sessions: dismiss those of removed senders, update the windows."""
        accounts = self._tick.pipeline.plane.rules.accounts
        for session, pair in list(self.pairs.items()):
            account = accounts.get(pair.sender.system_id)
            if account is None:
                self.leaving.dismiss(session)
                continue
            pair.sender = account.sender
            session.window = min(account.sender.window, self.window)


def _leave_unread(connection: Connection) -> None:
    """Keep an SP unread while it must wait; octets read before may have made the wait longer."""
    wait_s = control_wait_s(connection.link, monotonic())
    if wait_s:
        connection.pause(Pause.CONTROL)
        asyncio.get_running_loop().call_later(wait_s, _leave_unread, connection)
    else:
        _read_on(connection)


def _read_on(connection: Connection) -> None:
    clocks = connection.link.clocks
    if clocks.partial_since is not None:  # we did not read the rest of its PDU
        clocks.partial_since = monotonic()
    connection.resume(Pause.CONTROL)
