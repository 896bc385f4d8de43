"""Held messages over HTTP, for programs that review as people do: list, look, decide."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field

from gateway.domain.api_client import ApiClient
from gateway.domain.msisdn import spellings_of
from gateway.domain.permissions import Permission
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.records import NewAccess
from gateway.systems.quarantine.decisions import LEASED, ReviewDesk, ReviewStore, seen_digest
from gateway.systems.quarantine.decisions_api import (
    DecisionItem,
    decision_item,
    second_reviewer,
)
from gateway.systems.quarantine.held_items import (
    HeldDetail,
    HeldList,
    HeldMessageItem,
    held_detail,
    held_item,
)
from gateway.systems.quarantine.held_query import ANY, HeldQuery
from gateway.systems.quarantine.leases.store import LEASE_FOR, LeaseStore
from gateway.systems.quarantine.model import NewReview, PersonDecision, ReviewLease
from gateway.systems.quarantine.review_tools import ReviewTools
from gateway.systems.quarantine.second_reviews import (
    MOST_DEALT,
    DealtMessages,
    SecondReviewStore,
)
from gateway.systems.quarantine.service import STANDING, HeldFilter, NotDone, find_held
from gateway.systems.quarantine.sql import QuarantineStore
from gateway.systems.quarantine.tables import subject_of
from gateway.terminal.arguments import said
from gateway.web.access import acting_as, may
from gateway.web.fields import Day, Number, Reason, RequestBody, Words, example
from gateway.web.problems import Problem, ProblemError, not_as_described
from gateway.web.resources import (
    MOST_LISTED,
    Cursor,
    IfMatch,
    Limit,
    cursor_of,
    etag_of,
    number_in,
    require_match,
)
from gateway.web.systems import ApiContext

_HELD = "quarantine"

DecisionGiven = tuple[ApiClient, PersonDecision]

Reader = Annotated[ApiClient, Depends(may(Permission.READ_HELD))]
Reviewer = Annotated[ApiClient, Depends(may(Permission.DECIDE_HELD))]
# As text: JSON numbers of nineteen digits lose their last ones in browsers.
MessageId = Annotated[str, Path(pattern="^8[0-9]{18}$", examples=["8176407200000001000"])]
Before = Annotated[
    str | None, Query(pattern="^8[0-9]{18}$", description="Only older ones than this message.")
]
Campaign = Annotated[str, Field(pattern="^c[0-9a-f]{16}$", examples=["c3f1d9a07b2e4c55f"])]


class HeldSearchBody(RequestBody):
    """Which messages are wanted, as on the page of held messages; all that is given must fit."""

    model_config = example({"state": "held", "rule": "K-LOAN", "since": "2025-11-25", "limit": 50})

    state: Annotated[
        HoldState | None,
        Field(
            description="Any but deferred without. Of held ones those are left out on which a"
            " decision waits."
        ),
    ] = None
    system_id: Annotated[Words | None, Field(max_length=15, examples=["shop"])] = None
    source: Annotated[Words | None, Field(description="A port.", examples=["10690001"])] = None
    rule: Annotated[Words | None, Field(examples=["K-LOAN"])] = None
    category: Annotated[
        Words | None, Field(description="With what lies below it.", examples=["loan"])
    ] = None
    campaign: Campaign | None = None
    since: Annotated[Day | None, Field(description="The first day, UTC.")] = None
    until: Annotated[Day | None, Field(description="The last day, UTC.")] = None
    is_escalated: Annotated[bool, Field(description="Only what waits for a senior.")] = False
    number: Annotated[Number | None, Field(description="To this number.")] = None
    message_id: Annotated[
        str | None,
        Field(
            pattern="^8[0-9]{18}$",
            description="That message, in any state; nothing else is asked for then.",
            examples=["8176407200000001000"],
        ),
    ] = None
    cursor: Annotated[
        str | None,
        Field(
            max_length=256,
            pattern="^[A-Za-z0-9_-]+$",
            description="The `next` of the page before.",
        ),
    ] = None
    limit: Annotated[int, Field(ge=1, le=MOST_LISTED)] = 50

    @property
    def wanted(self) -> HeldFilter:
        """Return what the store is asked for. Raises ProblemError for days that cannot be."""
        query = HeldQuery(
            self.state or ANY,
            *(self.system_id or "", self.source or "", self.rule or "", self.category or ""),
            campaign=self.campaign or "",
            since=self.since.isoformat() if self.since else "",
            until=self.until.isoformat() if self.until else "",
            escalated="yes" if self.is_escalated else "",
        )
        if not query.is_sound:
            raise ProblemError(Problem.NOT_AS_DESCRIBED, "days are of the years 2000 to 2199")
        to = None if self.number is None else spellings_of(self.number)
        return replace(query.wanted, destinations=to)


class HeldStateCounts(RequestBody):
    """How many messages are in each state."""

    counts: dict[HoldState, int]


class ReviewReason(RequestBody):
    """Why it is decided so, and what it is."""

    reason: Annotated[Reason, Field(description="Kept with it.", examples=["已致电核实"])]
    category: Annotated[str, Field(max_length=32, examples=["loan"])] = ""


class EscalationBody(RequestBody):
    """What a senior reviewer should know."""

    note: Annotated[Reason, Field(examples=["疑似新话术，请复核"])]


class EscalationItem(RequestBody):
    """A message was put before a senior reviewer: open until it is decided on."""

    number: Annotated[int, Field(examples=[5])]
    message_id: Annotated[str, Field(examples=["8176407200000001000"])]
    by: Annotated[str, Field(examples=["api: soc"])]
    note: str
    at: datetime
    is_open: bool


class LeaseItem(RequestBody):
    """Until when who has a message: no other reviewer is given it, or decides on it."""

    message_id: Annotated[str, Field(examples=["8176407200000001000"])]
    by: Annotated[str, Field(examples=["api: soc"])]
    until: datetime


class NextMessage(RequestBody):
    """The message that is leased to this client, nothing where no other is free."""

    message: HeldMessageItem | None
    lease: LeaseItem | None


def held_review(context: ApiContext) -> APIRouter:
    """Return the routes by which programs review held messages.

    What is dealt to one as a second reviewer looks as it did before the first decision.
    """
    router = APIRouter(tags=["quarantine"])
    database, tools = context.database, context.join(ReviewTools)
    review = _ReviewParts(
        QuarantineStore(database),
        SecondReviewStore(database),
        ReviewDesk(ReviewStore(database), tools.mask),
        tools,
        context.utcnow,
    )
    _list_held(router, review)
    _decide_held(router, review)
    _lease_held(router, review, LeaseStore(database))
    return router


@dataclass(frozen=True, slots=True)
class _ReviewParts:
    store: QuarantineStore
    seconds: SecondReviewStore
    desk: ReviewDesk
    tools: ReviewTools
    utcnow: Callable[[], datetime]

    async def find(self, message_id: str, client: ApiClient) -> HeldMessage | None:
        """Return a message as a client sees it, None for an id of none."""
        held = await self.store.get(int(message_id))
        if held is None:
            return None
        return await self.seconds.seen_by(second_reviewer(client), held, self.utcnow())

    async def get(self, message_id: str, client: ApiClient) -> HeldMessage:
        """Return a message as a client sees it. Raises ProblemError."""
        held = await self.find(message_id, client)
        if held is None:
            raise ProblemError(Problem.NOT_FOUND)
        return held

    async def dealt_to(self, client: ApiClient) -> DealtMessages:
        """Return what a client sees otherwise, as a second reviewer."""
        return await self.seconds.dealt_to(second_reviewer(client), self.utcnow())

    async def listed(
        self, wanted: HeldFilter, client: ApiClient, cursor: str | None, limit: int
    ) -> HeldList:
        """Return a page of the messages that fit. Raises ProblemError for another's cursor."""
        dealt, before = await self.dealt_to(client), number_in(_HELD, cursor)
        seen_in = dealt.listed(is_undecided=wanted.is_undecided, is_escalated=wanted.is_escalated)
        found = await find_held(self.store, replace(wanted, seen_in=seen_in), before, limit)
        behind = cursor_of(_HELD, found[-1].message_id) if len(found) == limit else None
        items = [held_item(dealt.message(one), self.tools) for one in found]
        return HeldList(messages=items, next=behind)

    async def decided(
        self, message_id: str, if_match: str | None, body: ReviewReason, given: DecisionGiven
    ) -> DecisionItem:
        """Decide on a message as the client has read it. Raises ProblemError."""
        client, decision = given
        held = await self.get(message_id, client)
        require_match(if_match, _etag(held))
        new = NewReview(
            held.message_id,
            decision,
            acting_as(client),
            note=said(body.reason),
            category=body.category,
            seen=seen_digest(held),
            may_be_second=bool(second_reviewer(client)),
        )
        try:
            outcome = await self.desk.decide(new, self.utcnow())
        except ValueError as error:
            raise ProblemError(Problem.NOT_AS_DESCRIBED, str(error)) from error
        if isinstance(outcome, NotDone):
            raise ProblemError(Problem.CONFLICT, outcome.why)
        return decision_item(outcome)


