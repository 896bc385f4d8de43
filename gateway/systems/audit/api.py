"""The audit over HTTP: entries, the chain verified, and entries as lines with a digest."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from gateway.domain.api_client import ApiClient
from gateway.domain.audit import ActFilter, AuditKind
from gateway.domain.permissions import Permission
from gateway.domain.records import JournalState, NewAccess
from gateway.storage.journals import SqlJournals
from gateway.systems.audit.service import ChainVerification, described, export_lines
from gateway.web.access import acting_as, may
from gateway.web.fields import Moment, RequestBody, Words, example
from gateway.web.resources import Cursor, CursorPage, Limit, cursor_of, number_in
from gateway.web.systems import ApiContext, SystemApi

_AUDIT = "audit"
_LINES = "application/x-ndjson"

Auditor = Annotated[ApiClient, Depends(may(Permission.READ_AUDIT))]
Part = Annotated[Words | None, Query(description="A part of what stands there.")]


class AuditEntry(RequestBody):
    """Who did what, when, about what and why."""

    number: Annotated[int, Field(examples=[4711])]
    at: datetime
    kind: AuditKind
    action: Annotated[str, Field(examples=["quarantine release"])]
    by: Annotated[str, Field(examples=["user: lin"])]
    reason: str
    about: Annotated[str, Field(examples=["message 8176407200000001000"])]


class AuditEntries(CursorPage):
    """Entries, the newest first."""

    entries: list[AuditEntry]


class ChainItem(RequestBody):
    """How far the chain of a journal is intact."""

    journal: Annotated[str, Field(examples=["access_log"])]
    rows: Annotated[int, Field(description="Intact ones from the first on.", examples=[4711])]
    head: Annotated[str, Field(description="SHA-256 up to the last of them.", examples=["9c" * 32])]
    broken_at: Annotated[int | None, Field(description="The first row that breaks it.")]
    problem: Annotated[str, Field(examples=[""])]


class ChainStatus(RequestBody):
    """What the last verification found, and how far one is that runs."""

    is_running: bool
    done: Annotated[int, Field(description="Rows of `total`, of the journal that is read.")]
    total: int
    verified_at: datetime | None
    chains: list[ChainItem]
    problem: Annotated[str, Field(description="Why the last one came to no end.")]


class AuditExportBody(RequestBody):
    """Which entries are written out; all of them where nothing is said."""

    model_config = example({"kind": "decision", "by": "user: lin"})

    kind: AuditKind | None = None
    by: Words | None = None
    about: Words | None = None
    since: Moment | None = None
    until: Moment | None = None

    @property
    def wanted(self) -> ActFilter:
        """Return what the store is asked for."""
        return ActFilter(self.kind, self.by or "", self.about or "", self.since, self.until)


def audit(context: ApiContext) -> APIRouter:
    """Return the routes of the audit."""
    journals, utcnow = SqlJournals(context.database), context.utcnow
    router, chain = APIRouter(tags=["audit"]), ChainVerification(journals, utcnow)

    @router.get("/v1/audit", summary="List entries of the audit (审计)")
    async def listed(
        _client: Auditor,
        kind: AuditKind | None = None,
        by: Part = None,
        about: Part = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> AuditEntries:
        """Return what people and programs did, the newest first.

        A page looks at so many entries: with `about` it may have few or none, and a `next` all
        the same.
        """
        wanted = ActFilter(kind, by or "", about or "")
        found, before = await journals.page(limit, wanted, number_in(_AUDIT, cursor))
        behind = None if before is None else cursor_of(_AUDIT, before)
        entries = [AuditEntry.model_validate(described(one)) for one in found]
        return AuditEntries(entries=entries, next=behind)

    @router.get("/v1/audit/chain", summary="Ask whether the audit is intact")
    async def chain_status(_client: Auditor) -> ChainStatus:
        """Return what the last verification found: a row that was changed is named."""
        return _status(chain)

    @router.post("/v1/audit/verify", summary="Verify the audit", status_code=202)
    async def verify(_client: Auditor) -> ChainStatus:
        """Begin to read all rows and their digests; GET /v1/audit/chain has the end of it."""
        chain.start()
        return _status(chain)

    @router.post(
        "/v1/audit/export",
        summary="Write entries out",
        response_class=StreamingResponse,
        responses={200: {"content": {_LINES: {"schema": {"type": "string", "examples": ["{}"]}}}}},
    )
    async def export(asked: AuditExportBody, client: Auditor) -> StreamingResponse:
        """Return a line of JSON for each entry, and last one with the digest of all.

        That it was asked for is in the audit before. `smsward audit verify --export FILE` reads it.
        """
        by, now = acting_as(client), utcnow()
        about = f"entries of {asked.kind or 'every kind'}"
        await journals.note_access(NewAccess(by, "audit export", "", about, now))
        return StreamingResponse(export_lines(journals, asked.wanted, by, now), media_type=_LINES)

    return router


API = SystemApi((audit,))


def _item(state: JournalState) -> ChainItem:
    return ChainItem(
        journal=state.journal,
        rows=state.rows,
        head=state.head,
        broken_at=state.broken,
        problem=state.problem,
    )


def _status(chain: ChainVerification) -> ChainStatus:
    return ChainStatus(
        is_running=chain.is_running,
        done=chain.done,
        total=chain.total,
        verified_at=chain.verified_at,
        chains=list(map(_item, chain.states)),
        problem=chain.problem,
    )
