"""The store of labelled texts (样本) to learn from."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gateway.domain.privacy import NewPurge
from gateway.domain.sample import (
    KeptSample,
    NewSample,
    SampleCount,
    SampleLabel,
    SampleSource,
)

SAMPLES_KEPT = 50_000
# So many of the oldest are deleted together, because each time makes a line in the purge log.
EVICTED_AT_ONCE = 500


class SampleStore(Protocol):
    """Keeps people's verdicts on texts. Every call may raise StoreUnavailable."""

    async def keep(self, samples: Sequence[NewSample]) -> list[int | None]:
        """Keep samples in one commit, and return the number of each.

        The latest verdict on a text replaces earlier ones. The number is None, and nothing is
        changed, if a later verdict on the same text is on record. While there are more than
        SAMPLES_KEPT, the oldest EVICTED_AT_ONCE are deleted, journaled as a purge of `samples`.
        """

    async def get(self, number: int) -> KeptSample | None:
        """Return one sample, or None."""

    async def find(
        self,
        *,
        label: SampleLabel | None = None,
        category: str | None = None,
        source: SampleSource | None = None,
        system_id: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[KeptSample]:
        """Return the newest samples that fit, newest first.

        For the next page give the last number as `before`.
        """

    async def counts(self) -> list[SampleCount]:
        """Return how many samples there are of each kind, by label, category and source."""

    async def kept_before(
        self, before: datetime, *, after: int = 0, limit: int = 500
    ) -> list[KeptSample]:
        """Return samples with a verdict older than `before`, by number.

        For the next page give the last number as `after`.
        """

    async def forget(self, numbers: Sequence[int], purge: NewPurge) -> int:
        """Delete samples; return how many.

        The journal gets `purge` with that count in the same commit; nothing when it is 0.
        """
