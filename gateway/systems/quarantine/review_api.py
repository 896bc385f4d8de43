"""Held messages over HTTP, for programs that review as people do: list, look, decide."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field

from gateway.domain.api_client import ApiClient
from gateway.domain.msisdn import masked
from gateway.domain.permissions import Permission
from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.domain.records import NewAccess
from gateway.systems.quarantine.model import PersonDecision
from gateway.systems.quarantine.review_tools import ReviewTools
from gateway.systems.quarantine.service import (
    STANDING,
    HeldFilter,
    NotDone,
    Outcome,
    QuarantineDesk,
    find_held,
)
from gateway.systems.quarantine.sql import QuarantineStore
from gateway.terminal.arguments import said
from gateway.terminal.screen import masked_source
from gateway.web.access import acting_as, may
from gateway.web.fields import Reason, RequestBody, Words
from gateway.web.problems import Problem, ProblemError
from gateway.web.resources import (
    Cursor,
    CursorPage,
    IfMatch,
    Limit,
    cursor_of,
    etag_of,
    number_in,
    require_match,
)

_HELD = "quarantine"

Reader = Annotated[ApiClient, Depends(may(Permission.READ_HELD))]
Reviewer = Annotated[ApiClient, Depends(may(Permission.DECIDE_HELD))]
# As text: JSON numbers of nineteen digits lose their last ones in browsers.
MessageId = Annotated[str, Path(pattern="^8[0-9]{18}$", examples=["8176407200000001000"])]
Campaign = Annotated[str, Field(pattern="^c[0-9a-f]{16}$", examples=["c3f1d9a07b2e4c55f"])]


class HeldMessageItem(RequestBody):
    """A message in quarantine: numbers masked, and no text."""

    id: Annotated[str, Field(examples=["8176407200000001000"])]
    state: HoldState
    system_id: Annotated[str, Field(examples=["shop"])]
    source: Annotated[str, Field(examples=["10690001"])]
    destination: Annotated[str, Field(examples=["138****8000"])]
    reason: Annotated[str, Field(examples=["CONTENT"])]
    rule: Annotated[str, Field(examples=["K-FRAUD"])]
    category: Annotated[str, Field(examples=["fraud_prize"])]
    severity: str
    score: Annotated[int | None, Field(description="How likely spam, in percent.")]
    evidence: Annotated[str, Field(description="Numbers in it are masked.")]
    campaign: Annotated[str, Field(examples=["c3f1d9a07b2e4c55f"])]
    held_at: datetime
    expires_at: datetime
    due_at: datetime | None
    decision: Annotated[str, Field(description="What a person decided last, who and why.")]


class HeldList(CursorPage):
    """Messages, the newest first."""

    messages: list[HeldMessageItem]


class HeldDetail(HeldMessageItem):
    """A message in whole, its numbers masked."""

    texts: Annotated[list[str], Field(description="Every reading of its octets, the best first.")]
    parts: Annotated[list[str], Field(description="Ids of all parts of a long message.")]
    note: str
    owner: str
    receipt: ReceiptState
    smsc_message_id: str


class HeldStateCounts(RequestBody):
    """How many messages are in each state."""

    counts: dict[HoldState, int]


class ReviewReason(RequestBody):
    """Why it is decided so."""

    reason: Annotated[Reason, Field(description="Kept with it.", examples=["已致电核实"])]


class DecidedMessages(RequestBody):
    """What was decided on: the message, and the other parts that moved with it."""

    messages: list[HeldMessageItem]


def held_review(
    store: QuarantineStore,
    desk: QuarantineDesk,
    tools: ReviewTools,
    utcnow: Callable[[], datetime],
) -> APIRouter:
    """Return the routes by which programs review held messages."""
    router = APIRouter(tags=["quarantine"])
    _list_held(router, store, tools)
    _decide_held(router, _ReviewParts(store, desk, tools, utcnow))
    return router


@dataclass(frozen=True, slots=True)
class _ReviewParts:
    store: QuarantineStore
    desk: QuarantineDesk
    tools: ReviewTools
    utcnow: Callable[[], datetime]

    async def get(self, message_id: str) -> HeldMessage:
        """Return a message. Raises ProblemError."""
        held = await self.store.get(int(message_id))
        if held is None:
            raise ProblemError(Problem.NOT_FOUND)
        return held

    async def matched(self, message_id: str, if_match: str | None) -> int:
        """Return the id of a message as the client has read it. Raises ProblemError."""
        held = await self.get(message_id)
        require_match(if_match, _etag(held))
        return held.message_id

    async def decided(
        self, outcome: Outcome, decision: PersonDecision, client: ApiClient
    ) -> DecidedMessages:
        """Return what was decided on. Raises ProblemError for what was not."""
        if isinstance(outcome, NotDone):
            why = outcome.why if outcome.state is None else STANDING[outcome.state]
            raise ProblemError(Problem.CONFLICT, why)
        await self.tools.learn(outcome.together, decision, acting_as(client))
        return DecidedMessages(messages=[_item(one, self.tools) for one in outcome.together])


def _list_held(router: APIRouter, store: QuarantineStore, tools: ReviewTools) -> None:
    @router.get("/v1/quarantine", summary="List held messages (隔离区)")
    async def listed(
        _client: Reader,
        state: Annotated[HoldState | None, Query(description="Any but deferred without.")] = None,
        system_id: Annotated[Words | None, Query(max_length=15)] = None,
        category: Annotated[Words | None, Query(max_length=32)] = None,
        campaign: Annotated[Campaign | None, Query()] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> HeldList:
        """Return messages that fit, the newest first; with a category also what lies below it."""
        wanted = HeldFilter(state, system_id, campaign, category)
        found = await find_held(store, wanted, number_in(_HELD, cursor), limit)
        behind = cursor_of(_HELD, found[-1].message_id) if len(found) == limit else None
        return HeldList(messages=[_item(one, tools) for one in found], next=behind)

    @router.get("/v1/quarantine/counts", summary="Count held messages")
    async def counts(
        _client: Reader,
        system_id: Annotated[Words | None, Query(max_length=15)] = None,
        campaign: Annotated[Campaign | None, Query()] = None,
    ) -> HeldStateCounts:
        """Return how many messages are in each state, of all, of an SP or of a campaign."""
        found = await store.count_by_state(system_id=system_id, campaign=campaign)
        return HeldStateCounts(counts=found)


def _decide_held(router: APIRouter, review: _ReviewParts) -> None:
    store, desk, tools, utcnow = review.store, review.desk, review.tools, review.utcnow

    @router.get("/v1/quarantine/{message_id}", summary="Look at a held message")
    async def show(message_id: MessageId, client: Reader, response: Response) -> HeldDetail:
        """Return a message with its texts, numbers masked. The look is in the journal first.

        Its ETag is that of its state and octets: a sender may replace them.
        """
        held = await review.get(message_id)
        look = NewAccess(
            acting_as(client), "quarantine show", "", f"message {held.message_id}", utcnow()
        )
        await tools.journal(look)
        parts = await store.parts_of(held.assembly) if held.assembly else []
        response.headers["ETag"] = _etag(held)
        return await asyncio.to_thread(_detail, held, parts, tools)

    @router.post("/v1/quarantine/{message_id}/release", summary="Release a held message (放行)")
    async def release(
        message_id: MessageId, said_why: ReviewReason, client: Reviewer, if_match: IfMatch = None
    ) -> DecidedMessages:
        """Let a message go: the gateway judges it again, then sends it. All parts go together."""
        number = await review.matched(message_id, if_match)
        outcome = await desk.request_release(
            number, acting_as(client), utcnow(), said(said_why.reason)
        )
        return await review.decided(outcome, PersonDecision.RELEASED, client)

    @router.post("/v1/quarantine/{message_id}/discard", summary="Discard a held message (删除)")
    async def discard(
        message_id: MessageId, said_why: ReviewReason, client: Reviewer, if_match: IfMatch = None
    ) -> DecidedMessages:
        """Drop a message for good; its sender gets the receipt that it asked for."""
        number = await review.matched(message_id, if_match)
        outcome = await desk.discard(number, acting_as(client), utcnow(), said(said_why.reason))
        return await review.decided(outcome, PersonDecision.REJECTED, client)


def _etag(held: HeldMessage) -> str:
    return etag_of(held.message_id, held.state, held.digest, sha256(held.pdu).hexdigest())


def _item(held: HeldMessage, tools: ReviewTools) -> HeldMessageItem:
    return HeldMessageItem(**_fields(held, tools))


def _fields(held: HeldMessage, tools: ReviewTools) -> dict[str, Any]:
    return {
        "id": str(held.message_id),
        "state": held.state,
        "system_id": held.system_id,
        "source": masked_source(held.source),
        "destination": masked(held.destination),
        "reason": held.reason,
        "rule": held.rule,
        "category": held.category,
        "severity": held.severity,
        "score": held.score,
        "evidence": tools.mask(held.evidence),
        "campaign": held.campaign,
        "held_at": held.held_at,
        "expires_at": held.expires_at,
        "due_at": held.due_at,
        "decision": tools.mask(held.decision),
    }


def _detail(held: HeldMessage, parts: Sequence[HeldMessage], tools: ReviewTools) -> HeldDetail:
    return HeldDetail(
        **_fields(held, tools),
        texts=[tools.mask(text) for text in tools.texts_of(held, parts)],
        parts=[str(one.message_id) for one in parts],
        note=tools.mask(held.note),
        owner=held.owner,
        receipt=held.receipt,
        smsc_message_id=held.smsc_message_id,
    )
