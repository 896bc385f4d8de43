"""Notices of refusals to SPs, and their store."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gateway.domain.consent import EVERY_SENDER, Answer


@dataclass(frozen=True, slots=True)
class Notice:
    """One answer on record that concerns an SP: a refusal, or its withdrawal.

    `scope` is the SP's system_id, or EVERY_SENDER for an answer to all SPs at once. An agreement to
    all does not lift a refusal of this SP, and only an SP that the number answered is told of one.
    `channel` may be forgotten by now (domain.relation.FORGOTTEN). Asserted agreements are never
    told.
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


class NoticeStore(Protocol):
    """Reads the answers on record in order, from the last one that each SP has acknowledged.

    Nothing is written here when a subscriber answers: a refusal does not wait for its notice
    (R37). A new SP gets all answers on record. An answer to every SP goes only to an SP that
    has, at the time of reading, its own answer of that number on record: a proven agreement or
    a refusal. So a token does not give access to strangers' numbers (R73). Every call raises
    StoreUnavailable when the store does not answer.
    """

    async def next_batch(
        self, system_id: str, limit: int = NOTICES_PER_BATCH
    ) -> NoticeBatch | None:
        """Return the next notices of this SP, at most `limit`; None when it has had all.

        It returns the same batch until that is acknowledged, even with another `limit`. An
        answer that changed meanwhile leaves the batch and comes in a later one. An answer that
        the SP may not know is skipped for good. Safe to repeat.
        """

    async def acknowledge(self, system_id: str, batch_id: int) -> bool:
        """Note that this SP has accepted a batch; False when it was never given that batch.

        Safe to repeat, also after later batches.
        """

    async def waiting_since(self, system_id: str) -> datetime | None:
        """Return when the first answer not acknowledged by this SP was recorded.

        For an answer older than the oldest kept change it is the time of that change. None when
        nothing waits, or nothing among the next ten thousand answers.
        """

    async def skip_before(self, system_id: str, at: datetime) -> int:
        """Give up waiting notices recorded before `at`; return how many."""

    async def standing_of(self, system_id: str) -> NoticeStanding:
        """Return the standing of this SP's notices; all empty for a new SP."""

    async def note_failure(
        self, system_id: str, failure: str, *, at: datetime, next_try_at: datetime
    ) -> None:
        """Note that a delivery failed and when the next one is due.

        `failure` is the reason in a few words, without a number or text from the peer.
        """

    async def claim(self, system_id: str, holder: str, *, now: datetime, until: datetime) -> bool:
        """Let only `holder` deliver to this SP until `until`; False while another holds it.

        The same holder extends its claim. An acknowledgement or a failure ends it.
        """

    async def scopes_changed(self, after: int, through: int) -> Collection[str]:
        """Return the scopes of answers with a last change above `after`, up to `through`.

        One may be EVERY_SENDER, which concerns every SP. Asserted answers are left out.
        """
