"""What machines ask over HTTP: /metrics, /livez and /readyz."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gateway.runtime.listening import cannot_listen
from gateway.runtime.metrics import Snapshot, render_snapshot
from gateway.runtime.tasks import spawn

log = structlog.get_logger()

Address = tuple[str, int]

_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"
_MAX_CONNECTIONS = 64
_STOP_S = 3.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether traffic should be sent here: `ready` is true when every check is.

    `warnings` do not stop traffic, but somebody should read them ("policy forwards
    everything").
    """

    checks: Mapping[str, bool]
    warnings: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Tell whether every check holds."""
        return all(self.checks.values())


def probe_app(readiness: Callable[[], Readiness], snapshot: Callable[[], Snapshot]) -> Starlette:
    """Return the application; both callables are asked in the loop's thread.

    /livez is 200 as long as the loop turns, whatever else is wrong: a restart mends
    nothing that /readyz complains of. /readyz is 200 or 503, with every check named.
    """

    async def live(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def ready(_request: Request) -> Response:
        now = readiness()
        return JSONResponse(
            {"ready": now.ready, "checks": dict(now.checks), "warnings": list(now.warnings)},
            status_code=200 if now.ready else 503,
        )

    async def metrics(_request: Request) -> Response:
        text = await asyncio.to_thread(render_snapshot, snapshot())
        return Response(text, media_type=_EXPOSITION)

    return Starlette(
        routes=[Route("/livez", live), Route("/readyz", ready), Route("/metrics", metrics)]
    )


class ProbeServer:
    """Serves `app` in the running loop; no signal handlers, no access log.

    The answers are for the operator's own network: the address is a loopback one unless
    the configuration says otherwise.
    """

    def __init__(self, address: Address, app: Starlette) -> None:
        self._address = address
        self._app = app
        self._server: _QuietServer | None = None
        self._task: asyncio.Task[None] | None = None
        self._port = address[1]

    @property
    def port(self) -> int:
        """Return the port that is open, also when 0 was asked for."""
        return self._port

    async def start(self) -> None:
        """Open the port; raise OSError, which names the address, when it cannot be had."""
        listener = _listen(self._address)
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            http="h11",
            server_header=False,
            limit_concurrency=_MAX_CONNECTIONS,
            timeout_graceful_shutdown=1,
        )
        self._server = _QuietServer(config)
        self._task = spawn(_serve(self._server, listener), name="probes")
        log.info("probes.opened", address=f"{self._address[0]}:{self._port}")

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
        """Leave the signals to the gateway."""
        yield


def _listen(address: Address) -> socket.socket:
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise cannot_listen(error, address, "for probes") from error
