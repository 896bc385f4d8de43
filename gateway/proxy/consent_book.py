"""Answers that subscribers give by message: they hold at once, and are kept when they can be."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from gateway.domain.consent import CLAIMED, EVERY_SENDER, Answer, ConsentAnswer
from gateway.policy.consent_sets import ConsentSets
from gateway.ports.consent import ConsentStore
from gateway.runtime.clock import utcnow
from gateway.systems.subscriptions.word import Word

CHANNEL = "mo"

_QUIET = timedelta(hours=24)  # one confirmation in this time, however often TD is sent
_CLOCKS_APART = timedelta(minutes=1)  # of two processes that write into one store


class ConsentBook:
    """The scope is the sender: who refuses one port of an SP has refused its commercial messages.

    What is written to a hub code is for every SP, and for none by itself: whose bind it came on
    is chance, and a word to the carrier is no consent to that SP (R27). Verification and
    service go on (R22): the rules ask for the class of a message.
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
        """Let an answer hold in this process from now on; return it for `keep`."""
        scope = EVERY_SENDER if word.is_hub else word.system_id
        given = ConsentAnswer(word.msisdn, scope, answer, word.said.at, CHANNEL, evidence, until)
        for one in (given, *_misread(given, word)):
            self._sets.apply(one.msisdn, scope, answer)
        return given

    def is_refused(self, word: Word) -> bool:
        """Tell whether the subscriber refused the SP, or everybody."""
        return self._sets.is_refused(word.system_id, word.msisdn)

    def is_being_kept(self, given: ConsentAnswer) -> bool:
        """Tell whether the same is being kept now: to look into the store would be too early."""
        latest = self._latest.get((given.msisdn, given.scope))
        return latest is not None and latest.answer is given.answer

    def defer(self, given: ConsentAnswer) -> None:
        """Note that `given` will be kept later: what is said after it is news again."""
        self._latest.pop((given.msisdn, given.scope), None)

    def begin(self, given: ConsentAnswer) -> None:
        """Note that `given` is about to be kept."""
        self._latest[given.msisdn, given.scope] = given

    def end(self, given: ConsentAnswer) -> None:
        """Note that it is kept, or will be later."""
        if self._latest.get((given.msisdn, given.scope)) is given:
            del self._latest[given.msisdn, given.scope]

    async def keep(self, given: ConsentAnswer, word: Word) -> bool:
        """Record the answer that `word` gave; tell whether it is to be confirmed.

        Raises StoreUnavailable.

        A refusal counts over what another process recorded by a clock that was ahead, and over
        whatever an SP claimed while it could not be kept (R37). What the store does not take,
        because a later answer is on record, does not hold here either.
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
    """Return a refusal as of the answer before it, where clocks or a claim put that after it."""
    if before is None or given.answer is not Answer.REFUSED or given.since >= before.since:
        return given
    is_skewed = before.since <= given.since + _CLOCKS_APART
    is_claimed = before.channel.startswith(CLAIMED)
    return replace(given, since=before.since) if is_skewed or is_claimed else given


def _misread(given: ConsentAnswer, word: Word) -> tuple[ConsentAnswer, ...]:
    """Return a refusal as that of whom else its number may be, where its digits leave that open.

    Whoever refused must not get more for how an SP or the SMSC writes; another who is asked
    nothing any more because of it can say HF. An agreement is nobody's but the subscriber's.
    """
    other = word.other_msisdn if given.answer is Answer.REFUSED else None
    return () if other is None else (replace(given, msisdn=other),)
