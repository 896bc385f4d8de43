"""Cases over HTTP, for those who look into them and those who work on them (R83 to R87)."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field

from gateway.domain.api_client import ApiClient
from gateway.domain.msisdn import is_mobile, masked
from gateway.domain.permissions import Permission
from gateway.domain.records import NewAccess
from gateway.domain.warning import Severity
from gateway.storage.journals import SqlJournals
from gateway.systems.cases.case_search import CaseFilter, CasePage
from gateway.systems.cases.model import (
    Actor,
    Case,
    CaseEntry,
    CaseFeedback,
    CaseFinding,
    CaseMeasure,
    CaseRefusal,
    CaseState,
    ClockName,
    MeasureKind,
    PlainAct,
)
from gateway.systems.cases.service import CaseDesk
from gateway.systems.cases.sql import CaseStore
from gateway.web.access import may
from gateway.web.fields import Moment, Number, Reason, RequestBody, Words
from gateway.web.problems import Problem, ProblemError
from gateway.web.systems import ApiContext, SystemApi

MOST_LISTED = 500
_MOST_COMPLAINTS = 50
_LAST_NUMBER = 2**63 - 1

CaseReader = Annotated[ApiClient, Depends(may(Permission.READ_CASES))]
CaseOfficer = Annotated[ApiClient, Depends(may(Permission.ACT_ON_CASES))]
_Number = Annotated[int, Path(ge=1, le=_LAST_NUMBER)]
_Organisation = Annotated[str, Field(examples=["中国联通/广东"])]


class ClockItem(RequestBody):
    """One clock: `due` is its first overdue moment, null where no calendar knows it."""

    name: ClockName
    start: datetime
    due: datetime | None
    stop: datetime | None
    is_overdue: bool


class MeasureItem(RequestBody):
    """A measure, and the port, number (masked) or SP that it was taken against."""

    kind: MeasureKind
    at: datetime
    about: str


class CaseItem(RequestBody):
    """A case: one campaign, from all its ports and numbers."""

    number: int
    state: CaseState
    severity: Severity
    category: str
    campaign: str
    complaints: int
    reporters: Annotated[int, Field(description="Each subscriber once.")]
    front_owner: _Organisation
    owner: Annotated[str, Field(description="Empty until it is known.")]
    responsible: Annotated[str, Field(description="Who must act next.")]
    is_assist: Annotated[bool, Field(description="Taken here, and another owner's, till closed.")]
    opened_at: datetime
    grown_at: datetime
    closed_at: datetime | None
    finding: CaseFinding | None
    measures: list[MeasureItem]
    clocks: list[ClockItem]


class JournalItem(RequestBody):
    """An entry of the journal of a case."""

    at: datetime
    by: str
    act: str
    about: str
    note: str


class ComplaintOfCase(RequestBody):
    """A complaint of a case."""

    id: int
    sender: Annotated[str, Field(description="Masked where it is a person's number.")]


class WholeCase(CaseItem):
    """A case with its newest complaints and its journal."""

    newest_complaints: list[ComplaintOfCase]
    journal: list[JournalItem]


class CaseList(RequestBody):
    """Cases, the newest first; `next` is the `before` of the page behind it."""

    cases: list[CaseItem]
    next: int | None
    is_cut: Annotated[
        bool, Field(description="The search opened all that one may: `next` goes on with it.")
    ]


class CaseSearchBody(RequestBody):
    """Which cases are wanted; all that is given must fit. Numbers stand in no URL."""

    state: CaseState | None = None
    owner: Words | None = None
    category: Words | None = None
    campaign: Words | None = None
    overdue: Annotated[bool, Field(description="Open ones with a clock past its limit.")] = False
    is_assist: Annotated[bool, Field(description="Assist tasks alone (R84).")] = False
    sender: Annotated[Words | None, Field(description="A port or number of a complaint.")] = None
    prefix: Annotated[Words | None, Field(description="How such a sender begins.")] = None
    reporter: Annotated[Number | None, Field(description="Who complained; journaled.")] = None
    words: Annotated[Reason | None, Field(description="All in one text; journaled.")] = None
    before: Annotated[int | None, Field(ge=1, le=_LAST_NUMBER)] = None
    limit: Annotated[int, Field(ge=1, le=MOST_LISTED)] = 50


_Note = Annotated[
    Reason | None, Field(description="For its journal, with mobile numbers masked; no texts.")
]


class PlainActBody(RequestBody):
    """An act that its state allows. `to` is the owner: only for dispatch, refuse and assign."""

    act: PlainAct
    to: Annotated[Words | None, Field(examples=["中国联通/广东"])] = None
    note: _Note = None


class MeasureBody(RequestBody):
    """A measure that was taken; the same one again counts once."""

    act: Literal["measure"]
    kind: MeasureKind
    about: Annotated[Words, Field(description="The port, number or SP that it was done to.")]
    at: Moment
    note: _Note = None


class FeedbackBody(RequestBody):
    """What was found. `confirmed` needs `evidence`, and a measure that was noted before."""

    act: Literal["feedback"]
    finding: CaseFinding
    evidence: Annotated[Reason | None, Field(description="Where the evidence is.")] = None
    system_id: Annotated[Words | None, Field(max_length=16)] = None
    answer: Annotated[Reason | None, Field(description="What the subscribers are told.")] = None
    note: _Note = None


def cases(context: ApiContext) -> APIRouter:
    """Return the routes of cases."""
    router, store = APIRouter(tags=["cases"]), CaseStore(context.database)
    desk = CaseDesk(store, context.calendar)
    journals, utcnow = SqlJournals(context.database), context.utcnow

    @router.get("/v1/cases", summary="List cases (派单)")
    async def listed(
        _client: CaseReader,
        state: CaseState | None = None,
        owner: Annotated[str | None, Query(max_length=64)] = None,
        category: Annotated[str | None, Query(max_length=32)] = None,
        overdue: bool = False,  # noqa: FBT001, FBT002 - by name in the URL
        before: Annotated[int | None, Query(ge=1, le=_LAST_NUMBER)] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 50,
    ) -> CaseList:
        """Return cases in a state, of an owner, of a category or overdue, the newest first."""
        now = utcnow()
        wanted = CaseFilter(state, owner, category, overdue_at=_at_if(now, overdue))
        return _listed(await store.search(wanted, before=before, limit=limit), now)

    @router.post("/v1/cases/search", summary="Search cases")
    async def searched(asked: CaseSearchBody, client: CaseReader) -> CaseList:
        """Return cases by sender, reporter or words of the text, the newest first.

        These are sealed: at most 500 cases are opened for one answer. A look for a person, or into
        texts, is journaled before it is done.
        """
        return await _searched(store, journals, asked, client, utcnow())

    @router.get("/v1/cases/{number}", summary="Look at a case")
    async def whole(number: _Number, _client: CaseReader) -> WholeCase:
        """Return a case with its newest complaints and its journal; numbers are masked."""
        case = await store.get(number)
        if case is None:
            raise ProblemError(Problem.NOT_FOUND)
        complaints = await store.complaints_of(number, _MOST_COMPLAINTS)
        return WholeCase(
            **_fields(case, utcnow()),
            newest_complaints=[
                ComplaintOfCase(id=one, sender=_shown(sender)) for one, sender in complaints
            ],
            journal=[_entry(one) for one in await store.journal_of(number)],
        )

    @router.post("/v1/cases/{number}/acts", summary="Act on a case")
    async def act(
        number: _Number, asked: PlainActBody | MeasureBody | FeedbackBody, client: CaseOfficer
    ) -> CaseItem:
        """Do to a case what its state allows, and note the client in its journal.

        A case in another state is a 409 that tells why; a confirmed finding without a measure that
        was noted before, or without evidence, is a 422 (R85). To refer a case to an authority takes
        two persons, who are no clients: `smsward cases refer`.
        """
        now = utcnow()
        who = Actor(client.name, now, asked.note or "")
        try:
            case = await _done(desk, number, asked, who)
        except ValueError as error:  # an owner that is missing, say
            raise ProblemError(Problem.NOT_AS_DESCRIBED, str(error)) from error
        if isinstance(case, CaseRefusal):
            raise _refused(case)
        return CaseItem(**_fields(case, now))

    return router


API = SystemApi((cases,))


async def _searched(
    store: CaseStore,
    journals: SqlJournals,
    asked: CaseSearchBody,
    client: ApiClient,
    now: datetime,
) -> CaseList:
    wanted = CaseFilter(
        **asked.model_dump(exclude={"overdue", "before", "limit"}),
        overdue_at=_at_if(now, asked.overdue),
    )
    about = wanted.journaled()
    if about:
        access = NewAccess(f"api: {client.name}", "cases search", "", about, now)
        await journals.note_access(access)
    return _listed(await store.search(wanted, before=asked.before, limit=asked.limit), now)


def _at_if(now: datetime, is_wanted: bool) -> datetime | None:  # noqa: FBT001 - of a field
    return now if is_wanted else None


async def _done(
    desk: CaseDesk, number: int, asked: PlainActBody | MeasureBody | FeedbackBody, who: Actor
) -> Case | CaseRefusal:
    match asked:
        case PlainActBody(act=act, to=to):
            return await desk.act(act, number, to or "", who)
        case MeasureBody(kind=kind, about=about, at=at):
            return await desk.measure(number, CaseMeasure(kind, at, about), who)
        case FeedbackBody():
            found = CaseFeedback(
                asked.finding, (), asked.evidence or "", asked.system_id or "", asked.answer or ""
            )
            return await desk.feedback(number, found, who)


def _refused(case: CaseRefusal) -> ProblemError:
    if case.state is None:
        return ProblemError(Problem.NOT_FOUND)
    problem = Problem.NOT_AS_DESCRIBED if case.is_incomplete else Problem.CONFLICT
    return ProblemError(problem, case.why)


def _listed(page: CasePage, now: datetime) -> CaseList:
    items = [CaseItem(**_fields(one, now)) for one in page.cases]
    return CaseList(cases=items, next=page.before, is_cut=page.is_cut)


def _fields(case: Case, now: datetime) -> dict[str, Any]:
    measures = [
        MeasureItem(kind=one.kind, at=one.at, about=_shown(one.about)) for one in case.measures
    ]
    clocks = [
        ClockItem(
            name=one.name,
            start=one.start,
            due=one.due,
            stop=one.stop,
            is_overdue=one.is_overdue(now),
        )
        for one in case.clocks
    ]
    plain = CaseItem.model_fields.keys() - {"measures", "clocks"}
    return {name: getattr(case, name) for name in plain} | {"measures": measures, "clocks": clocks}


def _entry(one: CaseEntry) -> JournalItem:
    return JournalItem(at=one.at, by=one.by, act=one.act, about=one.about, note=one.note)


def _shown(address: str) -> str:
    return masked(address) if is_mobile(address.encode()) else address
