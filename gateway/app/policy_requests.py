"""The wishes of operators that the policies be loaded, met as they come into the store."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

import structlog

from gateway.app.following import Rounds
from gateway.domain.policy_history import PolicyRequest, RequestState
from gateway.ports.errors import StoreUnavailable
from gateway.ports.policies import PolicyStore

log = structlog.get_logger()

_EVERY_S = 0.5
_SHOWN_FAULTS = 20
_FAILED = "the gateway failed to load them: its log tells why (follower.failed)"

# Loads the policies as a request asks; returns the digest in force, and the faults if refused.
Reload = Callable[[PolicyRequest], Awaitable[tuple[str, tuple[str, ...]]]]


class PolicyRequests:
    """Reads the open requests several times a second, and answers each once it is met."""

    def __init__(self, store: PolicyStore, reload: Reload) -> None:
        self._store = store
        self._reload = reload
        self._lock = asyncio.Lock()
        self._is_failing = False

    async def follow(self, rounds: Rounds) -> NoReturn:
        """Meet what is asked, until cancelled, whatever comes of one of the `rounds`."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await rounds.take("policy_requests", self.meet)

    async def meet(self) -> None:
        """Meet every request that is open now; what the store does not answer is left open."""
        async with self._lock:
            try:
                while (request := await self._store.open_request()) is not None:
                    try:
                        digest, faults = await self._reload(request)
                    except StoreUnavailable:
                        raise
                    except Exception:
                        # Else it is asked again twice a second, and whoever comes after it waits.
                        await self._store.answer(request.number, RequestState.REFUSED, _FAILED)
                        raise
                    state = RequestState.REFUSED if faults else RequestState.TAKEN
                    said = "\n".join(faults[:_SHOWN_FAULTS]) if faults else digest
                    await self._store.answer(request.number, state, said)
            except StoreUnavailable as error:
                self._note_failure(error)
            else:
                self._is_failing = False

    def _note_failure(self, error: StoreUnavailable) -> None:
        if not self._is_failing:
            self._is_failing = True
            log.error("policy.unasked", said=str(error))
