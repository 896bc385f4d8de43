"""What people made of held messages: how many they released, by rule, word and score."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import sqlalchemy as sa

from gateway.domain.quarantine import BETWEEN_WORDS, HoldState
from gateway.domain.verdict import Reason
from gateway.storage.database import SqlStore
from gateway.storage.tables import held_messages
from gateway.systems.quarantine.model import BY_TIME_LIMIT, PersonDecision, lowest_id_at

_BAND = 10  # percent
_column = held_messages.c
_IS_REJECTED = sa.and_(_column.state == HoldState.DISCARDED, _column.decision != "")
# What came back from a release is held for another rule: nobody has decided on that yet.
_IS_LET_GO = sa.and_(_column.is_reviewed, _column.state != HoldState.HELD)


class DecidedHolds(NamedTuple):
    """How many messages that a rule held for one evidence got one decision.

    `score` is what the classifier found, in percent, None if it was not asked.
    """

    rule: str
    reason: str
    evidence: str
    score: int | None
    decision: PersonDecision
    messages: int


class FeedbackStore(SqlStore):
    """Counts decisions of people in the store of held messages."""

    async def decided_since(self, since: datetime) -> list[DecidedHolds]:
        """Return what people decided on messages that were held since then, alike ones together.

        Raises StoreUnavailable.
        """
        alike = (_column.rule, _column.reason, _column.evidence, _column.score)
        is_rejected = sa.case((_IS_REJECTED, 1), else_=0).label("is_rejected")
        first = lowest_id_at(int(since.timestamp() * 1000))
        query = (
            sa.select(*alike, is_rejected, sa.func.count().label("messages"))
            .where(_column.message_id >= first, sa.or_(_IS_LET_GO, _IS_REJECTED))
            .where(~_column.decision.contains(f" by {BY_TIME_LIMIT}", autoescape=True))
            .group_by(*alike, is_rejected)
        )
        return [
            DecidedHolds(
                row["rule"],
                row["reason"],
                row["evidence"],
                row["score"],
                PersonDecision.REJECTED if row["is_rejected"] else PersonDecision.RELEASED,
                row["messages"],
            )
            for row in await self._database.rows(query)
        ]


class FeedbackKind(StrEnum):
    """By what decisions are counted."""

    RULE = "rule"
    WORD = "word"
    SCORE = "score"


@dataclass(frozen=True, slots=True, order=True)
class FeedbackKey:
    """A rule or list; a word of a list; or ten percent of the scores of a rule's classifier."""

    kind: FeedbackKind
    rule: str
    detail: str = ""


@dataclass(slots=True)
class DecisionCount:
    """How many messages people released, and how many they rejected."""

    released: int = 0
    rejected: int = 0

    @property
    def share_released(self) -> float:
        """Return which share was released: what a person overruled."""
        return self.released / (self.released + self.rejected)


@dataclass(slots=True)
class Feedback:
    """Decisions counted by rule, by word of a list and by band of scores."""

    counts: dict[FeedbackKey, DecisionCount] = field(default_factory=dict)

    def add(self, decided: Iterable[DecidedHolds]) -> None:
        """Count decisions. A message with several words of a list counts for each."""
        for one in decided:
            for key in _keys_of(one):
                count = self.counts.setdefault(key, DecisionCount())
                if one.decision is PersonDecision.RELEASED:
                    count.released += one.messages
                else:
                    count.rejected += one.messages

    def by_rule(self) -> Counter[str]:
        """Return how many decisions there are on each rule."""
        return Counter(
            {
                key.rule: count.released + count.rejected
                for key, count in self.counts.items()
                if key.kind is FeedbackKind.RULE
            }
        )


def _keys_of(one: DecidedHolds) -> Iterable[FeedbackKey]:
    yield FeedbackKey(FeedbackKind.RULE, one.rule)
    if one.reason == Reason.CONTENT:
        for word in one.evidence.split(BETWEEN_WORDS):
            yield FeedbackKey(FeedbackKind.WORD, one.rule, word)
    elif one.reason == Reason.SUSPICIOUS and one.score is not None:
        low = min(one.score, 99) // _BAND * _BAND
        yield FeedbackKey(FeedbackKind.SCORE, one.rule, f"{low} to {low + _BAND} %")
