"""Handle operators' requests in the store to load the policies."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

import structlog

from gateway.app.change_poller import Rounds
from gateway.domain.policy_history import PolicyRequest, ReloadRequestState
from gateway.ports.errors import StoreUnavailable
from gateway.ports.policies import PolicyStore

log = structlog.get_logger()

_EVERY_S = 0.5
_SHOWN_FAULTS = 20
_FAILED = "the gateway failed to load them: its log tells why (follower.failed)"

# Loads the policies for a request; returns the digest in force, and the faults if refused.
Reload = Callable[[PolicyRequest], Awaitable[tuple[str, tuple[str, ...]]]]


class PolicyRequests:
    """Reads open requests twice a second, and answers each after the reload."""

    def __init__(self, store: PolicyStore, reload: Reload) -> None:
        self._store = store
        self._reload = reload
        self._lock = asyncio.Lock()
        self._is_failing = False

    async def follow(self, rounds: Rounds) -> NoReturn:
        """Handle requests until cancelled; `rounds` logs a failure, and the loop goes on."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await rounds.take("policy_requests", self.meet)

    async def meet(self) -> None:
        """Handle every open request; if the store fails, the rest stays open."""
        async with self._lock:
            try:
                while (request := await self._store.open_request()) is not None:
                    try:
                        digest, faults = await self._reload(request)
                    except StoreUnavailable:
                        raise
                    except Exception:
                        # Else it stays open, is tried twice a second, and blocks later requests.
                        await self._store.answer(
                            request.number, ReloadRequestState.REFUSED, _FAILED
                        )
                        raise
                    state = ReloadRequestState.REFUSED if faults else ReloadRequestState.TAKEN
                    said = "\n".join(faults[:_SHOWN_FAULTS]) if faults else digest
                    await self._store.answer(request.number, state, said)
            except StoreUnavailable as error:
                self._note_failure(error)
            else:
                self._is_failing = False

    def _note_failure(self, error: StoreUnavailable) -> None:
        if not self._is_failing:
            self._is_failing = True
            log.error("policy.request_unreadable", said=str(error))
