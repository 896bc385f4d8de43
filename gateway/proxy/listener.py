"""The addresses that SPs connect to: PROXY headers, and the TLS contexts of both sides."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import structlog

from gateway.domain.sender import IpNetwork
from gateway.runtime.acceptor import BACKLOG, Acceptor, Entry, Host, cannot_listen
from gateway.runtime.passed_sockets import PassedSocket
from gateway.session.stranger_limits import PREFIX_OCTETS, address_in, ip_of, rest_octets
from gateway.settings.gateway import Listener, ListenerTls
from gateway.settings.smscs import SmscTls

log = structlog.get_logger()


def listener_context(tls: ListenerTls) -> ssl.SSLContext:
    """Return the context that SPs meet; with a client_ca they must show a certificate of it.

    Raises OSError or ssl.SSLError when a file can not be used.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with _named(tls.certificate, tls.key):
        context.load_cert_chain(tls.certificate, tls.key, _no_password)
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
            context.load_cert_chain(tls.certificate, tls.key, _no_password)
    return context


def _no_password() -> str:
    """Have an encrypted key refused: OpenSSL would ask a terminal for its password, and wait."""
    return ""


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


@dataclass(frozen=True, slots=True)
class PreparedListener:
    """A listener that may be opened: `sockets` are new ones, none where its address is open."""

    listener: Listener
    entry: Entry
    sockets: tuple[socket.socket, ...] = ()


class Listeners:
    """Opens listeners; `addresses` has the address that each is bound to.

    `misdirected` gets the address of a load balancer when its PROXY header cannot be read.
    """

    def __init__(self, host: Host, misdirected: Callable[[str], None]) -> None:
        self.addresses: dict[str, tuple[str, int]] = {}
        self.passed: list[PassedSocket] = []  # to listen with, where one fits
        self.handed_over: list[PassedSocket] = []  # for the process that follows
        self._host = host
        self._misdirected = misdirected
        self._acceptors: dict[tuple[str, int], list[Acceptor]] = {}  # by address as configured

    async def open(self, listeners: Iterable[Listener], handshake_s: float) -> None:
        """Listen at each address. Raises OSError (a port in use) or ssl.SSLError."""
        wanted = list(listeners)
        # Its address says more of a socket than its name, which another listener may have by now.
        names = {tuple(one.address): one.name for one in wanted}
        self.passed = [
            replace(one, name=names.get(one.socket.getsockname()[:2], one.name))
            for one in self.passed
        ]
        with ExitStack() as opened:
            prepared = []
            for listener in wanted:
                prepared.append(one := await self.prepare(listener, handshake_s))
                for each in one.sockets:
                    opened.callback(each.close)
            opened.pop_all()
        self.take(prepared)
        for left in self.passed:
            address = str(left.socket.getsockname())
            log.warning("listener.unclaimed", name=left.name, address=address)
            left.socket.close()
        self.passed = []

    async def prepare(self, listener: Listener, handshake_s: float) -> PreparedListener:
        """Return what `take` needs; nothing changes. Raises OSError or ssl.SSLError."""
        tls = None
        if listener.tls is not None:
            tls = await asyncio.to_thread(listener_context, listener.tls)
        proxies = listener.proxy_protocol
        find_address = ProxiedAddress(proxies, self._misdirected) if proxies else None
        entry = Entry(tls, handshake_s, find_address)
        if listener.address in self._acceptors:
            return PreparedListener(listener, entry)
        host, port = listener.address
        try:
            sockets = self._claimed(listener) or await _listening(host, port)
        except OSError as error:
            raise cannot_listen(error, (host, port), f"({listener.name})") from error
        return PreparedListener(listener, entry, tuple(sockets))

    def _claimed(self, listener: Listener) -> list[socket.socket]:
        """Return the sockets of a listener that were passed to this process.

        One of the process before is that of the address that it was opened for, not of a name.
        """
        mine = [
            one
            for one in self.passed
            if (one.opened_for or one.name) in {listener.address, listener.name}
        ]
        self.passed = [one for one in self.passed if one not in mine]
        return [one.socket for one in mine]

    def hand_over(self) -> None:
        """Stop accepting, and keep all sockets in `handed_over`: new connections wait in them."""
        named = {listened: name for name, listened in self.addresses.items()}
        self.handed_over = [
            PassedSocket(named.get(acceptors[0].address, ""), acceptor.detach(), address)
            for address, acceptors in self._acceptors.items()
            for acceptor in acceptors
        ]

    def unread(self) -> int:
        """Return how many connections wait for their PROXY header."""
        entries = [acceptors[0].entry.find_address for acceptors in self._acceptors.values()]
        return sum(one.waiting for one in entries if isinstance(one, ProxiedAddress))

    def take(self, prepared: Iterable[PreparedListener]) -> None:
        """Let exactly these be open: sessions of those that go stay."""
        before, self._acceptors = self._acceptors, {}
        self.addresses.clear()
        for one in prepared:
            name, place = one.listener.name, one.listener.address
            acceptors = before.pop(place, [])
            for acceptor in acceptors:
                acceptor.entry = one.entry
            acceptors += (Acceptor(each, self._host, one.entry) for each in one.sockets)
            self._acceptors[place] = acceptors
            bound = self.addresses[name] = acceptors[0].address
            if one.sockets:
                log.info("listener.opened", name=name, address=f"{bound[0]}:{bound[1]}")
        for address, acceptors in before.items():
            for acceptor in acceptors:
                acceptor.close()
            log.info("listener.closed", address=f"{address[0]}:{address[1]}")

    def close(self) -> None:
        """Stop accepting connections. May be repeated."""
        for acceptor in chain.from_iterable(self._acceptors.values()):
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
