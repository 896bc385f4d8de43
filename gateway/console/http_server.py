"""HTTP servers inside a running loop: bounded places, uvicorn without its signals; the probes."""

import asyncio
import contextlib
import hmac
import logging
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from typing import Protocol

import h11
import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.runtime.acceptor import BACKLOG, Abandon, Acceptor, Entry, cannot_listen
from gateway.runtime.clock import monotonic
from gateway.runtime.metrics import render_snapshot
from gateway.runtime.snapshot import Snapshot
from gateway.runtime.tasks import spawn
from gateway.session.stranger_limits import ConnectionRate, StrangerPlaces, origin_of

# So many that among hundreds of newcomers a second each has the time to ask.
MAX_STRANGERS = 128
MAX_STRANGERS_OF_ONE = 16
MAX_KNOWN = 56
# A reverse proxy is one address with the requests of many clients.
MAX_KNOWN_OF_ADDRESS = 32
MAX_KNOWN_OF_CLIENT = 16


class HttpConnection(Protocol):
    """What a place is for."""

    address: str

    @property
    def is_idle(self) -> bool:
        """Tell whether no request is being answered on it."""

    def drop(self) -> None:
        """End it at once."""


class HttpPlaces:
    """Keeps connections that have shown no valid token apart from those that have.

    A newcomer is a stranger and always gets a place (see StrangerPlaces). Once it has shown a
    token, `prove` moves it to the places of clients, which strangers can not take: of these an
    idle connection goes for another, and where none is idle the newcomer does.
    """

    def __init__(self) -> None:
        self.strangers: StrangerPlaces[HttpConnection] = StrangerPlaces(
            MAX_STRANGERS, MAX_STRANGERS_OF_ONE
        )
        self.known: dict[HttpConnection, str] = {}

    def enter(self, connection: HttpConnection) -> None:
        """Give a newcomer a stranger's place."""
        self.known.pop(connection, None)
        goes = self.strangers.enter(connection, origin_of(connection.address))
        if goes is not None:
            goes.drop()

    def prove(self, connection: HttpConnection, client: str) -> None:
        """Give a connection that has shown the token of `client` one of the clients' places."""
        self.strangers.leave(connection)
        self.known.pop(connection, None)
        self.known[connection] = client  # behind the others: it was used last
        own = [one for one, name in self.known.items() if name == client]
        near = [one for one in self.known if one.address == connection.address]
        for counted, maximum in (
            (own, MAX_KNOWN_OF_CLIENT),
            (near, MAX_KNOWN_OF_ADDRESS),
            (list(self.known), MAX_KNOWN),
        ):
            if len(counted) > maximum:
                idle = [one for one in counted if one.is_idle and one is not connection]
                self._drop(idle[0] if idle else connection)
                return

    def stream(self, connection: HttpConnection) -> None:
        """Free the place of a connection that gets a stream: who gives streams counts them."""
        self.leave(connection)

    def doubt(self, connection: HttpConnection) -> None:
        """Take a client's place from a connection after a request without a valid token."""
        if connection in self.known:
            self.enter(connection)

    def leave(self, connection: HttpConnection) -> None:
        """Free the place of a connection that is gone. May be repeated."""
        self.strangers.leave(connection)
        self.known.pop(connection, None)

    def _drop(self, connection: HttpConnection) -> None:
        del self.known[connection]
        connection.drop()


Address = tuple[str, int]
FindClient = Callable[[str], str | None]
"""Returns who is known by the value of an Authorization or Cookie header, else None."""

_SHOW_WHO_ASKS = frozenset({b"authorization", b"cookie"})

_HANDSHAKE_S = 5.0
_HEAD_S = 5.0
# A body after its head, and an answer that its client reads; of a stream one event.
_REQUEST_S = 30.0
KEEP_STREAM = "keep_stream"
"""Names what a scope has to call after each event that the client of a stream has taken."""
_STOP_S = 3.0


def nobody(_authorization: str) -> None:
    """Know no client: what is served is for strangers."""


