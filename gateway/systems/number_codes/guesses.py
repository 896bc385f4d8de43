"""What each client makes of the codes it asks for: who guesses, and who takes all there are."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from gateway.policy.bucket import TokenBucket

log = structlog.get_logger()

WINDOW_S = 600.0
# People mistype. One who guesses is right once in a hundred thousand times.
MAX_WRONG = 20
MAX_WRONG_PER_RIGHT = 3
# Half of what all clients together may have sent.
CODES_PER_MINUTE = 300

_MINUTE_S = 60.0


@dataclass(slots=True)
class _Tried:
    """What a client tried since the window began, on the monotonic clock."""

    since: float
    right: int = 0
    wrong: int = 0
    is_told: bool = False

    @property
    def is_guessing(self) -> bool:
        return self.wrong >= MAX_WRONG and self.wrong > MAX_WRONG_PER_RIGHT * self.right


class Guesses:
    """Counts per client, of which there are as many as `api.yaml` names: it is bounded."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._tried: dict[str, _Tried] = {}
        self._codes: dict[str, TokenBucket] = {}

    def may_ask(self, client: str) -> bool:
        """Take one of the codes that `client` may have sent; False when they are used up."""
        rate = self._codes.get(client)
        if rate is None:
            rate = TokenBucket(CODES_PER_MINUTE / _MINUTE_S, CODES_PER_MINUTE)
            self._codes[client] = rate
        return rate.take(self._now())

    def is_locked(self, client: str) -> bool:
        """Tell whether `client` has guessed, and must wait for the end of its window."""
        return self._of(client).is_guessing

    def begin(self, client: str) -> None:
        """Count an attempt as wrong, until `proved` says otherwise: many may be under way."""
        tried = self._of(client)
        tried.wrong += 1
        if tried.is_guessing and not tried.is_told:
            tried.is_told = True
            log.warning("api.codes_guessed", client=client, wrong=tried.wrong, right=tried.right)

    def proved(self, client: str) -> None:
        """Count an attempt that `begin` took for a wrong one as right."""
        tried = self._of(client)
        tried.wrong = max(0, tried.wrong - 1)
        tried.right += 1

    def _of(self, client: str) -> _Tried:
        now = self._now()
        tried = self._tried.get(client)
        if tried is None or now - tried.since >= WINDOW_S:
            tried = self._tried[client] = _Tried(now)
        return tried
