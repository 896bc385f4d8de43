"""Steps that poll the store again and again. One that fails is logged; the others go on."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn, Protocol

import structlog

from gateway.ports.changes import Copy
from gateway.ports.errors import StoreUnavailable
from gateway.runtime.clock import monotonic
from gateway.runtime.deadline import wait_listening
from gateway.runtime.tasks import spawn

log = structlog.get_logger()

# The least time that a look gets, even if the copy is late already.
_LOOK_S = 0.5


class Rounds:
    """Takes steps; `failures` counts, by step, those ended by a fault other than the store's."""

    def __init__(self) -> None:
        self.failures: Counter[str] = Counter()
        self._broken: set[str] = set()

    async def take(self, name: str, step: Callable[[], Awaitable[object]]) -> bool:
        """Take the step `name`; tell whether it succeeded.

        The first failure in a row is logged, and the recovery. Raises StoreUnavailable, which
        is not a fault of the step, and no other exception.
        """
        try:
            await step()
        except StoreUnavailable:
            raise
        except Exception as error:  # any fault of a step: the step is taken again next time
            self.failures[name] += 1
            if name not in self._broken:
                self._broken.add(name)
                log.error("follower.failed", step=name, exc_info=error)
            return False
        if name in self._broken:
            self._broken.discard(name)
            log.info("follower.recovered", step=name)
        return True


class Follower(Protocol):
    """Copies changes of the store into memory."""

    async def catch_up(self) -> int:
        """Copy what changed; return how much. Raises StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class PollInterval:
    """How often to look, and how long looks may fail before the copy is not current."""

    every_s: float
    stale_s: float


async def keep_current(
    rounds: Rounds,
    name: str,
    follower: Follower,
    copy: Copy,
    pace: PollInterval,
    behind: Callable[[str], None],
) -> NoReturn:
    """Let `follower` catch up for ever; `copy` is not current after failures for too long.

    Too long means `pace.stale_s` of failed looks, or of one look without an answer. Only time in
    which the event loop was free to take the answer counts: a delay of our own is no fault of
    the store. `behind` is called with the reason once each time.
    """
    listened_s, is_behind, wait_s = 0.0, False, pace.every_s
    look: asyncio.Future[str | None] | None = None
    try:
        while True:
            await asyncio.sleep(wait_s)
            listened_s += wait_s
            began, wait_s = monotonic(), pace.every_s
            look = spawn(_look(rounds, name, follower), name=f"look-{name}")
            took_s = await wait_listening({look}, max(_LOOK_S, pace.stale_s - listened_s))
            if not look.done() and not is_behind:
                is_behind, copy.is_current = True, False
                behind("it did not answer in time")
            said = await look
            if said is None:
                listened_s, is_behind = 0.0, False
                # Under load a look takes long, so the next one starts sooner, or the copy would
                # be too old.
                wait_s = max(pace.every_s / 4, pace.every_s - (monotonic() - began))
                continue
            listened_s += took_s
            was_behind, is_behind = is_behind, is_behind or listened_s >= pace.stale_s
            copy.is_current = not is_behind  # a short lock of the store stops no traffic
            if is_behind and not was_behind:
                behind(said)
    finally:
        if look is not None:
            look.cancel()
        copy.is_current = False  # the loop has ended, so the copy is not followed any more


async def _look(rounds: Rounds, name: str, follower: Follower) -> str | None:
    """Catch up once; return what failed, None for success."""
    try:
        is_well = await rounds.take(name, follower.catch_up)
    except StoreUnavailable as error:
        return str(error)
    return None if is_well else "follower.failed tells why"
