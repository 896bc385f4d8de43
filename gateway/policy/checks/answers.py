"""What the SMSC answered before (R28)."""

from gateway.policy.evidence import Ask, Evidence
from gateway.policy.knowledge import Knowledge
from gateway.policy.rules import UnknownNumbers
from gateway.policy.submission import Submission

_UNKNOWN = Evidence("the SMSC does not know most of the numbers")


def unknown_numbers(check: UnknownNumbers, knowledge: Knowledge) -> Ask:
    """Ask whether too many of the numbers that the sender writes to are unknown.

    It is found out once for each feeding of the counts, not per message.
    """
    counts, within_s = knowledge.answers, check.within.total_seconds()
    known: dict[str, Evidence | None] = {}
    version = 0

    def ask(submission: Submission, _at: float) -> Evidence | None:
        nonlocal version
        if version != counts.version:
            version = counts.version
            known.clear()
        system_id = submission.account.system_id
        try:
            return known[system_id]
        except KeyError:
            passed, unknown = counts.within(system_id, within_s)
        is_over = passed >= check.at_least and unknown >= check.share * passed
        found = known[system_id] = _UNKNOWN if is_over else None
        return found

    return ask
