"""Requests for acts that need two persons, over HTTP: programs read them, and people decide."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from gateway.domain.api_client import ApiClient
from gateway.domain.permissions import CLIENT_PERMISSIONS, Permission
from gateway.systems.approvals.model import (
    ApprovalAct,
    ApprovalRequest,
    ApprovalState,
    words_kept,
)
from gateway.systems.approvals.service import PERMISSIONS
from gateway.systems.approvals.sql import ApprovalStore
from gateway.web.access import may
from gateway.web.fields import RequestBody
from gateway.web.resources import Cursor, CursorPage, Limit, cursor_of, number_in
from gateway.web.systems import ApiContext, SystemApi

_APPROVALS = "approvals"

Reader = Annotated[ApiClient, Depends(may(Permission.READ_APPROVALS))]


class ApprovalItem(RequestBody):
    """An act that somebody asked for, and what a second person said."""

    number: Annotated[int, Field(examples=[12])]
    act: ApprovalAct
    about: Annotated[str, Field(examples=["R21: changed in local.d/rules/mine.yaml"])]
    switched: Annotated[
        list[str],
        Field(description="All rules and lists that would stop less.", examples=[["R21"]]),
    ]
    reason: Annotated[str, Field(examples=["工单 2026-118"])]
    by: Annotated[str, Field(examples=["user: lin"])]
    at: datetime
    expires_at: datetime
    state: ApprovalState
    decided_by: Annotated[str, Field(examples=["user: wu"])]
    decided_at: datetime | None
    outcome: Annotated[str, Field(description="What came of it, empty before.", examples=[""])]


class ApprovalList(CursorPage):
    """Requests, the newest first."""

    approvals: list[ApprovalItem]


def approvals(context: ApiContext) -> APIRouter:
    """Return the route of requests. To approve or decline is for people, on pages."""
    router, store = APIRouter(tags=["approvals"]), ApprovalStore(context.database)

    @router.get("/v1/approvals", summary="List acts that need two persons (双人复核)")
    async def listed(client: Reader, cursor: Cursor = None, limit: Limit = 50) -> ApprovalList:
        """Return the requests for acts that the role of the client may do, the newest first."""
        own = CLIENT_PERMISSIONS[client.role]
        acts = [act for act, permission in PERMISSIONS.items() if permission in own]
        found = await store.listed(limit, acts, number_in(_APPROVALS, cursor))
        behind = cursor_of(_APPROVALS, found[-1].number) if len(found) == limit else None
        return ApprovalList(approvals=list(map(_item, found)), next=behind)

    return router


API = SystemApi((approvals,))


def _item(one: ApprovalRequest) -> ApprovalItem:
    text, given = words_kept(one.outcome)
    return ApprovalItem(
        number=one.number,
        act=one.act,
        about=one.about,
        switched=one.switched,
        reason=one.reason,
        by=one.by,
        at=one.at,
        expires_at=one.expires_at,
        state=one.state,
        decided_by=one.decided_by,
        decided_at=one.decided_at,
        outcome=text.format(**given) if given else text,
    )
