"""Page: how often reviewers agree on what was dealt to two of them, and where they did not."""

from datetime import timedelta

from fastapi import APIRouter, Request, Response

from gateway.domain.permissions import Permission
from gateway.systems.quarantine.agreement.counts import (
    AgreementRate,
    AgreementStore,
    Disagreement,
    ReviewerAgreement,
    SecondReviewEnd,
)
from gateway.systems.quarantine.held_query import HELD_PATH
from gateway.systems.quarantine.message_view import listed_message
from gateway.systems.quarantine.model import PersonDecision, ReviewDecision
from gateway.terminal.screen import visible
from gateway.web.pages import allowed
from gateway.web.systems import PageContext

AGREEMENT = f"{HELD_PATH}/agreement"
PAGE_ROWS = 50
# Of so many days back, at a choice.
PERIODS = (7, 30, 90, 365)
USUAL_DAYS = 30

_MAX_DIGITS = 15


class AgreementPage:
    """Answers the requests of those who read how reviewers agree."""

    def __init__(self, context: PageContext) -> None:
        self.store, self.mask = AgreementStore(context.database), context.mask
        self.templates, self.utcnow = context.templates, context.utcnow

    async def shown(self, request: Request) -> Response:
        """Return the report of a period, and its disagreements, newest first."""
        now, given = self.utcnow(), request.query_params
        asked = _number_of(given.get("days", ""))
        days = asked if asked in PERIODS else USUAL_DAYS
        since = now - timedelta(days=days)
        report = await self.store.report(since, now)
        found = await self.store.disagreements(
            since, now, before=_number_of(given.get("before", "")), limit=PAGE_ROWS
        )
        last = found[-1].second.number if len(found) == PAGE_ROWS else 0
        values = {
            "days": days,
            "periods": [(one, f"{AGREEMENT}?days={one}") for one in PERIODS],
            "dealt": report.dealt,
            "ends": {end.value: report.ends[end] for end in SecondReviewEnd},
            "rate_of_all": _shown_rate(report.rate),
            "reviewers": list(map(_shown_reviewer, report.reviewers)),
            "categories": [
                {"category": visible(category), **_shown_rate(rate)}
                for category, rate in report.categories
            ],
            "found": list(map(self._shown, found)),
            "older": f"{AGREEMENT}?days={days}&before={last}" if last else "",
            "newest": f"{AGREEMENT}?days={days}" if given.get("before") else "",
        }
        return self.templates.page(request, "quarantine/agreement.html", values)

    def _shown(self, one: Disagreement) -> dict[str, object]:
        return {
            **listed_message(one.held, self.mask),
            "path": f"{HELD_PATH}/{one.held.message_id}",
            "decisions": [_shown_decision(each) for each in (one.first, one.second)],
        }


def _number_of(text: str) -> int | None:
    is_number = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
    return int(text) if is_number else None


def _shown_rate(rate: AgreementRate) -> dict[str, object]:
    return {
        "compared": rate.compared,
        "agreed": rate.agreed,
        "share": _percent(rate.share),
        "low": _percent(rate.low),
        "high": _percent(rate.high),
        "kappa": None if rate.kappa is None else f"{rate.kappa:.2f}",
    }


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f}"


def _shown_reviewer(one: ReviewerAgreement) -> dict[str, object]:
    return {
        "reviewer": visible(one.reviewer),
        "dealt_first": one.dealt_first,
        "released_alone": one.released_alone,
        "rejected_alone": one.rejected_alone,
        **_shown_rate(one.rate),
    }


def _shown_decision(one: ReviewDecision) -> dict[str, object]:
    return {
        "by": visible(one.by),
        "is_release": one.decision is PersonDecision.RELEASED,
        "why": visible(one.why),
        "category": visible(one.category),
        "at": one.decided_at,
    }


def add_agreement_page(router: APIRouter, context: PageContext) -> None:
    """Add the page to a router, before paths that would take its name for an id."""
    page = AgreementPage(context)

    @router.get(AGREEMENT, dependencies=[allowed(Permission.READ_AGREEMENT)])
    async def show(request: Request) -> Response:
        return await page.shown(request)
