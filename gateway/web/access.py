"""What every HTTP path shares: who a client is, its share, and the bounds of requests."""

import asyncio
import hmac
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Protocol

from fastapi import Depends, Header, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.domain.api_client import ApiClient, ApiRole
from gateway.domain.permissions import (
    CLIENT_PERMISSIONS,
    Permission,
    UserScope,
    scope_of_client,
)
from gateway.domain.records import NewAccess
from gateway.policy.submission import TokenBucket
from gateway.session.stranger_limits import WINDOW_S, Lockouts
from gateway.web.idempotency import KeptAnswers, OnceOnly, has_key
from gateway.web.problems import Problem, ProblemError, response_to

BAD_TOKENS_PER_MINUTE = 10
REQUESTS_AT_ONCE = 8
REQUESTS_PER_S = 20
REQUESTS_BURST = 100
# What the store has to do grows with the numbers: a batch of a thousand is no one request.
ITEMS_PER_REQUEST = 50

# As draft-ietf-httpapi-ratelimit-headers writes it: so many requests in so many seconds.
_POLICY = f'"client";q={REQUESTS_BURST};w={REQUESTS_BURST // REQUESTS_PER_S}'
_MAX_TOKEN_CHARS = 512
# The same for everybody: it tells nothing of what was sent.
_HOW_TO_ASK = "the header reads: Authorization: Bearer, a space, and the token"
# Whoever has a token need not guess, so guesses lock the address out for other guesses only.
_GUESSING = "?"

_TOO_MANY_NUMBERS = "so many whole numbers within an hour need a second person"

# Guard has refused by then whoever has no token: this is for the description of the API.
_BEARER = HTTPBearer(auto_error=False, description="The token of a client of console.yaml.")


