"""Pages: campaigns of held messages, and decisions on many messages, which run as jobs."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from gateway.domain.categories import category_of
from gateway.domain.permissions import Permission
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.records import NewAccess
from gateway.systems.quarantine.campaigns import (
    FEWER_ALONE,
    OTHER_COUNT,
    CampaignDesk,
    CampaignStore,
    JobNotMade,
    JobNotUndone,
    OpenCampaign,
)
from gateway.systems.quarantine.decisions import seen_digest
from gateway.systems.quarantine.held_query import HELD_PATH, HeldQuery, held_query
from gateway.systems.quarantine.message_view import listed_message
from gateway.systems.quarantine.model import (
    MOST_CHOSEN,
    ChosenMessage,
    NewCampaignReview,
    NewChosenReview,
    PersonDecision,
    ReviewJob,
    ReviewJobState,
    is_campaign_id,
)
from gateway.systems.quarantine.review_tools import ReviewTools, UnmaskingLimit
from gateway.systems.quarantine.second_reviews import (
    SecondReviewStore,
    gets_second_reviews,
)
from gateway.systems.quarantine.text_pieces import ShownText, shown_text
from gateway.terminal.arguments import said
from gateway.terminal.screen import visible
from gateway.web.pages import (
    MAX_FORM_FIELDS,
    FormError,
    PageLink,
    PageUser,
    allowed,
    form_fields,
    form_of,
    marked,
)
from gateway.web.systems import PageContext

HELD = PageLink(HELD_PATH, marked("Held messages"), Permission.READ_HELD, order=70)
JOBS = f"{HELD_PATH}/jobs"
EXAMPLE_CHARS = 120

JOB_STATES = {
    ReviewJobState.WAITING: marked("takes effect at"),
    ReviewJobState.RUNNING: marked("running"),
    ReviewJobState.DONE: marked("done"),
    ReviewJobState.UNDONE: marked("undone"),
}
SPAM_CONFIRMED = "spam confirmed"
_DECISIONS = {"release": PersonDecision.RELEASED, "discard": PersonDecision.REJECTED}
_DECISIONS_ON_CHOSEN = {**_DECISIONS, "spam": PersonDecision.REJECTED}
_CHOSEN = re.compile(r"(8[0-9]{18})\.([0-9a-f]{16})")
_MAX_DIGITS, _MAX_NAME_CHARS = 15, 64
_NOT_TYPED = marked("Type in how many messages are held of it: the number below.")
_NOT_CHOSEN = marked("Choose what becomes of the campaign.")
_NONE_CHOSEN = marked("Choose one message or more, 500 at most.")
_NO_WHY = marked("Many messages are decided on for a reason only: say why.")


def name_of(user: PageUser) -> str:
    """Return a user as journals and decisions name one: an account of the machine is another."""
    return f"user: {user.name}"


def second_reviewer(user: PageUser) -> str:
    """Return the name of a user to whom second reviews are dealt, "" of any other."""
    return name_of(user) if gets_second_reviews(user.may) else ""


def choice_of(held: HeldMessage) -> str:
    """Return what a form says of a message that was chosen: its id, and what was seen of it."""
    return f"{held.message_id}.{seen_digest(held)}"


def choosing(
    request: Request, query: HeldQuery, found: Sequence[HeldMessage], picked: frozenset[str]
) -> dict[str, object]:
    """Return what a list shows by which messages are chosen, {} to who may not decide on them.

    `picked` are those that were chosen, by `choice_of` each; `found` are those in the list.
    """
    if not request.state.user.may(Permission.DECIDE_HELD):
        return {}
    left = request.query_params.get("left", "")
    return {
        "path": query.path("chosen"),
        "all_path": query.path(pick="all"),
        "is_all": request.query_params.get("pick") == "all",
        "picked": picked,
        "elsewhere": sorted(picked.difference(map(choice_of, found))),
        "most": MOST_CHOSEN,
        "left": int(left) if left.isascii() and left.isdigit() and len(left) <= _MAX_DIGITS else 0,
    }


ShowProblem = Callable[[Request, str, int, frozenset[str]], Awaitable[Response]]
"""Shows the list with a problem, a status, and what was chosen, by `choice_of` each."""


class CampaignApprovals(Protocol):
    """Puts decisions on campaigns before a second person where the settings say so."""

    def are_needed(self, decision: PersonDecision, count: int) -> bool:
        """Tell whether one person alone may not decide so where so many messages are held."""

    async def ask(self, new: NewCampaignReview, at: datetime) -> str:
        """Ask for an approval; return the address of the page on which it waits."""


@dataclass(frozen=True, slots=True)
class ReviewJoins:
    """What the review pages need of other systems."""

    tools: ReviewTools
    unmasking: UnmaskingLimit
    approvals: CampaignApprovals


class CampaignReview:
    """Answers the requests of those who review campaigns."""

    def __init__(self, context: PageContext) -> None:
        self.store = CampaignStore(context.database)
        self.desk = CampaignDesk(self.store, context.mask)
        self.seconds = SecondReviewStore(context.database)
        joins = context.join(ReviewJoins)
        self.tools, self.approvals = joins.tools, joins.approvals
        self.templates, self.utcnow = context.templates, context.utcnow

    async def shown(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """Return the open campaigns, the largest first, each with an example of its texts."""
        found = await self.store.open_campaigns(as_held=await self._as_held(request))
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

    async def _as_held(self, request: Request) -> tuple[int, ...]:
        """Return what a second reviewer sees among the held messages, nothing to others."""
        by = second_reviewer(request.state.user)
        return (await self.seconds.dealt_to(by, self.utcnow())).as_held

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
        """Return how the last jobs stand, of all or the user's own, as a part of a page."""
        own = request.query_params.get("own")
        jobs = await self._jobs(request) if own is None else await self.own_jobs(request, own)
        return self.templates.page(request, "quarantine/jobs.html", jobs)

    async def own_jobs(self, request: Request, number: str) -> dict[str, object]:
        """Return how the user's jobs stand that are open, and the one of a number."""
        found = await self.store.latest(name_of(request.state.user))
        some = [one for one in found if one.ended_at is None or str(one.number) == number]
        return {"jobs": self._shown_jobs(request, some)}

    async def _jobs(self, request: Request) -> dict[str, object]:
        return {"jobs": self._shown_jobs(request, await self.store.latest())}

    def _shown_jobs(self, request: Request, jobs: Iterable[ReviewJob]) -> list[dict[str, object]]:
        user: PageUser = request.state.user
        may_undo_others, by = user.may(Permission.DECIDE_CAMPAIGN), name_of(user)
        return [self._job(request, one, may_undo=may_undo_others or one.by == by) for one in jobs]

    def _job(self, request: Request, job: ReviewJob, *, may_undo: bool) -> dict[str, object]:
        is_waiting = job.state is ReviewJobState.WAITING
        undo = held_query(request.query_params).path("jobs", job.number, "undo")
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
            "undo": undo if is_waiting and may_undo else "",
            "decided_at": job.decided_at,
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
        as_held = await self._as_held(request)
        each = await self.store.held_of_each(campaign, rule, as_held, self.utcnow())
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
            as_held=await self._as_held(request),
        )
        whole = await self.store.held_of_campaign(campaign, self.utcnow(), new.as_held)
        if self.approvals.are_needed(decision, whole):
            if await self._held_of(new) != new.expected_count:
                return await self.whole(request, campaign, OTHER_COUNT, 409)
            asked = replace(new, as_held=await self.store.dealt_of(new))
            where = await self.approvals.ask(asked, self.utcnow())
            return RedirectResponse(where, status_code=303)
        outcome = await self.desk.decide(new, self.utcnow())
        if isinstance(outcome, JobNotMade):
            return await self.whole(request, campaign, outcome.why, 409)
        return RedirectResponse(HELD.path, status_code=303)

    async def _held_of(self, new: NewCampaignReview) -> int:
        count = self.store.held_of_each
        each = await count(new.campaign, new.rule, new.as_held, self.utcnow())
        return each.get(new.system_id, 0) if new.system_id else sum(each.values())

    async def chosen(self, request: Request, show: ShowProblem) -> Response:
        """Make a job of a decision on chosen messages; 409 if none of them can be decided on.

        The others of them stay in the list, and the page tells how many these are.
        """
        fields = await form_fields(request, MOST_CHOSEN + MAX_FORM_FIELDS)
        given, picked = dict(fields), frozenset(value for name, value in fields if name == "m")
        decision, note = _DECISIONS_ON_CHOSEN.get(given.get("act", "")), said(given.get("note", ""))
        category = given.get("category", "")
        if decision is None:
            raise FormError
        if not 0 < len(picked) <= MOST_CHOSEN:
            return await show(request, _NONE_CHOSEN, 422, picked)
        new = NewChosenReview(
            tuple(map(_chosen_message, sorted(picked))),
            decision,
            name_of(request.state.user),
            reason=SPAM_CONFIRMED if given["act"] == "spam" else "",
            note=note,
            category=category if category_of(category) else "",
            may_be_second=bool(second_reviewer(request.state.user)),
        )
        if not note:
            return await show(request, _NO_WHY, 422, picked)
        if self.approvals.are_needed(decision, len(picked)):
            return await show(request, FEWER_ALONE, 409, picked)
        outcome = await self.desk.decide_chosen(new, self.utcnow())
        if isinstance(outcome, JobNotMade):
            return await show(request, outcome.why, 409, picked)
        about = {"own": str(outcome.job.number), "left": str(len(outcome.left))}
        where = held_query(request.query_params).path(**about)
        return RedirectResponse(where, status_code=303)

    async def undone(self, request: Request, number: str) -> Response:
        """Undo a job that has not begun; 409 if it has."""
        if not (number.isascii() and number.isdigit() and len(number) <= _MAX_DIGITS):
            raise HTTPException(404)
        user: PageUser = request.state.user
        may_undo_others = user.may(Permission.DECIDE_CAMPAIGN)
        outcome = await self.desk.undo(
            int(number), name_of(user), self.utcnow(), may_undo_others=may_undo_others
        )
        if isinstance(outcome, JobNotUndone):
            if outcome.job is None:
                raise HTTPException(404)
            return await self.shown(request, outcome.why, 409)
        back = HELD.path if outcome.campaign else held_query(request.query_params).path()
        return RedirectResponse(back, status_code=303)


def _chosen_message(text: str) -> ChosenMessage:
    """Return what `choice_of` said. Raises FormError for another text."""
    found = _CHOSEN.fullmatch(text)
    if found is None:
        raise FormError
    return ChosenMessage(int(found[1]), found[2])


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
    may_undo = allowed(Permission.DECIDE_HELD)

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

    @router.post(JOBS + "/{number}/undo", dependencies=[may_undo])
    async def undo(request: Request, number: str) -> Response:
        return await review.undone(request, number)
