"""The API as one application: its health, and a log line for each request."""

import asyncio
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from math import inf
from typing import Any

import orjson
import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import __version__
from gateway.console.api_description import DescribedApi
from gateway.runtime.clock import monotonic
from gateway.runtime.traces import span
from gateway.session.stranger_limits import EventQuota
from gateway.storage.change_feed import ChangeFeed
from gateway.storage.errors import StoreUnavailable
from gateway.systems import declared_in_systems
from gateway.systems.linkage.api import SCHEMAS, schemas
from gateway.web.access import ClientAccess, Guard
from gateway.web.fields import RequestBody
from gateway.web.idempotency import KeptAnswers
from gateway.web.pages import FindUser, PageGuard, Templates, answer_page_errors
from gateway.web.problems import answer_problems
from gateway.web.systems import ApiContext, SystemApi

log = structlog.get_logger()


HEALTH, ALIVE, READY = "/v1/health", "/livez", "/readyz"
GOOD_FOR_S = 1.0


class Health(RequestBody):
    """The store answers."""

    ready: bool


class Alive(RequestBody):
    """The process answers."""

    alive: bool


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
    """Return the routes of health, which need no token."""
    router, pulse = APIRouter(tags=["health"]), Pulse(changes, now)

    @router.get(READY, summary="Ask whether the store answers")
    @router.get(HEALTH, summary="Ask whether the store answers")
    async def ready() -> Health:
        """Return ready, or the problem that the store does not answer, as of a second ago."""
        await pulse.feel()
        return Health(ready=True)

    @router.get(ALIVE, summary="Ask whether the process answers")
    async def alive() -> Alive:
        """Return alive: a restart would repair nothing that /readyz tells."""
        return Alive(alive=True)

    return router


OPENAPI = "/openapi.json"
OPEN = frozenset({HEALTH, ALIVE, READY, OPENAPI, *SCHEMAS})
STRANGERS_ROWS = 32  # lines a minute for requests without a valid token, and as many of counts


def system_routers(context: ApiContext) -> list[APIRouter]:
    """Return the routes of all systems."""
    found = declared_in_systems("api", SystemApi).values()
    return [router(context) for one in found for router in one.routers]


_ABOUT = """\
All that the gateway shows and lets people decide, for programs: held messages (隔离区), senders,
sessions, policies, records, filings, suspensions, users; and what subscribers said to SPs: refusals
(退订), agreements (同意), complaints. Every path but those of health and this description needs a
bearer token of console.yaml, whose role decides what it may do. What goes wrong is told as
application/problem+json (RFC 9457), with titles in English and Chinese. Lists come in pages: `next`
is the `cursor` of the page behind. What others may have changed needs the ETag of what was read in
If-Match. An act with an Idempotency-Key is done once.
"""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def build_api(
    access: ClientAccess, routers: Iterable[APIRouter], answers: KeptAnswers | None = None
) -> FastAPI:
    """Return the application of `routers`, with a guard before and a log line behind it.

    `answers` keeps those to requests with an Idempotency-Key; without it the header is passed over.
    The schemas of the linkage are published beside them.
    """
    app = DescribedApi(
        title="smsward",
        version=__version__,
        description=_ABOUT,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    _add_routes(app, (*routers, schemas()))
    app.add_route(OPENAPI, described(app), include_in_schema=False)
    answer_problems(app)
    app.add_middleware(Guard, access=access, public=OPEN, answers=answers)
    app.add_middleware(AnswerLog)  # the outermost
    return app


def _add_routes(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    """Add the routes as they are: FastAPI analyses again at the first request what is included."""
    for router in routers:
        app.router.routes.extend(router.routes)


def described(app: FastAPI) -> Callable[[Request], Response]:
    """Return what answers with the description of `app`, written once: strangers may ask."""

    @cache
    def written() -> bytes:
        return orjson.dumps(app.openapi())

    def answer(_request: Request) -> Response:
        return Response(written(), media_type="application/json")

    return answer


STATIC = "/static"
_STATIC_FILES = files("gateway.console") / "static"


def build_pages(
    templates: Templates,
    routers: Iterable[APIRouter],
    find_user: FindUser,
    is_public: Callable[[str], bool],
) -> FastAPI:
    """Return the application of the pages, with a guard before and a log line behind it."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    _add_routes(app, routers)
    app.mount(STATIC, _Static(directory=str(_STATIC_FILES)))
    answer_page_errors(app, templates)

    def is_open(path: str) -> bool:
        return path.startswith(f"{STATIC}/") or is_public(path)

    app.add_middleware(PageGuard, find_user=find_user, is_public=is_open)
    app.add_middleware(AnswerLog)  # the outermost
    return app


class _Static(StaticFiles):
    """Files that are the same for everybody, and kept by browsers for an hour."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Return the answer with a file."""
        answer = super().file_response(*args, **kwargs)
        answer.headers["Cache-Control"] = "public, max-age=3600"
        return answer


class Console:
    """The API below /v1 and what is open beside it, and the pages for all other paths.

    `is_behind_tls`: a proxy before it has TLS, so browsers have; cookies are for TLS alone.
    """

    def __init__(self, api: ASGIApp, pages: ASGIApp, *, is_behind_tls: bool = False) -> None:
        self._api = api
        self._pages = pages
        self._is_behind_tls = is_behind_tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if self._is_behind_tls:
            scope["scheme"] = "https"
        is_api = scope["path"].startswith("/v1/") or scope["path"] in OPEN
        await _traced(self._api if is_api else self._pages, scope, receive, send)


async def _traced(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request within a span, which tells its route, never its path, query or headers."""
    method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
    with span(method) as found:

        async def send_and_note(message: Message) -> None:
            if message["type"] == "http.response.start":
                found.note("http.response.status_code", message["status"])
            await send(message)

        found.note("http.request.method", method)
        try:
            await app(scope, receive, send_and_note)
        finally:
            route = getattr(scope.get("route"), "path", "")
            if route:
                found.name(f"{method} {route}")
                found.note("http.route", route)


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
        state = scope.get("state", {})
        client = state.get("client") or state.get("user")
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
