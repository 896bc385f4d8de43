"""Whether the number behind the source is suspended (R43)."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.domain.msisdn import msisdn_of
from gateway.domain.verdict import Reason
from gateway.policy.check import Ask, CheckQuestion, Evidence, RecipientCheck, Sieve
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import Submission

_SUSPENDED = Evidence("the number may send nothing for a while", zh="该号码暂停发送")


@dataclass(frozen=True, slots=True)
class SourceSuspension(RecipientCheck):
    """The number behind the source may send nothing for a while (R43)."""

    reason = Reason.SOURCE_SUSPENDED
    order = 10
    formerly = "suspended"
    is_replayable = False  # records do not tell which numbers were restored meanwhile

    def question(self, knowledge: Knowledge, locale: RuleLocale) -> CheckQuestion:
        """Return the check, ready to be asked."""
        return CheckQuestion(_suspended(knowledge), _perhaps_suspended(knowledge))


def _suspended(knowledge: Knowledge) -> Ask:
    """Ask whether the source is suspended at this moment, in any spelling."""
    sources = knowledge.suspended

    def ask(submission: Submission, at: float) -> Evidence | None:
        if not sources.until:
            return None
        msisdn = msisdn_of(submission.source)
        if msisdn is None or not sources.is_suspended(msisdn, at):
            return None
        return _SUSPENDED

    return ask


def _perhaps_suspended(knowledge: Knowledge) -> Sieve:
    """Pass no message while no number is suspended."""
    sources = knowledge.suspended

    def sieve(submissions: Sequence[Submission], _at: float) -> Sequence[Submission]:
        return submissions if sources.until else ()

    return sieve
