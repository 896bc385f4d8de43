"""Count the codes and attempts of each client: detect guessing, and limit the codes sent."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from gateway.policy.bucket import TokenBucket

log = structlog.get_logger()

WINDOW_S = 600.0
# People mistype; a guess is right about once in a hundred thousand times.
MAX_WRONG = 20
MAX_WRONG_PER_RIGHT = 3
# Half of the codes that all clients together may request.
CODES_PER_MINUTE = 300

_MINUTE_S = 60.0


@dataclass(slots=True)
class _Attempts:
    """Attempts of a client since the window began, on the monotonic clock."""

    since: float
    right: int = 0
    wrong: int = 0
    is_told: bool = False

    @property
    def is_guessing(self) -> bool:
        return self.wrong >= MAX_WRONG and self.wrong > MAX_WRONG_PER_RIGHT * self.right


class Guesses:
    """Counts for each client; bounded, because `api.yaml` names the clients."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._tried: dict[str, _Attempts] = {}
        self._codes: dict[str, TokenBucket] = {}

    def may_ask(self, client: str) -> bool:
        """Take one of the codes that `client` may request; False when none is left."""
        rate = self._codes.get(client)
        if rate is None:
            rate = TokenBucket(CODES_PER_MINUTE / _MINUTE_S, CODES_PER_MINUTE)
            self._codes[client] = rate
        return rate.take(self._now())

    def is_locked(self, client: str) -> bool:
        """Tell whether `client` was guessing and must wait for the end of its window."""
        return self._of(client).is_guessing

    def begin(self, client: str) -> None:
        """Count an attempt as wrong until `proved` corrects it: many may run at once."""
        tried = self._of(client)
        tried.wrong += 1
        if tried.is_guessing and not tried.is_told:
            tried.is_told = True
            log.warning("api.codes_guessed", client=client, wrong=tried.wrong, right=tried.right)

    def proved(self, client: str) -> None:
        """Count as right an attempt that `begin` counted as wrong."""
        tried = self._of(client)
        tried.wrong = max(0, tried.wrong - 1)
        tried.right += 1

    def _of(self, client: str) -> _Attempts:
        now = self._now()
        tried = self._tried.get(client)
        if tried is None or now - tried.since >= WINDOW_S:
            tried = self._tried[client] = _Attempts(now)
        return tried
