"""Pages: cases with their clocks, the acts that their state allows, their journal and graph."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from gateway.domain.msisdn import is_mobile, masked
from gateway.domain.permissions import Permission
from gateway.domain.records import NewAccess
from gateway.storage.journals import SqlJournals
from gateway.systems.cases.case_search import CaseFilter
from gateway.systems.cases.model import (
    ESCALATIONS,
    Actor,
    Case,
    CaseAct,
    CaseClock,
    CaseFeedback,
    CaseFinding,
    CaseMeasure,
    CaseRefusal,
    CaseState,
    MeasureKind,
    PlainAct,
    state_after,
)
from gateway.systems.cases.service import CaseDesk
from gateway.systems.cases.sql import CaseStore
from gateway.terminal.arguments import said
from gateway.terminal.screen import visible
from gateway.web.pages import PageLink, PageUser, allowed, form_of, marked
from gateway.web.systems import PageContext, SystemPages

CASES = PageLink("/cases", marked("Cases"), Permission.READ_CASES, order=90)
PAGE_ROWS = 50

_ANY = "any"
_LAST_NUMBER = 2**63 - 1
_MAX_CHARS = 64
_SHOWN_COMPLAINTS = 50
STATES = {
    CaseState.OPEN: marked("open"),
    CaseState.DISPATCHED: marked("dispatched"),
    CaseState.ACKED: marked("accepted"),
    CaseState.VERIFYING: marked("being verified"),
    CaseState.ACTIONED: marked("measures taken"),
    CaseState.UNFOUNDED: marked("unfounded"),
    CaseState.FEEDBACK_RECEIVED: marked("feedback received"),
    CaseState.USER_TOLD: marked("subscriber told"),
    CaseState.CLOSED: marked("closed"),
    CaseState.ARBITRATION: marked("in arbitration"),
    CaseState.REFERRED: marked("referred to an authority"),
    CaseState.REOPENED: marked("reopened"),
}
ACTS = {
    PlainAct.DISPATCH: marked("Dispatch to"),
    PlainAct.ACCEPT: marked("Accept"),
    PlainAct.REFUSE: marked("Refuse: not ours"),
    PlainAct.INCOMPLETE: marked("Turn down: incomplete"),
    PlainAct.DUPLICATE: marked("Turn down: duplicate"),
    PlainAct.ASSIGN: marked("Assign to"),
    PlainAct.VERIFY: marked("Begin to verify"),
    PlainAct.TELL: marked("Note that subscribers were told"),
    PlainAct.CLOSE: marked("Close"),
    PlainAct.REOPEN: marked("Open again"),
    PlainAct.RETURN: marked("Take back from the authority"),
    PlainAct.NOTE: marked("Add a note"),
    PlainAct.QUERY: marked("Note a question"),
}
# What each needs of the state; those without an act are possible in any.
_NEEDED = {
    PlainAct.DISPATCH: CaseAct.DISPATCH,
    PlainAct.ACCEPT: CaseAct.ACCEPT,
    PlainAct.REFUSE: CaseAct.ARBITRATE,
    PlainAct.INCOMPLETE: CaseAct.ARBITRATE,
    PlainAct.DUPLICATE: CaseAct.ARBITRATE,
    PlainAct.ASSIGN: CaseAct.ASSIGN,
    PlainAct.VERIFY: CaseAct.VERIFY,
    PlainAct.TELL: CaseAct.TELL_USER,
    PlainAct.CLOSE: CaseAct.CLOSE,
    PlainAct.REOPEN: CaseAct.REOPEN,
    PlainAct.RETURN: CaseAct.RETURN,
}
FINDINGS = {
    CaseFinding.CONFIRMED: marked("confirmed"),
    CaseFinding.UNFOUNDED: marked("unfounded"),
    CaseFinding.UNVERIFIABLE: marked("cannot be verified"),
}
MEASURES = {
    MeasureKind.PORT_SUSPENDED: marked("port suspended"),
    MeasureKind.PORT_CLOSED: marked("port closed"),
    MeasureKind.SENDER_SUSPENDED: marked("SP suspended"),
    MeasureKind.SENDER_WARNED: marked("SP warned"),
    MeasureKind.NUMBER_SUSPENDED: marked("number suspended"),
    MeasureKind.CONTENT_BLOCKED: marked("content blocked"),
    MeasureKind.OTHER: marked("other"),
}
CLOCKS = {
    "forward": marked("to be forwarded"),
    "first_response": marked("first response"),
    "ack": marked("to be accepted"),
    "feedback": marked("feedback"),
    "action": marked("measure"),
    "tell_user": marked("answer to the subscriber"),
}
_NO_SUCH = marked("No case can fit this: check the fields.")
_NO_ACT = marked("This cannot be done: choose an act.")


@dataclass(frozen=True, slots=True)
class CaseGraphs:
    """What the texts of a case's complaints have in common; `draw` takes the number of a case."""

    draw: Callable[[int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class CaseListQuery:
    """What a list of cases shows, as its address says it."""

    state: str = _ANY
    owner: str = ""
    category: str = ""
    only: str = ""
    before: str = ""

    @property
    def is_sound(self) -> bool:
        """Tell whether any case can fit."""
        words = (self.owner, self.category)
        return (
            self.state in (_ANY, *CaseState)
            and self.only in ("", "overdue", "assist")
            and all(one.isprintable() and len(one) <= _MAX_CHARS for one in words)
            and (not self.before or number_in(self.before) is not None)
        )

    def path(self) -> str:
        """Return the address of the list with this query."""
        usual, own = asdict(CaseListQuery()), asdict(self)
        fields = {name: value for name, value in own.items() if value != usual[name]}
        return f"{CASES.path}?{urlencode(fields)}" if fields else CASES.path


def number_in(text: str) -> int | None:
    """Return the number that a path or a query has; None for what can be none."""
    is_number = text.isascii() and text.isdigit() and len(text) < len(str(_LAST_NUMBER))
    return int(text) or None if is_number else None


class CasePages:
    """Answers the requests of people who work on cases."""

    def __init__(self, context: PageContext) -> None:
        self.store, self.journals = CaseStore(context.database), SqlJournals(context.database)
        self.desk = CaseDesk(self.store, context.calendar)
        self.templates, self.utcnow = context.templates, context.utcnow
        self.graphs = context.join(CaseGraphs)

    async def listed(self, request: Request) -> Response:
        """Return cases, the newest first, with their clocks."""
        query, now = _query_of(request.query_params), self.utcnow()
        found: list[Case] = []
        before = None
        if query.is_sound:
            wanted = CaseFilter(
                None if query.state == _ANY else CaseState(query.state),
                query.owner or None,
                query.category or None,
                overdue_at=now if query.only == "overdue" else None,
                is_assist=query.only == "assist",
            )
            page = await self.store.search(wanted, before=number_in(query.before), limit=PAGE_ROWS)
            found, before = list(page.cases), page.before
        values = {
            "query": query,
            "states": STATES,
            "found": [_row(one, now) for one in found],
            "older": replace(query, before=str(before)).path() if before else "",
            "problem": "" if query.is_sound else self.templates.said(request, _NO_SUCH),
        }
        return self.templates.page(
            request, "cases/list.html", values, 200 if query.is_sound else 422
        )

    async def _found(self, number: str) -> Case:
        key = number_in(number)
        case = None if key is None else await self.store.get(key)
        if case is None:
            raise HTTPException(404)
        return case

    async def shown(
        self, request: Request, number: str, problem: str = "", status: int = 200
    ) -> Response:
        """Return a case with its clocks, acts, complaints and journal."""
        case, user = await self._found(number), request.state.user
        may_act = user.may(Permission.ACT_ON_CASES)
        may_look = user.may(Permission.READ_COMPLAINTS)
        complaints = await self.store.complaints_of(case.number, _SHOWN_COMPLAINTS)
        now = self.utcnow()
        values = {
            "one": _row(case, now),
            "case": case,
            "clocks": [_clock(each, now) for each in case.clocks],
            "measures": [
                (MEASURES[each.kind], visible(_shown(each.about)), each.at)
                for each in case.measures
            ],
            "finding": "" if case.finding is None else FINDINGS[case.finding],
            "evidence": visible(case.evidence),
            "answer": visible(case.answer),
            "complaints": [(key, visible(_shown(sender))) for key, sender in complaints],
            "journal": [
                (each.at, visible(each.by), each.act, visible(each.about), visible(each.note))
                for each in await self.store.journal_of(case.number)
            ],
            "acts": _acts_of(case) if may_act else {},
            "findings": FINDINGS if may_act and _takes_feedback(case) else {},
            "kinds": MEASURES if may_act and state_after(case.state, CaseAct.MEASURE) else {},
            "now": f"{now:%Y-%m-%dT%H:%M}",
            "may_look": may_look,
            "problem": problem,
        }
        return self.templates.page(request, "cases/case.html", values, status)

    async def graph(self, request: Request, number: str) -> Response:
        """Return the graph of a case. The look into its texts is journaled before."""
        case = await self._found(number)
        by = who(request.state.user)
        await self.journals.note_access(
            NewAccess(by, "cases graph", "", f"case {case.number}", self.utcnow())
        )
        values = {"case": case, "graph": await self.graphs.draw(case.number), "kinds": KINDS}
        return self.templates.page(request, "cases/graph.html", values)

    async def acted(self, request: Request, number: str) -> Response:
        """Do what its state allows; 409 where it does not, 422 for what lacks something."""
        case, given = await self._found(number), await form_of(request)
        actor = Actor(who(request.state.user), self.utcnow(), said(given.get("note", "")))
        act = given.get("act", "")
        if act not in PlainAct.__members__.values():
            return await self.shown(request, number, self.templates.said(request, _NO_ACT), 422)
        to = given.get("to", "").strip()
        return await self._done(
            request, case, lambda: self.desk.act(PlainAct(act), case.number, to, actor)
        )

    async def measured(self, request: Request, number: str) -> Response:
        """Note a measure that was taken."""
        case, given = await self._found(number), await form_of(request)
        now = self.utcnow()
        actor = Actor(who(request.state.user), now, said(given.get("note", "")))
        kind, at = given.get("kind", ""), _moment(given.get("at", ""), now)
        if kind not in MeasureKind.__members__.values() or at is None:
            return await self.shown(request, number, self.templates.said(request, _NO_ACT), 422)
        measure = CaseMeasure(MeasureKind(kind), at, given.get("about", "").strip())
        return await self._done(
            request, case, lambda: self.desk.measure(case.number, measure, actor)
        )

    async def found(self, request: Request, number: str) -> Response:
        """Note what was found."""
        case, given = await self._found(number), await form_of(request)
        actor = Actor(who(request.state.user), self.utcnow(), said(given.get("note", "")))
        finding = given.get("finding", "")
        if finding not in CaseFinding.__members__.values():
            return await self.shown(request, number, self.templates.said(request, _NO_ACT), 422)
        words = (given.get(name, "").strip() for name in ("evidence", "answer"))
        evidence, answer = words
        feedback = CaseFeedback(CaseFinding(finding), (), evidence, "", answer)
        return await self._done(
            request, case, lambda: self.desk.feedback(case.number, feedback, actor)
        )

    async def _done(
        self, request: Request, case: Case, act: Callable[[], Awaitable[Case | CaseRefusal]]
    ) -> Response:
        number = str(case.number)
        try:
            after = await act()
        except ValueError as error:  # an owner that is missing, say
            return await self.shown(request, number, str(error), 422)
        if isinstance(after, CaseRefusal):
            return await self.shown(request, number, after.why, 422 if after.is_incomplete else 409)
        return RedirectResponse(f"{CASES.path}/{number}", status_code=303)


KINDS = (marked("Sending numbers"), marked("Signatures"), marked("Links"), marked("Telephones"))


def case_pages(context: PageContext) -> APIRouter:
    """Return the pages of cases."""
    router, pages = APIRouter(include_in_schema=False), CasePages(context)
    may_read, may_act = [allowed(CASES.permission)], [allowed(Permission.ACT_ON_CASES)]
    may_look = [*may_read, allowed(Permission.READ_COMPLAINTS)]

    @router.get(CASES.path, dependencies=may_read)
    async def listed(request: Request) -> Response:
        return await pages.listed(request)

    @router.get(CASES.path + "/{number}", dependencies=may_read)
    async def shown(request: Request, number: str) -> Response:
        return await pages.shown(request, number)

    @router.get(CASES.path + "/{number}/graph", dependencies=may_look)
    async def graph(request: Request, number: str) -> Response:
        return await pages.graph(request, number)

    @router.post(CASES.path + "/{number}/act", dependencies=may_act)
    async def acted(request: Request, number: str) -> Response:
        return await pages.acted(request, number)

    @router.post(CASES.path + "/{number}/measure", dependencies=may_act)
    async def measured(request: Request, number: str) -> Response:
        return await pages.measured(request, number)

    @router.post(CASES.path + "/{number}/feedback", dependencies=may_act)
    async def found(request: Request, number: str) -> Response:
        return await pages.found(request, number)

    return router


PAGES = SystemPages((case_pages,), (CASES,))


def who(user: PageUser) -> str:
    """Return a user as journals name one."""
    return f"user: {user.name}"


def _query_of(given: Mapping[str, str]) -> CaseListQuery:
    usual = asdict(CaseListQuery())
    found = {name: given.get(name, value).strip() for name, value in usual.items()}
    return CaseListQuery(**found)


def _moment(text: str, now: datetime) -> datetime | None:
    """Return a time of a form, which is in UTC; now for none, None for what can be none."""
    if not text:
        return now
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=now.tzinfo) if found.tzinfo is None else found


def _acts_of(case: Case) -> dict[PlainAct, str]:
    """Return what may be done in the state of a case, with its words."""
    return {
        act: word
        for act, word in ACTS.items()
        if act not in _NEEDED
        or state_after(case.state, _NEEDED[act]) is not None
        or (case.origin and act is PlainAct.REFUSE and _is_handed_back(case))
    }


def _is_handed_back(case: Case) -> bool:
    return state_after(case.state, CaseAct.HAND_BACK) is not None


def _takes_feedback(case: Case) -> bool:
    acts = (CaseAct.FEEDBACK, CaseAct.DISMISS)
    return any(state_after(case.state, act) is not None for act in acts)


def _shown(address: str) -> str:
    return masked(address) if is_mobile(address.encode("latin-1", "replace")) else address


def _row(case: Case, now: datetime) -> dict[str, object]:
    running = [one for one in case.clocks if one.stop is None]
    nearest = min(
        running, key=lambda one: one.due or datetime.max.replace(tzinfo=now.tzinfo), default=None
    )
    return {
        "number": case.number,
        "state": STATES[case.state],
        "severity": case.severity,
        "category": visible(case.category),
        "owner": visible(case.owner),
        "responsible": visible(case.responsible),
        "complaints": case.complaints,
        "reporters": case.reporters,
        "opened_at": case.opened_at,
        "is_assist": case.is_assist,
        "clock": None if nearest is None else _clock(nearest, now),
    }


def _clock(one: CaseClock, now: datetime) -> dict[str, object]:
    """Return a clock as a page shows it; `level` is 0, 80 or 100, as people are told."""
    end = one.stop or now
    share = None
    if one.due is not None and one.due > one.start:
        share = max(0, int(100 * (end - one.start) / (one.due - one.start)))
    return {
        "name": CLOCKS[one.name],
        "start": one.start,
        "due": one.due,
        "stop": one.stop,
        "share": share,
        "is_overdue": one.is_overdue(now),
        "is_near": one.stop is None and one.escalation(now) == ESCALATIONS[0],
    }
