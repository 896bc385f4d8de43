"""Watches the room of the disks that the store and the records are on."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import structlog

from gateway.dataplane.plane import Plane
from gateway.domain.disk import DiskReserve, DiskStage
from gateway.policy.disk_stages import DiskStages
from gateway.ports.errors import StoreUnavailable
from gateway.ports.free_space import FreeSpace
from gateway.proxy.held_counts import HeldCounts
from gateway.runtime.clock import monotonic
from gateway.runtime.records import Records
from gateway.runtime.snapshot import DiskHealth
from gateway.runtime.tasks import spawn

log = structlog.get_logger()

_EVERY_S = 2.0
_PATIENCE_S = 5.0
# Of a store with a small max_octets the stages begin where a quarter of it is left, and less.
_STORE_PART = 4


@dataclass(frozen=True, slots=True)
class StoreFile:
    """Where the store is, what it may take (`max_octets`) and what it takes (`used_octets`)."""

    directory: Path
    max_octets: int
    used_octets: Callable[[], Awaitable[int]]


class DiskWatch:
    """Looks every few seconds, off the loop, and tells the data plane whom to stop.

    A store that nears its own bound counts as a disk that does. A disk that cannot be asked, or
    does not answer, stays in the stage that it was in.
    """

    def __init__(self, free: FreeSpace, reserve: DiskReserve, plane: Plane) -> None:
        self.stages = {one: DiskStages(reserve) for one in ("store", "records")}
        self._free = free
        self._reserve = reserve
        self._plane = plane
        self._asked: dict[str, asyncio.Task[int | OSError]] = {}
        self._unread: set[str] = set()

    def stage_of(self, volume: str) -> DiskStage:
        """Return the stage of the disk of the `store` or of the `records`."""
        return self.stages[volume].stage

    def health(self) -> DiskHealth:
        """Return how the disks stand."""
        free = {one: stages.free_octets for one, stages in self.stages.items()}
        return DiskHealth(
            free_octets={one: octets for one, octets in free.items() if octets is not None},
            stages={one: int(stages.stage) for one, stages in self.stages.items()},
            stopped=len(self._plane.stopped),
        )

    async def watch(
        self, records: tuple[Path, Records], store: StoreFile | None, counts: HeldCounts
    ) -> NoReturn:
        """Look for ever; without a `store` file only at the records, in their directory."""
        while True:
            await self.look(records, store, counts)
            await asyncio.sleep(_EVERY_S)

    async def look(
        self, records: tuple[Path, Records], store: StoreFile | None, counts: HeldCounts
    ) -> None:
        """Look once at both disks, and stop or let go who is to be."""
        directory, kept = records
        written = Counter(kept.lines.octets) + Counter(counts.added)
        await self._look_at("records", directory, None, written)
        if store is not None:
            await self._look_at("store", store.directory, store, written)
        stopped = frozenset[str]().union(*(stages.stopped for stages in self.stages.values()))
        for system_id in sorted(stopped - self._plane.stopped):
            log.error("disk.sender_stopped", system_id=system_id)
        self._plane.stopped = stopped

    async def _look_at(
        self, volume: str, directory: Path, store: StoreFile | None, written: Mapping[str, int]
    ) -> None:
        try:
            free = await self._free_of(volume, directory)
            if store is not None:
                free = min(free, await self._left_of(store))
        except (OSError, StoreUnavailable, TimeoutError) as error:
            if volume not in self._unread:
                self._unread.add(volume)
                log.error(
                    "disk.check_failed", volume=volume, said=str(error) or "no answer in time"
                )
            return
        self._unread.discard(volume)
        stages = self.stages[volume]
        before = stages.stage
        stages.look(free, written, monotonic())
        if stages.stage is not before:
            _tell(volume, stages.stage, free)

    async def _free_of(self, volume: str, directory: Path) -> int:
        """Ask in a thread. One that does not come back is waited for, not asked again."""
        asking = self._asked.get(volume)
        if asking is None:
            asking = spawn(asyncio.to_thread(self._ask, directory), name=f"disk-{volume}")
            self._asked[volume] = asking
        await asyncio.wait({asking}, timeout=_PATIENCE_S)
        if not asking.done():
            raise TimeoutError
        if self._asked.get(volume) is asking:  # another that waited for it may have asked again
            del self._asked[volume]
        free = asking.result()
        if isinstance(free, OSError):
            raise free
        return free

    def _ask(self, directory: Path) -> int | OSError:
        """Return what is free; a fault is nothing that a task should fail of."""
        try:
            return self._free(directory)
        except OSError as error:
            return error

    async def _left_of(self, store: StoreFile) -> int:
        """Return what the store's own bound leaves, on the scale of free octets of a disk."""
        left = max(0, store.max_octets - await store.used_octets())
        scale = max(1, _STORE_PART * self._reserve.warn_octets // store.max_octets)
        return left * scale


def _tell(volume: str, stage: DiskStage, free: int) -> None:
    match stage:
        case DiskStage.WELL:
            log.info("disk.recovered", volume=volume, free_octets=free)
        case DiskStage.FULL:
            log.error("disk.full", volume=volume, free_octets=free)
        case _:
            log.warning("disk.low", volume=volume, free_octets=free, stage=stage.name.lower())
