"""Pages: early warnings with their evidence and answers, and sanctions that two persons undo."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from gateway.domain.msisdn import is_mobile, masked
from gateway.domain.permissions import Permission, UserScope
from gateway.domain.sanction import (
    PAGE_USER,
    ReopeningTerms,
    Sanction,
    SanctionRefusal,
    SanctionState,
    SanctionStep,
    as_given,
)
from gateway.domain.warning import ARTICLES, EarlyWarning, WarningNote, WarningState
from gateway.runtime.masking import masked_text
from gateway.systems.early_warnings.sanction_store import GIVEN, SanctionStore
from gateway.systems.early_warnings.sql import WarningStore
from gateway.terminal.arguments import said
from gateway.terminal.screen import visible
from gateway.web.pages import (
    PageLink,
    PageUser,
    allowed,
    allowed_on,
    form_of,
    language_of,
    marked,
)
from gateway.web.systems import PageContext, SystemPages

_OF_ONE_SP = frozenset({UserScope.SYSTEM_ID})
WARNINGS = PageLink(
    "/warnings", marked("Warnings"), Permission.READ_WARNINGS, frozenset(UserScope), order=100
)
_SANCTIONS = PageLink("", "", Permission.READ_WARNINGS, _OF_ONE_SP)
_ANSWERS = PageLink("", "", Permission.ANSWER_WARNINGS, _OF_ONE_SP)
SANCTIONS = "/sanctions"
PAGE_ROWS = 50

_ANY = "any"
_LAST_NUMBER = 2**63 - 1
_MAX_CHARS = 16
_MOST_DAYS, _MOST_DAILY = 366, 100_000_000
STATES = {
    WarningState.OPEN: marked("open"),
    WarningState.ESCALATED: marked("escalated"),
    WarningState.ANSWERED: marked("answered"),
    WarningState.CLOSED: marked("closed"),
}
SANCTION_STATES = {
    SanctionState.PROPOSED: marked("proposed"),
    SanctionState.APPLIED: marked("applied"),
    SanctionState.DISMISSED: marked("dismissed"),
    SanctionState.REOPENED: marked("reopened"),
}
STEPS = {
    SanctionStep.NOTICE: marked("notice to the SP"),
    SanctionStep.SUSPEND: marked("suspension of the port"),
    SanctionStep.CLOSE: marked("closing of the SP"),
}
REFUSALS = {
    SanctionRefusal.MISSING: marked("There is no such sanction."),
    SanctionRefusal.STATE: marked("The state of the sanction does not allow it."),
    SanctionRefusal.ASKED: marked("Somebody has asked for that already."),
    SanctionRefusal.SAME_PERSON: marked("You asked for it: another person must decide."),
    SanctionRefusal.OTHER_CHANNEL: marked(
        "It was asked for on the command line or over the API: decide on it there."
    ),
    SanctionRefusal.OTHER_TERMS: marked("The terms are others meanwhile: read them again."),
}
_NEEDS_NOTE = marked("Say why: the note is kept.")
_NO_NUMBERS = marked("The days are 1 to 366, and the messages a day at least 1.")
_HANDLED = marked("Somebody has answered or closed it meanwhile.")


@dataclass(frozen=True, slots=True)
class WarningListQuery:
    """What a list of warnings shows, as its address says it."""

    state: str = _ANY
    system_id: str = ""
    only: str = ""
    before: str = ""

    @property
    def is_sound(self) -> bool:
        """Tell whether any warning can fit."""
        return (
            self.state in (_ANY, *WarningState)
            and self.only in ("", "violations", "overdue")
            and self.system_id.isprintable()
            and len(self.system_id) <= _MAX_CHARS
            and (not self.before or number_in(self.before) is not None)
        )

    def path(self, **more: str) -> str:
        """Return the address of the list with this query."""
        usual, own = asdict(WarningListQuery()), asdict(self)
        fields = {name: value for name, value in own.items() if value != usual[name]} | more
        return f"{WARNINGS.path}?{urlencode(fields)}" if fields else WARNINGS.path


def number_in(text: str) -> int | None:
    """Return the number that a path or a query has; None for what can be none."""
    is_number = text.isascii() and text.isdigit() and len(text) < len(str(_LAST_NUMBER))
    return int(text) or None if is_number else None


class WarningPages:
    """Answers the requests of staff, and of SPs about their own warnings."""

    def __init__(self, context: PageContext) -> None:
        self.warnings = WarningStore(context.database)
        self.sanctions = SanctionStore(context.database)
        self.templates, self.utcnow = context.templates, context.utcnow
        self.ports_of = context.ports_of

    async def listed(self, request: Request) -> Response:
        """Return warnings, the newest first; an SP and an authority see their own."""
        own = _own_of(request.state.user)
        query = _query_of(request.query_params)
        found: list[EarlyWarning] = []
        if query.is_sound:
            found = await self.warnings.find(
                system_id=own or query.system_id or None,
                state=None if query.state == _ANY else WarningState(query.state),
                violations=query.only == "violations",
                overdue_at=self.utcnow() if query.only == "overdue" else None,
                before=number_in(query.before),
                limit=PAGE_ROWS,
                ports=await self.ports_of(request.state.user),
            )
        is_full = len(found) == PAGE_ROWS
        values = {
            "query": query,
            "is_own": own is not None,
            "may_see_sanctions": _SANCTIONS.is_for(request.state.user),
            "states": STATES,
            "found": [self._row(request, one) for one in found],
            "older": replace(query, before=str(found[-1].number)).path() if is_full else "",
        }
        return self.templates.page(
            request, "early_warnings/list.html", values, 200 if query.is_sound else 422
        )

    def _row(self, request: Request, one: EarlyWarning) -> dict[str, object]:
        gathered, kind = one.gathered, one.gathered.kind
        is_waiting = one.state in {WarningState.OPEN, WarningState.ESCALATED}
        return {
            "number": one.number,
            "code": kind.code.value,
            "title": kind.code.zh if language_of(request) == "zh" else kind.code.en,
            "rule": visible(kind.rule),
            "system_id": visible(kind.system_id),
            "port": visible(port_shown(kind.port)),
            "state": STATES[one.state],
            "severity": gathered.severity or "",
            "count": gathered.count,
            "on_trial": gathered.on_trial,
            "first_at": gathered.first_at,
            "last_at": gathered.last_at,
            "due_at": one.due_at,
            "is_overdue": is_waiting and one.due_at <= self.utcnow(),
            "is_waiting": is_waiting,
        }

    async def _found(self, request: Request, number: str) -> EarlyWarning:
        """Return a warning that the user may see. Raises HTTPException."""
        key, own = number_in(number), _own_of(request.state.user)
        one = None if key is None else await self.warnings.get(key)
        if one is None or own not in (None, one.gathered.kind.system_id):
            raise HTTPException(404)
        ports = await self.ports_of(request.state.user)
        if ports is not None and one.gathered.kind.port not in ports:
            raise HTTPException(404)
        return one

    async def shown(
        self, request: Request, number: str, problem: str = "", status: int = 200
    ) -> Response:
        """Return a warning with its evidence."""
        one, user = await self._found(request, number), request.state.user
        may_look = user.may(Permission.READ_HELD) and not user.is_limited
        gathered, is_open = one.gathered, one.state is not WarningState.CLOSED
        row = self._row(request, one)
        values = {
            "one": row,
            "article": ARTICLES.get(gathered.kind.code, ""),
            "category": visible(gathered.category),
            "campaign": gathered.campaign if may_look else "",
            "samples": [(visible(each), may_look and _is_held(each)) for each in gathered.samples],
            "answer": _note(one.answer),
            "closing": _note(one.closing),
            "escalated_at": one.escalated_at,
            "may_answer": row["is_waiting"] and user.may(Permission.ANSWER_WARNINGS),
            "may_close": is_open and user.may(Permission.CLOSE_WARNINGS) and not user.is_limited,
            "problem": self.templates.said(request, problem) if problem else "",
        }
        return self.templates.page(request, "early_warnings/warning.html", values, status)

    async def noted(
        self, request: Request, number: str, keep: Callable[[int, WarningNote], Awaitable[bool]]
    ) -> Response:
        """Answer or close a warning; 409 if another was faster."""
        one = await self._found(request, number)
        note = _written(await form_of(request), "note")
        if not note:
            return await self.shown(request, number, _NEEDS_NOTE, 422)
        user = request.state.user
        by = _own_of(user) or who(user)  # an SP answers under its own name
        if not await keep(one.number, WarningNote(by, self.utcnow(), note)):
            return await self.shown(request, number, _HANDLED, 409)
        return RedirectResponse(f"{WARNINGS.path}/{one.number}", status_code=303)

    # Sanctions

    async def sanction_list(self, request: Request) -> Response:
        """Return sanctions, the newest first; an SP sees those that it was given."""
        own, given = _own_of(request.state.user), request.query_params
        state, before = given.get("state", _ANY), number_in(given.get("before", ""))
        is_sound = state in (_ANY, *SanctionState)
        found: list[Sanction] = []
        if is_sound:
            wanted = None if state == _ANY else SanctionState(state)
            found = await self.sanctions.find(
                system_id=own, state=wanted, given=own is not None, before=before, limit=PAGE_ROWS
            )
        more = {"state": state, "before": str(found[-1].number)} if len(found) == PAGE_ROWS else {}
        values = {
            "state": state,
            "states": SANCTION_STATES,
            "found": [_sanction_row(one) for one in found],
            "older": f"{SANCTIONS}?{urlencode(more)}" if more else "",
        }
        return self.templates.page(
            request, "early_warnings/sanctions.html", values, 200 if is_sound else 422
        )

    async def sanction(
        self, request: Request, number: str, problem: str = "", status: int = 200
    ) -> Response:
        """Return a sanction, and what the user may decide on it."""
        one, user = await self._sanction(request, number), request.state.user
        may_decide = user.may(Permission.DECIDE_SANCTIONS) and not user.is_limited
        asked, is_applied = one.reopening, one.state is SanctionState.APPLIED
        refusal = None if asked is None else asked.refusal_of(who(user))
        values = {
            "one": _sanction_row(one),
            "sanction": one,
            "note": visible(one.note),
            "is_own": user.is_limited,
            "terms": None if asked is None else _terms(asked),
            "may_apply": may_decide and one.state is SanctionState.PROPOSED,
            "may_ask": may_decide
            and is_applied
            and asked is None
            and one.step is not SanctionStep.NOTICE,
            "may_reopen": may_decide and is_applied and asked is not None and refusal is None,
            "waits": is_applied and asked is not None and refusal is not None and may_decide,
            "why_not": REFUSALS[refusal] if refusal else "",
            "problem": self.templates.said(request, problem) if problem else "",
        }
        return self.templates.page(request, "early_warnings/sanction.html", values, status)

    async def _sanction(self, request: Request, number: str) -> Sanction:
        key, own = number_in(number), _own_of(request.state.user)
        one = None if key is None else await self.sanctions.get(key)
        if one is None or (own is not None and (one.system_id != own or one.state not in GIVEN)):
            raise HTTPException(404)
        return one if own is None else as_given(one)

    async def decided(self, request: Request, number: str, act: str) -> Response:
        """Do to a sanction what a button says; 409 where it is not allowed."""
        one, given = await self._sanction(request, number), await form_of(request)
        by, now, note = who(request.state.user), self.utcnow(), _written(given, "note")
        if act != "approve" and not note:
            return await self.sanction(request, number, _NEEDS_NOTE, 422)
        match act:
            case "apply" | "dismiss":
                is_applied = act == "apply"
                state = SanctionState.APPLIED if is_applied else SanctionState.DISMISSED
                after = await self.sanctions.decide(one.number, state, WarningNote(by, now, note))
            case "reopen":
                days, daily = (number_in(given.get(name, "")) for name in ("days", "daily_max"))
                conditions = _written(given, "conditions")
                if not days or not daily or days > _MOST_DAYS or daily > _MOST_DAILY:
                    return await self.sanction(request, number, _NO_NUMBERS, 422)
                terms = ReopeningTerms(by, now, note, conditions, days, daily)
                after = await self.sanctions.ask_reopening(one.number, terms)
            case "approve":
                terms_seen = given.get("terms", "")
                after = await self.sanctions.approve_reopening(one.number, terms_seen, by, now)
            case _:
                after = await self.sanctions.decline_reopening(
                    one.number, WarningNote(by, now, note)
                )
        if isinstance(after, SanctionRefusal):
            return await self.sanction(request, number, REFUSALS[after], 409)
        return RedirectResponse(f"{SANCTIONS}/{one.number}", status_code=303)


def warning_pages(context: PageContext) -> APIRouter:
    """Return the pages of warnings and sanctions."""
    router, pages = APIRouter(include_in_schema=False), WarningPages(context)
    may_read, may_answer = [allowed_on(WARNINGS)], [allowed_on(_ANSWERS)]
    may_see_sanctions = [allowed_on(_SANCTIONS)]
    may_decide = [allowed(Permission.DECIDE_SANCTIONS)]

    @router.get(WARNINGS.path, dependencies=may_read)
    async def listed(request: Request) -> Response:
        return await pages.listed(request)

    @router.get(WARNINGS.path + "/{number}", dependencies=may_read)
    async def shown(request: Request, number: str) -> Response:
        return await pages.shown(request, number)

    @router.post(WARNINGS.path + "/{number}/answer", dependencies=may_answer)
    async def answered(request: Request, number: str) -> Response:
        return await pages.noted(request, number, pages.warnings.answer)

    @router.post(
        WARNINGS.path + "/{number}/close", dependencies=[allowed(Permission.CLOSE_WARNINGS)]
    )
    async def closed(request: Request, number: str) -> Response:
        return await pages.noted(request, number, pages.warnings.close)

    @router.get(SANCTIONS, dependencies=may_see_sanctions)
    async def sanction_list(request: Request) -> Response:
        return await pages.sanction_list(request)

    @router.get(SANCTIONS + "/{number}", dependencies=may_see_sanctions)
    async def sanction(request: Request, number: str) -> Response:
        return await pages.sanction(request, number)

    for act in ("apply", "dismiss", "reopen", "approve", "decline"):
        _add_act(router, pages, act, may_decide)
    return router


PAGES = SystemPages((warning_pages,), (WARNINGS,))


def _add_act(router: APIRouter, pages: WarningPages, act: str, may: Sequence[Any]) -> None:
    @router.post(f"{SANCTIONS}/{{number}}/{act}", dependencies=may)
    async def decided(request: Request, number: str) -> Response:
        return await pages.decided(request, number, act)


def who(user: PageUser) -> str:
    """Return a user as journals and decisions name one."""
    return f"{PAGE_USER}{user.name}"


def _own_of(user: PageUser) -> str | None:
    """Return the SP that a user sees alone, None for all."""
    return user.limits.get(UserScope.SYSTEM_ID)


def _query_of(given: Mapping[str, str]) -> WarningListQuery:
    usual = asdict(WarningListQuery())
    return WarningListQuery(
        **{name: given.get(name, value).strip() for name, value in usual.items()}
    )


def _written(given: Mapping[str, str], name: str) -> str:
    return masked_text(said(given.get(name, "")))


def port_shown(port: str) -> str:
    """Return a port, masked where it is a person's number."""
    return masked(port) if is_mobile(port.encode()) else port


def _is_held(sample: str) -> bool:
    """Tell whether a sample is the id of a message that the gateway has issued."""
    return sample.isascii() and sample.isdigit()


def _note(note: WarningNote | None) -> dict[str, object] | None:
    if note is None:
        return None
    return {"by": visible(note.by), "at": note.at, "note": visible(note.note)}


def _sanction_row(one: Sanction) -> dict[str, object]:
    return {
        "number": one.number,
        "warning": one.warning,
        "system_id": visible(one.system_id),
        "port": visible(port_shown(one.port)),
        "severity": one.severity,
        "step": STEPS[one.step],
        "state": SANCTION_STATES[one.state],
        "proposed_at": one.proposed_at,
        "decided_at": one.decided_at,
        "decided_by": visible(one.decided_by),
        "probation_until": one.probation_until,
    }


def _terms(asked: ReopeningTerms) -> dict[str, object]:
    return {
        "by": visible(asked.by),
        "at": asked.at,
        "reason": visible(asked.reason),
        "conditions": visible(asked.conditions),
        "days": asked.days,
        "daily_max": asked.daily_max,
        "digest": asked.digest,
    }
