"""Texts that verdicts of people have labelled, for a model to learn from (样本)."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


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