class ClientAccess:
    """Tells clients by their tokens, and keeps each to its share."""

    def __init__(
        self,
        clients: Collection[ApiClient],
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._now = now
        self._sleep = sleep
        self._lockouts = Lockouts(BAD_TOKENS_PER_MINUTE)
        self._at_once: Counter[str] = Counter()
        self.know(clients)

    def know(self, clients: Collection[ApiClient]) -> None:
        """Take other clients for those there are; requests under way go on."""
        self._clients = clients
        self._rates = {one.name: TokenBucket(REQUESTS_PER_S, REQUESTS_BURST) for one in clients}

    async def client_of(self, authorization: str, address: str) -> ApiClient:
        """Return who sends this header from `address`.

        Raises ProblemError with one answer for everybody else, later each time, and at once
        when the address has guessed too often.
        """
        client = self.find(authorization)
        if client is not None:
            return client
        if self._lockouts.is_locked(address, _GUESSING, self._now()):
            raise ProblemError(Problem.TOO_MANY, headers={"Retry-After": f"{WINDOW_S:.0f}"})
        self._lockouts.failed(address, _GUESSING, self._now())
        await self._sleep(self._lockouts.delay_s(address, _GUESSING, self._now()))
        raise ProblemError(
            Problem.UNKNOWN_TOKEN, _HOW_TO_ASK, headers={"WWW-Authenticate": "Bearer"}
        )

    @contextmanager
    def one_more(self, client: ApiClient) -> Iterator[None]:
        """Count a request of `client` that is being answered.

        Raises ProblemError when there are too many, at once or in a second: one client alone
        must not keep the others, and the gateway, from the store.
        """
        rate = self._rates.get(client.name)
        is_too_fast = rate is not None and not rate.take(self._now())
        if is_too_fast or self._at_once[client.name] >= REQUESTS_AT_ONCE:
            raise ProblemError(Problem.TOO_MANY, headers={"Retry-After": "1"})
        self._at_once[client.name] += 1
        try:
            yield
        finally:
            self._at_once[client.name] -= 1
            if not self._at_once[client.name]:
                del self._at_once[client.name]

    def charge(self, client: ApiClient, items: int) -> None:
        """Charge what a request has more in it than one does, before anything is done of it.

        Raises ProblemError as `one_more` does.
        """
        rate, more = self._rates.get(client.name), (items - 1) // ITEMS_PER_REQUEST
        if more > 0 and rate is not None and not rate.take(self._now(), more):
            raise ProblemError(Problem.TOO_MANY, headers={"Retry-After": "1"})

    def rate_headers(self, client: ApiClient) -> dict[str, str]:
        """Return what a client may send: its share, what is free of it, seconds until all is."""
        rate = self._rates.get(client.name)
        if rate is None:  # it was taken off meanwhile
            return {}
        free = rate.free(self._now())
        seconds = -(-(REQUESTS_BURST - free) // REQUESTS_PER_S)
        return {"RateLimit-Policy": _POLICY, "RateLimit": f'"client";r={free};t={seconds}'}

    def find(self, authorization: str) -> ApiClient | None:
        """Return the client whose token an Authorization header has; None if unknown."""
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > _MAX_TOKEN_CHARS:
            return None
        digest = sha256(token.encode("utf-8", "replace")).digest()
        # All of them, whichever it is: the time tells nothing.
        found = [one for one in self._clients if hmac.compare_digest(one.digest, digest)]
        return found[0] if found else None


def by(*roles: ApiRole) -> Callable[..., ApiClient]:
    """Return what lets only clients of `roles` use a route, for `Depends`."""

    def client_of_role(
        request: Request,
        _: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    ) -> ApiClient:
        client = client_at(request)
        if client.role not in roles:
            raise ProblemError(
                Problem.FORBIDDEN, f"only for clients of the role {' or '.join(roles)}"
            )
        return client

    return client_of_role


def may(permission: Permission, *kept: UserScope) -> Callable[..., ApiClient]:
    """Return what lets only clients with this permission use a route, for `Depends`.

    Who sees only what is of one SP or province uses no route but those that keep to that limit:
    `kept` are the limits that a route keeps to.
    """

    def client_with_permission(
        request: Request,
        _: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    ) -> ApiClient:
        client = client_at(request)
        scope = scope_of_client(client)
        if permission not in CLIENT_PERMISSIONS[client.role]:
            raise ProblemError(Problem.FORBIDDEN, f"only for roles with {permission}")
        if scope is not None and scope not in kept:
            raise ProblemError(Problem.FORBIDDEN, f"not for clients of one {scope}")
        return client

    return client_with_permission


def client_at(request: Request) -> ApiClient:
    """Return who sent `request`, which Guard has looked up."""
    client: ApiClient = request.state.client
    return client


def acting_as(client: ApiClient) -> str:
    """Return a client as journals and decisions name one: an account of the machine is another."""
    return f"api: {client.name}"


def charge(request: Request, items: int) -> None:
    """Charge the client of `request` for so many items; Guard has noted its ClientAccess.

    Raises ProblemError when they are too many for now; nothing was done then.
    """
    access: ClientAccess = request.state.access
    access.charge(client_at(request), items)


NoteLook = Callable[[NewAccess, int], Awaitable[bool]]
"""Keeps in the audit that so many whole numbers are shown; False, and nothing may be, for many."""


async def note_whole_numbers(note: NoteLook, look: NewAccess, numbers: int = 1) -> None:
    """Keep in the audit that a program sees whole numbers. Raises ProblemError for too many."""
    if not await note(look, numbers):
        raise ProblemError(Problem.CONFLICT, _TOO_MANY_NUMBERS)


SpClient = Annotated[ApiClient, Depends(by(ApiRole.SP))]
AnyClient = Annotated[ApiClient, Depends(by(*ApiRole))]
AppClient = Annotated[ApiClient, Depends(by(ApiRole.APP))]
SessionToken = Annotated[
    str,
    Header(
        alias="Subscriber-Session",
        max_length=128,
        description="The token of a session, from POST /v1/subscribers/sessions.",
    ),
]


class SubscriberSessions(Protocol):
    """Finds subscribers by the sessions that they have opened with a code."""

    utcnow: Callable[[], datetime]

    async def owner_of(self, token: str, client: ApiClient) -> int:
        """Return the subscriber of a session that `client` was given. Raises ProblemError."""

    async def close(self, msisdn: int) -> None:
        """End every session of a number."""


MAX_BODY_OCTETS = 2 * 1024 * 1024

_BODY_S = 10.0
_WITHOUT_BODY = frozenset({"GET", "HEAD"})
_LAST = {"Connection": "close"}
_AS_JSON = "add the header Content-Type: application/json"


class ClientGoneError(Exception):
    """The client hung up before its request was whole."""


class Guard:
    """Passes requests of known clients on, after the whole body has arrived.

    Whoever is unknown gets no further, whatever the route: none can forget to ask. Only the
    paths in `public` are for everybody, without a body. The client stands in the request's state
    then, with what it is charged by. With `answers` an act that has a key is done once.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        access: ClientAccess,
        public: Collection[str],
        answers: KeptAnswers | None = None,
    ) -> None:
        self._app = app
        self._once = None if answers is None else OnceOnly(app, answers)
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
            send = _with_rate(send, self._access, client)
            with self._access.one_more(client):
                body = await _json_body(scope, receive)
                receive = given_whole(body, receive)
                if self._once is not None and has_key(scope):
                    await self._once.answer(client.name, body, scope, receive, send)
                else:
                    await self._app(scope, receive, send)
        except ProblemError as error:
            await response_to(error)(scope, receive, send)
        except ClientGoneError:
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
        raise ProblemError(Problem.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"} | _LAST)
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


def _with_rate(send: Send, access: ClientAccess, client: ApiClient) -> Send:
    """Return a `send` that says how many requests a client may send at once now."""

    async def send_with_rate(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(access.rate_headers(client))
        await send(message)

    return send_with_rate


async def _json_body(scope: Scope, receive: Receive) -> bytes:
    body = await body_of(scope, receive, MAX_BODY_OCTETS)
    if body and not _is_json(Headers(scope=scope).get("content-type", "")):
        raise ProblemError(Problem.NOT_SENT_AS_JSON, _AS_JSON)
    return body


def given_whole(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a body, which has come, at once."""
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


async def body_of(scope: Scope, receive: Receive, maximum: int) -> bytes:
    """Return the whole body of a request.

    Raises ProblemError where it is too large or too slow, ClientGoneError where the client hung up.
    """
    announced = Headers(scope=scope).get("content-length", "0")
    if announced.isdecimal() and int(announced[:20]) > maximum:
        raise ProblemError(Problem.TOO_LARGE)
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            is_whole = False
            while not is_whole:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                body += message.get("body", b"")
                is_whole = not message.get("more_body", False)
                if len(body) > maximum:
                    raise ProblemError(Problem.TOO_LARGE)
    except TimeoutError:
        raise ProblemError(Problem.TOO_SLOW) from None
    return bytes(body)
