"""The API as one application: its health, and a log line for each request."""

import asyncio
from collections.abc import Callable, Iterable
from math import inf

import structlog
from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import __version__
from gateway.runtime.clock import monotonic
from gateway.session.stranger_limits import EventQuota
from gateway.storage.change_feed import ChangeFeed
from gateway.storage.errors import StoreUnavailable
from gateway.web.access import ClientAccess, Guard, RequestBody
from gateway.web.problems import answer_problems

log = structlog.get_logger()


HEALTH = "/v1/health"
GOOD_FOR_S = 1.0


class Health(RequestBody):
    """The store answers."""

    ready: bool


class Pulse:
    """Asks the store whether it answers, at most once a second: anybody may ask, without a token.

    `now` is in monotonic seconds.
    """

    def __init__(self, changes: ChangeFeed, now: Callable[[], float]) -> None:
        self._changes = changes
        self._now = now
        self._asking = asyncio.Lock()
        self._asked_at = -inf
        self._failure: StoreUnavailable | None = None

    async def feel(self) -> None:
        """Raise StoreUnavailable where the store did not answer within the last second."""
        async with self._asking:  # whoever comes meanwhile takes the same answer
            if self._now() - self._asked_at >= GOOD_FOR_S:
                await self._ask()
        if self._failure is not None:
            raise StoreUnavailable(str(self._failure)) from self._failure

    async def _ask(self) -> None:
        try:
            await self._changes.latest()
        except StoreUnavailable as error:
            self._failure = error
        else:
            self._failure = None
        self._asked_at = self._now()


def health(changes: ChangeFeed, now: Callable[[], float]) -> APIRouter:
    """Return the route of health, which needs no token."""
    router, pulse = APIRouter(tags=["health"]), Pulse(changes, now)

    @router.get(HEALTH, summary="Ask whether the store answers")
    async def ready() -> Health:
        """Return ready, or the problem that the store does not answer, as of a second ago."""
        await pulse.feel()
        return Health(ready=True)

    return router


OPENAPI = "/openapi.json"
STRANGERS_ROWS = 32  # lines a minute for requests without a valid token, and as many of counts

_ABOUT = """\
What subscribers said to SPs, for carriers' clerks and for SPs: refusals (退订), agreements (同意)
and notices of both. Every request needs a bearer token of api.yaml. What goes wrong is told as
application/problem+json (RFC 9457), with titles in English and Chinese. Every POST may be
repeated.
"""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def build_api(access: ClientAccess, routers: Iterable[APIRouter]) -> FastAPI:
    """Return the application of `routers`, with a guard before and a log line behind it."""
    app = FastAPI(
        title="smsward",
        version=__version__,
        description=_ABOUT,
        openapi_url=OPENAPI,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for router in routers:
        app.include_router(router)
    answer_problems(app)
    app.add_middleware(Guard, access=access, public={HEALTH})
    app.add_middleware(AnswerLog)  # the outermost
    return app


class AnswerLog:
    """Logs every answer; never a path, a body or a header, which may hold numbers and tokens.

    Of what is answered without a valid token only the first of each kind and address in a minute
    has a line; how many came beside it is logged with the first request after that minute.
    """

    def __init__(self, app: ASGIApp, now: Callable[[], float] = monotonic) -> None:
        self._app = app
        self._now = now
        self._quota = EventQuota(STRANGERS_ROWS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        status = 0

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            self._tell(scope, status)

    def _tell(self, scope: Scope, status: int) -> None:
        now = self._now()
        for one in self._quota.repeated(now):
            about = {"address": one.origin or "others", "count": one.times}
            log.info("api.repeated", status=int(one.reason), **about)
        client = scope.get("state", {}).get("client")
        address = scope["client"][0] if scope.get("client") else ""
        if client is None and not self._quota.admits("api.answered", str(status), address, now):
            return
        log.info(
            "api.answered",
            client=client.name if client is not None else "",
            method=scope["method"] if scope["method"] in _METHODS else "",
            route=getattr(scope.get("route"), "path", ""),
            status=status,
        )
