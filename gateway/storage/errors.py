"""What a store may raise, and how it is logged where the caller can go on without the store."""

from collections.abc import Awaitable

import structlog

log = structlog.get_logger()


class StoreUnavailable(Exception):  # noqa: N818 - the house name: a state, not a fault of the caller
    """The store cannot do this now: full, locked, gone, or too slow.

    Unless a call's contract says otherwise nothing was changed, and the call may be made
    again later.
    """


async def logged(write: Awaitable[object]) -> None:
    """Await a write; if the store is unavailable, log that and return."""
    try:
        await write
    except StoreUnavailable as error:
        log.error("store.failed", said=str(error))
