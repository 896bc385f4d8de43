"""Keep the consent sets at hand as the store has them."""

from collections import defaultdict
from collections.abc import Sequence

from gateway.domain.consent import Answer
from gateway.policy.consent_sets import ConsentSets
from gateway.ports.changes import Change, ChangeFeed, ChangeKind, keeping_current
from gateway.ports.consent import AnswerRow, ConsentStore
from gateway.ports.subscriptions import RunningRow, SubscriptionStore
from gateway.runtime.clock import monotonic

# A page may stand for 20 x 1000 answers: some 10 ms of work between two awaits.
_CHANGES_AT_ONCE = 20
# A refusal must hold within a second of its commit (R31): who has not looked for so long must
# not say that nobody refused.
_CURRENT_S = 1.0


class ConsentFollower:
    """Loads every answer and running order once, then takes over what changes.

    The sets are current while the last call succeeded.
    """

    def __init__(
        self,
        store: ConsentStore,
        subscriptions: SubscriptionStore,
        feed: ChangeFeed,
        sets: ConsentSets,
    ) -> None:
        self._store = store
        self._subscriptions = subscriptions
        self._feed = feed
        self._sets = sets
        self._seen = 0

    async def load(self) -> int:
        """Fill the sets from the store; return how many answers there are.

        Until all of them are read the sets stay as they were. May be repeated. Raises
        StoreUnavailable.
        """
        fresh = ConsentSets()
        total = 0
        with keeping_current(self._sets):
            seen = await self._feed.latest()
            async for rows in self._store.all_answers():
                _take_over(fresh, rows)
                total += len(rows)
            async for running in self._subscriptions.running():
                _take_over_orders(fresh, running)
        self._sets.replace(fresh)
        self._seen = seen
        return total

    async def catch_up(self) -> int:
        """Take over all that changed since the last call; return how many answers did.

        Call it at least every 250 ms, so that a refusal holds within a second. Raises
        StoreUnavailable; the next call goes on from where this one came to.
        """
        taken = 0
        with keeping_current(self._sets):
            is_behind = True
            while is_behind:
                began = monotonic()
                page = await self._feed.changes(self._seen, _CHANGES_AT_ONCE)
                is_behind = len(page) == _CHANGES_AT_ONCE
                if page:
                    taken += await self._take_over(page)
                if not is_behind:
                    self._sets.read_by = began + _CURRENT_S
        return taken

    async def _take_over(self, page: Sequence[Change]) -> int:
        last, kinds, taken = page[-1].number, {change.kind for change in page}, 0
        if ChangeKind.CONSENT in kinds:
            rows = await self._store.answers_changed(self._seen, last)
            _take_over(self._sets, rows)
            taken = len(rows)
        if ChangeKind.SUBSCRIPTION in kinds:
            pairs = await self._subscriptions.running_changed(self._seen, last)
            _take_over_orders(self._sets, pairs)
        self._seen = last
        return taken


def _take_over(sets: ConsentSets, rows: Sequence[AnswerRow]) -> None:
    numbers: defaultdict[tuple[str, Answer], list[int]] = defaultdict(list)
    for msisdn, scope, answer in rows:
        numbers[scope, answer].append(msisdn)
    for (scope, answer), msisdns in numbers.items():
        sets.load(scope, answer, msisdns)


def _take_over_orders(sets: ConsentSets, rows: Sequence[RunningRow]) -> None:
    numbers: defaultdict[tuple[str, bool], list[int]] = defaultdict(list)
    for msisdn, scope, is_running in rows:
        numbers[scope, is_running].append(msisdn)
    for (scope, is_running), msisdns in numbers.items():
        (sets.subscribe if is_running else sets.unsubscribe)(scope, msisdns)
