"""What stands before every route: the client's token, and bounds for what it sends."""

import asyncio
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.console.api.access import ClientAccess
from gateway.console.api.problems import Problem, ProblemError, response_to
from gateway.domain.api_client import ApiClient

MAX_BODY_OCTETS = 2 * 1024 * 1024

_BODY_S = 10.0
_WITHOUT_BODY = frozenset({"GET", "HEAD"})
_LAST = {"Connection": "close"}
_AS_JSON = "add the header Content-Type: application/json"


class _GoneError(Exception):
    """The client hung up before its request was whole."""


class Guard:
    """Passes requests of known clients on, after the whole body has arrived.

    Whoever is unknown gets no further, whatever the route: none can forget to ask. Only the
    paths in `public` are for everybody, without a body. The client stands in the request's state
    then, with what it is charged by.
    """

    def __init__(self, app: ASGIApp, *, access: ClientAccess, public: Collection[str]) -> None:
        self._app = app
        self._access = access
        self._public = frozenset(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        await self._guarded(scope, receive, _unkept(send))

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["path"] in self._public:
                _refuse_body(scope)
                await self._app(scope, receive, send)
                return
            client = await self._client(scope)
            state = scope.setdefault("state", {})
            state["client"], state["access"] = client, self._access
            with self._access.one_more(client):
                await self._app(scope, await _whole(scope, receive), send)
        except ProblemError as error:
            await response_to(error)(scope, receive, send)
        except _GoneError:
            return

    async def _client(self, scope: Scope) -> ApiClient:
        authorization = Headers(scope=scope).get("authorization", "")
        address = scope["client"][0] if scope.get("client") else ""
        return await self._access.client_of(authorization, address)


def _refuse_body(scope: Scope) -> None:
    """Raise ProblemError, before any octet of it is read, for what may bring a body.

    Everybody may ask for a public path, and a body that is waited for takes a place.
    """
    if scope["method"] not in _WITHOUT_BODY:
        raise ProblemError(Problem.NOT_ALLOWED, headers={"Allow": "GET, HEAD"} | _LAST)
    headers = Headers(scope=scope)
    if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        raise ProblemError(Problem.TOO_LARGE, "no body belongs here", headers=_LAST)


def _unkept(send: Send) -> Send:
    """Return a `send` that forbids proxies to cache answers: they hold numbers."""

    async def send_unkept(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).setdefault("Cache-Control", "no-store")
        await send(message)

    return send_unkept


async def _whole(scope: Scope, receive: Receive) -> Receive:
    """Return a `receive` that gives the body at once. Raises ProblemError."""
    body = await _body(scope, receive)
    if body and not _is_json(Headers(scope=scope).get("content-type", "")):
        raise ProblemError(Problem.NOT_SENT_AS_JSON, _AS_JSON)
    is_given = False

    async def receive_whole() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_whole


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )


async def _body(scope: Scope, receive: Receive) -> bytes:
    announced = Headers(scope=scope).get("content-length", "0")
    if announced.isdecimal() and int(announced[:20]) > MAX_BODY_OCTETS:
        raise ProblemError(Problem.TOO_LARGE)
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            is_whole = False
            while not is_whole:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _GoneError
                body += message.get("body", b"")
                is_whole = not message.get("more_body", False)
                if len(body) > MAX_BODY_OCTETS:
                    raise ProblemError(Problem.TOO_LARGE)
    except TimeoutError:
        raise ProblemError(Problem.TOO_SLOW) from None
    return bytes(body)
