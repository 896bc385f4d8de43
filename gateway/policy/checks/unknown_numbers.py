"""What the SMSC answered before (R28)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from annotated_types import Ge, Gt, Le

from gateway.domain.verdict import Basis, ReasonCode
from gateway.policy.check import Between, CheckQuestion, Evidence, RecipientCheck
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import MAX_WITHIN, Knowledge
from gateway.policy.submission import Submission

_MIN_WITHIN = timedelta(minutes=1)
_UNKNOWN = Evidence("the SMSC does not know most of the numbers", zh="多数号码为空号")


@dataclass(frozen=True, slots=True)
class UnknownNumbers(RecipientCheck):
    """The SMSC does not know a `share` of the numbers of `at_least` messages (R28).

    That is, of the messages passed on for the sender `within` a while.
    """

    reason = ReasonCode("NUMBERS_UNKNOWN", Basis.MOMENT, cmpp="0x429")
    order = 80
    is_self_contained = False
    depends_on_traffic = True
    help = {
        "share": "From which share of unknown numbers on, as 0.3.",
        "within": 'In how long, as "10m".',
        "at_least": "Of how many messages at least.",
    }

    share: Annotated[float, Gt(0), Le(1)]
    within: Annotated[timedelta, Between(_MIN_WITHIN, MAX_WITHIN, "so long answers are remembered")]
    at_least: Annotated[int, Ge(1), Le(1_000_000)]

    def question(self, knowledge: Knowledge, locale: RuleLocale) -> CheckQuestion:
        """Return the check, ready to be asked."""
        unknowns = _Unknowns(self, knowledge)
        return CheckQuestion(unknowns.ask, unknowns.sieve)


class _Unknowns:
    """Asks whether too many of the numbers that a sender writes to are unknown.

    The result is computed once for each feed of the counts, not per message.
    """

    __slots__ = ("_check", "_counts", "_known", "_version", "_within_s")

    def __init__(self, check: UnknownNumbers, knowledge: Knowledge) -> None:
        self._check = check
        self._counts = knowledge.answers
        self._within_s = check.within.total_seconds()
        self._known: dict[str, Evidence | None] = {}
        self._version = 0

    def ask(self, submission: Submission, _at: float) -> Evidence | None:
        """Return the evidence against the sender of a message."""
        return self._of(submission.account.system_id)

    def sieve(self, submissions: Sequence[Submission], _at: float) -> Sequence[Submission]:
        """Return the messages of senders with evidence against them."""
        senders = {submission.account.system_id for submission in submissions}
        against = {sender for sender in senders if self._of(sender) is not None}
        if not against:
            return ()
        return [one for one in submissions if one.account.system_id in against]

    def _of(self, system_id: str) -> Evidence | None:
        if self._version != self._counts.version:
            self._version = self._counts.version
            self._known.clear()
        try:
            return self._known[system_id]
        except KeyError:
            passed, unknown = self._counts.within(system_id, self._within_s)
        is_over = passed >= self._check.at_least and unknown >= self._check.share * passed
        found = self._known[system_id] = _UNKNOWN if is_over else None
        return found
