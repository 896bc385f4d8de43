"""Answers that subscribers give by MO message: they hold at once and are stored when possible."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from gateway.domain.consent import CLAIMED, EVERY_SENDER, Answer, ConsentAnswer
from gateway.policy.consent_sets import ConsentSets
from gateway.ports.consent import ConsentStore
from gateway.runtime.clock import utcnow
from gateway.systems.subscriptions.word import Word

CHANNEL = "mo"

_QUIET = timedelta(hours=24)  # at most one confirmation in this time, even if TD is repeated
_CLOCKS_APART = timedelta(minutes=1)  # clock difference of two processes that share a store


class ConsentBook:
    """Records answers by sender: a refusal at one port stops all commercial messages of the SP.

    A message to a hub code concerns every SP, not the SP of the bind that it arrived on: that
    bind is chosen by chance, and a word to the carrier is no consent to that SP (R27).
    Verification and service messages go on (R22): the rules ask for the class of a message.
    """

    def __init__(
        self, store: ConsentStore, sets: ConsentSets, utcnow: Callable[[], datetime] = utcnow
    ) -> None:
        self._store = store
        self._sets = sets
        self._utcnow = utcnow
        self._latest: dict[tuple[int, str], ConsentAnswer] = {}  # being kept right now

    def apply(
        self, word: Word, answer: Answer, evidence: str, until: datetime | None = None
    ) -> ConsentAnswer:
        """Apply an answer in this process at once; return it for `keep`."""
        scope = EVERY_SENDER if word.is_hub else word.system_id
        given = ConsentAnswer(word.msisdn, scope, answer, word.said.at, CHANNEL, evidence, until)
        for one in (given, *_misread(given, word)):
            self._sets.apply(one.msisdn, scope, answer)
        return given

    def is_refused(self, word: Word) -> bool:
        """Tell whether the subscriber refused this SP or all SPs."""
        return self._sets.is_refused(word.system_id, word.msisdn)

    def is_being_kept(self, given: ConsentAnswer) -> bool:
        """Tell whether the same answer is being stored now, so the store does not show it yet."""
        latest = self._latest.get((given.msisdn, given.scope))
        return latest is not None and latest.answer is given.answer

    def defer(self, given: ConsentAnswer) -> None:
        """Note that `given` will be stored later, so the same answer counts as new again."""
        self._latest.pop((given.msisdn, given.scope), None)

    def begin(self, given: ConsentAnswer) -> None:
        """Note that `given` is about to be kept."""
        self._latest[given.msisdn, given.scope] = given

    def end(self, given: ConsentAnswer) -> None:
        """Note that it is kept, or will be later."""
        if self._latest.get((given.msisdn, given.scope)) is given:
            del self._latest[given.msisdn, given.scope]

    async def keep(self, given: ConsentAnswer, word: Word) -> bool:
        """Store the answer given by `word`; tell whether it must be confirmed.

        Raises StoreUnavailable.

        A refusal overrides an answer that another process recorded with a clock ahead of ours,
        and a consent that an SP claimed before the refusal could be stored (R37). If the store
        has a later answer, that answer holds in this process too.
        """
        for one in _misread(given, word):
            await self._keep(one)
        return await self._keep(given)

    async def _keep(self, given: ConsentAnswer) -> bool:
        before = await self._store.answer_of(given.msisdn, given.scope)
        given = _in_order(given, before)
        await self._store.record((given,))
        if before is not None and not given.holds_over(before):
            self._sets.apply(before.msisdn, before.scope, before.standing(self._utcnow()))
            return False
        is_repetition = (
            before is not None
            and before.answer is given.answer
            and before.since > given.since - _QUIET
        )
        return not is_repetition


def _in_order(given: ConsentAnswer, before: ConsentAnswer | None) -> ConsentAnswer:
    """Return `given`, moved to the time of `before` if only clocks or a claim made that later."""
    if before is None or given.answer is not Answer.REFUSED or given.since >= before.since:
        return given
    is_skewed = before.since <= given.since + _CLOCKS_APART
    is_claimed = before.channel.startswith(CLAIMED)
    return replace(given, since=before.since) if is_skewed or is_claimed else given


def _misread(given: ConsentAnswer, word: Word) -> tuple[ConsentAnswer, ...]:
    """Return the refusal again for the other number that the address may mean, if there is one.

    The refusal must hold however an SP or the SMSC writes the number; the other subscriber can
    take it back with HF. An agreement counts for the subscriber's own number only.
    """
    other = word.other_msisdn if given.answer is Answer.REFUSED else None
    return () if other is None else (replace(given, msisdn=other),)
