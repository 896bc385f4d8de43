"""Connections and sessions of SPs: from connect to close, what is due each second, first limits."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NoReturn

import structlog

from gateway.dataplane import attention
from gateway.dataplane.link import Link
from gateway.dataplane.relay import control_wait_s
from gateway.proxy.connection import Connection, Pause
from gateway.proxy.esme_session import SessionBinder, SessionCloser
from gateway.proxy.gate import Gate
from gateway.proxy.pool import Pool
from gateway.proxy.routes import Pairs
from gateway.proxy.tick import Tick
from gateway.proxy.upstream import SmscState, Upstream
from gateway.runtime.acceptor import Abandon
from gateway.runtime.clock import epoch, monotonic
from gateway.runtime.tasks import spawn
from gateway.session.operations import SessionState, Side
from gateway.session.stranger_limits import ConnectionRate, StrangerPlaces, origin_of
from gateway.session.timers import Due, Timers, due
from gateway.settings.gateway import GatewaySettings, Limits
from gateway.smpp.pdu import enquire_link

log = structlog.get_logger()


# Half of `limits.sessions` for strangers, the same for addresses of known SPs, and half of that
# for one address: an SP with hundreds of sessions reconnects all of them at once.
_SHARE = 2
_SHARE_OF_ONE = 2
_FEWEST = 4
# A stranger's address may open a tenth of what an SP's may, for each costs as much as some
# messages. Small limits are not made smaller.
_SLOWER, _LEAST_PER_S, _LEAST_AT_ONCE = 10, 10, 20


class UnboundConnections:
    """Admits new connections and aborts old ones when their places are needed.

    Addresses that an SP has bound from lately (`is_known`) have places of their own, which
    strangers never take, and as many connections a second as `limits` say; a stranger's address
    has a tenth of that. `refused` counts rejected and aborted connections, by reason.
    """

    def __init__(self, limits: Limits, is_known: Callable[[str], bool]) -> None:
        self.refused: Counter[str] = Counter()
        self._is_known = is_known
        self._rates: tuple[ConnectionRate, ConnectionRate]
        self._places = StrangerPlaces[Connection](1, 1), StrangerPlaces[Connection](1, 1)
        self.limit(limits)

    def limit(self, limits: Limits) -> None:
        """Use these limits from now on; the connections that there are stay."""
        per_s, at_once = limits.connections_per_s, limits.connections_at_once
        slower = max(min(per_s, _LEAST_PER_S), per_s / _SLOWER)
        fewer = max(min(at_once, _LEAST_AT_ONCE), at_once // _SLOWER)
        self._rates = (ConnectionRate(slower, fewer), ConnectionRate(per_s, at_once))
        self.share(limits.sessions)

    def share(self, sessions: int) -> None:
        """Set the number of places from `limits.sessions`."""
        total = max(_FEWEST, sessions // _SHARE)
        for places in self._places:
            places.total, places.of_one = total, max(_FEWEST, total // _SHARE_OF_ONE)

    def admits(self, address: str) -> bool:
        """Tell whether one more connection from `address` is admitted now; count it."""
        if self._rates[self._is_known(address)].admits(address, monotonic()):
            return True
        self.refused["rate"] += 1
        return False

    def enter(self, connection: Connection) -> None:
        """Give `connection` a place; abort the connection that loses its place, if any."""
        address = connection.peer_address
        goes = self._places[self._is_known(address)].enter(connection, origin_of(address))
        if goes is not None:
            self.refused["crowd"] += 1
            goes.abort()

    def leave(self, connection: Connection) -> None:
        """Free the place of a connection that has bound, or is gone. May be repeated."""
        for places in self._places:
            places.leave(connection)

    def __len__(self) -> int:
        """Return how many connections have not bound."""
        return sum(map(len, self._places))


# How long new messages wait for a lost SMSC before they are rejected: a short loss must not
# empty an SP's queue into errors, a real outage must be reported.
_WAIT_FOR_SMSC_S = 2.0
_FRAMING = "command_length"
# At a hand-over. The SPs that are bound are served all the while, new ones wait in the backlog.
_TO_BIND_S = 1.0
_LOOK_S = 0.02


class Sessions:
    """Accepts connections, forgets them, and knows which sessions are bound.

    `joining` binds them, `leaving` ends them; `unbound` limits the connections before their bind.
    An Acceptor uses it as its host.
    """

    def __init__(
        self,
        tick: Tick,
        upstream: Upstream,
        gate: Gate,
        numbers: Iterator[int],
        settings: GatewaySettings,
    ) -> None:
        timers, limits = settings.timers, settings.limits
        self.pairs = Pairs()
        self.unbound = UnboundConnections(limits, gate.is_known)
        self.leaving = SessionCloser(tick, self.pairs, timers.drain_s)
        self.pool = Pool(tick, upstream, timers, lambda: self.leaving.is_draining, gate.lockouts)
        binders = (upstream, self.pool)
        self.joining = SessionBinder(tick, binders, gate, self.pairs, self.leaving, settings)
        self.pool.joined = self.joining.rejoin
        plane = tick.pipeline.plane
        plane.way_to, plane.smsc_of = self.pool.way_to, self.pool.smsc_of
        self.joining.bound = self.unbound.leave
        self.strangers = gate.strangers
        self._tick = tick
        self._upstream = upstream
        self._gate = gate
        self._numbers = numbers
        self._window, self._response_s = limits.window, timers.response_s

    def may_connect(self, address: str) -> bool:
        """Tell whether one more connection from `address` is accepted now."""
        if self.leaving.is_draining:
            return False
        if len(self.pairs) >= self.joining.maximum:
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
        link = Link(next(self._numbers), Side.ESME, self._window, monotonic())
        connection = Connection(self._tick, link)
        connection.peer_address = address
        connection.abandon = abandon
        self.unbound.enter(connection)
        return connection

    async def settle(self, unread: Callable[[], int]) -> None:
        """Give who has connected a moment to bind; `unread` counts PROXY headers to come."""
        deadline = monotonic() + _TO_BIND_S
        await asyncio.sleep(0)  # what was accepted in this turn of the loop is counted then
        # Polled, as in SessionCloser.drain.
        while (len(self.unbound) or unread()) and monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)

    def misdirected(self, address: str) -> None:
        """Note a load balancer at `address` with a missing or wrong PROXY header."""
        self.strangers.closed("its PROXY header is missing or wrong", address)

    def failed(self, protocol: asyncio.BaseProtocol) -> None:
        """Free the place of a connection after a failed TLS handshake."""
        if isinstance(protocol, Connection):
            self.unbound.leave(protocol)
            self.strangers.closed("its TLS handshake failed", protocol.peer_address)

    def outbind(self, item: attention.Outbind) -> None:
        """Bind at an SMSC on the connection that it has opened."""
        connection = self._tick.connections.get(item.link)
        if connection is not None:
            self.unbound.leave(connection)
            item.link.clocks.opened_at = monotonic()  # it has said who it is
            self._tick.turn_round(item.link)
            self.pool.answer(connection, item.smsc)

    def forget(self, connection: Connection) -> None:
        """Clean up after a lost connection; its outstanding requests are answered already."""
        link = connection.link
        if link.side is Side.ESME:
            self.unbound.leave(connection)
            self._forget_esme(link)
        else:
            self._forget_smsc(link)

    def _forget_esme(self, session: Link) -> None:
        self.leaving.forget(session)
        pair = self.pairs.remove(session)
        if pair is None:
            return
        self._gate.leave(pair.sender.system_id)
        log.info("esme.closed", system_id=pair.sender.system_id, session=session.number)
        for detour in session.detours:
            detour.part(session)
        link = pair.smsc.link if pair.smsc is not None else None
        if link is not None and link.is_shared:
            link.part(session)
        elif link is not None:
            self.leaving.retire(link)

    def _forget_smsc(self, link: Link) -> None:
        self._upstream.lost(link)
        self.pool.lost(link)
        self.leaving.forget(link)
        if link.is_shared:
            self._lose_shared(link)
            return
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

    def _lose_shared(self, link: Link) -> None:
        """Give the sessions of a bind of the pool that is lost another one."""
        sharers = list(chain.from_iterable(link.sharers.values()))
        link.sharers.clear()
        if not self.leaving.is_draining:
            about = {"smsc": link.smsc, "system_id": link.system_id}
            log.warning("smsc.lost", sessions=len(sharers), **about)
        for session in sharers:
            pair = self.pairs.get(session)
            if pair is None:  # it has gone, and its last requests had no answer
                continue
            session.wait_until = monotonic() + _WAIT_FOR_SMSC_S
            if link in session.detours:
                del session.detours[link]
                self._tick.resume((session,))
                continue
            session.peer = pair.smsc = None
            if pair.sender.group in self.pool:
                self.joining.rejoin_one(pair)
            else:
                spawn(self.joining.reconnect(pair), name=f"reconnect-{session.number}")

    def follow_smscs(self, smscs: Iterable[SmscState]) -> None:
        """Use exactly these SMSCs; sessions leave one that is gone once it has answered."""
        gone, fresh = self._upstream.follow(smscs)
        self.pool.keep(fresh)
        for smsc in gone:
            self.drain_smsc(smsc.name)

    def drain_smsc(self, smsc: str) -> None:
        """Unbind from an SMSC once it has answered; its sessions wait, and go to other SMSCs."""
        wait_until = monotonic() + self._response_s
        for link in [one for one in self._tick.connections if one.smsc == smsc]:
            if not link.state.is_bound:
                continue
            link.is_leaving = True
            of = chain.from_iterable(link.sharers.values()) if link.is_shared else (link.peer,)
            for session in of:
                if session is not None:
                    session.wait_until = wait_until
            self.leaving.retire(link)

    def lose_framing(self, item: attention.FramingFault) -> None:
        """Close a connection that lost its framing, after its generic_nack."""
        connection = self._tick.connections.get(item.link)
        if connection is None:
            return
        problem = item.problem
        if not item.link.system_id and problem.startswith(_FRAMING):
            problem = _FRAMING  # the length is whatever a stranger sent: reasons are a closed list
        self.note_closed(connection, problem)
        connection.close()

    def note_closed(self, connection: Connection, reason: str) -> None:
        """Log why the gateway closes a connection; that of a stranger counts for its address."""
        link = connection.link
        if link.side is Side.ESME and not link.system_id:
            self.strangers.closed(reason, connection.peer_address)
        else:
            event = "esme.closed" if link.side is Side.ESME else "smsc.lost"
            log.warning(event, system_id=link.system_id, session=link.number, reason=reason)

    def wait(self, item: attention.Wait) -> None:
        """Stop reading an SP that sent too many control PDUs, until its rate is allowed again."""
        connection = self._tick.connections.get(item.link)
        if connection is not None:
            _leave_unread(connection)

    def follow_settings(self, settings: GatewaySettings) -> None:
        """Take over timers and limits; sessions that are bound stay."""
        self.unbound.limit(settings.limits)
        self.leaving.drain_s = settings.timers.drain_s
        self.joining.follow_settings(settings)
        self.pool.follow_timers(settings.timers)
        self._window = settings.limits.window
        self._response_s = settings.timers.response_s
        self.follow_accounts()

    def follow_accounts(self) -> None:
        """Apply a reload to sessions: dismiss those of removed senders, update the windows."""
        accounts = self._tick.pipeline.plane.rules.accounts
        for session, pair in list(self.pairs.items()):
            account = accounts.get(pair.sender.system_id)
            if account is None:
                self.leaving.dismiss(session)
                continue
            pair.sender = account.sender
            session.window = min(account.sender.window, self._window)


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


_SWEEP_EVERY_S = 1.0
_UNOWNED_EVERY_S = 60.0
# A connection paused for one of these is not silent: we do not read it.
_OURS = (Pause.WINDOW, Pause.PEER, Pause.CONTROL, Pause.BUDGET)
# A sweep this late means that the process was stopped: what peers sent meanwhile is unread.
_LATE_S = 2.0


class Keepalive:
    """Checks all connections in one sweep; there is no timer for a session or a message."""

    def __init__(self, tick: Tick, sessions: Sessions, timers: Timers) -> None:
        self._tick = tick
        self._sessions = sessions
        self.timers = timers
        self._unowned, self._unowned_at = 0, 0.0  # those that the log tells of

    async def keep(self) -> NoReturn:
        """Sweep every second until cancelled.

        After the process itself stood still one sweep is skipped: answers that wait in the
        sockets are in time, and peers may have sent while we did not read.
        """
        while True:
            before = monotonic()
            await asyncio.sleep(_SWEEP_EVERY_S)
            now = monotonic()
            if now - before < _LATE_S:
                self.sweep(now)

    def sweep(self, now: float) -> None:
        """Do what is due at `now`."""
        tick = self._tick
        tick.out(tick.pipeline.expire(list(tick.connections), now, epoch()))
        waiting = [s for s in self._sessions.pairs if s.is_blocked and now >= s.wait_until]
        tick.resume(waiting)
        for link, connection in list(tick.connections.items()):
            if connection.is_unread_for(self.timers.response_s, now):
                self._cut(connection, "it does not read its answers")
            elif not self._is_waiting(link, connection):
                if link.is_shared:
                    link.clocks.last_traffic_at = now  # it is there to listen, and never idle
                self._act(connection, now)
        self._sessions.leaving.turned()
        self._sessions.strangers.summarise(now)
        unowned = tick.pipeline.plane.tally.receipts_unowned
        if unowned > self._unowned and now >= self._unowned_at:
            log.warning("receipt.unowned", count=unowned - self._unowned)
            self._unowned, self._unowned_at = unowned, now + _UNOWNED_EVERY_S

    def _is_waiting(self, link: Link, connection: Connection) -> bool:
        """Tell whether we do not read the link, or an SP's unbind waits for our answers."""
        if any(map(connection.is_paused_for, _OURS)):
            link.clocks.last_octets_at = monotonic()
            return True
        return link.state is SessionState.UNBINDING and link.clocks.unbind_sent_at is None

    def _act(self, connection: Connection, now: float) -> None:
        link = connection.link
        match due(self.timers, link.clocks, is_bound=link.state.is_bound, now=now):
            case Due.NOTHING:
                pass
            case Due.SEND_ENQUIRE_LINK:
                link.clocks.enquiry_sent_at = now
                connection.write(enquire_link(link.next_sequence()))
            case Due.UNBIND_IDLE:
                # Only the SP's side counts: when it goes, its SMSC side follows.
                if link.side is Side.ESME:
                    self._sessions.leaving.dismiss(link)
            case Due.CLOSE_UNBOUND:
                self._cut(connection, "it did not bind in time")
            case Due.CLOSE_PARTIAL:
                self._cut(connection, "a PDU was begun and not finished")
            case Due.CLOSE_SILENT:
                self._cut(connection, "it gave no sign of life")

    def _cut(self, connection: Connection, reason: str) -> None:
        self._sessions.note_closed(connection, reason)
        connection.abort()
