"""How often and how fast (R28, R42, R43, R44): what remembers the messages before."""

from datetime import datetime
from typing import Protocol, Self, TypeAlias
from zoneinfo import ZoneInfo

from gateway.domain.verdict import Reason
from gateway.policy.account import Home
from gateway.policy.bucket import TokenBucket
from gateway.policy.bundle import Surroundings
from gateway.policy.evidence import Evidence
from gateway.policy.frequency import Frequencies
from gateway.policy.limits import Counting, Full, Limit, Part, Parts
from gateway.policy.rules import NumberWalk, TooFast, TooOften
from gateway.policy.submission import Submission

_TOO_FAST = Evidence("over the rate and burst of the port")
_WALKING = Evidence("destinations follow each other number by number")
_UNCOUNTED = Evidence("the counters are full", Reason.FREQUENCY_UNCOUNTED)

_STEP_BACK_S = 60
_MAX_SOURCES = 256  # of a sender, of about 900 octets each
_MAX_ROWS = 4  # of a source
_STEPS = (1, -1)


class Counter(Protocol):
    """Counts what it is asked about. Ask it last, of what nothing else stops."""

    def ask(self, submission: Submission, at: float) -> Evidence | None:
        """Count the message, or return what is against it; then it is not counted."""

    def forget(self, submission: Submission, at: float) -> None:
        """Take back one message that it just counted: another counter is against it."""

    def adopt(self, before: Self) -> None:
        """Go on from the counts of an earlier version of the rule, which asks no more."""


class Often:
    """Counts messages against the limits of one rule."""

    __slots__ = (
        "_admit",
        "_evidence",
        "_frequencies",
        "_is_signed",
        "_says_source",
    )

    def __init__(self, check: TooOften, surroundings: Surroundings) -> None:
        counting = Counting(
            surroundings.capacity, _standard_offset_s(surroundings.zone), surroundings.calendar
        )
        self._frequencies = Frequencies(check.limits, counting)
        self._admit = self._frequencies.admit
        self._evidence = {limit: Evidence(_said(limit)) for limit in check.limits}
        self._is_signed = any(Part.SIGNATURE in limit.per for limit in check.limits)
        self._says_source = any(Part.SOURCE in limit.per for limit in check.limits)

    def ask(self, submission: Submission, at: float) -> Evidence | None:
        """Count the message, or return the limit it would exceed."""
        if not submission.units:
            return None
        # _parts, unfolded: this is asked of each message.
        facts = submission.facts
        signature = facts.shown().signature if self._is_signed and facts is not None else ""
        source = submission.source.decode("latin-1") if self._says_source else ""
        number, sender = submission.msisdn or 0, submission.account.system_id
        against = self._admit((number, signature, submission.template, sender, source), at)
        if against is None:
            return None
        return _UNCOUNTED if isinstance(against, Full) else self._evidence[against]

    def forget(self, submission: Submission, at: float) -> None:
        """Take back a message that was counted."""
        # Of a long message the first part was counted for the whole.
        if submission.units:
            self._frequencies.forget(self._parts(submission), at)

    def _parts(self, submission: Submission) -> Parts:
        facts = submission.facts
        return (
            submission.msisdn or 0,
            facts.shown().signature if self._is_signed and facts is not None else "",
            submission.template,
            submission.account.system_id,
            submission.source.decode("latin-1") if self._says_source else "",
        )

    def adopt(self, before: Self) -> None:
        """Go on from the counts of `before`, limit by limit."""
        self._frequencies.adopt(before._frequencies)


def _standard_offset_s(zone: str) -> int:
    """Return how far the standard time of `zone` is ahead of UTC.

    Clock limits keep to it in summer: a window that was open twice would count twice.
    """
    read = ZoneInfo(zone)
    offsets = (datetime(2024, month, 1, tzinfo=read).utcoffset() for month in (1, 7))
    return int(min(offset.total_seconds() for offset in offsets if offset is not None))


def _said(limit: Limit) -> str:
    span = limit.every if isinstance(limit.every, str) else f"rolling {limit.every.seconds} s"
    return f"over {limit.maximum} a {span} per {' and '.join(limit.per)}"


