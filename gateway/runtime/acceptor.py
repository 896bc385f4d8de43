"""Accept TCP connections cheaply: one over a limit costs a system call and no object."""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateway.runtime.tasks import spawn

Abandon = Callable[[], object]
FindAddress = Callable[[socket.socket, str], Awaitable[str]]
"""Returns the address that counts; raises ValueError, OSError or TimeoutError."""

# One turn of the loop serves one connection, and bound sessions have the loop before the next one;
# others wait in the kernel's backlog. Serving one, with what it sends before it is closed, costs as
# much as some messages. Closing one costs less, and keeps the backlog free for SPs.
_CLOSED_AT_ONCE = 8
# The pause when no descriptor is free: waiting sockets keep the listener readable meanwhile.
_REST_S = 0.5
BACKLOG = 1024
# What a peer may have sent that is not read yet; the kernel doubles it. Some MB by default: of each
# connection that waits in the backlog too, and to free them takes as long as some messages.
_UNREAD_OCTETS = 1 << 16
_MAX_ADDRESS_OCTETS = 103  # of a Unix socket, on every system


@contextmanager
def short_address(path: Path) -> Iterator[str]:
    """Give an address for the Unix socket at `path`, which may be longer than a system takes.

    Raises OSError where its directory cannot be opened. A longer one needs Linux.
    """
    if len(os.fsencode(path)) <= _MAX_ADDRESS_OCTETS:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


class Host(Protocol):
    """Decides on connections and provides their protocols."""

    def may_connect(self, address: str) -> bool:
        """Tell whether one more connection from `address` is accepted; called once for each."""

    def accept(self, address: str, abandon: Abandon) -> asyncio.BaseProtocol | None:
        """Return the protocol for the connection, None to close it.

        `abandon` ends the connection during its TLS handshake.
        """

    def failed(self, protocol: asyncio.BaseProtocol) -> None:
        """Handle an accepted connection that was never made: its handshake failed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What comes before a connection's first octets: TLS, its time limit, and the address."""

    tls: ssl.SSLContext | None = None
    handshake_s: float = 5.0
    find_address: FindAddress | None = None
    """Finds the address of peers behind a proxy; None uses the address of the socket."""


class Acceptor:
    """Accepts connections of `listener`, which it owns, for `host`, until `close`."""

    def __init__(self, listener: socket.socket, host: Host, entry: Entry | None = None) -> None:
        self.address: tuple[str, int] = listener.getsockname()[:2]
        self._listener = listener
        self._host = host
        self.entry = entry or Entry()
        self._loop = asyncio.get_running_loop()
        self._is_open = True
        self._waiting: set[socket.socket] = set()  # accepted; their tasks have not begun
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UNREAD_OCTETS)
        self._listen()

    def close(self) -> None:
        """Stop accepting connections. May be repeated."""
        if self._is_open:
            self.detach().close()

    def detach(self) -> socket.socket:
        """Stop accepting, and return the socket: new connections wait in it for who accepts."""
        self._is_open = False
        self._loop.remove_reader(self._listener.fileno())
        return self._listener

    def _listen(self) -> None:
        if self._is_open:
            self._loop.add_reader(self._listener.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(_CLOSED_AT_ONCE):
            try:
                sock, peer = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._loop.remove_reader(self._listener.fileno())
                self._loop.call_later(_REST_S, self._listen)
                return
            if self._take(sock, str(peer[0])):
                return

    def _take(self, sock: socket.socket, address: str) -> bool:
        """Start to serve a connection, or close it; return whether it is served."""
        if self.entry.find_address is None and not self._host.may_connect(address):
            sock.close()
            return False
        sock.setblocking(False)
        self._waiting.add(sock)
        task = spawn(self._begin(sock, address), name="accept")
        task.add_done_callback(lambda _: self._close_waiting(sock))
        return True

    def _close_waiting(self, sock: socket.socket) -> None:
        """Close the socket of a task that was cancelled before its first step."""
        if sock in self._waiting:
            self._waiting.remove(sock)
            sock.close()

    async def _begin(self, sock: socket.socket, address: str) -> None:
        """Make the connection of an accepted socket; close the socket if that fails."""
        self._waiting.remove(sock)
        try:
            counted = await self._counted(sock, address)
        except (OSError, ValueError, TimeoutError):
            sock.close()
            return
        except asyncio.CancelledError:
            sock.close()
            raise
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in one
        protocol = None if counted is None else self._host.accept(counted, task.cancel)
        if protocol is None:
            sock.close()
            return
        await self._connect(sock, protocol)

    async def _counted(self, sock: socket.socket, address: str) -> str | None:
        """Return the peer's address, None if it may not connect."""
        if self.entry.find_address is None:
            return address
        found = await self.entry.find_address(sock, address)
        return found if self._host.may_connect(found) else None

    async def _connect(self, sock: socket.socket, protocol: asyncio.BaseProtocol) -> None:
        tls = self.entry.tls
        try:
            await self._loop.connect_accepted_socket(
                lambda: protocol,
                sock,
                ssl=tls,
                ssl_handshake_timeout=self.entry.handshake_s if tls else None,
            )
        except OSError:
            self._host.failed(protocol)
        except asyncio.CancelledError:
            self._host.failed(protocol)
            raise


_ADVICE = {
    errno.EADDRINUSE: "is in use: stop what has it, or name another address in {file}",
    errno.EADDRNOTAVAIL: "is no address of this machine: name one of its own in {file}",
    errno.EACCES: "needs more rights than this user has: name a port above 1023 in {file}",
}


def cannot_listen(
    error: OSError, address: tuple[str, int], whom: str, file: str = "gateway.yaml"
) -> OSError:
    """Return an error that names the address, whom it is for, and what to do about it."""
    advice = _ADVICE.get(error.errno or 0)
    reason = f"it {advice.format(file=file)}" if advice else error.strerror
    return OSError(error.errno, f"cannot listen on {address[0]}:{address[1]} {whom}: {reason}")
