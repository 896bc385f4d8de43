"""Pages: campaigns of held messages, and decisions on a whole one, which run as jobs."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from gateway.domain.permissions import Permission
from gateway.domain.quarantine import HoldState
from gateway.domain.records import NewAccess
from gateway.systems.quarantine.campaigns import (
    OTHER_COUNT,
    CampaignDesk,
    CampaignStore,
    JobNotMade,
    JobNotUndone,
    OpenCampaign,
)
from gateway.systems.quarantine.held_query import HELD_PATH, HeldQuery
from gateway.systems.quarantine.message_view import listed_message
from gateway.systems.quarantine.model import (
    NewCampaignReview,
    PersonDecision,
    ReviewJob,
    ReviewJobState,
    is_campaign_id,
)
from gateway.systems.quarantine.review_tools import ReviewTools
from gateway.systems.quarantine.text_pieces import ShownText, shown_text
from gateway.terminal.arguments import said
from gateway.terminal.screen import visible
from gateway.web.pages import PageLink, PageUser, Templates, allowed, form_of, marked

HELD = PageLink(HELD_PATH, marked("Held messages"), Permission.READ_HELD)
JOBS = f"{HELD_PATH}/jobs"
EXAMPLE_CHARS = 120

JOB_STATES = {
    ReviewJobState.WAITING: marked("takes effect at"),
    ReviewJobState.RUNNING: marked("running"),
    ReviewJobState.DONE: marked("done"),
    ReviewJobState.UNDONE: marked("undone"),
}
_DECISIONS = {"release": PersonDecision.RELEASED, "discard": PersonDecision.REJECTED}
_MAX_DIGITS, _MAX_NAME_CHARS = 15, 64
_NOT_TYPED = marked("Type in how many messages are held of it: the number below.")
_NOT_CHOSEN = marked("Choose what becomes of the campaign.")


def name_of(user: PageUser) -> str:
    """Return a user as journals and decisions name one: an account of the machine is another."""
    return f"user: {user.name}"


class CampaignApprovals(Protocol):
    """Puts decisions on campaigns before a second person where the settings say so."""

    def are_needed(self, new: NewCampaignReview) -> bool:
        """Tell whether one person alone may not decide so."""

    async def ask(self, new: NewCampaignReview, at: datetime) -> str:
        """Ask for an approval; return the address of the page on which it waits."""


@dataclass(frozen=True, slots=True)
class CampaignReview:
    """Answers the requests of those who review campaigns."""

    store: CampaignStore
    desk: CampaignDesk
    tools: ReviewTools
    templates: Templates
    utcnow: Callable[[], datetime]
    approvals: CampaignApprovals | None = None

    async def shown(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """Return the open campaigns, the largest first, each with an example of its texts."""
        found = await self.store.open_campaigns()
        if found:
            about = f"examples of {len(found)} campaigns"
            look = NewAccess(
                name_of(request.state.user), "quarantine campaigns", "", about, self.utcnow()
            )
            await self.tools.journal(look)
        listed = await asyncio.to_thread(lambda: [self._listed(one) for one in found])
        values = {
            "found": listed,
            "all_path": HeldQuery().path(),
            "escalated_path": HeldQuery(escalated="yes").path(),
            "problem": self.templates.said(request, problem) if problem else "",
            **await self._jobs(request),
        }
        return self.templates.page(request, "quarantine/campaigns.html", values, status)

    def _listed(self, one: OpenCampaign) -> dict[str, object]:
        held = one.example
        return {
            **listed_message(held, self.tools.mask),
            "messages": one.messages,
            "senders": one.senders,
            "last_at": one.last_at,
            "text": self._example(self.tools.texts_of(held, ())[0]),
            "path": HeldQuery(campaign=one.campaign).path(),
        }

    def _example(self, text: str) -> ShownText:
        return shown_text(self.tools.mask(text[: 2 * EXAMPLE_CHARS]), (), EXAMPLE_CHARS)

    async def jobs(self, request: Request) -> Response:
        """Return how the last jobs stand, as a part of a page."""
        return self.templates.page(request, "quarantine/jobs.html", await self._jobs(request))

    async def _jobs(self, request: Request) -> dict[str, object]:
        user: PageUser = request.state.user
        jobs = await self.store.latest()
        may_undo = user.may(Permission.DECIDE_CAMPAIGN)
        return {
            "jobs": [self._job(request, one, may_undo=may_undo) for one in jobs],
            "is_open": any(one.ended_at is None for one in jobs),
        }

    def _job(self, request: Request, job: ReviewJob, *, may_undo: bool) -> dict[str, object]:
        is_waiting = job.state is ReviewJobState.WAITING
        return {
            "number": job.number,
            "campaign": job.campaign,
            "path": HeldQuery(state="any", campaign=job.campaign).path(),
            "rule": visible(job.rule),
            "by": visible(job.by),
            "is_release": job.decision is PersonDecision.RELEASED,
            "state": self.templates.said(request, JOB_STATES[job.state]),
            "is_waiting": is_waiting,
            "not_before": job.not_before,
            "done": job.done,
            "expected": job.expected_count,
            "undo": f"{JOBS}/{job.number}/undo" if is_waiting and may_undo else "",
        }

    async def whole(
        self, request: Request, campaign: str, problem: str = "", status: int = 200
    ) -> Response:
        """Return how much of a campaign is held, by SP, and the form to decide on all of it.

        With a rule and an SP in the query only what an exception of these is about.
        """
        if not is_campaign_id(campaign):
            raise HTTPException(404)
        rule, system_id = _excepted(request)
        each = await self.store.held_of_each(campaign, rule)
        if rule:
            each = {one: count for one, count in each.items() if one == system_id}
        senders = sorted(each.items(), key=lambda one: (-one[1], one[0]))
        values = {
            "campaign": campaign,
            "rule": visible(rule),
            "exceptions_path": f"{HELD.path}/exceptions",
            "total": sum(each.values()),
            "senders": [(one, visible(one), count) for one, count in senders],
            "list_path": HeldQuery(campaign=campaign).path(),
            "held": HoldState.HELD,
            "problem": self.templates.said(request, problem) if problem else "",
        }
        return self.templates.page(request, "quarantine/whole_campaign.html", values, status)

    async def decided(self, request: Request, campaign: str) -> Response:
        """Make a job of a decision on a campaign; 409 if another number of messages is held."""
        if not is_campaign_id(campaign):
            raise HTTPException(404)
        given = await form_of(request)
        typed, decision = given.get("count", "").strip(), _DECISIONS.get(given.get("act", ""))
        if decision is None:
            return await self.whole(request, campaign, _NOT_CHOSEN, 422)
        if not (typed.isascii() and typed.isdigit() and len(typed) <= _MAX_DIGITS):
            return await self.whole(request, campaign, _NOT_TYPED, 422)
        rule, system_id = _excepted(request)
        new = NewCampaignReview(
            campaign,
            decision,
            name_of(request.state.user),
            int(typed),
            system_id=system_id if rule else given.get("system_id", ""),
            note=said(given.get("note", "")),
            rule=rule,
        )
        if self.approvals is not None and self.approvals.are_needed(new):
            each = await self.store.held_of_each(campaign, rule)
            held = each.get(new.system_id, 0) if new.system_id else sum(each.values())
            if held != new.expected_count:
                return await self.whole(request, campaign, OTHER_COUNT, 409)
            where = await self.approvals.ask(new, self.utcnow())
            return RedirectResponse(where, status_code=303)
        outcome = await self.desk.decide(new, self.utcnow())
        if isinstance(outcome, JobNotMade):
            return await self.whole(request, campaign, outcome.why, 409)
        return RedirectResponse(HELD.path, status_code=303)

    async def undone(self, request: Request, number: str) -> Response:
        """Undo a job that has not begun; 409 if it has."""
        if not (number.isascii() and number.isdigit() and len(number) <= _MAX_DIGITS):
            raise HTTPException(404)
        by = name_of(request.state.user)
        outcome = await self.desk.undo(int(number), by, self.utcnow(), may_undo_others=True)
        if isinstance(outcome, JobNotUndone):
            if outcome.job is None:
                raise HTTPException(404)
            return await self.shown(request, outcome.why, 409)
        return RedirectResponse(HELD.path, status_code=303)


def excepted_path(campaign: str, system_id: str, rule: str) -> str:
    """Return the address of what is held of an exception."""
    return f"{HELD.path}/campaigns/{campaign}?{urlencode({'system_id': system_id, 'rule': rule})}"


def _excepted(request: Request) -> tuple[str, str]:
    """Return the rule and the SP of a page, both empty for a whole campaign; 404 for one alone."""
    rule, system_id = (request.query_params.get(name, "") for name in ("rule", "system_id"))
    if bool(rule) != bool(system_id) or max(len(rule), len(system_id)) > _MAX_NAME_CHARS:
        raise HTTPException(404)
    return rule, system_id


def add_campaign_pages(router: APIRouter, review: CampaignReview) -> None:
    """Add the pages of campaigns to a router, before paths that would take their names for ids."""
    may_read, may_decide = allowed(Permission.READ_HELD), allowed(Permission.DECIDE_CAMPAIGN)

    @router.get(HELD.path, dependencies=[may_read])
    async def show_campaigns(request: Request) -> Response:
        return await review.shown(request)

    @router.get(JOBS, dependencies=[may_read])
    async def show_jobs(request: Request) -> Response:
        return await review.jobs(request)

    @router.get(HELD.path + "/campaigns/{campaign}", dependencies=[may_decide])
    async def show_whole(request: Request, campaign: str) -> Response:
        return await review.whole(request, campaign)

    @router.post(HELD.path + "/campaigns/{campaign}", dependencies=[may_decide])
    async def decide(request: Request, campaign: str) -> Response:
        return await review.decided(request, campaign)

    @router.post(JOBS + "/{number}/undo", dependencies=[may_decide])
    async def undo(request: Request, number: str) -> Response:
        return await review.undone(request, number)
