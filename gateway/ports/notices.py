"""The store of how far each SP has heard of its subscribers' answers."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from gateway.domain.notice import Batch, NoticeStanding

NOTICES_PER_BATCH = 500


class NoticeStore(Protocol):
    """Reads the answers on record in order, from where each SP has acknowledged them.

    Nothing is written when a subscriber answers: a refusal waits for no notice of it (R37).
    An SP that is new here hears of all that is on record. An answer to every SP is told only
    to one that has an answer of that number's own on record, a proven agreement or a refusal,
    when it is read: whoever has a token must not collect strangers' numbers (R73). Every call
    raises StoreUnavailable when the store does not answer.
    """

    async def next_batch(self, system_id: str, limit: int = NOTICES_PER_BATCH) -> Batch | None:
        """Return what this SP hears next, at most `limit` notices; None when it has heard all.

        The same batch again until it is acknowledged, whatever `limit` is then; an answer
        that changed meanwhile has left it and comes in a later one, as it is then. What the
        SP is not told is passed over for good. Safe to repeat.
        """

    async def acknowledge(self, system_id: str, batch_id: int) -> bool:
        """Note that this SP has taken a batch; False when it was never given that one.

        Safe to repeat, also after later batches.
        """

    async def waiting_since(self, system_id: str) -> datetime | None:
        """Return when the first answer that this SP has not acknowledged came on record.

        Of one from before the oldest change that is kept: when that one came. None when
        nothing waits, or nothing among the next ten thousand answers.
        """

    async def skip_before(self, system_id: str, at: datetime) -> int:
        """Give up what came on record before `at` and waits; return how many notices."""

    async def standing_of(self, system_id: str) -> NoticeStanding:
        """Return how this SP's notices stand; all empty for one that is new here."""

    async def note_failure(
        self, system_id: str, failure: str, *, at: datetime, next_try_at: datetime
    ) -> None:
        """Note that a delivery failed and when the next one is due.

        `failure` tells why in a few words, without a number and without what a peer wrote.
        """

    async def claim(self, system_id: str, holder: str, *, now: datetime, until: datetime) -> bool:
        """Let `holder` alone deliver to this SP until `until`; False while another may.

        The same holder extends its claim. An acknowledgement or a failure ends it.
        """

    async def scopes_changed(self, after: int, through: int) -> Collection[str]:
        """Return the scopes of answers whose last change lies above `after`, up to `through`.

        One of them may be EVERY_SENDER, which concerns every SP. Merely asserted answers
        are left out.
        """
