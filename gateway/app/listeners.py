"""The addresses that SPs connect to."""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from gateway.app.tls import listener_context
from gateway.proxy.connection import Connection
from gateway.runtime.listening import cannot_listen
from gateway.settings.gateway import Listener

log = structlog.get_logger()

_BACKLOG = 1024


class Listeners:
    """Opens them, and knows which address each has got."""

    def __init__(self, accept: Callable[[], Connection], handshake_s: float) -> None:
        self.addresses: dict[str, tuple[str, int]] = {}
        self._accept = accept
        self._handshake_s = handshake_s
        self._servers: list[asyncio.Server] = []

    async def open(self, listeners: Iterable[Listener]) -> None:
        """Listen at each. Raises OSError (a port in use) or ssl.SSLError."""
        for listener in listeners:
            await self._open(listener)

    async def _open(self, listener: Listener) -> None:
        host, port = listener.address
        tls = listener_context(listener.tls) if listener.tls is not None else None
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(
                self._accept,
                host,
                port,
                ssl=tls,
                backlog=_BACKLOG,
                ssl_handshake_timeout=self._handshake_s if tls else None,
            )
        except OSError as error:
            raise cannot_listen(error, (host, port), f"({listener.name})") from error
        self._servers.append(server)
        bound = server.sockets[0].getsockname()
        self.addresses[listener.name] = (bound[0], bound[1])
        log.info("listener.opened", name=listener.name, address=f"{bound[0]}:{bound[1]}")

    def close(self) -> None:
        """Accept nobody any more. May be repeated."""
        for server in self._servers:
            server.close()
