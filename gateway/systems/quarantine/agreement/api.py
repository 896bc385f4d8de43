"""How often reviewers agree, over HTTP."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from gateway.domain.api_client import ApiClient
from gateway.domain.msisdn import masked
from gateway.domain.permissions import Permission
from gateway.systems.quarantine.agreement.counts import (
    AgreementStore,
    Disagreement,
    ReviewerAgreement,
    described_rate,
)
from gateway.systems.quarantine.model import PersonDecision, ReviewDecision
from gateway.terminal.screen import masked_source
from gateway.web.access import may
from gateway.web.fields import RequestBody
from gateway.web.resources import Cursor, CursorPage, Limit, cursor_of, number_in
from gateway.web.systems import ApiContext

_DISAGREEMENTS = "disagreements"
LONGEST_DAYS = 366

Reader = Annotated[ApiClient, Depends(may(Permission.READ_AGREEMENT))]
Days = Annotated[int, Query(ge=1, le=LONGEST_DAYS, description="Of so many days back.")]
_SHARE = "None where nothing was compared."


class AgreementRateItem(RequestBody):
    """How often two decided alike; the bounds are those of Wilson's interval, at 95 %."""

    compared: Annotated[int, Field(examples=[120])]
    agreed: Annotated[int, Field(examples=[111])]
    share: Annotated[float | None, Field(description=_SHARE, examples=[0.925])]
    low: Annotated[float | None, Field(examples=[0.864])]
    high: Annotated[float | None, Field(examples=[0.96])]
    kappa: Annotated[float | None, Field(description="Cohen's.", examples=[0.81])]


class ReviewerAgreementItem(AgreementRateItem):
    """How often one reviewer and others decided alike."""

    reviewer: Annotated[str, Field(examples=["user: lin"])]
    dealt_first: Annotated[int, Field(description="Dealt to others after this one's decision.")]
    released_alone: Annotated[int, Field(description="The other one rejected these.")]
    rejected_alone: Annotated[int, Field(description="The other one released these.")]


class CategoryAgreementItem(AgreementRateItem):
    """How often two decided alike on messages of one category."""

    category: Annotated[str, Field(examples=["loan"])]


class AgreementReportItem(RequestBody):
    """What became of all held messages that were dealt to a second reviewer."""

    since: datetime
    dealt: int
    waiting: int
    escalated: Annotated[int, Field(description="By the second reviewer, in place of a decision.")]
    expired: Annotated[int, Field(description="No second reviewer decided in time.")]
    rate: AgreementRateItem
    reviewers: list[ReviewerAgreementItem]
    categories: list[CategoryAgreementItem]


class OpinionItem(RequestBody):
    """What one of the two decided, and why."""

    by: Annotated[str, Field(examples=["user: lin"])]
    decision: PersonDecision
    note: str
    category: str
    decided_at: datetime


class DisagreementItem(RequestBody):
    """A message on which two decided otherwise; the first decision is what became of it."""

    message_id: Annotated[str, Field(examples=["8176407200000001000"])]
    system_id: Annotated[str, Field(examples=["shop"])]
    source: Annotated[str, Field(examples=["10690001"])]
    destination: Annotated[str, Field(examples=["138****8000"])]
    rule: Annotated[str, Field(examples=["K-LOAN"])]
    category: Annotated[str, Field(examples=["loan"])]
    first: OpinionItem
    second: OpinionItem


class DisagreementList(CursorPage):
    """Disagreements, the newest first."""

    disagreements: list[DisagreementItem]


def agreement(context: ApiContext) -> APIRouter:
    """Return the routes on how reviewers agree."""
    router, utcnow = APIRouter(tags=["quarantine"]), context.utcnow
    store = AgreementStore(context.database)

    @router.get("/v1/agreement", summary="Look at how reviewers agree")
    async def report(_client: Reader, days: Days = 30) -> AgreementReportItem:
        """Return how often two reviewers decided alike on what was dealt to both."""
        now = utcnow()
        found = await store.report(now - timedelta(days=days), now)
        counts = {end.value: messages for end, messages in found.ends.items()}
        del counts["compared"]
        return AgreementReportItem(
            since=found.since,
            dealt=found.dealt,
            **counts,
            rate=AgreementRateItem(**described_rate(found.rate)),
            reviewers=list(map(_reviewer, found.reviewers)),
            categories=[
                CategoryAgreementItem(category=category, **described_rate(rate))
                for category, rate in found.categories
            ],
        )

    @router.get("/v1/agreement/disagreements", summary="List where reviewers disagreed")
    async def disagreements(
        _client: Reader, days: Days = 30, cursor: Cursor = None, limit: Limit = 50
    ) -> DisagreementList:
        """Return messages on which two decided otherwise, the newest first, numbers masked."""
        now, before = utcnow(), number_in(_DISAGREEMENTS, cursor)
        since = now - timedelta(days=days)
        found = await store.disagreements(since, now, before=before, limit=limit)
        last = cursor_of(_DISAGREEMENTS, found[-1].second.number) if len(found) == limit else None
        return DisagreementList(disagreements=list(map(_disagreement, found)), next=last)

    return router


def _reviewer(one: ReviewerAgreement) -> ReviewerAgreementItem:
    return ReviewerAgreementItem(
        reviewer=one.reviewer,
        dealt_first=one.dealt_first,
        released_alone=one.released_alone,
        rejected_alone=one.rejected_alone,
        **described_rate(one.rate),
    )


def _disagreement(one: Disagreement) -> DisagreementItem:
    held = one.held
    return DisagreementItem(
        message_id=str(held.message_id),
        system_id=held.system_id,
        source=masked_source(held.source),
        destination=masked(held.destination),
        rule=held.rule,
        category=held.category,
        first=_opinion(one.first),
        second=_opinion(one.second),
    )


def _opinion(one: ReviewDecision) -> OpinionItem:
    return OpinionItem(
        by=one.by,
        decision=one.decision,
        note=one.why,
        category=one.category,
        decided_at=one.decided_at,
    )