class _ListPlace:
    """Where a page of a list begins, and how long it is."""

    def __init__(self, cursor: Cursor = None, limit: Limit = 50) -> None:
        self.cursor, self.limit = cursor, limit


def _list_held(router: APIRouter, review: _ReviewParts) -> None:
    store, tools = review.store, review.tools

    @router.get("/v1/quarantine", summary="List held messages (隔离区)")
    async def listed(
        client: Reader,
        place: Annotated[_ListPlace, Depends()],
        state: Annotated[HoldState | None, Query(description="Any but deferred without.")] = None,
        system_id: Annotated[Words | None, Query(max_length=15)] = None,
        category: Annotated[Words | None, Query(max_length=32)] = None,
        campaign: Annotated[Campaign | None, Query()] = None,
    ) -> HeldList:
        """Return messages that fit, the newest first; with a category also what lies below it."""
        wanted = HeldFilter(state, system_id, campaign, category)
        return await review.listed(wanted, client, place.cursor, place.limit)

    @router.post("/v1/quarantine/search", summary="Search held messages")
    async def search(body: HeldSearchBody, client: Reader) -> HeldList:
        """Return messages that fit, the newest first.

        No number is in an address. That one was searched for is in the journal first.
        """
        if body.message_id is not None:
            if body.model_fields_set != {"message_id"}:
                raise not_as_described("/message_id", "stands alone")
            held = await review.find(body.message_id, client)
            return HeldList(messages=[] if held is None else [held_item(held, tools)])
        wanted = body.wanted
        if body.number is not None:
            about = "held messages to a number"
            look = NewAccess(acting_as(client), "quarantine number", "", about, review.utcnow())
            await tools.journal(look)
        return await review.listed(wanted, client, body.cursor, body.limit)

    @router.get("/v1/quarantine/counts", summary="Count held messages")
    async def counts(
        client: Reader,
        system_id: Annotated[Words | None, Query(max_length=15)] = None,
        campaign: Annotated[Campaign | None, Query()] = None,
    ) -> HeldStateCounts:
        """Return how many messages are in each state, of all, of an SP or of a campaign."""
        found = await store.count_by_state(system_id=system_id, campaign=campaign)
        dealt = await review.dealt_to(client)
        for one in await store.get_many(sorted(dealt.reviews)[-MOST_DEALT:]):
            is_meant = system_id in {None, one.system_id} and campaign in {None, one.campaign}
            found[one.state] -= is_meant
            found[dealt.message(one).state] += is_meant
        return HeldStateCounts(counts=found)


