"""How much memory and disk a process and its deployment use, and what an hour of it comes to."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.processes import Server

_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Usage:
    """Octets at a moment: memory held, log, records, and store with its journal.

    `stolen_s` is the processor time that the host of a virtual machine has kept from it.
    """

    at: float
    stolen_s: float
    rss: int
    log: int
    records: int
    store: int

    @classmethod
    def of(cls, server: Server, directory: Path) -> Self:
        """Look at `server`, which runs on the deployment in `directory`."""
        var = directory / "var"
        return cls(
            at=time.perf_counter(),
            stolen_s=stolen_s(),
            rss=rss_octets(server.process.pid),
            log=server.log.stat().st_size,
            records=sum(file.stat().st_size for file in (var / "cdr").glob("*")),
            store=sum(file.stat().st_size for file in var.glob("smsward.db*")),
        )

    def since(self, before: Self) -> dict[str, float]:
        """Return the growth since `before`, and what an hour of it comes to.

        Memory that fills once, as caches do, is no growth for ever: what an hour of it comes to
        is more than it will be.
        """
        span_s = self.at - before.at
        disk = (self.log + self.records + self.store) - (before.log + before.records + before.store)
        return {
            "seconds": round(span_s, 1),
            "stolen_percent": round(
                (self.stolen_s - before.stolen_s) / span_s / (os.cpu_count() or 1) * 100, 1
            ),
            "rss_mb": _mb(self.rss),
            "rss_grown_mb": _mb(self.rss - before.rss),
            "log_kb_per_s": _kb(self.log - before.log, span_s),
            "records_kb_per_s": _kb(self.records - before.records, span_s),
            "store_kb_per_s": _kb(self.store - before.store, span_s),
            "disk_mb_per_hour": _mb(disk / span_s * _HOUR_S),
        }


def rss_octets(pid: int) -> int:
    """Return the memory that a process holds."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def stolen_s() -> float:
    """Return the steal time of all processors since the start (proc(5): the 8th of "cpu")."""
    first = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0]
    return int(first.split()[8]) / os.sysconf("SC_CLK_TCK")


def _mb(octets: float) -> float:
    return round(octets / 1e6, 1)


def _kb(octets: float, span_s: float) -> float:
    return round(octets / 1e3 / span_s, 1)
