"""The tick: once per turn of the loop, everything that was read, together."""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from gateway.dataplane.attention import Attention
from gateway.dataplane.batch import Batch
from gateway.dataplane.link import Link
from gateway.dataplane.pipeline import Pipeline
from gateway.dataplane.prohibited import Prohibited
from gateway.proxy.connection import Connection, Pause, Share
from gateway.runtime.clock import epoch, monotonic
from gateway.runtime.counters import Histogram
from gateway.runtime.records import Records
from gateway.session.states import SessionState, Side

log = structlog.get_logger()

# How much of a session that has no room is read ahead, so that its enquiries and answers are
# still served; the rest waits in its socket.
_LOOK_AHEAD_OCTETS = 64 * 1024

_ESME = Side.ESME  # a look-up on the class is Python code in 3.11

Shell = Callable[[Attention], None]
Report = Callable[[Prohibited], None]


class Tick:
    """Gathers what connections read and runs the pipeline over it, once per loop turn."""

    def __init__(self, pipeline: Pipeline, records: Records) -> None:
        self.pipeline = pipeline
        self.records = records
        self.connections: dict[Link, Connection] = {}
        self.attend: Shell = _unattended
        self.report: Report = _unattended
        self.forget: Callable[[Connection], None] = _forgotten
        self.turned: Callable[[], None] = _nothing
        self.share = Share()
        self.failures = 0
        self.turn_us = Histogram()
        self._from_esme: dict[Link, bytes] = {}
        self._from_smsc: dict[Link, bytes] = {}
        self._budgeted: list[Connection] = []
        self._is_due = False
        self._loop = asyncio.get_running_loop()

    def add(self, connection: Connection) -> None:
        """Let a connection take part."""
        self.connections[connection.link] = connection

    def received(self, connection: Connection, octets: bytes) -> None:
        """Take what a connection read; it is worked on at the end of this loop turn."""
        self._budgeted.append(connection)
        self._take(connection.link, octets)

    def resume(self, links: Iterable[Link]) -> None:
        """Take up again what waits in `links`, in the next turn at the latest."""
        for link in links:
            self._take(link, b"")

    def settled(self, session: Link) -> None:
        """Note that an SP was answered between two turns: requests, or its unbind, may wait."""
        if session.is_blocked or session.state is SessionState.UNBINDING:
            self.resume((session,))

    def lost(self, connection: Connection) -> None:
        """Answer for a connection that is gone, after what it sent before."""
        link = connection.link
        if self._from_esme or self._from_smsc:
            self._run()
        if self.connections.pop(link, None) is None:
            return
        other = self.connections.get(link.peer) if link.peer is not None else None
        if other is not None:  # who waited for it to read would wait for ever
            other.resume(Pause.PEER)
        self.out(self.pipeline.lose(link, monotonic(), epoch()))
        self.forget(connection)

    def slowed(self, connection: Connection, *, is_slow: bool) -> None:
        """Stop reading a peer that does not read, and who feeds it; or go on."""
        connection.unread_since = monotonic() if is_slow else None
        peer = connection.link.peer
        other = self.connections.get(peer) if peer is not None else None
        if is_slow:
            connection.pause(Pause.UNREAD)
        else:
            connection.resume(Pause.UNREAD)
        if other is not None and is_slow:
            other.pause(Pause.PEER)
        elif other is not None:
            other.resume(Pause.PEER)

    def out(self, batch: Batch) -> None:
        """Write a batch, keep its rows, then attend to its exceptions."""
        connections = self.connections
        for link, octets in batch.writes.items():
            connection = connections.get(link)
            if connection is not None:
                connection.write(octets[0] if len(octets) == 1 else b"".join(octets))
        if batch.rows:
            self.records.rows.extend(batch.rows)
        for item in batch.attention:
            self.attend(item)
        for prohibited in batch.prohibited:
            self.report(prohibited)
        if batch.freed:
            self.resume(batch.freed)

    def _take(self, link: Link, octets: bytes) -> None:
        waiting = self._from_esme if link.side is _ESME else self._from_smsc
        before = waiting.get(link)
        waiting[link] = before + octets if before else octets
        if not self._is_due:
            self._come_again()

    def _come_again(self) -> None:
        self._is_due = True
        self._loop.call_soon(self._run)

    def _run(self) -> None:
        from_smsc, self._from_smsc = self._from_smsc, {}
        from_esme: dict[Link, bytes] = {}
        now, at = monotonic(), epoch()
        self.pipeline.plane.is_overloaded = self.records.is_full
        try:
            # Answers first: they make the room that requests wait for.
            if from_smsc:
                self.out(self.pipeline.resp(from_smsc.items(), now, at))
            from_esme, self._from_esme = self._from_esme, {}
            if from_esme:
                self.out(self.pipeline.submit(from_esme.items(), now, at))
        except Exception:  # the tick's edge
            # A fault of ours: which of these messages went out can not be told, so nobody is
            # told anything false. The sessions close, and their SPs bind again.
            self.failures += 1
            log.exception("tick.failed")
            for link in {**from_smsc, **from_esme}:
                if link in self.connections:
                    self.connections[link].abort()
        self.share.among(len(from_esme))
        self._settle(from_smsc)
        self._settle(from_esme)
        self._read_on()
        self.records.settle()
        self.turned()
        self.turn_us.observe(int((monotonic() - now) * 1e6))

    def _read_on(self) -> None:
        for connection in self._budgeted:
            connection.taken = 0
            connection.resume(Pause.BUDGET)
        self._budgeted.clear()
        self._is_due = False
        if self._from_esme or self._from_smsc:
            self._come_again()

    def _settle(self, links: Iterable[Link]) -> None:
        """Leave the rest of a blocked session in its socket; read on when it has room."""
        for link in links:
            connection = self.connections.get(link)
            if connection is None:
                continue
            if link.is_blocked and len(link.tail) >= _LOOK_AHEAD_OCTETS:
                connection.pause(Pause.WINDOW)
            else:
                connection.resume(Pause.WINDOW)


def _unattended(item: Attention | Prohibited) -> None:
    raise NotImplementedError(type(item).__name__)


def _forgotten(_connection: Connection) -> None:
    """Do nothing yet: the shell is not wired."""


def _nothing() -> None:
    """Do nothing yet: the shell is not wired."""
