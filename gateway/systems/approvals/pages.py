"""Pages: what waits for a second person, and what that person decides."""

from collections.abc import Mapping
from datetime import datetime
from string import Formatter

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from gateway.domain.permissions import Permission
from gateway.systems.approvals.model import (
    ApprovalAct,
    ApprovalRefusal,
    ApprovalRequest,
    ApprovalState,
    words_kept,
)
from gateway.systems.approvals.service import PERMISSIONS, ApprovalDesk
from gateway.terminal.screen import visible
from gateway.web.pages import (
    PageForbiddenError,
    PageLink,
    PageUser,
    allowed,
    form_of,
    marked,
)
from gateway.web.systems import PageContext, SystemPages

APPROVALS = PageLink("/approvals", marked("Approvals"), Permission.READ_APPROVALS, order=130)

ACTS = {
    ApprovalAct.MAKE_ADMIN: marked("Make an admin"),
    ApprovalAct.RELEASE_CAMPAIGN: marked("Release a campaign"),
    ApprovalAct.SWITCH_RULE_OFF: marked("Switch off what is enforced"),
    ApprovalAct.UNMASK_IN_BULK: marked("Show more whole numbers"),
}
STATES = {
    ApprovalState.OPEN: marked("Waits for a second person"),
    ApprovalState.APPROVED: marked("Approved"),
    ApprovalState.DECLINED: marked("Declined"),
    ApprovalState.DONE: marked("Approved and done"),
    ApprovalState.FAILED: marked("Approved, and could not be done"),
}
REFUSALS = {
    ApprovalRefusal.MISSING: marked("there is no such request"),
    ApprovalRefusal.OVER: marked("it was decided already, or its time is over"),
    ApprovalRefusal.SAME_PERSON: marked("another person has to decide: you have asked for it"),
    ApprovalRefusal.OTHER_TERMS: marked("it is not the request that was shown"),
}
_MOST_DIGITS = 15
# What a request is about, in its parameters: the first text that has all its fields.
ABOUT = {
    ApprovalAct.MAKE_ADMIN: (marked("{name}"),),
    ApprovalAct.RELEASE_CAMPAIGN: (
        marked("{campaign}, {count} messages of {system_id}, rule {rule}"),
        marked("{campaign}, {count} messages, rule {rule}"),
        marked("{campaign}, {count} messages of {system_id}"),
        marked("{campaign}, {count} messages"),
    ),
    ApprovalAct.SWITCH_RULE_OFF: (
        marked("{rules}: version {version} is put back"),
        marked("{rules}: changed in {files}"),
    ),
    ApprovalAct.UNMASK_IN_BULK: (marked("{count} more within an hour"),),
}


def template_of(act: ApprovalAct, given: Mapping[str, str]) -> str:
    """Return what says what a request with these parameters is about, with fields in braces."""
    texts = ABOUT[act]
    return next((one for one in texts if all(map(given.get, _fields(one)))), texts[-1])


def about_of(act: ApprovalAct, given: Mapping[str, str]) -> str:
    """Return what a request with these parameters is about."""
    return template_of(act, given).format(**given)


def _fields(text: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(text) if name]


class ApprovalPage:
    """Answers the requests of who asks for approvals and who gives them."""

    def __init__(self, context: PageContext) -> None:
        self.desk = context.join(ApprovalDesk)
        self.templates, self.utcnow = context.templates, context.utcnow

    async def shown(self, request: Request, refusal: ApprovalRefusal | None = None) -> Response:
        """Return the requests that the user may decide on, the newest first, and own ones."""
        user: PageUser = request.state.user
        said, now, own = self.templates.said, self.utcnow(), f"user: {user.name}"
        seen = [
            _listed(one, now, own)
            | {"about": self._about(request, one), "outcome": self._outcome(request, one)}
            for one in await self.desk.listed()
            if one.by == own or user.may(PERMISSIONS[one.act])
        ]
        values = {
            "found": seen,
            "acts": {act: said(request, text) for act, text in ACTS.items()},
            "states": {state: said(request, text) for state, text in STATES.items()},
            "problem": "" if refusal is None else said(request, REFUSALS[refusal]),
        }
        status = 200 if refusal is None else 409
        return self.templates.page(request, "approvals/approvals.html", values, status)

    def _about(self, request: Request, one: ApprovalRequest) -> str:
        said = self.templates.said(request, template_of(one.act, one.given))
        return visible(said.format(**one.given))

    def _outcome(self, request: Request, one: ApprovalRequest) -> str:
        text, given = words_kept(one.outcome)
        said = self.templates.said(request, text) if text else ""
        return visible(said.format(**given) if given else said)

    async def decided(self, request: Request, text: str, *, approves: bool) -> Response:
        """Approve or decline a request. Raises HTTPException for what is no number."""
        if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
            raise HTTPException(404)
        user: PageUser = request.state.user
        found = await self.desk.get(int(text))
        if found is None:
            raise HTTPException(404)
        if not user.may(PERMISSIONS[found.act]):
            raise PageForbiddenError
        digest, by = (await form_of(request)).get("digest", ""), f"user: {user.name}"
        act = self.desk.approve if approves else self.desk.decline
        outcome = await act(found.number, digest, by, self.utcnow())
        if isinstance(outcome, ApprovalRefusal):
            return await self.shown(request, outcome)
        return RedirectResponse(APPROVALS.path, status_code=303)


def approval_pages(context: PageContext) -> APIRouter:
    """Return the pages of approvals."""
    page = ApprovalPage(context)
    may_read = [allowed(APPROVALS.permission)]
    router = APIRouter(include_in_schema=False, dependencies=may_read)

    @router.get(APPROVALS.path)
    async def show(request: Request) -> Response:
        return await page.shown(request)

    @router.post(APPROVALS.path + "/{number}/approve")
    async def approve(request: Request, number: str) -> Response:
        return await page.decided(request, number, approves=True)

    @router.post(APPROVALS.path + "/{number}/decline")
    async def decline(request: Request, number: str) -> Response:
        return await page.decided(request, number, approves=False)

    return router


PAGES = SystemPages((approval_pages,), (APPROVALS,))


def _listed(one: ApprovalRequest, now: datetime, own: str) -> dict[str, object]:
    is_open = one.is_open(now)
    return {
        "number": one.number,
        "act": one.act,
        "reason": visible(one.reason),
        "by": visible(one.by),
        "at": one.at,
        "expires_at": one.expires_at,
        "state": one.state,
        "is_open": is_open,
        "is_over": one.state is ApprovalState.OPEN and not is_open,
        "is_own": one.by == own,
        "digest": one.digest,
        "switched": list(map(visible, one.switched)),
        "version": one.version,
        "changes": list(map(visible, one.changes)),
        "decided_by": visible(one.decided_by),
        "decided_at": one.decided_at,
    }
