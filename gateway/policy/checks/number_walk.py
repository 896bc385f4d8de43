"""Senders that write to consecutive numbers (R28)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import repeat
from typing import Annotated, ClassVar, Self, TypeAlias

from annotated_types import Ge, Le

from gateway.domain.verdict import Basis, ReasonCode
from gateway.policy.check import Against, CountingCheck, Evidence
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import Submission

_MAX_COUNT = 10_000
_WALKING = Evidence("destinations follow each other number by number", zh="接收号码依次相连")

_MAX_SOURCES = 256  # of a sender, of about 10 000 octets each
_MAX_ROWS = 4  # of a source
_MANY = 8  # fewer are looked at sooner one by one
_STEPS = (1, -1)
# Blocks of numbers in which a walk in any order is looked for: those that had one number lately,
# and those that had several. A walk through ten thousand numbers goes through 80 of them.
_BLOCK_BITS = 7
_BLOCK = 1 << _BLOCK_BITS
_MAX_SINGLES = 64
_MAX_BLOCKS = 128
# Of many numbers at once, no two of which are as near as that, none is looked at any closer.
_RANGE_BITS = 17
_DENSE = 3 * _BLOCK // 4  # numbers of a block that are as good as a row: some were forgotten


@dataclass(frozen=True, slots=True)
class NumberWalk(CountingCheck):
    """The sender walks through numbers: `count` in a row, in `within` (R28).

    That is, each destination is one more, or each one less, than the one before, or all of them
    are consecutive numbers in any order.
    """

    reason = ReasonCode("NUMBER_WALK", Basis.RECIPIENT, cmpp="0x428")
    order = 190
    help = {
        "count": "How many destinations in a row.",
        "within": 'In how long, as "10m".',
    }

    count: Annotated[int, Ge(2), Le(_MAX_COUNT)]
    within: timedelta

    @property
    def memory_s(self) -> float:
        """Return how long a row may take, in seconds."""
        return self.within.total_seconds()

    def counter(self, knowledge: Knowledge, locale: RuleLocale) -> "Walks":
        """Return a counter without rows."""
        return Walks(self)


class _NumberRow:
    """A row of consecutive numbers: length, direction, when it began and the last one came."""

    __slots__ = ("began", "came", "length", "step")

    def __init__(self, began: float) -> None:
        self.length = 1
        self.step = 0
        self.began = self.came = began


# The rows of one source, each by its last number, in the order in which these came. For a single
# number, which nearly all are, only the time when it came.
_Rows: TypeAlias = dict[int, _NumberRow | float]


class _NumberBlock:
    """The numbers of one block that were written to, as bits; when the first and last one came."""

    __slots__ = ("began", "bits", "came", "is_walk")

    def __init__(self, bits: int, began: float) -> None:
        self.bits = bits
        self.is_walk = False
        self.began = self.came = began


class _SourceNumbers:
    """What is remembered of one source: rows, and blocks by their place.

    `singles` and `older` are the numbers that were alone in their block, the latest ones and those
    before: to forget one half at once costs less than one by one.
    """

    __slots__ = ("blocks", "older", "rows", "singles")

    def __init__(self) -> None:
        self.rows: _Rows = {}
        self.singles: dict[int, tuple[int, float]] = {}
        self.older: dict[int, tuple[int, float]] = {}
        self.blocks: dict[int, _NumberBlock] = {}

    def knows(self, places: set[int]) -> bool:
        """Tell whether a block at one of `places` has a number."""
        known = (self.singles, self.older, self.blocks)  # few: it takes the time of these
        return any(not places.isdisjoint(one) for one in known)

    def add_singles(self, numbers: Sequence[int], at: float) -> None:
        """Note numbers that are alone in their blocks, as far as they are not forgotten at once."""
        numbers = numbers[-2 * _MAX_SINGLES :]
        places = [number >> _BLOCK_BITS for number in numbers]
        start = 0
        while start < len(places):
            end = start + _MAX_SINGLES - len(self.singles)
            pairs = zip(numbers[start:end], repeat(at), strict=False)
            self.singles.update(zip(places[start:end], pairs, strict=True))
            start = end
            if len(self.singles) >= _MAX_SINGLES:
                self.older, self.singles = self.singles, {}

    def run_around(self, number: int, enough: int) -> int:
        """Return how many consecutive numbers were written to, `number` among them.

        It counts block by block, and no further than `enough`: each message of a walk asks.
        """
        length, (place, bit) = 0, divmod(number, _BLOCK)
        low, count = place, bit + 1
        while length < enough:
            gaps = ~self._bits_at(low) & (1 << count) - 1
            length += count - gaps.bit_length()
            if gaps:
                break
            low, count = low - 1, _BLOCK
        high, first = place, bit + 1
        while length < enough:
            gaps = ~(self._bits_at(high) >> first) & (1 << _BLOCK - first) - 1
            if gaps:
                return length + (gaps & -gaps).bit_length() - 1
            length += _BLOCK - first
            high, first = high + 1, 0
        return length

    def _bits_at(self, place: int) -> int:
        block = self.blocks.get(place)
        return 0 if block is None else block.bits


class Walks:
    """Keeps the latest rows of consecutive numbers for each source of a sender.

    By source, so that campaigns at the same time do not interrupt each other. Several rows for one
    source, so that a walk through several ranges in turn is also seen. A sender that uses more
    sources than are remembered pushes out its own oldest ones.
    """

    __slots__ = ("_count", "_sources", "_within_s")

    gives_back: ClassVar[bool] = False
    is_by_second: ClassVar[bool] = False

    def __init__(self, check: NumberWalk) -> None:
        self._count = check.count
        self._within_s = check.within.total_seconds()
        self._sources: dict[str, dict[bytes, _SourceNumbers]] = {}

    def ask_all(self, submissions: Sequence[Submission], at: float) -> Against:
        """Note the numbers; return the messages with a number in a long row."""
        if self._count <= 1:  # a single number is enough
            return [(one, _WALKING) for one in submissions if one.msisdn is not None]
        if len(submissions) >= _MANY and self._are_far_apart(submissions, at):
            return ()
        return self._ask_each(submissions, at)

    def _is_many(self, numbers: _SourceNumbers, number: int, at: float) -> bool:
        """Note one more number of a block; tell whether it is one of many in a row there."""
        place = number >> _BLOCK_BITS
        block = numbers.blocks.get(place)
        if block is None:
            single = numbers.singles.pop(place, None) or numbers.older.pop(place)
            if len(numbers.blocks) >= _MAX_BLOCKS:
                del numbers.blocks[next(iter(numbers.blocks))]
            block = numbers.blocks[place] = _NumberBlock(1 << single[0] % _BLOCK, single[1])
        if at - (block.came if block.is_walk else block.began) > self._within_s:
            block.bits, block.began, block.is_walk = 0, at, False
        block.bits |= 1 << number % _BLOCK
        block.came = at
        is_many = block.bits.bit_count() >= max(self._count, _DENSE)
        is_long = is_many or numbers.run_around(number, self._count) >= self._count
        block.is_walk = block.is_walk or is_long
        return is_long

    def _ask_each(  # noqa: C901 - the loop that every message takes
        self, submissions: Sequence[Submission], at: float
    ) -> Against:
        against = []
        system_id, source = "", b""
        numbers = _SourceNumbers()
        for one in submissions:
            number = one.msisdn
            if number is None:
                continue
            if one.source != source or one.account.system_id != system_id:
                system_id, source = one.account.system_id, one.source
                numbers = self._numbers_of(system_id, source)
            rows, singles, place = numbers.rows, numbers.singles, number >> _BLOCK_BITS
            is_many = False
            if place in singles or place in numbers.older or place in numbers.blocks:
                is_many = self._is_many(numbers, number, at)
            else:
                singles[place] = number, at
                if len(singles) >= _MAX_SINGLES:
                    numbers.older, numbers.singles = singles, {}
            if number not in rows and number - 1 not in rows and number + 1 not in rows:
                # As nearly always; _begin, unfolded.
                if len(rows) >= _MAX_ROWS:
                    del rows[next(iter(rows))]
                rows[number] = at
            elif self._is_long(rows, number, at):
                is_many = True
            if is_many:
                against.append((one, _WALKING))
        return against

    def _are_far_apart(self, submissions: Sequence[Submission], at: float) -> bool:
        """Note the numbers of one source at once, if each is alone in its place and beside it."""
        if len({one.origin for one in submissions}) > 1:
            return False
        first = submissions[0]
        remembered = self._numbers_of(first.account.system_id, first.source)
        rows = remembered.rows
        numbers = [one.msisdn for one in submissions if one.msisdn is not None]
        bits, places = _RANGE_BITS, set[int]()
        if len(numbers) <= _MAX_SINGLES:  # more are never spread so far
            places = {number >> _RANGE_BITS for number in numbers}
        if len(places) < len(numbers):
            bits, places = _BLOCK_BITS, {number >> _BLOCK_BITS for number in numbers}
            if len(places) < len(numbers) or remembered.knows(places):
                return False
        last = (1 << bits) - 1
        beside = [number + 1 >> bits for number in numbers if number & last == last]
        beside += [number + step >> bits for number in rows for step in (-1, 0, 1)]
        if not places.isdisjoint(beside):
            return False
        for number in numbers[-_MAX_ROWS:]:
            _begin(rows, number, at)
        if bits == _BLOCK_BITS:
            remembered.add_singles(numbers, at)
        return True

    def _is_long(self, rows: _Rows, number: int, at: float) -> bool:
        row = rows.get(number)
        if row is None:
            row = self._stepped(rows, number, at)
        return isinstance(row, _NumberRow) and row.length >= self._count

    def _stepped(self, rows: _Rows, number: int, at: float) -> _NumberRow | float:
        """Return the row that a number extends, or the time of a new one."""
        for step in _STEPS:
            row = rows.get(number - step)
            if row is not None and self._goes_on(row, step, at):
                del rows[number - step]
                row = row if isinstance(row, _NumberRow) else _NumberRow(row)
                row.length, row.step, row.came = row.length + 1, step, at
                rows[number] = row
                return row
        _begin(rows, number, at)
        return at

    def _goes_on(self, row: _NumberRow | float, step: int, at: float) -> bool:
        """Tell whether a row continues: a long row ends only after a gap of `within`."""
        if not isinstance(row, _NumberRow):
            return at - row <= self._within_s
        since = row.came if row.length >= self._count else row.began
        return row.step == step and at - since <= self._within_s

    def _numbers_of(self, system_id: str, source: bytes) -> _SourceNumbers:
        sources = self._sources.setdefault(system_id, {})
        numbers = sources.get(source)
        if numbers is None:
            if len(sources) >= _MAX_SOURCES:
                del sources[next(iter(sources))]
            numbers = sources[source] = _SourceNumbers()
        return numbers

    def forget(self, submission: Submission, at: float) -> None:
        """Keep the number: a sender that is rejected is still walking."""

    def adopt(self, before: Self) -> None:
        """Keep the current rows."""
        self._sources = before._sources


def _begin(rows: _Rows, number: int, at: float) -> None:
    if len(rows) >= _MAX_ROWS:
        del rows[next(iter(rows))]
    rows[number] = at
