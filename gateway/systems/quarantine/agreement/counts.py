"""Counts how often two reviewers decided alike, by reviewer and category, and lists the rest."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import sqrt
from typing import Any, NamedTuple, TypeAlias

import sqlalchemy as sa

from gateway.domain.quarantine import HeldMessage
from gateway.storage.database import SqlStore
from gateway.storage.tables import held_messages
from gateway.systems.quarantine.model import PersonDecision, ReviewDecision
from gateway.systems.quarantine.tables import review_decisions, second_reviews

_Z = 1.959964  # of a normal distribution: 95 percent lie within
_RELEASED, _REJECTED = PersonDecision.RELEASED, PersonDecision.REJECTED

_deal, _held = second_reviews.c, held_messages.c
_first, _second = review_decisions.alias("first"), review_decisions.alias("second")
# With literals, or SQLite does not take the index of opinions.
_IS_OPINION = sa.text("second.is_second AND second.state = 'taken'")


class SecondReviewEnd(StrEnum):
    """What became of a message that was dealt twice."""

    COMPARED = "compared"
    ESCALATED = "escalated"  # the second reviewer put it before a senior one
    WAITING = "waiting"
    EXPIRED = "expired"  # no second reviewer decided in time


class DecisionPair(NamedTuple):
    """Who decided first and second on messages of a category, and how.

    `second_by` and `second` are "" and None where there is no opinion.
    """

    first_by: str
    first: PersonDecision
    second_by: str
    second: PersonDecision | None
    category: str
    end: SecondReviewEnd


PairCounts: TypeAlias = Mapping[DecisionPair, int]
# From the decision of a reviewer and that of the other one to how many messages got both.
DecisionTable: TypeAlias = Counter[tuple[PersonDecision, PersonDecision]]


@dataclass(frozen=True, slots=True)
class AgreementRate:
    """How often two decided alike: `agreed` of `compared` messages.

    `low` and `high` bound the true share with 95 % confidence (Wilson's interval), and `kappa` is
    Cohen's: 1 for full agreement, 0 for what chance alone would bring. All are None where nothing
    was compared; kappa also where both always decided the same one way.
    """

    compared: int
    agreed: int
    kappa: float | None = None

    @property
    def share(self) -> float | None:
        """Return the share of agreement."""
        return self.agreed / self.compared if self.compared else None

    @property
    def low(self) -> float | None:
        """Return the lower bound."""
        return self._bounds()[0] if self.compared else None

    @property
    def high(self) -> float | None:
        """Return the upper bound."""
        return self._bounds()[1] if self.compared else None

    def _bounds(self) -> tuple[float, float]:
        count, share, square = self.compared, self.agreed / self.compared, _Z * _Z
        middle = (share + square / (2 * count)) / (1 + square / count)
        spread = share * (1 - share) / count + square / (4 * count * count)
        half = _Z * sqrt(spread) / (1 + square / count)
        return max(0.0, middle - half), min(1.0, middle + half)


def described_rate(rate: AgreementRate) -> dict[str, Any]:
    """Return a rate for programs, its shares with three digits."""
    shares = {"share": rate.share, "low": rate.low, "high": rate.high, "kappa": rate.kappa}
    rounded = {name: None if one is None else round(one, 3) for name, one in shares.items()}
    return {"compared": rate.compared, "agreed": rate.agreed, **rounded}


@dataclass(frozen=True, slots=True)
class ReviewerAgreement:
    """How often a reviewer and others decided alike; the reviewer may have been first or second.

    `released_alone` counts what the reviewer released and the other rejected, `rejected_alone` the
    opposite. `dealt_first` messages of the reviewer's decisions were dealt to others.
    """

    reviewer: str
    dealt_first: int
    rate: AgreementRate
    released_alone: int
    rejected_alone: int


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """What became of all that was dealt twice since a time."""

    since: datetime
    ends: Mapping[SecondReviewEnd, int]
    rate: AgreementRate
    reviewers: list[ReviewerAgreement]
    categories: list[tuple[str, AgreementRate]]

    @property
    def dealt(self) -> int:
        """Return how many messages were dealt twice."""
        return sum(self.ends.values())


def kappa_of(table: DecisionTable) -> float | None:
    """Return Cohen's kappa of two reviewers; None where chance alone makes them agree, or for none.

    (Cohen, A coefficient of agreement for nominal scales, 1960)
    """
    count = table.total()
    if not count:
        return None
    observed = sum(table[one, one] for one in PersonDecision) / count
    own = Counter[PersonDecision]()
    other = Counter[PersonDecision]()
    for (mine, theirs), messages in table.items():
        own[mine] += messages
        other[theirs] += messages
    expected = sum(own[one] * other[one] for one in PersonDecision) / (count * count)
    return None if expected >= 1 else (observed - expected) / (1 - expected)


def rate_of(table: DecisionTable) -> AgreementRate:
    """Return how often two decided alike."""
    agreed = sum(table[one, one] for one in PersonDecision)
    return AgreementRate(table.total(), agreed, kappa_of(table))


@dataclass(slots=True)
class _Tables:
    """Decisions side by side: of all, of each reviewer and of each category."""

    whole: DecisionTable = field(default_factory=Counter)
    reviewers: dict[str, DecisionTable] = field(default_factory=lambda: defaultdict(Counter))
    categories: dict[str, DecisionTable] = field(default_factory=lambda: defaultdict(Counter))


def agreement_of(pairs: PairCounts, since: datetime) -> AgreementReport:
    """Return the report on `pairs`; reviewers with the most compared messages come first."""
    ends, dealt, tables = Counter[SecondReviewEnd](), Counter[str](), _Tables()
    for pair, messages in pairs.items():
        ends[pair.end] += messages
        dealt[pair.first_by] += messages
        if pair.second is None:
            continue
        tables.whole[pair.first, pair.second] += messages
        tables.categories[pair.category][pair.first, pair.second] += messages
        tables.reviewers[pair.first_by][pair.first, pair.second] += messages
        tables.reviewers[pair.second_by][pair.second, pair.first] += messages
    reviewers = [
        ReviewerAgreement(
            name,
            dealt[name],
            rate_of(tables.reviewers.get(name, Counter())),
            tables.reviewers.get(name, Counter())[_RELEASED, _REJECTED],
            tables.reviewers.get(name, Counter())[_REJECTED, _RELEASED],
        )
        for name in sorted({*dealt, *tables.reviewers})
    ]
    reviewers.sort(key=lambda one: -one.rate.compared)
    categories = [(name, rate_of(table)) for name, table in sorted(tables.categories.items())]
    categories.sort(key=lambda one: -one[1].compared)
    return AgreementReport(
        since,
        {one: ends[one] for one in SecondReviewEnd},
        rate_of(tables.whole),
        reviewers,
        categories,
    )


class Disagreement(NamedTuple):
    """A message on which two reviewers decided otherwise."""

    held: HeldMessage
    first: ReviewDecision
    second: ReviewDecision


class AgreementStore(SqlStore):
    """Compares first decisions with second opinions. Every call raises StoreUnavailable.

    An opinion counts once it can be undone no more. What was deleted with its message is gone
    from here, too.
    """

    async def report(self, since: datetime, now: datetime) -> AgreementReport:
        """Return how often reviewers agreed on what was dealt twice since then."""
        end = sa.case(
            (_second.c.number.is_not(None), SecondReviewEnd.COMPARED.value),
            (_deal.escalated_by != "", SecondReviewEnd.ESCALATED.value),
            (_deal.until > now, SecondReviewEnd.WAITING.value),
            else_=SecondReviewEnd.EXPIRED.value,
        ).label("end")
        alike = (
            _first.c.by.label("first_by"),
            _first.c.decision.label("first"),
            sa.func.coalesce(_second.c.by, "").label("second_by"),
            _second.c.decision.label("second"),
            _held.category,
            end,
        )
        query = (
            sa.select(*alike, sa.func.count().label("messages"))
            .select_from(_side_by_side(now, is_outer=True))
            .where(_deal.dealt_at >= since)
            .group_by(*alike)
        )
        counts: dict[DecisionPair, int] = {}
        for row in await self._database.rows(query):
            fields = dict(row)
            messages = fields.pop("messages")
            counts[DecisionPair(**fields | {"end": SecondReviewEnd(fields["end"])})] = messages
        return agreement_of(counts, since)

    async def disagreements(
        self, since: datetime, now: datetime, *, before: int | None = None, limit: int = 50
    ) -> list[Disagreement]:
        """Return what two decided otherwise on, the newest opinion first.

        For the next page give the number of the last `second` as `before`.
        """
        older = () if before is None else (_second.c.number < before,)
        query = (
            sa.select(
                _deal.message_id, _first.c.number.label("first"), _second.c.number.label("second")
            )
            .select_from(_side_by_side(now, is_outer=False))
            .where(_deal.dealt_at >= since, _first.c.decision != _second.c.decision, *older)
            .order_by(_second.c.number.desc())
            .limit(limit)
        )
        rows = await self._database.rows(query)
        decisions = await self._decisions(row[one] for row in rows for one in ("first", "second"))
        some = _held.message_id.in_([row["message_id"] for row in rows])
        found = await self._database.records(HeldMessage, sa.select(held_messages).where(some))
        messages = {one.message_id: one for one in found}
        return [
            Disagreement(
                messages[row["message_id"]], decisions[row["first"]], decisions[row["second"]]
            )
            for row in rows
            # It may have been deleted between the looks.
            if row["message_id"] in messages and {row["first"], row["second"]} <= decisions.keys()
        ]

    async def _decisions(self, numbers: Iterable[int]) -> dict[int, ReviewDecision]:
        query = sa.select(review_decisions).where(review_decisions.c.number.in_(list(numbers)))
        return {one.number: one for one in await self._database.records(ReviewDecision, query)}


def _side_by_side(now: datetime, *, is_outer: bool) -> sa.Join:
    """Return first decisions beside the opinions on them; with `is_outer` those without one, too.

    A long message stands there once, as the part that was decided on.
    """
    is_whole = sa.and_(_first.c.number == _deal.decision, _first.c.message_id == _deal.message_id)
    is_of = _second.c.subject == _deal.subject
    is_opinion = sa.and_(is_of, _IS_OPINION, _second.c.not_before <= now)
    return (
        second_reviews.join(_first, is_whole)
        .join(held_messages, _held.message_id == _deal.message_id)
        .join(_second, is_opinion, isouter=is_outer)
    )
