"""Keep the consent sets at hand as the store has them."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from itertools import islice
from typing import Protocol

from gateway.domain.consent import NUMBERS_AT_ONCE, Answer
from gateway.domain.subscription import RunningRow
from gateway.policy.knowledge import ConsentSets
from gateway.runtime.clock import utcnow
from gateway.storage.change_feed import Change, ChangeFeed, ChangeKind, FeedFollower
from gateway.systems.consent.sql import AnswerRow, ConsentStore, EndRow

# A refusal must hold within a second of its commit (R31): who has not looked for so long must
# not say that nobody refused.
_CURRENT_S = 1.0
# Whoever agreed for a time is left alone within a minute of its end. A list may end whole, at
# one midnight: its pages come one each round, so that none keeps a refusal waiting.
_ENDS_EVERY_S = 10.0
_ENDS_AT_ONCE = 10_000
_BEFORE_ALL = (-1, "")
# Longer than a commit may take: what was read before it began says less than what was heard.
_HEARD_S = 10.0


class RunningOrders(Protocol):
    """Who has a running service of an SP, as another system keeps it.

    Every call raises StoreUnavailable when the store does not answer.
    """

    def running(self) -> AsyncIterator[list[RunningRow]]:
        """Yield each pair of number and SP with a running service once."""

    async def running_changed(self, after: int, through: int) -> list[RunningRow]:
        """Return the state of the pairs changed above `after`, up to `through`."""


class ConsentFollower(FeedFollower):
    """Follows every answer and every running order."""

    kind = ChangeKind.CONSENT
    # A page may stand for 20 x 1000 answers: some 10 ms of work between two awaits.
    changes_at_once = 20

    def __init__(
        self,
        store: ConsentStore,
        subscriptions: RunningOrders,
        feed: ChangeFeed,
        sets: ConsentSets,
        utcnow: Callable[[], datetime] = utcnow,
    ) -> None:
        super().__init__(feed, sets)
        self._store = store
        self._subscriptions = subscriptions
        self._sets = sets
        self._utcnow = utcnow
        self._through = utcnow()  # the latest moment by which ends were looked for
        self._ended: EndRow = (self._through, *_BEFORE_ALL)
        self._ends_at = 0.0
        self._doubted: set[tuple[str, int]] = set()  # rows passed over for a refusal that was heard

    async def _load(self) -> int:
        fresh = ConsentSets()
        total, ended = 0, self._utcnow()
        async for rows in self._store.all_answers():
            _take_over(fresh, rows)
            total += len(rows)
        async for running in self._subscriptions.running():
            _take_over_orders(fresh, running)
        for scope, msisdn in self._sets.heard:
            fresh.load(scope, Answer.REFUSED, (msisdn,))
        self._doubted.update(self._sets.heard)
        self._sets.replace(fresh)
        self._through, self._ended = ended, (ended, *_BEFORE_ALL)
        return total

    async def _caught_up(self, began: float) -> None:
        self._sets.read_by = began + _CURRENT_S
        await self._end(began)
        await self._forget_heard(began)

    async def _forget_heard(self, now: float) -> None:
        """Let the store speak again of what was heard `_HEARD_S` ago: it has it, or never will."""
        heard = self._sets.heard
        for one, at in heard.items():
            heard[one] = min(at, now)
        self._doubted.intersection_update(heard)
        page = set(islice(filter(self._is_due(now), self._doubted), NUMBERS_AT_ONCE))
        if page:
            today = self._utcnow()
            kept = await self._store.answers_of({msisdn for _, msisdn in page})
            # Who refused again during the read is heard anew.
            page = set(filter(self._is_due(now), page))
            current = [(one.msisdn, one.scope, one.standing(today)) for one in kept]
            _take_over(self._sets, [row for row in current if (row[1], row[0]) in page])
            self._doubted -= page
        for one in [one for one in filter(self._is_due(now), heard) if one not in self._doubted]:
            del heard[one]

    def _is_due(self, now: float) -> Callable[[tuple[str, int]], bool]:
        return lambda one: self._sets.heard.get(one, now) <= now - _HEARD_S

    async def _end(self, now: float) -> None:
        """Forget the agreements that have ended since: at most a page at a time."""
        through = self._utcnow()
        if through < self._through:
            # The clock was ahead: what ends between the two comes once more, or for the first
            # time. To end it again does no harm.
            self._ended = min(self._ended, (through, *_BEFORE_ALL))
        self._through = through
        if now < self._ends_at:
            return
        page = await self._store.answers_ending(self._ended, through, _ENDS_AT_ONCE)
        numbers: defaultdict[str, list[int]] = defaultdict(list)
        for _, msisdn, scope in page:
            numbers[scope].append(msisdn)
        for scope, msisdns in numbers.items():
            self._sets.end(scope, msisdns)
        if page:
            self._ended = page[-1]
        if len(page) < _ENDS_AT_ONCE:
            self._ends_at = now + _ENDS_EVERY_S

    async def _take_over(self, page: Sequence[Change]) -> int:
        last, kinds, taken = page[-1].number, {change.kind for change in page}, 0
        if ChangeKind.CONSENT in kinds:
            rows = await self._store.answers_changed(self._seen, last)
            _take_over(self._sets, self._no_older(rows))
            taken = len(rows)
        if ChangeKind.SUBSCRIPTION in kinds:
            pairs = await self._subscriptions.running_changed(self._seen, last)
            _take_over_orders(self._sets, pairs)
        return taken

    def _no_older(self, rows: list[AnswerRow]) -> list[AnswerRow]:
        """Return the rows but those that may be older than a refusal that was heard."""
        heard = self._sets.heard
        if not heard:
            return rows
        older = {
            (scope, msisdn)
            for msisdn, scope, answer in rows
            if answer is not Answer.REFUSED and (scope, msisdn) in heard
        }
        self._doubted |= older
        return [row for row in rows if (row[1], row[0]) not in older]


def _take_over(sets: ConsentSets, rows: Sequence[AnswerRow]) -> None:
    numbers: defaultdict[tuple[str, Answer | None], list[int]] = defaultdict(list)
    for msisdn, scope, answer in rows:
        numbers[scope, answer].append(msisdn)
    for (scope, answer), msisdns in numbers.items():
        if answer is None:
            # An agreement that has ended takes back no refusal that is heard and not kept yet.
            sets.end(scope, msisdns)
        else:
            sets.load(scope, answer, msisdns)


def _take_over_orders(sets: ConsentSets, rows: Sequence[RunningRow]) -> None:
    numbers: defaultdict[tuple[str, bool], list[int]] = defaultdict(list)
    for msisdn, scope, is_running in rows:
        numbers[scope, is_running].append(msisdn)
    for (scope, is_running), msisdns in numbers.items():
        (sets.subscribe if is_running else sets.unsubscribe)(scope, msisdns)