class PortRate:
    """One token bucket for each port that sends.

    Buckets keep time by the epoch here. A clock that is set back a little stands still for
    them; one that was set back far would keep them shut for as long, so they start anew.
    """

    __slots__ = ("_at_hand", "_buckets", "_check", "_latest")

    def __init__(self, check: TooFast) -> None:
        self._check = check
        self._at_hand: dict[Home, TokenBucket] = {}
        self._buckets: dict[tuple[str, str], TokenBucket] = {}
        self._latest = 0.0

    def ask(self, submission: Submission, at: float) -> Evidence | None:
        """Take a token of the port's bucket, or say that there is none."""
        port = submission.port
        if port is None or not submission.units:
            return None
        if at != self._latest:
            self._turn(at)
        bucket = self._at_hand.get(submission.origin.home)
        if bucket is None:
            bucket = self._bucket_of(submission.account.system_id, port.number)
            self._at_hand[submission.origin.home] = bucket
        return None if bucket.take(self._latest, submission.units) else _TOO_FAST

    def _bucket_of(self, system_id: str, number: str) -> TokenBucket:
        bucket = self._buckets.get((system_id, number))
        if bucket is None:
            bucket = TokenBucket(self._check.per_s, self._check.burst)
            self._buckets[system_id, number] = bucket
        return bucket

    def _turn(self, at: float) -> None:
        if at < self._latest - _STEP_BACK_S:
            self._buckets.clear()
            self._at_hand.clear()
            self._latest = at
        self._latest = max(self._latest, at)

    def forget(self, submission: Submission, at: float) -> None:
        """Keep the token: what is refused costs the gateway as much as what passes."""

    def adopt(self, before: Self) -> None:
        """Keep the levels, if the rate is the same."""
        if before._check == self._check:
            self._buckets, self._latest = before._buckets, before._latest
            self._at_hand.clear()


class _Row:
    """How many numbers followed each other, which way, since when, and when the last one came."""

    __slots__ = ("began", "came", "length", "step")

    def __init__(self, began: float) -> None:
        self.length = 1
        self.step = 0
        self.began = self.came = began


# The rows of one source by the number that ends each, in the order in which these came. Of a
# single number, which nearly all are, only when it came.
_Rows: TypeAlias = dict[int, _Row | float]


class Walks:
    """For each source of a sender the rows of numbers that its last few ones end.

    By source, so that campaigns which send at the same time do not interrupt each other, and
    several of one source, so that who walks through some ranges in turn is seen as well. A
    sender that uses more sources than are remembered pushes out its own, the oldest first.
    """

    __slots__ = ("_count", "_of_one", "_rows", "_within_s")

    def __init__(self, check: NumberWalk) -> None:
        self._count = check.count
        self._of_one = _WALKING if check.count <= 1 else None  # what a single number shows
        self._within_s = check.within.total_seconds()
        self._rows: dict[str, dict[bytes, _Rows]] = {}

    def ask(self, submission: Submission, at: float) -> Evidence | None:
        """Note the number; say so when it is one of a long row."""
        number = submission.msisdn
        if number is None:
            return None
        try:
            rows = self._rows[submission.account.system_id][submission.source]
        except KeyError:
            rows = self._begin(submission.account.system_id, submission.source)
        row = rows.get(number)
        if row is None:
            if number - 1 in rows or number + 1 in rows:
                row = self._stepped(rows, number, at)
            else:  # as nearly always
                if len(rows) >= _MAX_ROWS:
                    del rows[next(iter(rows))]
                rows[number] = at
                return self._of_one
        if not isinstance(row, _Row):
            return self._of_one
        return _WALKING if row.length >= self._count else None

    def _stepped(self, rows: _Rows, number: int, at: float) -> _Row | float:
        """Return the row that a number ends now, which stands beside the end of another."""
        for step in _STEPS:
            row = rows.get(number - step)
            if row is not None and self._goes_on(row, step, at):
                del rows[number - step]
                row = row if isinstance(row, _Row) else _Row(row)
                row.length, row.step, row.came = row.length + 1, step, at
                rows[number] = row
                return row
        if len(rows) >= _MAX_ROWS:
            del rows[next(iter(rows))]
        rows[number] = at
        return at

    def _goes_on(self, row: _Row | float, step: int, at: float) -> bool:
        """Tell whether a row is not over: who walks walks on until there is a gap of `within`."""
        if not isinstance(row, _Row):
            return at - row <= self._within_s
        since = row.came if row.length >= self._count else row.began
        return row.step == step and at - since <= self._within_s

    def _begin(self, system_id: str, source: bytes) -> _Rows:
        sources = self._rows.setdefault(system_id, {})
        if len(sources) >= _MAX_SOURCES:
            del sources[next(iter(sources))]
        rows = sources[source] = {}
        return rows

    def forget(self, submission: Submission, at: float) -> None:
        """Keep the number: who walks and is refused is still walking."""

    def adopt(self, before: Self) -> None:
        """Keep the rows under way."""
        self._rows = before._rows
