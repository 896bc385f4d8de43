"""Early warnings over HTTP: an SP reads its own and answers them, staff read all (R95)."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field

from gateway.domain.api_client import ApiClient, ApiRole
from gateway.domain.msisdn import is_mobile, masked
from gateway.domain.permissions import Permission, UserScope
from gateway.domain.sanction import API_CLIENT
from gateway.domain.warning import (
    EarlyWarning,
    Severity,
    WarningCode,
    WarningNote,
    WarningState,
)
from gateway.runtime.masking import masked_text
from gateway.systems.early_warnings.sql import WarningStore
from gateway.web.access import may
from gateway.web.fields import Reason, RequestBody
from gateway.web.problems import Problem, ProblemError
from gateway.web.systems import ApiContext

MOST_LISTED = 500
LAST_NUMBER = 2**63 - 1

Reader = Annotated[ApiClient, Depends(may(Permission.READ_WARNINGS, UserScope.SYSTEM_ID))]
Answerer = Annotated[ApiClient, Depends(may(Permission.ANSWER_WARNINGS, UserScope.SYSTEM_ID))]
Closer = Annotated[ApiClient, Depends(may(Permission.CLOSE_WARNINGS))]
Officer = Annotated[ApiClient, Depends(may(Permission.DECIDE_SANCTIONS))]
PathNumber = Annotated[int, Path(ge=1, le=LAST_NUMBER)]


class WarningsAsked(RequestBody):
    """Which warnings are asked for."""

    state: WarningState | None = None
    violations: Annotated[bool, Field(description="Only violations (违规).")] = False
    overdue: Annotated[bool, Field(description="Only those without an answer in time.")] = False
    system_id: Annotated[
        str | None, Field(max_length=16, description="Of this SP; others are for staff.")
    ] = None
    before: Annotated[int | None, Field(ge=1, le=LAST_NUMBER)] = None
    limit: Annotated[int, Field(ge=1, le=MOST_LISTED)] = 50


class NoteItem(RequestBody):
    """What was said about a warning, and when."""

    at: datetime
    note: str


class WarningItem(RequestBody):
    """A warning: what was noticed of an SP's port, and how often."""

    number: Annotated[int, Field(examples=[17])]
    state: WarningState
    code: Annotated[WarningCode, Field(examples=["W5"])]
    en: Annotated[str, Field(examples=["attempts after a refusal"])]
    zh: Annotated[str, Field(examples=["用户退订后仍发送"])]
    rule: Annotated[str, Field(examples=["R21"])]
    severity: Annotated[Severity | None, Field(description="Of a violation (违规), else null.")]
    system_id: Annotated[str, Field(examples=["shop"])]
    port: Annotated[str, Field(examples=["10690001"])]
    messages: Annotated[int, Field(examples=[3])]
    on_trial: Annotated[int, Field(description="Those of them that a rule in shadow mode noticed.")]
    category: str
    campaign: str
    first_at: datetime
    last_at: datetime
    due_at: Annotated[datetime, Field(description="24 hours after it was raised.")]
    samples: Annotated[
        list[str],
        Field(
            description="Ids of held messages, or session:sequence_number.", examples=[["4:101"]]
        ),
    ]
    answer: NoteItem | None
    closing: NoteItem | None
    escalated_at: Annotated[datetime | None, Field(description="When no answer had come in time.")]


class WarningList(RequestBody):
    """Warnings, the newest first; `next` is the `before` of the page behind it."""

    warnings: list[WarningItem]
    next: int | None


class WarningAnswer(RequestBody):
    """What the SP says about a warning."""

    note: Annotated[
        Reason,
        Field(
            description="Why it happened and what was done; numbers in it are masked.",
            examples=["名单来自第三方，已删除"],
        ),
    ]


class WarningClosing(RequestBody):
    """Why nothing is left to do about a warning."""

    note: Annotated[
        Reason,
        Field(
            description="The SP reads it; numbers in it are masked.",
            examples=["十四天内未再发生"],
        ),
    ]


