"""What subscribers said to SPs: consent (同意) and refusal (退订)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

EVERY_SENDER = ""  # the scope of an answer that is given to all SPs at once
CLAIMED = "api: "  # how the channel of what an SP says over the API begins; its client follows


class Answer(StrEnum):
    """A subscriber's last word, or what an SP says it was.

    ASSERTED is an agreement without evidence: nobody but the SP says so (R26).
    """

    AGREED = "agreed"
    REFUSED = "refused"
    ASSERTED = "asserted"


@dataclass(frozen=True, slots=True)
class ConsentAnswer:
    """One answer. `scope` is the SP's system_id, or EVERY_SENDER.

    `evidence` names what proves it, in a few words: message ids, the digest of a document.
    """

    msisdn: int
    scope: str
    answer: Answer
    since: datetime
    channel: str
    evidence: str = ""

    def holds_over(self, other: "ConsentAnswer") -> bool:
        """Tell whether this counts where `other`, of the same number and scope, is on record.

        The later one does, and of two of one moment the refusal, for a subscriber who is
        asked twice may be annoyed, but one who is not heard is wronged. What is merely
        asserted takes nothing back and proves nothing again, whatever its date (R37).
        """
        is_asserted, was_asserted = (one.answer is Answer.ASSERTED for one in (self, other))
        if is_asserted is not was_asserted:
            return was_asserted
        if self.since == other.since:
            return self.answer is Answer.REFUSED
        return self.since > other.since
