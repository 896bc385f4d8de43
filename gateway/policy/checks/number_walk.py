"""Senders that write to consecutive numbers (R28)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, ClassVar, Self, TypeAlias

from annotated_types import Ge, Le

from gateway.domain.verdict import Reason
from gateway.policy.check import Against, CountingCheck, Evidence
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import Submission

_MAX_COUNT = 10_000
_WALKING = Evidence("destinations follow each other number by number", zh="接收号码依次相连")

_MAX_SOURCES = 256  # of a sender, of about 900 octets each
_MAX_ROWS = 4  # of a source
_MANY = 8  # fewer are looked at sooner one by one
_STEPS = (1, -1)


@dataclass(frozen=True, slots=True)
class NumberWalk(CountingCheck):
    """The sender walks through numbers: `count` in a row, in `within` (R28).

    That is, each destination is one more, or each one less, than the one before.
    """

    reason = Reason.NUMBER_WALK
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


class Walks:
    """Keeps the latest rows of consecutive numbers for each source of a sender.

    By source, so that campaigns at the same time do not interrupt each other. Several rows for one
    source, so that a walk through several ranges in turn is also seen. A sender that uses more
    sources than are remembered pushes out its own oldest ones.
    """

    __slots__ = ("_count", "_rows", "_within_s")

    gives_back: ClassVar[bool] = False
    is_by_second: ClassVar[bool] = False

    def __init__(self, check: NumberWalk) -> None:
        self._count = check.count
        self._within_s = check.within.total_seconds()
        self._rows: dict[str, dict[bytes, _Rows]] = {}

    def ask_all(self, submissions: Sequence[Submission], at: float) -> Against:
        """Note the numbers; return the messages with a number in a long row."""
        if self._count <= 1:  # a single number is enough
            return [(one, _WALKING) for one in submissions if one.msisdn is not None]
        if len(submissions) >= _MANY and self._are_far_apart(submissions, at):
            return ()
        return self._ask_each(submissions, at)

    def _ask_each(self, submissions: Sequence[Submission], at: float) -> Against:
        against = []
        system_id, source = "", b""
        rows: _Rows = {}
        for one in submissions:
            number = one.msisdn
            if number is None:
                continue
            if one.source != source or one.account.system_id != system_id:
                system_id, source = one.account.system_id, one.source
                rows = self._rows_of(system_id, source)
            if number not in rows and number - 1 not in rows and number + 1 not in rows:
                # As nearly always; _begin, unfolded.
                if len(rows) >= _MAX_ROWS:
                    del rows[next(iter(rows))]
                rows[number] = at
            elif self._is_long(rows, number, at):
                against.append((one, _WALKING))
        return against

    def _are_far_apart(self, submissions: Sequence[Submission], at: float) -> bool:
        """Note the numbers of one source at once, if no two of them are adjacent."""
        source, account = submissions[0].source, submissions[0].account
        sources = [one.source for one in submissions]
        accounts = [one.account for one in submissions]
        if sources.count(source) < len(sources) or accounts.count(account) < len(accounts):
            return False
        rows = self._rows_of(account.system_id, source)
        numbers = [one.msisdn for one in submissions if one.msisdn is not None]
        all_ends = {*numbers, *rows}
        if len(all_ends) < len(numbers) + len(rows) or not all_ends.isdisjoint(
            [number + 1 for number in all_ends]
        ):
            return False
        for number in numbers[-_MAX_ROWS:]:
            _begin(rows, number, at)
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

    def _rows_of(self, system_id: str, source: bytes) -> _Rows:
        sources = self._rows.setdefault(system_id, {})
        rows = sources.get(source)
        if rows is None:
            if len(sources) >= _MAX_SOURCES:
                del sources[next(iter(sources))]
            rows = sources[source] = {}
        return rows

    def forget(self, submission: Submission, at: float) -> None:
        """Keep the number: a sender that is rejected is still walking."""

    def adopt(self, before: Self) -> None:
        """Keep the current rows."""
        self._rows = before._rows


def _begin(rows: _Rows, number: int, at: float) -> None:
    if len(rows) >= _MAX_ROWS:
        del rows[next(iter(rows))]
    rows[number] = at