def early_warnings(context: ApiContext) -> APIRouter:
    """Return the routes of early warnings."""
    router, utcnow = APIRouter(tags=["warnings"]), context.utcnow
    store = WarningStore(context.database)

    @router.get("/v1/warnings", summary="List early warnings (预警)")
    async def listed(client: Reader, asked: Annotated[WarningsAsked, Query()]) -> WarningList:
        """Return warnings, the newest first: an SP sees its own, staff those of all SPs."""
        found = await store.find(
            system_id=whose_of(client, asked.system_id),
            state=asked.state,
            violations=asked.violations,
            overdue_at=utcnow() if asked.overdue else None,
            before=asked.before,
            limit=asked.limit,
        )
        behind = found[-1].number if len(found) == asked.limit else None
        return WarningList(warnings=list(map(_item, found)), next=behind)

    @router.post("/v1/warnings/{number}/answer", summary="Answer a warning")
    async def answer(number: PathNumber, said: WarningAnswer, client: Answerer) -> WarningItem:
        """Answer a warning of this SP, once; it is due within 24 hours. The same again is fine.

        An officer notes what any SP says, for one that telephones.
        """
        await seen(number, client)
        noted = _noted(client, said.note)
        is_taken = await store.answer(number, noted)
        warning = await seen(number, client)
        return _after(warning, noted, warning.answer, is_taken=is_taken)

    @router.post("/v1/warnings/{number}/close", summary="Close a warning")
    async def close(number: PathNumber, said: WarningClosing, client: Closer) -> WarningItem:
        """Close a warning, answered or not. The same again is fine.

        A notice for it does not count for the next sanction then (R96).
        """
        noted = _noted(client, said.note)
        is_taken = await store.close(number, noted)
        warning = await seen(number, client)
        return _after(warning, noted, warning.closing, is_taken=is_taken)

    async def seen(number: int, client: ApiClient) -> EarlyWarning:
        """Return a warning that the client may know of. Raises ProblemError."""
        warning = await store.get(number)
        if warning is None or not may_see(client, warning.gathered.kind.system_id):
            raise ProblemError(Problem.NOT_FOUND)
        return warning

    def _noted(client: ApiClient, note: str) -> WarningNote:
        by = client.name if client.role is ApiRole.SP else person_of(client)
        return WarningNote(by, utcnow(), masked_text(note.strip()))

    return router


def person_of(client: ApiClient) -> str:
    """Return who acts, as no login on this machine is called."""
    return f"{API_CLIENT}{client.name}"


def _after(
    warning: EarlyWarning, noted: WarningNote, kept: WarningNote | None, *, is_taken: bool
) -> WarningItem:
    """Return a warning as it is after a note. Raises ProblemError unless that is what was kept."""
    if not is_taken and (kept is None or (kept.by, kept.note) != (noted.by, noted.note)):
        raise ProblemError(Problem.CONFLICT, f"the warning is {warning.state} already")
    return _item(warning)


def may_see(client: ApiClient, system_id: str) -> bool:
    """Tell whether what is about an SP is for this client: staff, or the SP itself."""
    return client.role is not ApiRole.SP or client.system_id == system_id


def whose_of(client: ApiClient, system_id: str | None) -> str | None:
    """Return the SP that `client` may read the warnings of, None for all."""
    if client.role is not ApiRole.SP:
        return system_id
    if system_id not in (None, client.system_id):
        raise ProblemError(Problem.FORBIDDEN, "an SP reads its own warnings alone")
    return client.system_id


def _item(warning: EarlyWarning) -> WarningItem:
    gathered, kind = warning.gathered, warning.gathered.kind
    return WarningItem(
        number=warning.number,
        state=warning.state,
        code=kind.code,
        en=kind.code.en,
        zh=kind.code.zh,
        rule=kind.rule,
        severity=gathered.severity,
        system_id=kind.system_id,
        port=port_shown(kind.port),
        messages=gathered.count,
        on_trial=gathered.on_trial,
        category=gathered.category,
        campaign=gathered.campaign,
        first_at=gathered.first_at,
        last_at=gathered.last_at,
        due_at=warning.due_at,
        samples=list(gathered.samples),
        answer=_note(warning.answer),
        closing=_note(warning.closing),
        escalated_at=warning.escalated_at,
    )


def _note(handling: WarningNote | None) -> NoteItem | None:
    return None if handling is None else NoteItem(at=handling.at, note=handling.note)


def port_shown(port: str) -> str:
    """Return a port, masked where it is a person's number."""
    return masked(port) if is_mobile(port.encode()) else port
