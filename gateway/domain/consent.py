"""What subscribers said to SPs: consent (同意) and refusal (退订)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

EVERY_SENDER = ""  # the scope of an answer that is given to all SPs at once


class Answer(StrEnum):
    """A subscriber's last word."""

    AGREED = "agreed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ConsentAnswer:
    """One answer. `scope` is the SP's system_id, or EVERY_SENDER."""

    msisdn: int
    scope: str
    answer: Answer
    since: datetime
    channel: str
