"""End of sessions: an unbind from either side, a dismissal, a drain."""

import asyncio

import structlog

from gateway.dataplane import attention
from gateway.dataplane.link import Link
from gateway.proxy.connection import Connection
from gateway.proxy.pairs import Pairs, is_owed
from gateway.proxy.tick import Tick
from gateway.runtime.clock import monotonic
from gateway.session.states import SessionState, Side
from gateway.smpp.answers import unbind, unbind_resp

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
                    connection = self._tick.connections[session]
                    connection.write(unbind_resp(sequence))
                    log.info("esme.unbound", system_id=session.system_id, session=session.number)
                    connection.close()
        if self._retiring:
            for link in [link for link in self._retiring if not link.outstanding]:
                self._retiring.discard(link)
                self._unbind(link)

    def _unbind(self, link: Link) -> None:
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
