"""Notices of refusals to SPs."""

from dataclasses import dataclass, field
from datetime import datetime

from gateway.domain.api_client import RefusalChannel
from gateway.domain.consent import EVERY_SENDER, Answer

CARRIER = "carrier"
# An SP must not learn who complained: it is told the same of what customer service took down.
_TOLD_AS_CARRIER = frozenset(
    {RefusalChannel.COMPLAINT, RefusalChannel.LINKAGE, RefusalChannel.CUSTOMER_SERVICE}
)


def told_channel(channel: str) -> str:
    """Return the channel of an answer as its SP is told it."""
    return CARRIER if channel in _TOLD_AS_CARRIER else channel


@dataclass(frozen=True, slots=True)
class Notice:
    """One answer on record that concerns an SP: a refusal, or its withdrawal.

    `scope` is the SP's system_id, one of its ports or categories (domain.consent.scope_of), or
    EVERY_SENDER for an answer to all SPs at once. An agreement to
    all does not lift a refusal of this SP, and only an SP that the number answered is told of one.
    `channel` may be forgotten by now (domain.relation.FORGOTTEN), and is CARRIER for complaints
    and others that the carrier took down. Asserted agreements are never told.
    """

    msisdn: int = field(repr=False)
    answer: Answer
    since: datetime
    channel: str
    scope: str

    @property
    def is_for_every_sender(self) -> bool:
        """Tell whether the answer was given to all SPs at once."""
        return self.scope == EVERY_SENDER


@dataclass(frozen=True, slots=True)
class NoticeBatch:
    """Notices that are sent and acknowledged together, in the order they came on record.

    `batch_id` counts from 1 for each SP separately; a batch that is sent again keeps its id.
    `is_last` says that no notice waits after it.
    """

    batch_id: int
    notices: tuple[Notice, ...]
    is_last: bool


@dataclass(frozen=True, slots=True)
class NoticeStanding:
    """How far an SP's notices are delivered, and how its webhook works.

    `delivered_at` is the time of the last acknowledgement, however the batch was sent. `attempts`
    failed in a row since `failing_since`, the last at `failed_at` with `failure`; the next is due
    at `next_try_at`. An acknowledgement clears all of this except `delivered_at`, `failed_at` and
    `failure`.
    """

    system_id: str
    delivered_at: datetime | None = None
    attempts: int = 0
    failing_since: datetime | None = None
    next_try_at: datetime | None = None
    failed_at: datetime | None = None
    failure: str = ""


NOTICES_PER_BATCH = 500
