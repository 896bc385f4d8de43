"""Pages: complaints of subscribers, what became of each, and its text, numbers masked."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request, Response

from gateway.domain.msisdn import masked
from gateway.domain.permissions import Permission, UserScope
from gateway.domain.records import NewAccess
from gateway.storage.journals import SqlJournals
from gateway.systems.complaints.model import (
    INFO_WITHIN,
    Complaint,
    ComplaintSource,
    ComplaintState,
    InvalidReason,
)
from gateway.systems.complaints.sql import ComplaintStore
from gateway.terminal.screen import masked_source, visible
from gateway.web.pages import PageLink, allowed_on, marked
from gateway.web.systems import PageContext, SystemPages

COMPLAINTS = PageLink(
    "/complaints",
    marked("Complaints"),
    Permission.READ_COMPLAINTS,
    frozenset({UserScope.PROVINCE}),
    order=80,
)
PAGE_ROWS = 50

_ANY = "any"
_LAST_NUMBER = 2**63 - 1
_MAX_SENDER_CHARS = 20
STATES = {
    ComplaintState.RECEIVED: marked("received"),
    ComplaintState.NEED_INFO: marked("lacks something"),
    ComplaintState.VALID: marked("valid"),
    ComplaintState.INVALID: marked("invalid"),
    ComplaintState.CLUSTERED: marked("in a case"),
    ComplaintState.CLOSED: marked("answered and closed"),
}
REASONS = {
    InvalidReason.INCOMPLETE: marked("nothing more came within 7 days"),
    InvalidReason.NO_RECORD: marked("no record of such a message"),
    InvalidReason.CONSENTED: marked("the subscriber had agreed"),
    InvalidReason.DUPLICATE: marked("complained of before"),
    InvalidReason.OUT_OF_WINDOW: marked("the message is too old"),
}
SOURCES = {
    ComplaintSource.CUSTOMER_SERVICE: marked("customer service"),
    ComplaintSource.MO: marked("by SMS"),
    ComplaintSource.CLIENT: marked("by app"),
    ComplaintSource.AUTHORITY: marked("12321"),
    ComplaintSource.CARRIER: marked("another carrier"),
    ComplaintSource.LINKAGE: marked("the linkage"),
    ComplaintSource.PROBE: marked("a probe"),
    ComplaintSource.MONITOR: marked("monitoring"),
}


@dataclass(frozen=True, slots=True)
class ComplaintListQuery:
    """What a list of complaints shows, as its address says it; a sender is a port."""

    state: str = _ANY
    source: str = _ANY
    port: str = ""
    before: str = ""

    @property
    def is_sound(self) -> bool:
        """Tell whether any complaint can fit. A person's number stands in no address."""
        is_port = not self.port or (
            self.port.isascii()
            and self.port.isdigit()
            and len(self.port) <= _MAX_SENDER_CHARS
            and masked_source(self.port) == self.port
        )
        return (
            self.state in (_ANY, *ComplaintState)
            and self.source in (_ANY, *ComplaintSource)
            and is_port
            and (not self.before or number_in(self.before) is not None)
        )

    def path(self) -> str:
        """Return the address of the list with this query."""
        usual, own = asdict(ComplaintListQuery()), asdict(self)
        fields = {name: value for name, value in own.items() if value != usual[name]}
        return f"{COMPLAINTS.path}?{urlencode(fields)}" if fields else COMPLAINTS.path


def number_in(text: str) -> int | None:
    """Return the number that a path or a query has; None for what can be none."""
    is_number = text.isascii() and text.isdigit() and len(text) < len(str(_LAST_NUMBER))
    return int(text) or None if is_number else None


class ComplaintPages:
    """Answers the requests of people who read complaints; `mask` hides numbers in texts."""

    def __init__(self, context: PageContext) -> None:
        self.store, self.journals = ComplaintStore(context.database), SqlJournals(context.database)
        self.templates, self.utcnow = context.templates, context.utcnow
        self.mask, self.ports_of = context.mask, context.ports_of

    async def listed(self, request: Request) -> Response:
        """Return complaints, the newest first, without texts; of a province those of its ports."""
        query, user = _query_of(request.query_params), request.state.user
        ports = await self.ports_of(user)
        found: list[Complaint] = []
        if query.is_sound:
            found = await self.store.find(
                state=None if query.state == _ANY else query.state,
                source=None if query.source == _ANY else query.source,
                port=query.port or None,
                before=number_in(query.before),
                limit=PAGE_ROWS,
                ports=ports,
            )
        is_full = len(found) == PAGE_ROWS
        values = {
            "query": query,
            "states": STATES,
            "sources": SOURCES,
            "found": [self._row(one) for one in found],
            "older": replace(query, before=str(found[-1].number)).path() if is_full else "",
            "is_sound": query.is_sound,
            "may_read_case": user.may(Permission.READ_CASES) and not user.is_limited,
            # Of complaints of other provinces, and of none, an authority sees how many there are.
            "totals": {} if ports is None else await self.store.counts(),
        }
        status = 200 if query.is_sound else 422
        return self.templates.page(request, "complaints/list.html", values, status)

    def _row(self, one: Complaint) -> dict[str, object]:
        waits = one.state is ComplaintState.NEED_INFO
        due = one.taken_at + INFO_WITHIN if waits else None
        return {
            "number": one.number,
            "state": STATES[one.state],
            "reason": "" if one.invalid_reason is None else REASONS[one.invalid_reason],
            "source": SOURCES[one.source],
            "sender": visible(masked_source(one.sender)),
            "system_id": visible(one.system_id),
            "category": visible(one.category),
            "reporter": "" if one.reporter is None else masked(one.reporter),
            "case": one.case_number,
            "taken_at": one.taken_at,
            "due": due,
            "is_overdue": due is not None and due <= self.utcnow(),
        }

    async def shown(self, request: Request, number: str) -> Response:
        """Return a complaint with its text. The look is in the journal by then."""
        key, user = number_in(number), request.state.user
        one = None if key is None else await self.store.get(key)
        ports = await self.ports_of(user)
        if one is None or (ports is not None and one.port not in ports):
            raise HTTPException(404)
        about = f"complaint {one.number}"
        look = NewAccess(f"user: {user.name}", "complaints show", "", about, self.utcnow())
        await self.journals.note_access(look)
        values = {
            "one": self._row(one),
            "complaint": one,
            "port": visible(masked_source(one.port)),
            "lines": [visible(line) for line in self.mask(one.text).split("\n")],
            "by": visible(self.mask(one.by)),
            "may_read_case": user.may(Permission.READ_CASES) and not user.is_limited,
        }
        return self.templates.page(request, "complaints/complaint.html", values)


def complaint_pages(context: PageContext) -> APIRouter:
    """Return the pages of complaints."""
    router, pages = APIRouter(include_in_schema=False), ComplaintPages(context)
    may_read = [allowed_on(COMPLAINTS)]

    @router.get(COMPLAINTS.path, dependencies=may_read)
    async def listed(request: Request) -> Response:
        return await pages.listed(request)

    @router.get(COMPLAINTS.path + "/{number}", dependencies=may_read)
    async def shown(request: Request, number: str) -> Response:
        return await pages.shown(request, number)

    return router


PAGES = SystemPages((complaint_pages,), (COMPLAINTS,))


def _query_of(given: Mapping[str, str]) -> ComplaintListQuery:
    usual = asdict(ComplaintListQuery())
    return ComplaintListQuery(
        **{name: given.get(name, value).strip() for name, value in usual.items()}
    )
