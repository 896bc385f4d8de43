"""Rounds that follow the store: one that fails, whatever of, keeps none of the next from theirs."""

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

# What a look has at least, however late it is for the copy.
_LOOK_S = 0.5


class Rounds:
    """Takes steps again and again; `failures` counts by step those that a fault of ours ended."""

    def __init__(self) -> None:
        self.failures: Counter[str] = Counter()
        self._broken: set[str] = set()

    async def take(self, name: str, step: Callable[[], Awaitable[object]]) -> bool:
        """Take the step `name`, and tell whether it went well.

        The first failure in a row is logged, and the end of the row. Raises StoreUnavailable,
        which is the store's fault and not the step's, and nothing else.
        """
        try:
            await step()
        except StoreUnavailable:
            raise
        except Exception as error:  # a step's edge: it is taken again in its turn
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
    """Takes over what changed in the store."""

    async def catch_up(self) -> int:
        """Return how much changed. Raises StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often is looked, and for how long looks may fail until the copy is not current."""

    every_s: float
    stale_s: float


async def keep_current(
    rounds: Rounds,
    name: str,
    follower: Follower,
    copy: Copy,
    pace: Pace,
    behind: Callable[[str], None],
) -> NoReturn:
    """Let `follower` catch up for ever; `copy` is not current while that fails for too long.

    Too long is `pace.stale_s` in which looks failed, or one was not answered although the loop
    listened: a delay of ours speaks against no store. `behind` is told why, once for each time.
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
                # Looks that take long under load follow each other sooner, or they would come
                # too late.
                wait_s = max(pace.every_s / 4, pace.every_s - (monotonic() - began))
                continue
            listened_s += took_s
            was_behind, is_behind = is_behind, is_behind or listened_s >= pace.stale_s
            copy.is_current = not is_behind  # a lock of a moment stops no traffic
            if is_behind and not was_behind:
                behind(said)
    finally:
        if look is not None:
            look.cancel()
        copy.is_current = False  # whatever ended it, nobody follows any more


async def _look(rounds: Rounds, name: str, follower: Follower) -> str | None:
    """Catch up once; return what failed."""
    try:
        is_well = await rounds.take(name, follower.catch_up)
    except StoreUnavailable as error:
        return str(error)
    return None if is_well else "follower.failed tells why"
