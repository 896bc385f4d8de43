"""A directory of records replayed: hour after hour, in memory that does not grow with them."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf

from gateway.app.replay.decisions import DecisionReader, Kept
from gateway.app.replay.replaying import Replayer
from gateway.app.replay.tally import ReplayTally
from gateway.runtime.record_archive import RecordArchive
from gateway.runtime.record_scanning import Lines, scan_hour, size_of

_HOUR_S = 3600


class HourUnreadableError(Exception):
    """The records of `hour`, since 1970, cannot be read; the words are for people."""

    def __init__(self, hour: int, why: str) -> None:
        super().__init__(why)
        self.hour = hour


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which decisions to tell of: those of ``since <= at < until``, of one SP or of all."""

    since: float = -inf
    until: float = inf
    system_id: str | None = None


class RecordReplay:
    """Replays what is wanted of one directory.

    What rules count is counted from before `since` on, as far back as any rule looks, and for
    all SPs: limits may be shared.
    """

    def __init__(self, archive: RecordArchive, reader: DecisionReader, wanted: Wanted) -> None:
        self.tally = ReplayTally()
        self._archive = archive
        self._reader = reader
        self._wanted = wanted

    def size_octets(self, replayer: Replayer) -> int:
        """Return how many octets on the disk `run` will read, about."""
        hours = self._hours(replayer)
        return size_of(self._archive, hours[0], hours[-1]) if hours else 0

    def run(self, replayer: Replayer, told: Callable[[int], object]) -> ReplayTally:
        """Replay; `told` hears how many more octets are read. Raises HourUnreadableError."""
        for hour in self._hours(replayer):
            self._reader.begin_hour()
            for block in self._scanned(hour, told):
                self._replay(replayer, block, hour)
        return self.tally

    def _scanned(self, hour: int, told: Callable[[int], object]) -> Iterator[Lines]:
        try:
            yield from scan_hour(self._archive, hour, told)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise HourUnreadableError(hour, str(why)) from error

    def _hours(self, replayer: Replayer) -> list[int]:
        first = self._wanted.since - replayer.memory_s
        return [
            hour
            for hour in self._archive.hours()
            if (hour + 1) * _HOUR_S > first and hour * _HOUR_S < self._wanted.until
        ]

    def _replay(self, replayer: Replayer, block: Lines, hour: int) -> None:
        tally, name, wanted = self.tally, block.path.name, self._wanted
        since, until, system_id = wanted.since, wanted.until, wanted.system_id
        for number, found in self._reader.read(block.first, block.lines):
            if isinstance(found, Kept):
                if (hour + 1) * _HOUR_S > since:
                    tally.add_unread(found)
            elif since <= found.at < until and system_id in (None, found.system_id):
                tally.add(replayer.replay(found), found, (name, number))
            elif replayer.memory_s and found.at < until:
                replayer.replay(found)
