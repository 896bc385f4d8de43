"""What machines ask over HTTP: /metrics, /livez and /readyz."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gateway.console.serving import Address, HttpServer
from gateway.runtime.metrics import render_snapshot
from gateway.runtime.snapshot import Snapshot

log = structlog.get_logger()

_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


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
            {
                "ready": now.ready,
                "degraded": now.is_degraded,
                "checks": dict(now.checks),
                "warnings": list(now.warnings),
            },
            status_code=200 if now.ready else 503,
        )

    async def metrics(_request: Request) -> Response:
        text = await asyncio.to_thread(render_snapshot, snapshot())
        return Response(text, media_type=_EXPOSITION)

    return Starlette(
        routes=[Route("/livez", live), Route("/readyz", ready), Route("/metrics", metrics)]
    )


class ProbeServer(HttpServer):
    """Serves `app` in the running loop.

    The answers are for the operator's own network: the address is a loopback one unless
    the configuration says otherwise.
    """

    def __init__(self, address: Address, app: Starlette) -> None:
        super().__init__(address, app, whom="for probes")

    async def start(self) -> None:
        """Open the port; raise OSError, which names the address, when it cannot be had."""
        await super().start()
        log.info("probes.opened", address=f"{self.address[0]}:{self.port}")
