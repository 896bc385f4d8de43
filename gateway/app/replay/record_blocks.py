"""Hours of records read into blocks of decisions, where the files are."""

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from gateway.app.replay.decisions import Decision, DecisionReader, UnchangedReason
from gateway.runtime.record_archive import RecordArchive
from gateway.runtime.record_scan import FileLines, scan_hour
from gateway.runtime.sealing import Keys, Sealer


class HourUnreadableError(Exception):
    """The records of `hour`, since 1970, cannot be read; the words are for people."""

    def __init__(self, hour: int, why: str) -> None:
        super().__init__(why)
        self.hour = hour


class Block(NamedTuple):
    """What stands in some lines of one file: decisions in their order, and how many are Kept.

    `octets` is how many of the disk it took to read them.
    """

    hour: int
    file: str
    lines: int
    octets: int
    decisions: list[Decision]
    kept: dict[UnchangedReason, int]


# Reads hours in their order. Raises HourUnreadableError.
Read: TypeAlias = Callable[[Iterable[int]], Iterator[Block]]


class BlockReader:
    """Reads the records of an archive; `keys` open what is sealed."""

    def __init__(self, archive: RecordArchive, keys: Keys | None) -> None:
        self._archive = archive
        self._reader = DecisionReader(None if keys is None else Sealer(keys.by_id, keys.current))

    def read(self, hours: Iterable[int]) -> Iterator[Block]:
        """Yield the blocks of `hours`. Raises HourUnreadableError."""
        for hour in hours:
            self._reader.begin_hour()
            octets: list[int] = []
            for lines in self._scanned(hour, octets.append):
                yield self._block(hour, lines, sum(octets))
                octets.clear()

    def _scanned(self, hour: int, told: Callable[[int], object]) -> Iterator[FileLines]:
        try:
            yield from scan_hour(self._archive, hour, told)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise HourUnreadableError(hour, str(why)) from error

    def _block(self, hour: int, lines: FileLines, octets: int) -> Block:
        decisions: list[Decision] = []
        kept: Counter[UnchangedReason] = Counter()
        for found in self._reader.read(lines.first, lines.lines):
            if isinstance(found, UnchangedReason):
                kept[found] += 1
            else:
                decisions.append(found)
        return Block(hour, lines.path.name, len(lines.lines), octets, decisions, kept)
