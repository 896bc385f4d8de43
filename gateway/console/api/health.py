"""Whether the API can do its work, for monitoring."""

import asyncio
from collections.abc import Callable
from math import inf

from fastapi import APIRouter

from gateway.console.api.numbers import RequestBody
from gateway.ports.changes import ChangeFeed
from gateway.ports.errors import StoreUnavailable

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
