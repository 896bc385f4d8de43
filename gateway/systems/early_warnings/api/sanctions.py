"""Sanctions over HTTP: an SP reads its own, staff decide on them, and two persons reopen (R97)."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from gateway.domain.api_client import ApiClient, ApiRole
from gateway.domain.sanction import (
    ReopeningTerms,
    Sanction,
    SanctionRefusal,
    SanctionState,
    SanctionStep,
    as_given,
)
from gateway.domain.warning import Severity, WarningNote
from gateway.runtime.masking import masked_text
from gateway.systems.early_warnings.api.warnings import (
    LAST_NUMBER,
    MOST_LISTED,
    Officer,
    PathNumber,
    Reader,
    may_see,
    person_of,
    port_shown,
    whose_of,
)
from gateway.systems.early_warnings.sanction_store import GIVEN, SanctionStore
from gateway.web.fields import Reason, RequestBody
from gateway.web.problems import Problem, ProblemError
from gateway.web.systems import ApiContext


class SanctionsAsked(RequestBody):
    """Which sanctions are asked for."""

    state: SanctionState | None = None
    system_id: Annotated[
        str | None, Field(max_length=16, description="Of this SP; others are for staff.")
    ] = None
    before: Annotated[int | None, Field(ge=1, le=LAST_NUMBER)] = None
    limit: Annotated[int, Field(ge=1, le=MOST_LISTED)] = 50


class ReopeningItem(RequestBody):
    """What was asked for: why (empty for an SP), on which conditions, and the cap."""

    at: datetime
    reason: str
    conditions: str
    days: int
    daily_max: int
    terms: Annotated[
        str,
        Field(description="What an approval names; empty for an SP.", examples=["9f2ab1c04d7e"]),
    ]


class SanctionItem(RequestBody):
    """A sanction (处罚) for a violation."""

    number: Annotated[int, Field(examples=[3])]
    warning: Annotated[int, Field(description="Of the violation.", examples=[17])]
    system_id: Annotated[str, Field(examples=["shop"])]
    port: Annotated[str, Field(examples=["10690001"])]
    severity: Severity
    step: SanctionStep
    state: SanctionState
    proposed_at: datetime
    decided_at: datetime | None
    note: str
    reopening: ReopeningItem | None
    reopened_at: datetime | None
    probation_until: datetime | None


class SanctionList(RequestBody):
    """Sanctions, the newest first; `next` is the `before` of the page behind it."""

    sanctions: list[SanctionItem]
    next: int | None


class SanctionDecision(RequestBody):
    """Why a proposed sanction is applied or dismissed."""

    note: Annotated[
        Reason,
        Field(description="For staff; numbers in it are masked.", examples=["三次通知均未整改"]),
    ]


class ReopeningRequest(RequestBody):
    """Why an SP or port may send again, and on which terms."""

    reason: Annotated[Reason, Field(examples=["已更换负责人，名单已清理"])]
    conditions: Annotated[Reason, Field(examples=["仅向已同意用户发送"])]
    days: Annotated[int, Field(ge=1, le=366, description="How long the cap holds.")] = 30
    daily_max: Annotated[
        int, Field(ge=1, le=100_000_000, description="At most so many messages a day.")
    ] = 10_000


class ReopeningApproval(RequestBody):
    """What is approved."""

    terms: Annotated[
        str,
        Field(
            pattern="^[0-9a-f]{12}$",
            description="The `terms` of the reopening, as you read them.",
            examples=["9f2ab1c04d7e"],
        ),
    ]


class ReopeningRefusal(RequestBody):
    """Why nothing is reopened."""

    note: Reason


_REFUSED = {
    SanctionRefusal.SAME_PERSON: "you asked for it: another person must approve or decline it",
    SanctionRefusal.OTHER_CHANNEL: "it was not asked for over the API: decide where it was",
    SanctionRefusal.ASKED: "somebody has asked for that already: approve or decline it",
    SanctionRefusal.OTHER_TERMS: "the terms that are asked for are others: read them again",
    SanctionRefusal.STATE: "the state of the sanction does not allow it",
}


def sanctions(context: ApiContext) -> APIRouter:
    """Return the routes of sanctions; each client that approves is taken for one person."""
    router, utcnow = APIRouter(tags=["warnings"]), context.utcnow
    store = SanctionStore(context.database)

    @router.get("/v1/sanctions", summary="List sanctions (处罚)")
    async def listed(client: Reader, asked: Annotated[SanctionsAsked, Query()]) -> SanctionList:
        """Return sanctions, the newest first: an SP sees those that it was given, staff all."""
        is_sp = client.role is ApiRole.SP
        found = await store.find(
            system_id=whose_of(client, asked.system_id),
            state=asked.state,
            given=is_sp,
            before=asked.before,
            limit=asked.limit,
        )
        behind = found[-1].number if len(found) == asked.limit else None
        shown = map(as_given, found) if is_sp else found
        return SanctionList(sanctions=[_sanction(one) for one in shown], next=behind)

    @router.get("/v1/sanctions/{number}", summary="Look at a sanction")
    async def whole(number: PathNumber, client: Reader) -> SanctionItem:
        """Return a sanction: to an SP only one that it was given."""
        one = await store.get(number)
        if one is not None and client.role is ApiRole.SP:
            is_own = may_see(client, one.system_id) and one.state in GIVEN
            one = as_given(one) if is_own else None
        return _done(SanctionRefusal.MISSING if one is None else one)

    @router.post("/v1/sanctions/{number}/apply", summary="Apply a proposed sanction")
    async def apply(number: PathNumber, said: SanctionDecision, client: Officer) -> SanctionItem:
        """Apply a proposed step: the SP is told, its port suspended, or all of it closed (R96).

        Gateways obey within two seconds. The same again of the same client changes nothing.
        """
        return await decided(number, SanctionState.APPLIED, said, client)

    @router.post("/v1/sanctions/{number}/dismiss", summary="Dismiss a proposed sanction")
    async def dismiss(number: PathNumber, said: SanctionDecision, client: Officer) -> SanctionItem:
        """Dismiss a proposed step: nothing follows, and it does not count for the next."""
        return await decided(number, SanctionState.DISMISSED, said, client)

    async def decided(
        number: int, state: SanctionState, said: SanctionDecision, client: ApiClient
    ) -> SanctionItem:
        note = WarningNote(person_of(client), utcnow(), masked_text(said.note.strip()))
        return _done(await store.decide(number, state, note))

    router.routes.extend(_reopenings(store, utcnow).routes)
    return router


def _reopenings(store: SanctionStore, utcnow: Callable[[], datetime]) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/sanctions/{number}/reopen", summary="Ask for the end of a sanction")
    async def reopen(number: PathNumber, asked: ReopeningRequest, client: Officer) -> SanctionItem:
        """Ask that a closed SP or suspended port sends again; another person must approve (R97)."""
        reason, conditions = (masked_text(one.strip()) for one in (asked.reason, asked.conditions))
        terms = reason, conditions, asked.days, asked.daily_max
        wanted = ReopeningTerms(person_of(client), utcnow(), *terms)
        return _done(await store.ask_reopening(number, wanted))

    @router.post("/v1/sanctions/{number}/reopen/approve", summary="Approve the end of a sanction")
    async def approve(
        number: PathNumber, approved: ReopeningApproval, client: Officer
    ) -> SanctionItem:
        """Approve the terms that another client has asked for.

        A 409 for the same client, for what a login asked for, and for other terms.
        """
        who = person_of(client), utcnow()
        return _done(await store.approve_reopening(number, approved.terms, *who))

    @router.post("/v1/sanctions/{number}/reopen/decline", summary="Decline the end of a sanction")
    async def decline(number: PathNumber, said: ReopeningRefusal, client: Officer) -> SanctionItem:
        """Decline what another client has asked for: the sanction stays."""
        note = WarningNote(person_of(client), utcnow(), masked_text(said.note.strip()))
        return _done(await store.decline_reopening(number, note))

    return router


def _done(after: Sanction | SanctionRefusal) -> SanctionItem:
    if isinstance(after, Sanction):
        return _sanction(after)
    if after is SanctionRefusal.MISSING:
        raise ProblemError(Problem.NOT_FOUND)
    raise ProblemError(Problem.CONFLICT, _REFUSED[after])


def _sanction(one: Sanction) -> SanctionItem:
    plain = SanctionItem.model_fields.keys() - {"port", "reopening"}
    return SanctionItem(
        **{name: getattr(one, name) for name in plain},
        port=port_shown(one.port),
        reopening=None if one.reopening is None else _reopening(one.reopening),
    )


def _reopening(asked: ReopeningTerms) -> ReopeningItem:
    names = ReopeningItem.model_fields.keys() - {"terms"}
    # An SP is told no reason; a digest would let it try who asked, and why.
    terms = asked.digest if asked.reason else ""
    return ReopeningItem(**{name: getattr(asked, name) for name in names}, terms=terms)
