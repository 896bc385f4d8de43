"""How much room a disk has left, in stages: what is done before it is full."""

from dataclasses import dataclass
from enum import IntEnum


class DiskStage(IntEnum):
    """What is done about one file system. Each stage does what those below it do."""

    WELL = 0
    LOW = 1  # it is told
    STOPPING = 2  # the SPs that write most may have nothing more written, one after the other
    FULL = 3  # nothing more is written for anybody


@dataclass(frozen=True, slots=True)
class DiskReserve:
    """The free octets below which a file system is LOW, STOPPING and FULL; they fall."""

    warn_octets: int = 5 * 2**30
    stop_octets: int = 2**30
    full_octets: int = 128 * 2**20

    def limit_of(self, stage: DiskStage) -> int:
        """Return the free octets below which `stage` begins; none for WELL."""
        limits = (0, self.warn_octets, self.stop_octets, self.full_octets)
        return limits[stage]
