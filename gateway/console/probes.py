"""What machines ask over HTTP: /metrics, /livez and /readyz."""

import asyncio
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gateway.console.http_server import Address, HttpServer
from gateway.runtime.metrics import render_snapshot
from gateway.runtime.snapshot import Snapshot
from gateway.session.stranger_limits import ConnectionRate

log = structlog.get_logger()

_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"
_SCHEME = "bearer "
_READER = "metrics"
_PER_S, _AT_ONCE = 100, 200  # new connections of one address
_HOW_TO_ASK = (
    "Metrics tell system_ids. Without metrics.token in gateway.yaml only this machine may read"
    " them; with it the header reads: Authorization: Bearer, a space, and the token.\n"
)


@dataclass(frozen=True, slots=True)
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
            headers = {"WWW-Authenticate": "Bearer"}
            return PlainTextResponse(_HOW_TO_ASK, status_code=401, headers=headers)
        async with rendering:
            text = await asyncio.to_thread(render_snapshot, snapshot())
        return Response(text, media_type=_EXPOSITION)

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
