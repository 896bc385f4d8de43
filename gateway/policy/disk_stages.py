"""The stage of a disk, and the SPs that may not write any more: the heaviest first."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

# A stage is left only at 1.25 times the free space at which it begins.
_BACK = 1.25
# Between STOPPING and FULL, one more SP is stopped at each of this many equal steps.
_STEPS = 8
# After this time, what an SP has written counts half.
_HALF_LIFE_S = 60.0
_FORGOTTEN_OCTETS = 1.0


class DiskStage(IntEnum):
    """The stage of one file system. Each stage includes what the stages below it do."""

    WELL = 0
    LOW = 1  # operators are told
    STOPPING = 2  # the SPs that write most are stopped from writing, one after another
    FULL = 3  # nothing more is written for any SP


@dataclass(frozen=True, slots=True)
class DiskReserve:
    """The free octets below which a file system is LOW, STOPPING and FULL, in descending order."""

    warn_octets: int = 5 * 2**30
    stop_octets: int = 2**30
    full_octets: int = 128 * 2**20

    def limit_of(self, stage: DiskStage) -> int:
        """Return the free octets below which `stage` begins; 0 for WELL."""
        limits = (0, self.warn_octets, self.stop_octets, self.full_octets)
        return limits[stage]


class DiskStages:
    """Follows one file system. `stopped` are the system_ids that may not write any more."""

    def __init__(self, reserve: DiskReserve) -> None:
        self.stage = DiskStage.WELL
        self.stopped: frozenset[str] = frozenset()
        self.free_octets: int | None = None
        self.reserve = reserve
        self._recent: dict[str, float] = {}
        self._seen: dict[str, int] = {}
        self._looked_at: float | None = None

    def look(self, free_octets: int, written: Mapping[str, int], now: float) -> None:
        """Note the free octets, and all octets `written` so far by system_id."""
        self._weigh(written, now)
        self.free_octets = free_octets
        self.stage = self._stage_of(free_octets)
        if self.stage < DiskStage.STOPPING:
            self.stopped = frozenset()
        else:
            self._stop_more(self._wanted(free_octets) - len(self.stopped))

    def _stage_of(self, free_octets: int) -> DiskStage:
        found = DiskStage.WELL
        for stage in DiskStage:
            limit = self.reserve.limit_of(stage)
            if free_octets < (limit * _BACK if stage <= self.stage else limit):
                found = stage
        return found

    def _wanted(self, free_octets: int) -> int:
        """Return how many SPs must be stopped; more while the disk fills up."""
        stop = self.reserve.stop_octets
        if free_octets >= stop:
            return len(self.stopped)
        step = max(1, (stop - self.reserve.full_octets) // _STEPS)
        return 1 + (stop - free_octets) // step

    def _stop_more(self, count: int) -> None:
        heaviest = sorted(
            (one for one in self._recent if one not in self.stopped),
            key=lambda one: (-self._recent[one], one),
        )
        self.stopped |= frozenset(heaviest[: max(0, count)])

    def _weigh(self, written: Mapping[str, int], now: float) -> None:
        elapsed = 0.0 if self._looked_at is None else now - self._looked_at
        share = 0.5 ** (elapsed / _HALF_LIFE_S)
        recent = {one: octets * share for one, octets in self._recent.items()}
        for system_id, octets in written.items():
            new = octets - self._seen.get(system_id, 0)
            if new > 0:
                recent[system_id] = recent.get(system_id, 0.0) + new
        self._recent = {one: octets for one, octets in recent.items() if octets > _FORGOTTEN_OCTETS}
        self._seen, self._looked_at = dict(written), now
