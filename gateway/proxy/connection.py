"""TCP connections to SPs and the SMSC: octets to and from the tick; binds that are dialled."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Protocol, cast

from gateway.dataplane.attention import BindAnswer
from gateway.dataplane.link import Link
from gateway.dataplane.relay import renumbered
from gateway.runtime.clock import monotonic
from gateway.session.operations import SessionState, Side
from gateway.smpp.commands import RESPONSE_BIT
from gateway.smpp.pdu import HEADER, fault_in, status_of
from gateway.smpp.status import CommandStatus

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

    def add(self, connection: "Connection") -> None:
        """Register a connection that is open; with TLS, after the handshake."""

    def received(self, connection: "Connection", octets: bytes) -> None:
        """Take octets; called inside the loop's read callback."""

    def lost(self, connection: "Connection") -> None:
        """Handle the loss of the connection; called once."""

    def slowed(self, connection: "Connection", *, is_slow: bool) -> None:
        """Handle that the peer stopped reading, or reads again."""


class Connection(asyncio.BufferedProtocol):
    """A socket and its link. Octets are copied out of the shared buffer once, not viewed in it.

    The loop does not report a failed TLS handshake, so it is registered only after that.
    """

    def __init__(self, reader: ConnectionOwner, link: Link) -> None:
        self.link = link
        self.taken = 0  # octets read since its last turn
        self.peer_address = ""
        self.is_open = False
        # Ends a connection that has no transport yet: its TLS handshake lasts.
        self.abandon: Callable[[], object] | None = None
        self.unread_since: float | None = None
        self._reader = reader
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
        self._reader.add(self)

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


@dataclass(frozen=True, slots=True)
class Target:
    """Where an SMSC listens; `tls` is ready to use, None for plain TCP."""

    name: str
    host: str
    port: int
    tls: ssl.SSLContext | None = None
    server_name: str | None = None


class SmscUnreachableError(Exception):
    """No connection, or no answer to the bind; the message says which."""


class Dialler:
    """Opens links to SMSCs. A returned link has its bind answer, its state is still BINDING."""

    def __init__(self, tick: ConnectionOwner, numbers: Iterator[int]) -> None:
        self._tick = tick
        self._numbers = numbers
        self._answers: dict[Link, asyncio.Future[bytes]] = {}

    async def dial(
        self,
        target: Target,
        bind_pdu: bytes,
        *,
        system_id: str,
        window: int,
        within_s: float,
        connection: Connection | None = None,
    ) -> tuple[Connection, bytes]:
        """Connect to `target` and send a bind PDU with a new sequence_number.

        If the SMSC itself has opened a `connection`, that is bound. Returns the connection and
        the SMSC's answer, with any status. Raises SmscUnreachableError without an answer
        `within_s`, or if the link closed after a bind.
        """
        has_called = connection is not None
        if connection is None:
            link = Link(next(self._numbers), Side.SMSC, window, monotonic())
            connection = Connection(self._tick, link)
        link = connection.link
        link.system_id, link.smsc = system_id, target.name
        loop = asyncio.get_running_loop()
        answer = self._answers[link] = loop.create_future()
        try:
            async with asyncio.timeout(within_s):
                if not has_called:
                    await loop.create_connection(
                        partial(_itself, connection),
                        target.host,
                        target.port,
                        ssl=target.tls,
                        server_hostname=target.server_name if target.tls else None,
                    )
                link.state = SessionState.BINDING
                connection.write(renumbered(bind_pdu, link.next_sequence()))
                pdu = await answer
        except TimeoutError:
            connection.abort()
            raise SmscUnreachableError("no answer in time") from None
        except (OSError, UnicodeError) as error:  # UnicodeError: the host name is not valid
            raise SmscUnreachableError(getattr(error, "strerror", None) or str(error)) from error
        except asyncio.CancelledError:
            connection.abort()
            raise
        finally:
            del self._answers[link]
        # A refusal is returned even if the link closed; a bind whose link closed is an error.
        is_refused = bool(status_of(pdu, CommandStatus.ESME_RBINDFAIL))
        if not is_refused and not connection.is_open:
            raise SmscUnreachableError("closed right after its answer")
        if not is_refused and (fault_in(pdu) or not _is_answer_to(bind_pdu, pdu)):
            connection.abort()
            raise SmscUnreachableError("its answer to the bind is none")
        return connection, pdu

    def answered(self, item: BindAnswer) -> None:
        """Pass the SMSC's answer to the bind that waits for it."""
        waiting = self._answers.get(item.link)
        if waiting is not None and not waiting.done():
            waiting.set_result(item.pdu)

    def lost(self, link: Link) -> None:
        """Fail the bind that waits on a lost link, if there is one."""
        waiting = self._answers.get(link)
        if waiting is not None and not waiting.done():
            waiting.set_exception(ConnectionError("closed before the bind was answered"))


def _itself(connection: Connection) -> Connection:
    return connection


def _is_answer_to(request: bytes, answer: bytes) -> bool:
    asked, answered = (int(HEADER.unpack_from(pdu)[1]) for pdu in (request, answer))
    return answered == asked | RESPONSE_BIT
