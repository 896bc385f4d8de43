"""Once a second: expire requests, close silent connections, send enquire_link."""

import asyncio
from typing import NoReturn

import structlog

from gateway.dataplane.link import Link
from gateway.proxy.connection import Connection, Pause
from gateway.proxy.sessions import Sessions
from gateway.proxy.tick import Tick
from gateway.runtime.clock import epoch, monotonic
from gateway.session.operations import SessionState, Side
from gateway.session.timers import Due, Timers, due
from gateway.smpp.pdu import enquire_link

log = structlog.get_logger()

_EVERY_S = 1.0
# A connection paused for one of these is not silent: we do not read it.
_OURS = (Pause.WINDOW, Pause.PEER, Pause.CONTROL, Pause.BUDGET)
# A sweep this late means that the process was stopped: what peers sent meanwhile is unread.
_LATE_S = 2.0


class Keepalive:
    """Checks all connections in one sweep; there is no timer for a session or a message."""

    def __init__(self, tick: Tick, sessions: Sessions, timers: Timers) -> None:
        self._tick = tick
        self._sessions = sessions
        self._timers = timers

    async def keep(self) -> NoReturn:
        """Sweep every second until cancelled.

        After the process itself stood still one sweep is skipped: answers that wait in the
        sockets are in time, and peers may have sent while we did not read.
        """
        while True:
            before = monotonic()
            await asyncio.sleep(_EVERY_S)
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
            if connection.is_unread_for(self._timers.response_s, now):
                self._cut(connection, "it does not read its answers")
            elif not self._is_waiting(link, connection):
                self._act(connection, now)
        self._sessions.leaving.turned()
        self._sessions.strangers.summarise(now)

    def _is_waiting(self, link: Link, connection: Connection) -> bool:
        """Tell whether we do not read the link, or an SP's unbind waits for our answers."""
        if any(map(connection.is_paused_for, _OURS)):
            link.clocks.last_octets_at = monotonic()
            return True
        return link.state is SessionState.UNBINDING and link.clocks.unbind_sent_at is None

    def _act(self, connection: Connection, now: float) -> None:
        link = connection.link
        match due(self._timers, link.clocks, is_bound=link.state.is_bound, now=now):
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
        link = connection.link
        if link.side is Side.ESME and not link.system_id:
            self._sessions.strangers.closed(reason, connection.peer_address)
        else:
            event = "esme.closed" if link.side is Side.ESME else "smsc.lost"
            log.warning(event, system_id=link.system_id, session=link.number, reason=reason)
        connection.abort()