def _decide_held(router: APIRouter, review: _ReviewParts) -> None:
    store, desk, tools, utcnow = review.store, review.desk, review.tools, review.utcnow

    @router.get("/v1/quarantine/{message_id}", summary="Look at a held message")
    async def show(message_id: MessageId, client: Reader, response: Response) -> HeldDetail:
        """Return a message with its texts, numbers masked. The look is in the journal first.

        Its ETag is that of its state, of its octets, which a sender may replace, and of what holds
        it, which may be another after a release.
        """
        held = await review.get(message_id, client)
        look = NewAccess(
            acting_as(client), "quarantine show", "", f"message {held.message_id}", utcnow()
        )
        await tools.journal(look)
        parts = await store.parts_of(held.assembly) if held.assembly else []
        response.headers["ETag"] = _etag(held)
        return await asyncio.to_thread(held_detail, held, parts, tools)

    @router.post("/v1/quarantine/{message_id}/release", summary="Release a held message (放行)")
    async def release(
        message_id: MessageId, body: ReviewReason, client: Reviewer, if_match: IfMatch = None
    ) -> DecisionItem:
        """Let a message go, in ten seconds: till then POST /v1/decisions/{number}/undo undoes it.

        The gateway judges it again, then sends it. All parts of a long message go together.
        """
        given = client, PersonDecision.RELEASED
        return await review.decided(message_id, if_match, body, given)

    @router.post("/v1/quarantine/{message_id}/discard", summary="Discard a held message (删除)")
    async def discard(
        message_id: MessageId, body: ReviewReason, client: Reviewer, if_match: IfMatch = None
    ) -> DecisionItem:
        """Drop a message for good, in ten seconds; its sender gets the receipt it asked for."""
        given = client, PersonDecision.REJECTED
        return await review.decided(message_id, if_match, body, given)

    @router.post("/v1/quarantine/{message_id}/escalate", summary="Escalate a held message")
    async def escalate(
        message_id: MessageId, body: EscalationBody, client: Reviewer
    ) -> EscalationItem:
        """Put a message before senior reviewers, with a note for them."""
        by, may_be_second = acting_as(client), bool(second_reviewer(client))
        found = await desk.escalate(
            int(message_id), by, said(body.note), utcnow(), may_be_second=may_be_second
        )
        if isinstance(found, NotDone):
            problem = Problem.NOT_FOUND if found.state is None else Problem.CONFLICT
            raise ProblemError(problem, found.why)
        fields = asdict(found) | {"message_id": str(found.message_id)}
        return EscalationItem(**fields)


