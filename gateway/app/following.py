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

log = structlog.get_logger()


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

    `behind` is told why, once for each time.
    """
    current_at, is_behind, wait_s = monotonic(), False, pace.every_s
    try:
        while True:
            await asyncio.sleep(wait_s)
            began, wait_s = monotonic(), pace.every_s
            said = await _look(rounds, name, follower)
            if said is None:
                current_at, is_behind = monotonic(), False
                # Looks that take long under load follow each other sooner, or they would come
                # too late.
                wait_s = max(pace.every_s / 4, pace.every_s - (current_at - began))
                continue
            was_behind, is_behind = is_behind, monotonic() - current_at >= pace.stale_s
            copy.is_current = not is_behind  # a lock of a moment stops no traffic
            if is_behind and not was_behind:
                behind(said)
    finally:
        copy.is_current = False  # whatever ended it, nobody follows any more


async def _look(rounds: Rounds, name: str, follower: Follower) -> str | None:
    """Catch up once; return what failed."""
    try:
        is_well = await rounds.take(name, follower.catch_up)
    except StoreUnavailable as error:
        return str(error)
    return None if is_well else "follower.failed tells why"
