"""Whether the number behind the source is suspended (R43)."""

from collections.abc import Sequence

from gateway.domain.msisdn import msisdn_of
from gateway.policy.evidence import Ask, Evidence, Sieve
from gateway.policy.knowledge import Knowledge
from gateway.policy.rules import Suspended
from gateway.policy.submission import Submission

_SUSPENDED = Evidence("the number may send nothing for a while")


def suspended(_check: Suspended, knowledge: Knowledge) -> Ask:
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


def perhaps_suspended(knowledge: Knowledge) -> Sieve:
    """Pass no message while no number is suspended."""
    sources = knowledge.suspended

    def sieve(submissions: Sequence[Submission], _at: float) -> Sequence[Submission]:
        return submissions if sources.until else ()

    return sieve
