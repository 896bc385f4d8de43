"""Who is asking: tokens, roles, and the patience with those who guess."""

import asyncio
import hmac
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from gateway.console.api.problems import Problem, ProblemError
from gateway.domain.api_client import ApiClient, ApiRole
from gateway.policy.bucket import TokenBucket
from gateway.session.lockout import WINDOW_S, Lockouts

BAD_TOKENS_PER_MINUTE = 10
REQUESTS_AT_ONCE = 8
REQUESTS_PER_S = 20
REQUESTS_BURST = 100
# What the store has to do grows with the numbers: a batch of a thousand is no one request.
ITEMS_PER_REQUEST = 50

_MAX_TOKEN_CHARS = 512
# The same for everybody: it tells nothing of what was sent.
_HOW_TO_ASK = "the header reads: Authorization: Bearer, a space, and the token"
# Whoever has a token need not guess, so guesses lock the address out for other guesses only.
_GUESSING = "?"

# Guard has refused by then whoever has no token: this is for the description of the API.
_BEARER = HTTPBearer(auto_error=False, description="The token of a client of api.yaml.")


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


def client_at(request: Request) -> ApiClient:
    """Return who sent `request`, which Guard has looked up."""
    client: ApiClient = request.state.client
    return client


def charge(request: Request, items: int) -> None:
    """Charge the client of `request` for so many items; Guard has noted its ClientAccess.

    Raises ProblemError when they are too many for now; nothing was done then.
    """
    access: ClientAccess = request.state.access
    access.charge(client_at(request), items)


SpClient = Annotated[ApiClient, Depends(by(ApiRole.SP))]
AnyClient = Annotated[ApiClient, Depends(by(*ApiRole))]
