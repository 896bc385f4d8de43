"""Texts that verdicts of people have labelled, for a model to learn from (样本); their store."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from gateway.domain.records import NewPurge


class SampleLabel(StrEnum):
    """Whether a person says that a text is spam."""

    HAM = "ham"
    SPAM = "spam"


class SampleSource(StrEnum):
    """The kind of verdict that a sample comes from."""

    REVIEW = "review"  # a held message was released or discarded
    REPORT = "report"  # the authority was told of it
    AUDIT = "audit"  # somebody looked at a sample of what the filter lets pass or stops
    COMPLAINT = "complaint"  # a subscriber complained of it


@dataclass(frozen=True, slots=True)
class NewSample:
    """A person's verdict on a text. The text holds no number and nothing about its addressee.

    `digest` is of the text: one text is one sample. `category` is an id of the tree, "" for ham or
    if not stated; `text_class` is the class of the model that it trains. `system_id` is the SP that
    sent the message, "" if unknown.
    """

    text: str = field(repr=False)
    digest: str
    label: SampleLabel
    category: str
    source: SampleSource
    text_class: str
    system_id: str
    at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSample(NewSample):
    """A sample on record; numbers increase and are never reused."""

    number: int


@dataclass(frozen=True, slots=True)
class SampleCount:
    """How many samples there are of one kind."""

    label: SampleLabel
    category: str
    source: SampleSource
    count: int


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
