"""Legal holds (司法保全): which records must stay, and why (R72)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

# After a hold is lifted, what it kept stays for one more day: lifting can be a mistake.
LIFT_GRACE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LegalHold:
    """Keeps records of ``since <= time < until``, for a case or an authority.

    With `system_id`, only records about that SP; with `msisdn`, only about that subscriber.
    `reason` and `reference` (the number of the case or of the letter) are never empty. `number`
    is 0 until the store has given one; numbers increase and are never reused.
    """

    since: datetime
    until: datetime
    system_id: str | None
    msisdn: int | None = field(repr=False)
    reason: str
    reference: str
    by: str
    at: datetime
    number: int = 0
    lifted_at: datetime | None = None
    lifted_by: str = ""

    def is_in_force(self, at: datetime) -> bool:
        """Tell whether it still keeps records: until a day after it was lifted (R72)."""
        return self.lifted_at is None or at < self.lifted_at + LIFT_GRACE
