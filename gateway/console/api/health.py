"""Whether the API can do its work, for whoever watches it."""

from fastapi import APIRouter

from gateway.console.api.numbers import Body
from gateway.ports.changes import ChangeFeed

HEALTH = "/v1/health"


class Health(Body):
    """The store answers."""

    ready: bool


def health(changes: ChangeFeed) -> APIRouter:
    """Return the route of health, which needs no token."""
    router = APIRouter(tags=["health"])

    @router.get(HEALTH, summary="Ask whether the store answers")
    async def ready() -> Health:
        """Return ready, or the problem that the store does not answer."""
        await changes.latest()
        return Health(ready=True)

    return router
