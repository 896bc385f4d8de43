"""Legal holds, and the journals of what was purged and who saw whole numbers (R72, R73)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

# After a hold is lifted, what it kept stays for one more day: lifting can be a mistake.
LIFT_GRACE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class NewLegalHold:
    """A request to keep records of ``since <= time < until``, for a case or an authority.

    With `system_id`, only records about that SP; with `msisdn`, only about that subscriber.
    `reason` and `reference` (the number of the case or of the letter) are never empty.
    """

    since: datetime
    until: datetime
    system_id: str | None
    msisdn: int | None = field(repr=False)
    reason: str
    reference: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LegalHold:
    """A hold on record; numbers increase and are never reused."""

    number: int
    since: datetime
    until: datetime
    system_id: str | None
    msisdn: int | None = field(repr=False)
    reason: str
    reference: str
    by: str
    at: datetime
    lifted_at: datetime | None = None
    lifted_by: str = ""

    def is_in_force(self, at: datetime) -> bool:
        """Tell whether it still keeps records: until a day after it was lifted (R72)."""
        return self.lifted_at is None or at < self.lifted_at + LIFT_GRACE


@dataclass(frozen=True, slots=True)
class NewPurge:
    """What was deleted because of its age: `count` of `what`, recorded from `since` to `until`."""

    what: str
    since: datetime
    until: datetime
    count: int
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Purge:
    """A purge on record."""

    number: int
    what: str
    since: datetime
    until: datetime
    count: int
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class NewAccess:
    """An access to whole numbers or a text: who, by which command, why, and to what.

    `reason` is empty for a text that is shown with its numbers masked.
    """

    by: str
    action: str
    reason: str
    about: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Access:
    """An access on record."""

    number: int
    by: str
    action: str
    reason: str
    about: str
    at: datetime


@dataclass(frozen=True, slots=True)
class JournalState:
    """How far the hash chain of a journal is intact: `rows` rows, up to the digest `head`.

    `problem` says what is wrong with it, "" if nothing is; `broken` is the number of the first row
    that does not fit, None if no single row is the cause.
    """

    journal: str
    rows: int
    head: str
    broken: int | None = None
    problem: str = ""
