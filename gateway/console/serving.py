"""An HTTP server inside a running loop: uvicorn without its logs, signals and patience."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.runtime.listening import cannot_listen
from gateway.runtime.tasks import spawn

Address = tuple[str, int]

_MAX_CONNECTIONS = 64
# One address keeps nobody out: neither by silence, nor by requests. A reverse proxy is one
# address with the requests of many, so that of those half of all are its.
_MAX_SILENT_OF_ONE = 8
_MAX_OF_ONE = 32
_HEAD_S = 10.0
_STOP_S = 3.0


class HttpServer:
    """Serves `app` at `address`; no signal handlers, no access log.

    `whom` says who is answered there and `file` which file names the port, for the error
    when it cannot be had. `tls` makes it HTTPS. What a proxy says of its peer is not believed.
    """

    def __init__(
        self,
        address: Address,
        app: ASGIApp,
        *,
        whom: str,
        file: str = "gateway.yaml",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.address = address
        self._app = app
        self._whom, self._file = whom, file
        self._tls = tls
        self._server: _QuietServer | None = None
        self._task: asyncio.Task[None] | None = None
        self._port = address[1]

    @property
    def port(self) -> int:
        """Return the port that is open, also when 0 was asked for."""
        return self._port

    async def start(self) -> None:
        """Open the port; raise OSError, which names the address, when it cannot be had."""
        listener = _listen(self.address, self._whom, self._file)
        self._port = listener.getsockname()[1]
        tls = self._tls
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            http=_ImpatientProtocol,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MAX_CONNECTIONS,
            timeout_graceful_shutdown=1,
            ssl_context_factory=None if tls is None else lambda _config, _default: tls,
        )
        self._server = _QuietServer(config)
        self._task = spawn(_serve(self._server, listener), name="http")

    async def stop(self) -> None:
        """Close the port after a moment for answers under way; call it before `cancel_all`."""
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        await asyncio.wait([self._task], timeout=_STOP_S)
        self._task.cancel()
        self._server = self._task = None


async def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    # uvicorn leaves its sockets open when it is stopped before it has begun.
    with listener:
        await server.serve(sockets=[listener])


class _QuietServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to whoever started this."""
        yield


class _ImpatientProtocol(H11Protocol):
    """Closes connections that bring no whole request head in time, or earlier for others.

    uvicorn waits for ever, so that idle strangers would use all connections up.
    """

    waiting: asyncio.TimerHandle | None = None

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        """Begin to wait."""
        super().connection_made(transport)
        self._watch()
        self._make_room()

    def data_received(self, data: bytes) -> None:
        """Go on waiting while the head is not whole; its octets win no time."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the wait."""
        self.end_wait()
        super().connection_lost(exc)

    @property
    def address(self) -> str:
        """Return the peer's address without its port."""
        return self.client[0] if self.client is not None else ""

    def end_wait(self) -> None:
        """Wait for no head any more."""
        if self.waiting is not None:
            self.waiting.cancel()
            self.waiting = None

    def drop(self) -> None:
        """End the connection at once: with TLS a silent peer would draw out its close."""
        self.end_wait()
        self.connections.discard(self)
        self.transport.abort()

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self.end_wait()
        elif self.waiting is None:
            self.waiting = self.loop.call_later(_HEAD_S, self._close_silent)

    def _close_silent(self) -> None:
        self.waiting = None
        self.transport.close()

    def _make_room(self) -> None:
        """Close the silent ones that waited longest, or this one where its address has enough."""
        silent = sorted(
            (waiting.when(), id(one), one)
            for one in self.connections
            if isinstance(one, _ImpatientProtocol)
            and one is not self
            and (waiting := one.waiting) is not None
        )
        near = [one for *_, one in silent if one.address == self.address]
        surplus = near[: max(0, len(near) + 1 - _MAX_SILENT_OF_ONE)]
        if not surplus and len(self.connections) >= _MAX_CONNECTIONS:
            surplus = [one for *_, one in silent[:1]]
        for one in surplus:
            one.drop()
        if self._count_of_address() > _MAX_OF_ONE:
            self.drop()

    def _count_of_address(self) -> int:
        return sum(
            isinstance(one, _ImpatientProtocol) and one.address == self.address
            for one in self.connections
        )


def _listen(address: Address, whom: str, file: str) -> socket.socket:
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise cannot_listen(error, address, whom, file) from error
