"""What the SMSC answered before (R28)."""

from collections.abc import Sequence

from gateway.policy.evidence import Evidence
from gateway.policy.knowledge import Knowledge
from gateway.policy.rules import UnknownNumbers
from gateway.policy.submission import Submission

_UNKNOWN = Evidence("the SMSC does not know most of the numbers")


class Unknowns:
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
