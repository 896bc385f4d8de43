"""Pages: who did what, with filters; the chain, verified; entries as a file."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from gateway.domain.audit import ActFilter, AuditKind, kind_of
from gateway.domain.permissions import Permission
from gateway.domain.records import Access, NewAccess
from gateway.storage.audit_pages import LOOKED_AT
from gateway.storage.journals import SqlJournals
from gateway.systems.audit.service import ChainVerification, export_lines
from gateway.terminal.screen import visible
from gateway.web.pages import PageLink, allowed, form_of, last_part, marked
from gateway.web.systems import PageContext, SystemPages

AUDIT = PageLink("/audit", marked("Audit"), Permission.READ_AUDIT, order=150)
CHAIN = "/audit/chain"
PAGE_ROWS = 50

KINDS = {
    AuditKind.SIGN_IN: marked("Sign-ins"),
    AuditKind.USERS: marked("Users"),
    AuditKind.LOOK: marked("Looks at texts and numbers"),
    AuditKind.DECISION: marked("Decisions"),
    AuditKind.POLICY: marked("Policies"),
    AuditKind.CONSENT: marked("Answers of subscribers"),
    AuditKind.EXPORT: marked("Exports"),
    AuditKind.SANCTION: marked("Sanctions"),
    AuditKind.OPERATION: marked("Orders to the gateway"),
    AuditKind.APPROVAL: marked("Approvals of two persons"),
    AuditKind.OTHER: marked("Other acts"),
}
JOURNALS = {"access_log": marked("Audit"), "purge_log": marked("Purges")}
PROBLEMS = {
    "it was changed": marked("it was changed"),
    "it is missing": marked("it is missing"),
    "what refuses changes was taken away": marked("what refuses changes was taken away"),
}
_NO_SUCH = marked("Nothing can fit this: check the kind, the days and the number.")
_MAX_FILTER_CHARS = 64
_ANY = ""


@dataclass(frozen=True, slots=True)
class EntryQuery:
    """What the page shows, as its address says it; days are of UTC, the last one is meant too."""

    kind: str = _ANY
    by: str = ""
    about: str = ""
    since: str = ""
    until: str = ""
    before: str = ""

    @property
    def is_sound(self) -> bool:
        """Tell whether any entry can fit."""
        words = (self.by, self.about)
        return (
            self.kind in (_ANY, *AuditKind)
            and all(word.isprintable() and len(word) <= _MAX_FILTER_CHARS for word in words)
            and all(not one or _day(one) is not None for one in (self.since, self.until))
            and (not self.before or (self.before.isascii() and self.before.isdigit()))
            and len(self.before) < len(str(2**63))
        )

    @property
    def wanted(self) -> ActFilter:
        """Return what the store is asked for."""
        since, until = _day(self.since), _day(self.until)
        return ActFilter(
            AuditKind(self.kind) if self.kind else None,
            self.by,
            self.about,
            since,
            None if until is None else until + timedelta(days=1),
        )

    @property
    def fields(self) -> dict[str, str]:
        """Return what is asked for, by its name."""
        return {name: value for name, value in asdict(self).items() if value}

    def path(self) -> str:
        """Return the address of the page with this query."""
        return f"{AUDIT.path}?{urlencode(self.fields)}" if self.fields else AUDIT.path


def _day(text: str) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        return None


class AuditReading:
    """Answers the requests of auditors."""

    def __init__(self, context: PageContext) -> None:
        self.journals = SqlJournals(context.database)
        self.templates, self.utcnow = context.templates, context.utcnow
        self.chain = ChainVerification(self.journals, self.utcnow)

    async def shown(self, request: Request) -> Response:
        """Return the entries that are meant, the newest first."""
        query, problem, status = _query_of(request.query_params), "", 200
        found: list[Access] = []
        behind: int | None = None
        if query.is_sound:
            before = int(query.before) if query.before else None
            found, behind = await self.journals.page(PAGE_ROWS, query.wanted, before)
        else:
            problem, status = self.templates.said(request, _NO_SUCH), 422
        values = {
            "query": query,
            "kinds": {kind: self.templates.said(request, word) for kind, word in KINDS.items()},
            "found": [_listed(one) for one in found],
            "older": "" if behind is None else replace(query, before=str(behind)).path(),
            "looked_at": LOOKED_AT if behind is not None and len(found) < PAGE_ROWS else 0,
            "newest": replace(query, before="").path() if query.before else "",
            "problem": problem,
            **self._of_chain(request),
        }
        return self.templates.page(request, "audit/audit.html", values, status)

    def chain_shown(self, request: Request) -> Response:
        """Return the part of the page that tells of the chain."""
        answer = self.templates.page(request, "audit/chain.html", self._of_chain(request))
        return answer if self.chain.is_running else last_part(answer)

    def _of_chain(self, request: Request) -> dict[str, object]:
        said = self.templates.said
        return {
            "chain": self.chain,
            "journals": {name: said(request, word) for name, word in JOURNALS.items()},
            "problems": {name: said(request, word) for name, word in PROBLEMS.items()},
        }

    async def exported(self, request: Request) -> Response:
        """Return entries as a file; that it was asked for is in the audit before."""
        query = replace(_query_of(await form_of(request)), before="")
        if not query.is_sound:
            return await self.shown(request)
        by, now = f"user: {request.state.user.name}", self.utcnow()
        about = f"entries of {query.kind or 'every kind'}"
        await self.journals.note_access(NewAccess(by, "audit export", "", about, now))
        lines: AsyncIterator[bytes] = export_lines(self.journals, query.wanted, by, now)
        name = f"audit-{now:%Y%m%dT%H%M%SZ}.jsonl"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(lines, media_type="application/x-ndjson", headers=headers)


def audit_pages(context: PageContext) -> APIRouter:
    """Return the pages of the audit."""
    reading = AuditReading(context)
    router = APIRouter(include_in_schema=False, dependencies=[allowed(AUDIT.permission)])

    @router.get(AUDIT.path)
    async def show(request: Request) -> Response:
        return await reading.shown(request)

    @router.get(CHAIN)
    async def show_chain(request: Request) -> Response:
        return reading.chain_shown(request)

    @router.post("/audit/verify")
    async def verify() -> Response:
        reading.chain.start()
        return RedirectResponse(AUDIT.path, status_code=303)

    @router.post("/audit/export")
    async def export(request: Request) -> Response:
        return await reading.exported(request)

    return router


PAGES = SystemPages((audit_pages,), (AUDIT,), polled=(CHAIN,))


def _query_of(given: Mapping[str, str]) -> EntryQuery:
    usual = asdict(EntryQuery())
    return EntryQuery(**{name: given.get(name, value).strip() for name, value in usual.items()})


def _listed(entry: Access) -> dict[str, object]:
    return {
        "number": entry.number,
        "at": entry.at,
        "kind": kind_of(entry.action),
        "action": visible(entry.action),
        "by": visible(entry.by),
        "about": visible(entry.about),
        "reason": visible(entry.reason),
    }
