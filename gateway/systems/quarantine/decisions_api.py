"""Decisions on held messages over HTTP: undone, on whole campaigns, and for the future."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import Field

from gateway.domain.api_client import ApiClient
from gateway.domain.msisdn import masked
from gateway.domain.permissions import CLIENT_PERMISSIONS, Permission
from gateway.domain.quarantine import HeldMessage
from gateway.systems.quarantine.campaigns import (
    CampaignDesk,
    CampaignStore,
    JobNotMade,
    JobNotUndone,
    OpenCampaign,
)
from gateway.systems.quarantine.decisions import NotUndone, ReviewDesk, ReviewStore
from gateway.systems.quarantine.exceptions import ExceptionDesk, ExceptionStore, HoldException
from gateway.systems.quarantine.model import (
    MOST_CHOSEN,
    ChosenMessage,
    NewCampaignReview,
    NewChosenReview,
    PersonDecision,
    ReviewDecision,
    ReviewJob,
    ReviewJobState,
    ReviewState,
)
from gateway.systems.quarantine.review_tools import ReviewTools
from gateway.systems.quarantine.second_reviews import SecondReviewStore, gets_second_reviews
from gateway.systems.quarantine.service import NotDone
from gateway.systems.quarantine.sql import QuarantineStore
from gateway.terminal.screen import masked_source
from gateway.web.access import acting_as, may
from gateway.web.fields import Moment, Reason, RequestBody
from gateway.web.problems import Problem, ProblemError
from gateway.web.systems import ApiContext

_LAST_NUMBER = 2**63 - 1
_MOST_LISTED = 50

Reader = Annotated[ApiClient, Depends(may(Permission.READ_HELD))]
Reviewer = Annotated[ApiClient, Depends(may(Permission.DECIDE_HELD))]
SeniorReviewer = Annotated[ApiClient, Depends(may(Permission.DECIDE_CAMPAIGN))]
Excepter = Annotated[ApiClient, Depends(may(Permission.WRITE_EXCEPTION))]
Number = Annotated[int, Path(ge=1, le=_LAST_NUMBER)]
Campaign = Annotated[str, Path(pattern="^c[0-9a-f]{16}$", examples=["c3f1d9a07b2e4c55f"])]
MessageId = Annotated[str, Field(pattern="^8[0-9]{18}$", examples=["8176407200000001000"])]
Note = Annotated[Reason, Field(description="Kept with it.", examples=["已致电核实"])]


Now = Callable[[], datetime]


class DecisionItem(RequestBody):
    """A decision: it has no effect before `not_before`, and can be undone till then."""

    number: Annotated[int, Field(examples=[17])]
    message_id: MessageId
    decision: PersonDecision
    by: Annotated[str, Field(examples=["api: soc"])]
    note: str
    category: str
    decided_at: datetime
    not_before: datetime
    state: ReviewState
    outcome: Annotated[str, Field(description="How a final state came about.")]


class DecisionList(RequestBody):
    """The last ten decisions of this client, the newest first."""

    decisions: list[DecisionItem]


class CampaignItem(RequestBody):
    """What the newest held messages say of a campaign; the example is the newest of them."""

    campaign: Annotated[str, Field(examples=["c3f1d9a07b2e4c55f"])]
    messages: Annotated[int, Field(examples=[214])]
    senders: int
    first_at: datetime
    last_at: datetime
    example_id: MessageId
    source: Annotated[str, Field(examples=["10690001"])]
    destination: Annotated[str, Field(examples=["138****8000"])]
    rule: Annotated[str, Field(examples=["K-FRAUD"])]
    category: Annotated[str, Field(examples=["fraud_prize"])]


class CampaignList(RequestBody):
    """Open campaigns, the largest first."""

    campaigns: list[CampaignItem]


class CampaignDecisionBody(RequestBody):
    """What is decided on all that is held of a campaign."""

    decision: PersonDecision
    expected_count: Annotated[
        int, Field(ge=1, description="How many messages are held: another number is a 409.")
    ]
    system_id: Annotated[
        str, Field(max_length=15, description="Only what this SP sent.", examples=[""])
    ] = ""
    rule: Annotated[
        str, Field(max_length=64, description="Only what its exceptions are about.", examples=[""])
    ] = ""
    category: Annotated[str, Field(max_length=32, examples=["loan"])] = ""
    note: Note


class ReadMessage(RequestBody):
    """A message that was read before it is decided on."""

    message_id: MessageId
    seen: Annotated[
        str,
        Field(
            pattern="^[0-9a-f]{16}$",
            description="The `seen` of GET /v1/quarantine/{message_id}: another text is `left`.",
            examples=["5f0c1d9a37be2e44"],
        ),
    ]


class ChosenDecisionBody(RequestBody):
    """What is decided on messages that were chosen one by one."""

    decision: PersonDecision
    messages: Annotated[
        list[ReadMessage],
        Field(
            min_length=1,
            max_length=MOST_CHOSEN,
            description="Each with the `seen` of what was read of it.",
        ),
    ]
    category: Annotated[str, Field(max_length=32, examples=["loan"])] = ""
    note: Note


class CampaignJobItem(RequestBody):
    """A decision on a campaign, worked off by the gateway: `done` of `expected_count`."""

    number: Annotated[int, Field(examples=[3])]
    campaign: Annotated[
        str, Field(description="Empty: on chosen messages.", examples=["c3f1d9a07b2e4c55f"])
    ]
    system_id: str
    rule: str
    decision: PersonDecision
    by: Annotated[str, Field(examples=["api: soc"])]
    note: str
    category: str
    expected_count: int
    done: int
    state: ReviewJobState
    decided_at: datetime
    not_before: datetime
    ended_at: datetime | None
    outcome: str


class CampaignJobList(RequestBody):
    """Decisions on campaigns, the newest first."""

    jobs: list[CampaignJobItem]


class LeftMessage(RequestBody):
    """A message that a job is not on, and why."""

    message_id: MessageId
    why: Annotated[str, Field(examples=["another reviewer is looking at it"])]


class ChosenJobItem(RequestBody):
    """A decision on chosen messages as a job, and those that were left as they are."""

    job: CampaignJobItem
    left: list[LeftMessage]


class ExceptionBody(RequestBody):
    """Of which message an exception is made: of its rule, its SP and its campaign."""

    message_id: MessageId
    until: Annotated[Moment, Field(description="366 days ahead at most.")]
    note: Note
    rule: Annotated[
        str,
        Field(max_length=64, description="The rule that was read: 409 where another one holds it."),
    ]


class ExceptionItem(RequestBody):
    """What `rule` holds of a campaign of an SP is released by itself until `until`."""

    number: Annotated[int, Field(examples=[2])]
    rule: Annotated[str, Field(examples=["K-LOAN"])]
    system_id: Annotated[str, Field(examples=["shop"])]
    campaign: Annotated[str, Field(examples=["c3f1d9a07b2e4c55f"])]
    by: Annotated[str, Field(examples=["api: soc"])]
    note: str
    created_at: datetime
    until: datetime
    revoked_at: datetime | None
    revoked_by: str


class ExceptionList(RequestBody):
    """Exceptions, the newest first, those that ended too."""

    exceptions: list[ExceptionItem]


def second_reviewer(client: ApiClient) -> str:
    """Return the name of a client to which second reviews are dealt, "" of any other."""
    permitted = CLIENT_PERMISSIONS[client.role]
    return acting_as(client) if gets_second_reviews(permitted.__contains__) else ""


def decision_routes(context: ApiContext) -> APIRouter:
    """Return the routes of decisions on single messages."""
    router, utcnow = APIRouter(tags=["quarantine"]), context.utcnow
    desk = ReviewDesk(ReviewStore(context.database), context.join(ReviewTools).mask)

    @router.get("/v1/decisions", summary="List one's own last decisions")
    async def latest(client: Reader) -> DecisionList:
        """Return the last ten decisions of this client, and what became of them."""
        found = await desk.last_ten(acting_as(client), utcnow())
        return DecisionList(decisions=[decision_item(one.decision) for one in found])

    @router.post("/v1/decisions/{number}/undo", summary="Undo a decision")
    async def undo(number: Number, client: Reviewer) -> DecisionItem:
        """Undo a decision within its ten seconds: its message is held again as it was.

        That of another is undone by who may decide on campaigns.
        """
        found = await desk.undo(
            number, acting_as(client), utcnow(), may_undo_others=_may_undo_others(client)
        )
        if isinstance(found, NotUndone):
            raise _not(found.why, is_known=found.decision is not None)
        return decision_item(found)

    return router


async def _as_held(seconds: SecondReviewStore, client: ApiClient, at: datetime) -> tuple[int, ...]:
    return (await seconds.dealt_to(second_reviewer(client), at)).as_held


def campaign_routes(context: ApiContext) -> APIRouter:
    """Return the routes of campaigns of held messages."""
    router, utcnow = APIRouter(tags=["quarantine"]), context.utcnow
    store, seconds = CampaignStore(context.database), SecondReviewStore(context.database)
    most_released = context.two_persons.release_campaign_above
    desk = CampaignDesk(store, context.join(ReviewTools).mask, most_released)

    @router.get("/v1/campaigns", summary="List open campaigns")
    async def listed(client: Reader) -> CampaignList:
        """Return the largest campaigns among what is held, with an example of each."""
        as_held = await _as_held(seconds, client, utcnow())
        found = await store.open_campaigns(_MOST_LISTED, as_held=as_held)
        return CampaignList(campaigns=list(map(_campaign, found)))

    @router.post("/v1/campaigns/{campaign}/decide", summary="Decide on a campaign", status_code=202)
    async def decide(
        campaign: Campaign, body: CampaignDecisionBody, client: SeniorReviewer
    ) -> CampaignJobItem:
        """Release or discard all that is held of a campaign now, as one job of the gateway.

        It waits for ten seconds, in which it can be undone. What comes later stays held.
        """
        new = NewCampaignReview(
            *(campaign, body.decision, acting_as(client), body.expected_count, body.system_id),
            note=body.note.strip(),
            category=body.category,
            rule=body.rule,
            as_held=await _as_held(seconds, client, utcnow()),
        )
        try:
            made = await desk.decide(new, utcnow())
        except ValueError as error:
            raise ProblemError(Problem.NOT_AS_DESCRIBED, str(error)) from error
        if isinstance(made, JobNotMade):
            raise ProblemError(Problem.CONFLICT, f"{made.why}: {made.held}")
        return _job(made)

    @router.post("/v1/quarantine/decide", summary="Decide on chosen messages", status_code=202)
    async def decide_on_chosen(body: ChosenDecisionBody, client: Reviewer) -> ChosenJobItem:
        """Release or discard up to 500 messages as one job of the gateway, with one reason.

        It waits for ten seconds, in which it can be undone as one on a campaign. Messages that
        are not held, that have another text than the one `seen`, that a decision waits on, or that
        another reviewer has are `left`; where all are, it is a 409.
        """
        read = {int(one.message_id): one.seen for one in body.messages}
        chosen = tuple(ChosenMessage(*one) for one in sorted(read.items()))
        new = NewChosenReview(
            chosen,
            body.decision,
            acting_as(client),
            note=body.note.strip(),
            category=body.category,
            may_be_second=bool(second_reviewer(client)),
        )
        try:
            made = await desk.decide_chosen(new, utcnow())
        except ValueError as error:
            raise ProblemError(Problem.NOT_AS_DESCRIBED, str(error)) from error
        if isinstance(made, JobNotMade):
            raise ProblemError(Problem.CONFLICT, made.why)
        left = [LeftMessage(message_id=str(one.message_id), why=one.why) for one in made.left]
        return ChosenJobItem(job=_job(made.job), left=left)

    _campaign_jobs(router, store, desk, utcnow)
    return router


def _campaign_jobs(
    router: APIRouter, store: CampaignStore, desk: CampaignDesk, utcnow: Now
) -> None:
    @router.get("/v1/campaigns/decisions", summary="List decisions on many")
    async def jobs(_client: Reader) -> CampaignJobList:
        """Return the newest decisions on campaigns and on chosen messages, with their progress."""
        return CampaignJobList(jobs=list(map(_job, await store.latest(limit=_MOST_LISTED))))

    @router.get("/v1/campaigns/decisions/{number}", summary="Look at a decision on many")
    async def job(number: Number, _client: Reader) -> CampaignJobItem:
        """Return how far the gateway is with it."""
        found = await store.job(number)
        if found is None:
            raise ProblemError(Problem.NOT_FOUND)
        return _job(found)

    @router.post("/v1/campaigns/decisions/{number}/undo", summary="Undo a decision on many")
    async def undo(number: Number, client: Reviewer) -> CampaignJobItem:
        """Undo a decision that has not begun: all its messages are held as they were.

        That of another is undone by who may decide on campaigns.
        """
        found = await desk.undo(
            number, acting_as(client), utcnow(), may_undo_others=_may_undo_others(client)
        )
        if isinstance(found, JobNotUndone):
            raise _not(found.why, is_known=found.job is not None)
        return _job(found)


async def _as_read(messages: QuarantineStore, body: ExceptionBody) -> HeldMessage:
    """Return the message of a body. Raises ProblemError, also where another rule holds it now."""
    held = await messages.get(int(body.message_id))
    if held is None:
        raise ProblemError(Problem.NOT_FOUND)
    if body.rule != held.rule:
        raise ProblemError(Problem.CONFLICT, "another rule holds the message by now")
    return held


def exception_routes(context: ApiContext) -> APIRouter:
    """Return the routes of exceptions: "and from now on"."""
    router, utcnow = APIRouter(tags=["quarantine"]), context.utcnow
    store, held_messages = ExceptionStore(context.database), QuarantineStore(context.database)
    desk = ExceptionDesk(store, context.join(ReviewTools).mask)

    @router.get("/v1/exceptions", summary="List exceptions")
    async def listed(_client: Reader) -> ExceptionList:
        """Return the newest exceptions, those that ended too."""
        return ExceptionList(exceptions=list(map(_exception, await store.listed(_MOST_LISTED))))

    @router.post("/v1/exceptions", summary="Make an exception", status_code=201)
    async def add(body: ExceptionBody, client: Excepter) -> ExceptionItem:
        """Release from now on what the rule that holds a message holds of its SP and campaign."""
        held = await _as_read(held_messages, body)
        note = body.note.strip()
        try:
            made = await desk.add(held, acting_as(client), note, utcnow(), body.until)
        except ValueError as error:
            raise ProblemError(Problem.NOT_AS_DESCRIBED, str(error)) from error
        if isinstance(made, NotDone):
            raise ProblemError(Problem.CONFLICT, made.why)
        return _exception(made)

    @router.post("/v1/exceptions/{number}/revoke", summary="Revoke an exception")
    async def revoke(number: Number, client: Excepter) -> ExceptionList:
        """End an exception that is in force; return the newest ones."""
        if not await desk.revoke(number, acting_as(client), utcnow()):
            raise ProblemError(Problem.CONFLICT, "no such exception is in force")
        return ExceptionList(exceptions=list(map(_exception, await store.listed(_MOST_LISTED))))

    return router


def _may_undo_others(client: ApiClient) -> bool:
    return Permission.DECIDE_CAMPAIGN in CLIENT_PERMISSIONS[client.role]


def _not(why: str, *, is_known: bool) -> ProblemError:
    return ProblemError(Problem.CONFLICT if is_known else Problem.NOT_FOUND, why)


def decision_item(one: ReviewDecision) -> DecisionItem:
    """Return a decision for programs."""
    return DecisionItem(
        number=one.number,
        message_id=str(one.message_id),
        decision=one.decision,
        by=one.by,
        note=one.why,
        category=one.category,
        decided_at=one.decided_at,
        not_before=one.not_before,
        state=one.state,
        outcome=one.outcome,
    )


def _campaign(one: OpenCampaign) -> CampaignItem:
    held = one.example
    return CampaignItem(
        campaign=one.campaign,
        messages=one.messages,
        senders=one.senders,
        first_at=one.first_at,
        last_at=one.last_at,
        example_id=str(held.message_id),
        source=masked_source(held.source),
        destination=masked(held.destination),
        rule=held.rule,
        category=held.category,
    )


def _job(one: ReviewJob) -> CampaignJobItem:
    fields = {name: value for name, value in asdict(one).items() if name in _JOB_FIELDS}
    return CampaignJobItem(**fields | {"note": one.why})


_JOB_FIELDS = CampaignJobItem.model_fields.keys()


def _exception(one: HoldException) -> ExceptionItem:
    fields = asdict(one)
    del fields["after_id"]
    return ExceptionItem(**fields)
