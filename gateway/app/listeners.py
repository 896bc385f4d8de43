"""The addresses that SPs connect to."""

import asyncio
import socket
from collections.abc import Callable, Iterable

import structlog

from gateway.app.tls import listener_context
from gateway.proxy.proxied_address import ProxiedAddress
from gateway.runtime.acceptor import BACKLOG, Acceptor, Entry, Host
from gateway.runtime.listen_errors import cannot_listen
from gateway.settings.gateway import Listener

log = structlog.get_logger()


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