class HttpServer:
    """Serves `app` at `address`; no signal handlers, no access log.

    `whom` says who is answered there and `file` which file names the port, for the error
    when it cannot be had. `tls` makes it HTTPS. `find_client` tells clients from strangers,
    who get few places and no time (HttpPlaces); `rate` bounds how fast each address may come.
    What a proxy says of its peer is not believed.
    """

    def __init__(  # noqa: PLR0913 - what two servers differ in
        self,
        address: Address,
        app: ASGIApp,
        *,
        whom: str,
        file: str = "gateway.yaml",
        tls: ssl.SSLContext | None = None,
        find_client: FindClient = nobody,
        rate: ConnectionRate | None = None,
    ) -> None:
        self.address = address
        self.places = HttpPlaces()
        self.find_client = find_client
        self._app = app
        self._whom, self._file = whom, file
        self._entry = Entry(tls, _HANDSHAKE_S)
        self._rate = rate
        self._server: _QuietServer | None = None
        self._acceptor: Acceptor | None = None
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
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            http=H11Protocol,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        # What it warns of is what strangers send: they would write the log.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # noqa: TID251 - not ours to write to
        config.load()
        self._server = _QuietServer(config)
        # The connections come from an Acceptor.
        self._task = spawn(self._server.serve(sockets=[]), name="http")
        self._acceptor = Acceptor(listener, self, self._entry)

    async def stop(self, *, at_once: bool = False) -> None:
        """Close the port, and give answers under way a moment; call it before `cancel_all`."""
        if self._server is None or self._task is None or self._acceptor is None:
            return
        self._acceptor.close()
        self._server.should_exit = True
        await asyncio.wait([self._task], timeout=0 if at_once else _STOP_S)
        self._task.cancel()
        self._server = self._task = self._acceptor = None

    def may_connect(self, address: str) -> bool:
        """Tell whether one more connection of `address` is taken now."""
        return self._rate is None or self._rate.admits(address, monotonic())

    def accept(self, address: str, abandon: Abandon) -> asyncio.BaseProtocol | None:
        """Return the protocol of a new connection, which has a stranger's place."""
        if self._server is None:
            return None
        protocol = _BoundedProtocol(self, self._server, address, abandon)
        self.places.enter(protocol)
        return protocol

    def failed(self, protocol: asyncio.BaseProtocol) -> None:
        """Free the place of a connection after a failed TLS handshake."""
        if isinstance(protocol, _BoundedProtocol):
            self.places.leave(protocol)


class _QuietServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process that started the server."""
        yield


class _BoundedProtocol(H11Protocol):
    """Tells its server which address is at the other end, and limits how long a peer may take.

    uvicorn waits for ever, so that idle strangers would use all connections up.
    """

    def __init__(
        self, owner: HttpServer, server: uvicorn.Server, address: str, abandon: Abandon
    ) -> None:
        super().__init__(server.config, server.server_state, {})
        self.address = address
        self._owner = owner
        self._abandon: Abandon | None = abandon
        self._is_asked = False
        self._waiting: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Tell whether no request is being answered."""
        return not self._is_asked or self.cycle.response_complete

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        """Begin to wait for a head."""
        self._abandon = None
        super().connection_made(transport)
        self._wait(_HEAD_S)

    def handle_events(self) -> None:
        """Look at who asks as soon as the head of a request is whole; its octets win no time."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._is_asked = True
            self.cycle.scope["peer_certificate"] = self._certificate()  # type: ignore[typeddict-unknown-key]
            self.cycle.scope[KEEP_STREAM] = self._keep_stream  # type: ignore[literal-required]
            self._wait(_REQUEST_S)
            self._look_at_client()

    def on_response_complete(self) -> None:
        """Wait for the next head; a stranger's unread body ends the connection."""
        self._wait(_HEAD_S)
        is_stranger = self in self._owner.places.strangers
        if is_stranger and self.conn.their_state is h11.SEND_BODY:
            self.transport.close()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Free the place."""
        self._end_wait()
        self._owner.places.leave(self)
        super().connection_lost(exc)

    def drop(self) -> None:
        """End the connection at once: with TLS a silent peer would draw out its close."""
        self._end_wait()
        self.connections.discard(self)
        if self._abandon is not None:
            self._abandon()
        else:
            self.transport.abort()

    def _keep_stream(self) -> None:
        """Give an answer that goes on its time anew; a client that reads too slowly is dropped."""
        self._owner.places.stream(self)
        self._wait(_REQUEST_S)

    def _certificate(self) -> bytes | None:
        """Return what the peer has shown in the TLS handshake, as DER, if it was asked to."""
        tls = self.transport.get_extra_info("ssl_object")
        return None if tls is None else tls.getpeercert(binary_form=True)

    def _look_at_client(self) -> None:
        shown = [value for name, value in self.headers if name in _SHOW_WHO_ASKS]
        found = (self._owner.find_client(value.decode("latin-1")) for value in shown)
        client = next((name for name in found if name is not None), None)
        if client is None:
            self._owner.places.doubt(self)
        else:
            self._owner.places.prove(self, client)

    def _wait(self, limit_s: float) -> None:
        self._end_wait()
        self._waiting = self.loop.call_later(limit_s, self.drop)

    def _end_wait(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def _listen(address: Address, whom: str, file: str) -> socket.socket:
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise cannot_listen(error, address, whom, file) from error


log = structlog.get_logger()

EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"
_SCHEME = "bearer "
_READER = "metrics"
_PER_S, _AT_ONCE = 100, 200  # new connections of one address
_HOW_TO_ASK = (
    "Metrics tell who is served here. Without metrics.token in {} only this machine may read"
    " them; with it the header reads: Authorization: Bearer, a space, and the token.\n"
)


@dataclass(slots=True)
class MetricsReaders:
    """Who may read /metrics: who shows the token of `digest`, without one this machine alone."""

    digest: bytes | None = None

    def find(self, authorization: str) -> str | None:
        """Return a name for a client with the token, None for all others."""
        token = authorization[len(_SCHEME) :].strip()
        if self.digest is None or authorization[: len(_SCHEME)].lower() != _SCHEME:
            return None
        shown = sha256(token.encode("utf-8", "replace")).digest()
        return _READER if hmac.compare_digest(shown, self.digest) else None

    def may_read(self, request: Request) -> bool:
        """Tell whether the metrics are for who sends `request`."""
        if self.digest is not None:
            return self.find(request.headers.get("authorization", "")) is not None
        return request.client is not None and ip_address(request.client.host).is_loopback


_THIS_MACHINE = MetricsReaders()


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether traffic should be sent here: `ready` is true when every check is.

    `warnings` do not stop traffic, but somebody should read them ("policy forwards
    everything"). `is_degraded` says that some traffic is refused, or will be before long.
    """

    checks: Mapping[str, bool]
    warnings: tuple[str, ...] = ()
    is_degraded: bool = False

    @property
    def ready(self) -> bool:
        """Tell whether every check holds."""
        return all(self.checks.values())


