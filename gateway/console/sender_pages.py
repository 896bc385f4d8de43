"""Pages: SPs with what they have filed, and what is kept of one subscriber's number."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request, Response

from gateway.console.held_review import masked_numbers
from gateway.console.session_pages import sender_shown, worded
from gateway.domain.consent import ConsentAnswer
from gateway.domain.filings import (
    Approval,
    Filing,
    Licence,
    PortScope,
    Signature,
    Template,
    end_of,
)
from gateway.domain.live import LiveSender
from gateway.domain.msisdn import SHORTEST_NUMBER, masked, msisdn_of
from gateway.domain.permissions import Permission, UserScope
from gateway.domain.preferences import Preference, PreferenceKind
from gateway.domain.records import NewAccess
from gateway.domain.subscription import Subscription
from gateway.domain.suspension import Suspension
from gateway.storage.database import Database
from gateway.systems.complaints.model import Complaint
from gateway.systems.complaints.sql import ComplaintStore
from gateway.systems.consent.sql import ConsentStore
from gateway.systems.filings.filing_table import (
    days_left,
    kind_of,
    name_of,
    senders_in,
    summed_of,
    within_province,
)
from gateway.systems.filings.sql import FilingStore
from gateway.systems.preferences.sql import PreferenceStore
from gateway.systems.subscriptions.sql import SubscriptionStore
from gateway.systems.suspensions.sql import SuspensionStore
from gateway.terminal.control import AskGateway
from gateway.terminal.failure import CommandError
from gateway.terminal.screen import masked_source, visible
from gateway.web.pages import PageLink, PageUser, Templates, allowed_on, form_of, marked

SENDERS = PageLink(
    "/senders", marked("Senders"), Permission.READ_FILINGS, frozenset(UserScope), order=30
)
NUMBERS = PageLink("/numbers", marked("Numbers"), Permission.READ_SUBSCRIBERS, order=60)

_KINDS = {
    "licence": marked("licence"),
    "signature": marked("signature"),
    "template": marked("template"),
    "scope": marked("scope of a port"),
    "approval": marked("approval"),
}
_SOON_DAYS = 30
_MOST_COMPLAINTS, _MOST_ORDERS, _MOST_FILINGS = 50, 200, 1000
_NO_NUMBER = marked("This is no number of a subscriber: digits only, bare or with 86.")


@dataclass(frozen=True, slots=True)
class SenderDesk:
    """Shows SPs as the running gateway knows them, beside what they have filed."""

    filings: FilingStore
    ask: AskGateway
    templates: Templates

    async def shown(self, request: Request) -> Response:
        """Return the list of SPs, or one with its filings; what the user is limited to."""
        user: PageUser = request.state.user
        filed = _within(await self.filings.all_filings(), user)
        live, problem = await self._live(user)
        names = sorted({*senders_in(filed), *live})
        chosen = request.query_params.get("system_id", "")
        own = user.limits.get(UserScope.SYSTEM_ID)
        if own is not None:
            names, chosen = [own], own
        is_known = chosen in names
        values = {
            "listed": [(summed_of(name, filed), live.get(name)) for name in names],
            "chosen": chosen if is_known else "",
            "unknown": visible(chosen) if chosen and not is_known else "",
            "sender": sender_shown(live[chosen]) if chosen in live else None,
            "filed": _rows(filed, chosen) if is_known else (),
            "kinds": {name: self.templates.said(request, said) for name, said in _KINDS.items()},
            "soon": _SOON_DAYS,
            "problem": problem,
            "may_act": user.may(Permission.ACT_ON_OPERATIONS),
        }
        status = 404 if values["unknown"] else 200
        return self.templates.page(request, "console/senders.html", values, status)

    async def _live(self, user: PageUser) -> tuple[dict[str, LiveSender], str]:
        """Return SPs by system_id; none to who is limited to a province, which no SP is of."""
        if UserScope.PROVINCE in user.limits:
            return {}, ""
        try:
            senders = await self.ask("senders", tuple[LiveSender, ...])
        except CommandError as error:
            return {}, worded(error)
        own = user.limits.get(UserScope.SYSTEM_ID)
        return {one.system_id: one for one in senders if own in (None, one.system_id)}, ""


def _within(filed: Iterable[Filing], user: PageUser) -> list[Filing]:
    """Return the filings that a user may see: of the SP, or of ports of the province.

    Who is limited to a province sees what SPs with a port there have filed, and of their ports
    those of that province.
    """
    own, province = user.limits.get(UserScope.SYSTEM_ID), user.limits.get(UserScope.PROVINCE)
    if own is not None:
        return [one for one in filed if one.system_id == own]
    if province is None:
        return list(filed)
    return within_province(filed, province)


def _rows(filed: Iterable[Filing], system_id: str) -> list[dict[str, object]]:
    own = [one for one in filed if one.system_id == system_id][:_MOST_FILINGS]
    rows: list[dict[str, object]] = []
    for one in own:
        until = end_of(one)
        rows.append(
            {
                "kind": kind_of(one),
                "name": visible(masked_source(name_of(one))),
                "says": visible(_said_by(one)),
                "until": until,
                "days": None if until is None else days_left(until),
            }
        )
    return sorted(rows, key=lambda row: (list(_KINDS).index(str(row["kind"])), str(row["name"])))


def _said_by(filing: Filing) -> str:
    """Return what a filing says beside its name and its end."""
    match filing:
        case Licence():
            return ""
        case Signature():
            return " ".join(map(masked_source, filing.sources))
        case Template():
            return f"{filing.kind}: {masked_numbers(filing.text)}"
        case PortScope():
            return filing.province
        case Approval():
            return f"{filing.valid_from} –"


@dataclass(frozen=True, slots=True)
class NumberDesk:
    """Shows what is kept of a number, masked; each look is in the journal before it is made."""

    database: Database
    journal: Callable[[NewAccess], Awaitable[object]]
    templates: Templates
    utcnow: Callable[[], datetime]

    async def form(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """Return the page that asks for a number."""
        said = self.templates.said(request, problem) if problem else ""
        values = {"found": None, "problem": said}
        return self.templates.page(request, "console/numbers.html", values, status)

    async def shown(self, request: Request) -> Response:
        """Return what is kept of the number of the form; 422 for what is no number."""
        given = (await form_of(request)).get("number", "").strip()
        msisdn = msisdn_of(given.encode("utf-8", "replace"))
        if msisdn is None or msisdn < SHORTEST_NUMBER:
            return await self.form(request, _NO_NUMBER, 422)
        user: PageUser = request.state.user
        told, now = masked(msisdn), self.utcnow()
        await self.journal(NewAccess(f"user: {user.name}", "number show", "", told, now))
        database = self.database
        suspended = await SuspensionStore(database).active_of(msisdn)
        orders = await SubscriptionStore(database).find(msisdn=msisdn, limit=_MOST_ORDERS)
        found = {
            "number": told,
            "answers": [
                _answer(one, now) for one in await ConsentStore(database).answers_of([msisdn])
            ],
            "orders": _orders(orders),
            "preferences": [_preference(one) for one in await PreferenceStore(database).of(msisdn)],
            "suspended": suspended and _suspension(suspended),
            "complaints": [
                _complaint(one)
                for one in await ComplaintStore(database).find(
                    reporter=msisdn, limit=_MOST_COMPLAINTS
                )
            ],
        }
        values = {"found": found, "problem": ""}
        return self.templates.page(request, "console/numbers.html", values)


def sender_pages(desk: SenderDesk) -> APIRouter:
    """Return the page of SPs and their filings."""
    router = APIRouter(include_in_schema=False)

    @router.get(SENDERS.path, dependencies=[allowed_on(SENDERS)])
    async def show(request: Request) -> Response:
        return await desk.shown(request)

    return router


def number_pages(desk: NumberDesk) -> APIRouter:
    """Return the page of a number, which comes by POST: no address has one."""
    router = APIRouter(include_in_schema=False)

    @router.get(NUMBERS.path, dependencies=[allowed_on(NUMBERS)])
    async def form(request: Request) -> Response:
        return await desk.form(request)

    @router.post(NUMBERS.path, dependencies=[allowed_on(NUMBERS)])
    async def show(request: Request) -> Response:
        return await desk.shown(request)

    return router


def _told(text: str) -> str:
    return visible(masked_numbers(text))


def _answer(one: ConsentAnswer, now: datetime) -> dict[str, object]:
    system_id, _, part = one.scope.partition(" ")
    return {
        "system_id": visible(system_id),
        "part": visible(masked_source(part)),
        "answer": one.answer.value,
        "holds": one.standing(now) is not None,
        "since": one.since,
        "until": one.until,
        "channel": visible(one.channel),
        "evidence": _told(one.evidence),
    }


def _orders(found: Sequence[Subscription]) -> list[dict[str, object]]:
    return [
        {
            "system_id": visible(one.system_id),
            "name": visible(one.terms.name),
            "port": visible(masked_source(one.terms.port)),
            "price": f"{one.terms.price_fen / 100:.2f}",
            "cycle": one.terms.cycle.value,
            "state": one.state.value,
            "since": one.since,
        }
        for one in found
    ]


def _preference(one: Preference) -> dict[str, object]:
    mask = masked_source if one.kind is PreferenceKind.NUMBER else masked_numbers
    value = mask(one.value)
    return {"kind": one.kind.value, "value": visible(value), "action": one.action.value}


def _suspension(one: Suspension) -> dict[str, object]:
    return {"since": one.since, "until": one.until, "rule": visible(one.rule)}


def _complaint(one: Complaint) -> dict[str, object]:
    return {
        "number": one.number,
        "taken_at": one.taken_at,
        "source": one.source.value,
        "sender": visible(masked_source(one.sender)),
        "system_id": visible(one.system_id),
        "state": one.state.value,
        "category": visible(one.category),
        "case": one.case_number,
    }
