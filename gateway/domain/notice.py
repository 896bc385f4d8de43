"""What an SP is told of its subscribers' answers (R36, R37)."""

from dataclasses import dataclass, field
from datetime import datetime

from gateway.domain.consent import EVERY_SENDER, Answer


@dataclass(frozen=True, slots=True)
class Notice:
    """One answer on record that concerns an SP: a refusal, or that it was taken back.

    `scope` is the SP's system_id, or EVERY_SENDER for an answer to all SPs at once: an
    agreement to all takes no refusal of this SP back, and only an SP that the number answered
    hears of one. `channel` may be forgotten by now (domain.relation.FORGOTTEN). What is only
    asserted is never told.
    """

    msisdn: int = field(repr=False)
    answer: Answer
    since: datetime
    channel: str
    scope: str

    @property
    def is_for_every_sender(self) -> bool:
        """Tell whether the subscriber said it to all SPs at once."""
        return self.scope == EVERY_SENDER


@dataclass(frozen=True, slots=True)
class Batch:
    """Notices that are told and acknowledged together, in the order they came on record.

    `batch_id` grows by one from 1 on, for each SP by itself: a batch that comes again has
    the id it had. `is_last` says that nothing waits behind it.
    """

    batch_id: int
    notices: tuple[Notice, ...]
    is_last: bool


@dataclass(frozen=True, slots=True)
class NoticeStanding:
    """How far an SP has heard, and how its webhook fares.

    `delivered_at` is of the last acknowledgement, whichever way the batch went. `attempts`
    failed one after the other since `failing_since`, the last at `failed_at` with `failure`;
    the next is due at `next_try_at`. All this is empty again after an acknowledgement,
    but for `delivered_at`, `failed_at` and `failure`.
    """

    system_id: str
    delivered_at: datetime | None = None
    attempts: int = 0
    failing_since: datetime | None = None
    next_try_at: datetime | None = None
    failed_at: datetime | None = None
    failure: str = ""