def not_a_reader(file: str) -> Response:
    """Return the answer to who may not read metrics; `file` has the token."""
    headers = {"WWW-Authenticate": "Bearer"}
    return PlainTextResponse(_HOW_TO_ASK.format(file), status_code=401, headers=headers)


def probe_app(
    readiness: Callable[[], Readiness],
    snapshot: Callable[[], Snapshot],
    readers: MetricsReaders = _THIS_MACHINE,
) -> Starlette:
    """Return the application; both callables run in the thread of the loop.

    /livez is 200 as long as the event loop runs: a restart repairs nothing that
    /readyz reports. /readyz is 200 or 503, with every check named. /metrics
    is 401 for everybody but `readers`.
    """
    rendering = asyncio.Lock()  # one at a time: it is a thread's work

    async def live(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def ready(_request: Request) -> Response:
        now = readiness()
        return JSONResponse(
            {
                "ready": now.ready,
                "degraded": now.is_degraded,
                "checks": dict(now.checks),
                "warnings": list(now.warnings),
            },
            status_code=200 if now.ready else 503,
        )

    async def metrics(request: Request) -> Response:
        if not readers.may_read(request):
            return not_a_reader("gateway.yaml")
        async with rendering:
            text = await asyncio.to_thread(render_snapshot, snapshot())
        return Response(text, media_type=EXPOSITION)

    return Starlette(
        routes=[Route("/livez", live), Route("/readyz", ready), Route("/metrics", metrics)]
    )


class ProbeServer(HttpServer):
    """Serves `app` in the running loop.

    The answers are for the operator's own network: the address is a loopback one unless
    the configuration says otherwise. Who shows the token of `readers` is no stranger.
    """

    def __init__(
        self, address: Address, app: Starlette, readers: MetricsReaders = _THIS_MACHINE
    ) -> None:
        rate = ConnectionRate(_PER_S, _AT_ONCE)
        super().__init__(address, app, whom="for probes", find_client=readers.find, rate=rate)

    async def start(self) -> None:
        """Open the port; raise OSError, which names the address, when it cannot be had."""
        await super().start()
        log.info("probes.opened", address=f"{self.address[0]}:{self.port}")
