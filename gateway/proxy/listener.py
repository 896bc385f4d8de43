"""The addresses that SPs connect to: PROXY headers, and the TLS contexts of both sides."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from gateway.domain.sender import IpNetwork
from gateway.runtime.acceptor import BACKLOG, Acceptor, Entry, Host, cannot_listen
from gateway.session.stranger_limits import PREFIX_OCTETS, address_in, ip_of, rest_octets
from gateway.settings.gateway import Listener, ListenerTls, SmscTls

log = structlog.get_logger()


def listener_context(tls: ListenerTls) -> ssl.SSLContext:
    """Return the context that SPs meet; with a client_ca they must show a certificate of it.

    Raises OSError or ssl.SSLError when a file can not be used.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with _named(tls.certificate, tls.key):
        context.load_cert_chain(tls.certificate, tls.key)
    if tls.client_ca is not None:
        with _named(tls.client_ca):
            context.load_verify_locations(tls.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def smsc_context(tls: SmscTls) -> ssl.SSLContext:
    """Return the context for an SMSC, which must prove its name.

    Raises OSError or ssl.SSLError when a file can not be used.
    """
    with _named(tls.ca):
        context = ssl.create_default_context(cafile=str(tls.ca) if tls.ca is not None else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.certificate is not None and tls.key is not None:
        with _named(tls.certificate, tls.key):
            context.load_cert_chain(tls.certificate, tls.key)
    return context


@contextmanager
def _named(*paths: Path | None) -> Iterator[None]:
    """Say which files OpenSSL speaks of: it names none."""
    try:
        yield
    except ssl.SSLError as error:
        files = " and ".join(str(path) for path in paths if path is not None)
        raise ssl.SSLError(error.errno, f"cannot use {files}: {error.strerror}") from error


_HEADER_S = 3.0
# Headers awaited at once. A load balancer sends the header in its first segment.
_AT_ONCE = 256

Report = Callable[[str], None]


@dataclass(slots=True)
class ProxiedAddress:
    """Reads the PROXY header on connections from `networks`; other peers send none.

    `report` gets the address of a trusted proxy if its header was missing, wrong or late.
    """

    networks: tuple[IpNetwork, ...]
    report: Report
    waiting: int = 0

    async def __call__(self, sock: socket.socket, address: str) -> str:
        """Return the address of the peer. Raises ValueError, OSError or TimeoutError."""
        ip = ip_of(address)
        if ip is None or not any(ip in network for network in self.networks):
            return address
        if self.waiting >= _AT_ONCE:
            raise ConnectionRefusedError
        self.waiting += 1
        try:
            async with asyncio.timeout(_HEADER_S):
                prefix = await _exactly(sock, PREFIX_OCTETS)
                rest = await _exactly(sock, rest_octets(prefix))
            return address_in(prefix, rest) or address
        except (ValueError, OSError, TimeoutError):
            self.report(address)
            raise
        finally:
            self.waiting -= 1


async def _exactly(sock: socket.socket, count: int) -> bytes:
    """Read exactly `count` octets; those after them are TLS or SMPP."""
    loop, octets = asyncio.get_running_loop(), b""
    while len(octets) < count:
        more = await loop.sock_recv(sock, count - len(octets))
        if not more:
            raise ConnectionAbortedError
        octets += more
    return octets


class Listeners:
    """Opens listeners; `addresses` has the address that each is bound to.

    `misdirected` gets the address of a load balancer when its PROXY header cannot be read.
    """

    def __init__(self, host: Host, handshake_s: float, misdirected: Callable[[str], None]) -> None:
        self.addresses: dict[str, tuple[str, int]] = {}
        self._host = host
        self._misdirected = misdirected
        self._handshake_s = handshake_s
        self._acceptors: list[Acceptor] = []

    async def open(self, listeners: Iterable[Listener]) -> None:
        """Listen at each address. Raises OSError (a port in use) or ssl.SSLError."""
        for listener in listeners:
            await self._open(listener)

    async def _open(self, listener: Listener) -> None:
        tls = listener_context(listener.tls) if listener.tls is not None else None
        host, port = listener.address
        try:
            sockets = await _listening(host, port)
        except OSError as error:
            raise cannot_listen(error, (host, port), f"({listener.name})") from error
        proxies = listener.proxy_protocol
        find_address = ProxiedAddress(proxies, self._misdirected) if proxies else None
        entry = Entry(tls, self._handshake_s, find_address)
        opened = [Acceptor(one, self._host, entry) for one in sockets]
        self._acceptors += opened
        bound = self.addresses[listener.name] = opened[0].address
        log.info("listener.opened", name=listener.name, address=f"{bound[0]}:{bound[1]}")

    def close(self) -> None:
        """Stop accepting connections. May be repeated."""
        for acceptor in self._acceptors:
            acceptor.close()


async def _listening(host: str, port: int) -> list[socket.socket]:
    """Return a listening socket for each address that `host` resolves to. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    opened: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((one[0], one[4]) for one in found):
            opened.append(socket.create_server(address, family=family, backlog=BACKLOG))
    except OSError:
        for one in opened:
            one.close()
        raise
    return opened
