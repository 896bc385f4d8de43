"""One TCP connection, to an SP or the SMSC: it passes octets to and from the tick."""

import asyncio
import itertools
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol, cast

from gateway.dataplane.link import Link
from gateway.session.operations import SessionState

# The most and the fewest octets that are read from a session before its turn.
MOST_OCTETS = 16 * 1024
LEAST_OCTETS = 2 * 1024
# A connection is aborted when more than this is queued for a peer that does not read.
_MAX_UNSENT = 4 << 20
_HIGH_WATER = 256 * 1024

# One buffer for all: the loop fills it and calls buffer_updated before anything else runs.
_buffer = memoryview(bytearray(MOST_OCTETS))


class Pause(StrEnum):
    """Why a connection is not read at the moment."""

    BUDGET = "budget"  # its share was read; it waits for its turn
    WINDOW = "window"  # its window is full and enough requests wait
    UNREAD = "unread"  # it does not read what we write
    PEER = "peer"  # the connection on the other side does not read
    CONTROL = "control"  # it sent too many control PDUs


class ReadShare:
    """How much is read from one session until its next turn: less when more are busy."""

    __slots__ = ("octets", "room")

    def __init__(self) -> None:
        self.octets = MOST_OCTETS
        self.room = _buffer

    def among(self, busy: int, tick_octets: int) -> None:
        """Divide `tick_octets`, the octets that one tick may process, among `busy` sessions."""
        octets = min(MOST_OCTETS, max(LEAST_OCTETS, tick_octets // max(1, busy)))
        if octets != self.octets:
            self.octets = octets
            self.room = _buffer[:octets]


class ConnectionOwner(Protocol):
    """What a connection reports to: the tick."""

    share: ReadShare

    def received(self, connection: "Connection", octets: bytes) -> None:
        """Take octets; called inside the loop's read callback."""

    def lost(self, connection: "Connection") -> None:
        """Handle the loss of the connection; called once."""

    def slowed(self, connection: "Connection", *, is_slow: bool) -> None:
        """Handle that the peer stopped reading, or reads again."""


class Connection(asyncio.BufferedProtocol):
    """A socket and its link. Octets are copied out of the shared buffer once, not viewed in it.

    `welcome` is called when the connection is open; with TLS, after the handshake. The loop does
    not report a failed handshake, so nothing may register the connection earlier.
    """

    def __init__(
        self, reader: ConnectionOwner, link: Link, welcome: "Callable[[Connection], None]"
    ) -> None:
        self.link = link
        self.taken = 0  # octets read since its last turn
        self.peer_address = ""
        self.is_open = False
        # Ends a connection that has no transport yet: its TLS handshake lasts.
        self.abandon: Callable[[], object] | None = None
        self.unread_since: float | None = None
        self._reader = reader
        self._welcome = welcome
        self._pauses: set[Pause] = set()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # TCP and TLS both have all of it, but uvloop's are no subclasses of asyncio.Transport.
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True
        self.abandon = None
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        if not self.peer_address:  # an SP's is set before: it may come through a proxy
            name = transport.get_extra_info("peername")
            self.peer_address = str(name[0]) if isinstance(name, tuple) and name else ""
        self._welcome(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the loss; a reset and a close are treated alike."""
        del exc
        self.is_open = False
        # The transport refers back to this object. With TLS the cycle would hold 40 to 300 kB
        # until the garbage collector runs.
        self._transport = None
        self._reader.lost(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return this turn's share of the shared buffer; the loop reads into it at once."""
        del sizehint
        return self._reader.share.room

    def buffer_updated(self, nbytes: int) -> None:
        """Pass a copy of the octets read to the tick."""
        octets = bytes(_buffer[:nbytes])
        self.taken += nbytes
        if self.taken >= self._reader.share.octets:
            self.pause(Pause.BUDGET)
        self._reader.received(self, octets)

    def eof_received(self) -> bool:
        """Close when the peer has closed its half: it cannot send answers any more."""
        return False

    def pause_writing(self) -> None:
        """Note that the peer does not read."""
        self._reader.slowed(self, is_slow=True)

    def resume_writing(self) -> None:
        """Note that the peer reads again."""
        self._reader.slowed(self, is_slow=False)

    def is_paused_for(self, why: Pause) -> bool:
        """Tell whether `why` is among the reasons not to read."""
        return why in self._pauses

    def is_unread_for(self, limit_s: float, now: float) -> bool:
        """Tell whether the peer has not read for `limit_s`."""
        return self.unread_since is not None and now - self.unread_since >= limit_s

    def pause(self, why: Pause) -> None:
        """Stop reading for one more reason; safe to repeat."""
        if not self._pauses and self._transport is not None and self.is_open:
            self._transport.pause_reading()
        self._pauses.add(why)

    def resume(self, why: Pause) -> None:
        """Drop a reason; reading goes on when it was the last."""
        if why not in self._pauses:
            return
        self._pauses.discard(why)
        if not self._pauses and self._transport is not None and self.is_open:
            self._transport.resume_reading()

    def write(self, octets: bytes | bytearray) -> None:
        """Queue octets; abort if the peer has not read more than _MAX_UNSENT of them."""
        transport = self._transport
        if transport is None or not self.is_open or transport.is_closing():
            return
        transport.write(octets)
        if self.unread_since is not None and transport.get_write_buffer_size() > _MAX_UNSENT:
            self.abort()

    def close(self) -> None:
        """Close once what was written is sent."""
        self.link.state = SessionState.CLOSED
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self.link.state = SessionState.CLOSED
        if self._transport is not None:
            self._transport.abort()
        elif self.abandon is not None:
            self.abandon()


class Numbers:
    """Counts connections of one process, from 1."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def next(self) -> int:
        """Return the next number."""
        return next(self._count)
