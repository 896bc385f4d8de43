"""Free space of a disk, in stages: what is done before it is full."""

from dataclasses import dataclass
from enum import IntEnum


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