def _lease_held(router: APIRouter, review: _ReviewParts, leases: LeaseStore) -> None:
    tools, utcnow = review.tools, review.utcnow

    @router.post("/v1/quarantine/next", summary="Lease the next held message")
    async def take_next(client: Reviewer, before: Before = None) -> NextMessage:
        """Give the newest held message that no other reviewer has, for 90 seconds.

        It is the same one until it is decided on, or another one is asked for with `before`.
        """
        now, by = utcnow(), acting_as(client)
        older = None if before is None else int(before)
        dealt = (await review.dealt_to(client)).as_held
        held = await leases.take_next(by, now, before_id=older, as_held=dealt)
        if held is None:
            return NextMessage(message=None, lease=None)
        lease = ReviewLease(subject_of(held), by, now + LEASE_FOR)
        return NextMessage(message=held_item(held, tools), lease=_lease_item(held, lease))

    @router.post("/v1/quarantine/{message_id}/lease", summary="Lease a held message")
    async def take(message_id: MessageId, client: Reviewer) -> LeaseItem:
        """Take a held message for 90 seconds, or renew that; 409 if another reviewer has it."""
        held, by = await review.get(message_id, client), acting_as(client)
        if held.state is not HoldState.HELD:
            raise ProblemError(Problem.CONFLICT, STANDING[held.state])
        lease = await leases.take(held, by, utcnow())
        if lease.by != by:
            raise ProblemError(Problem.CONFLICT, f"{LEASED}: {lease.by}")
        return _lease_item(held, lease)

    @router.delete(
        "/v1/quarantine/{message_id}/lease", summary="Give a held message back", status_code=204
    )
    async def give_back(message_id: MessageId, client: Reviewer) -> None:
        """End the lease that this client has on a message; without one nothing happens."""
        await leases.give_back(await review.get(message_id, client), acting_as(client))


def _lease_item(held: HeldMessage, lease: ReviewLease) -> LeaseItem:
    return LeaseItem(message_id=str(held.message_id), by=lease.by, until=lease.until)


def _etag(held: HeldMessage) -> str:
    return etag_of(held.message_id, held.state, held.digest, seen_digest(held))
