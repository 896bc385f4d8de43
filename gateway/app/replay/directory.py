"""A directory of records replayed: hour after hour, in memory that does not grow with them."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from gateway.app.replay.decisions import Decision
from gateway.app.replay.record_blocks import Block, Read
from gateway.app.replay.tally import ReplayTally
from gateway.app.replay.verdict_changes import Replayer
from gateway.runtime.record_archive import RecordArchive
from gateway.runtime.record_scan import size_of

_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class DecisionQuery:
    """Which decisions to tell of: those of ``since <= at < until``, of one SP or of all."""

    since: float = -inf
    until: float = inf
    system_id: str | None = None


EVERYTHING = DecisionQuery()


class RecordReplay:
    """Replays what is wanted of one directory.

    What rules count is counted from before `since` on, as far back as any rule looks, and for
    all SPs: limits may be shared.
    """

    def __init__(self, archive: RecordArchive, wanted: DecisionQuery) -> None:
        self.tally = ReplayTally()
        self._archive = archive
        self._wanted = wanted

    def size_octets(self, replayer: Replayer) -> int:
        """Return how many octets on the disk `run` will read, about."""
        hours = self._hours(replayer)
        return size_of(self._archive, hours[0], hours[-1]) if hours else 0

    def run(self, replayer: Replayer, read: Read, told: Callable[[int], object]) -> ReplayTally:
        """Replay what is `read`; `told` hears how many more octets are. Raises what `read` does."""
        for block in read(self._hours(replayer)):
            told(block.octets)
            self._replay(replayer, block)
        return self.tally

    def _hours(self, replayer: Replayer) -> list[int]:
        first = self._wanted.since - replayer.memory_s
        return [
            hour
            for hour in self._archive.hours()
            if (hour + 1) * _HOUR_S > first and hour * _HOUR_S < self._wanted.until
        ]

    def _replay(self, replayer: Replayer, block: Block) -> None:
        tally, wanted = self.tally, self._wanted
        tally.lines += block.lines
        if (block.hour + 1) * _HOUR_S > wanted.since:
            tally.add_unread(block.kept)
        if wanted == EVERYTHING:
            tally.add(block.file, replayer.replay(block.decisions))
            return
        asked = [
            one
            for one in block.decisions
            if one.at < wanted.until and (replayer.memory_s or self._is_wanted(one))
        ]
        found = replayer.replay(asked)
        told = ((what, list(filter(self._is_wanted, of))) for what, of in found)
        # A change that only others' messages would see has no row, not one that says 0 either.
        tally.add(block.file, ((what, of) for what, of in told if of))

    def _is_wanted(self, decision: Decision) -> bool:
        wanted = self._wanted
        return wanted.since <= decision.at < wanted.until and (
            wanted.system_id in (None, decision.head.system_id)
        )
