"""Complaints over HTTP: one or a batch (R81), and how one stands (R89)."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Body, Depends, Header, Path, Request
from fastapi.openapi.models import Example
from pydantic import Discriminator, Field, Tag, WrapValidator

from gateway.domain.api_client import ApiClient, ApiRole, RefusalChannel
from gateway.domain.msisdn import is_mobile, masked
from gateway.domain.permissions import Permission
from gateway.systems.complaints.intake import (
    ComplaintForm,
    ComplaintItem,
    ItemOrigin,
    ItemRejectedError,
    MarsReport,
    RejectedItem,
    checked,
    complaint_of,
    kind_of,
)
from gateway.systems.complaints.model import (
    MOST_AT_ONCE,
    Complaint,
    ComplaintSource,
    ComplaintState,
    IntakeResult,
    InvalidReason,
    NewComplaint,
    china_day,
)
from gateway.systems.complaints.service import ComplaintDesk
from gateway.systems.complaints.sql import ComplaintStore
from gateway.web.access import by, charge, may
from gateway.web.fields import RequestBody
from gateway.web.problems import Problem, ProblemError, RequestFault
from gateway.web.systems import ApiContext, SystemApi

Bringer = Annotated[ApiClient, Depends(by(ApiRole.CLERK, ApiRole.APP))]
StatusReader = Annotated[ApiClient, Depends(may(Permission.READ_COMPLAINTS))]

_ACCEPTED: Final = 202
_REJECTED: Final = 422
_MAX_PROBLEM_FAULTS = 20
_LAST_NUMBER = 2**63 - 1
_CHINA = timedelta(hours=8)
_SOURCES = {
    RefusalChannel.HALL: ComplaintSource.CUSTOMER_SERVICE,
    RefusalChannel.WEB: ComplaintSource.CUSTOMER_SERVICE,
    RefusalChannel.CUSTOMER_SERVICE: ComplaintSource.CUSTOMER_SERVICE,
    RefusalChannel.COMPLAINT: ComplaintSource.AUTHORITY,
    RefusalChannel.LINKAGE: ComplaintSource.CARRIER,
}


class ComplaintBatch(RequestBody):
    """Complaints in one of the two forms each; `source` is that of all who say none."""

    complaints: Annotated[list[ComplaintItem], Field(min_length=1, max_length=MOST_AT_ONCE)]
    source: Annotated[
        ComplaintSource | None, Field(description="Who took them first.", examples=["12321"])
    ] = None


def _kind_of_body(body: object) -> str:
    return "batch" if isinstance(body, dict) and "complaints" in body else kind_of(body)


_Body = Annotated[
    Annotated[ComplaintBatch, Tag("batch")]
    | Annotated[ComplaintForm, Tag("complaint")]
    | Annotated[MarsReport, Tag("mars")],
    Discriminator(_kind_of_body),
    WrapValidator(checked),
]
_OUR_EXAMPLE = {
    "source_id": "1f0c-77",
    "sender": "106900010001",
    "text": "低息贷款，加微信",
    "reported_at": "2025-11-25T19:30:00+08:00",
    "reporter": "13800138000",
    "category": "loan",
}
_MARS_EXAMPLE = {
    "v": "1",
    "u": "ExampleOrg/Messages/2.3",
    "s": "106900010001",
    "r": "+8613800138000",
    "m": {"p": "sms", "t": "2025-11-25T11:15:22Z", "c": "低息贷款，加微信"},
}
_EXAMPLES = {
    "one": Example(summary="One complaint", value=_OUR_EXAMPLE),
    "mars": Example(summary="One report in MARS v1", value=_MARS_EXAMPLE),
    "batch": Example(
        summary="A batch of 12321",
        value={"source": "12321", "complaints": [_OUR_EXAMPLE, _MARS_EXAMPLE]},
    ),
}


class ItemFault(RequestBody):
    """What is wrong at one place of the request."""

    pointer: Annotated[str, Field(examples=["/complaints/1/sender"])]
    problem: str


class ItemOutcome(RequestBody):
    """What came of one complaint; without an `id` it was not taken."""

    status: Literal[202, 422]
    id: Annotated[int | None, Field(description="Tell it to the reporter.", examples=[4711])]
    state: ComplaintState | None
    is_new: Annotated[bool, Field(description="False: it was on record already.")]
    is_shielded: Annotated[
        bool, Field(description="The reporter gets no more of this port's commercial messages.")
    ]
    faults: list[ItemFault]


class BatchOutcome(RequestBody):
    """What came of each complaint, in their order."""

    items: list[ItemOutcome]


class ComplaintStatus(RequestBody):
    """How a complaint stands; numbers masked, and never its text."""

    id: int
    source: ComplaintSource
    state: ComplaintState
    invalid_reason: InvalidReason | None
    sender: Annotated[str, Field(description="Masked where it is a person's number.")]
    reporter: Annotated[str | None, Field(examples=["138****8000"])]
    category: str
    reported_at: datetime
    taken_at: datetime
    case: Annotated[int | None, Field(description="The case that it became part of.")]


def complaints(context: ApiContext) -> APIRouter:
    """Return the routes of complaints; sessions of subscribers prove who reports."""
    router, store = APIRouter(tags=["complaints"]), ComplaintStore(context.database)
    desk, known = context.join(ComplaintDesk), context.subscribers

    @router.post("/v1/complaints", summary="Report spam (举报)", status_code=_ACCEPTED)
    async def report(
        body: Annotated[_Body, Body(openapi_examples=_EXAMPLES)],
        client: Bringer,
        request: Request,
        session: Annotated[
            str | None,
            Header(
                alias="Subscriber-Session",
                max_length=128,
                description="Proves the reporter of all: the owner of this session.",
            ),
        ] = None,
    ) -> BatchOutcome:
        """Take complaints down, in our form or in MARS v1; each for itself.

        Those that are not as described are told with 422 in their place and keep no other back;
        where none is taken the answer is 422. May be repeated: a complaint is known by source
        and id, and has the same `id` again.
        """
        batch, source = _items(body)
        charge(request, len(batch))
        reporter = await known.owner_of(session, client) if session else None
        origin = ItemOrigin(_sources(client), client.name, known.utcnow(), source, reporter)
        read = [_read(item, origin) for item in batch]
        if not any(isinstance(one, NewComplaint) for one in read):
            is_batch = isinstance(body, ComplaintBatch)
            raise _none_taken(read, is_batch=is_batch)
        taken = [one for one in read if isinstance(one, NewComplaint)]
        # An app may name anybody as a reporter: only a session proves one.
        are_proved = reporter is not None or client.role is ApiRole.CLERK
        results = iter(await desk.receive(taken, are_proved=are_proved))
        return BatchOutcome(
            items=[
                _taken(next(results)) if isinstance(one, NewComplaint) else _refused(at, one)
                for at, one in enumerate(read)
            ]
        )

    @router.get("/v1/complaints/{number}", summary="Ask how a complaint stands")
    async def status(
        number: Annotated[int, Path(ge=1, le=_LAST_NUMBER)], client: StatusReader
    ) -> ComplaintStatus:
        """Return how it stands, masked. An app sees those that it brought.

        And for one reporter it sees one a day, by the clock in China (R89): of what a session has
        proved, together with all ways to ask of that reporter, else by itself.
        """
        complaint = await store.get(number)
        if complaint is None or not _may_see(client, complaint):
            raise ProblemError(Problem.NOT_FOUND)
        reporter = complaint.reporter if client.role is ApiRole.APP else None
        today = china_day(known.utcnow())
        by_app = "" if complaint.is_proved else client.name
        if reporter is not None and not await store.admit_query(reporter, today, by_app):
            raise ProblemError(Problem.ASKED_TODAY, headers=_tomorrow(known.utcnow()))
        return _shown(complaint)

    return router


API = SystemApi((complaints,))


def _items(body: object) -> tuple[list[object], ComplaintSource | None]:
    """Return the items of a request, and their source. Raises ProblemError."""
    match body:
        case RejectedItem(faults):
            raise ProblemError(Problem.NOT_AS_DESCRIBED, faults=faults)
        case ComplaintBatch(complaints=items, source=source):
            return list(items), source
        case _:
            return [body], None


def _sources(client: ApiClient) -> tuple[ComplaintSource, ...]:
    """Return the sources that a client may bring complaints of."""
    if client.role is ApiRole.APP:
        return (ComplaintSource.CLIENT,)
    return tuple(dict.fromkeys(_SOURCES[channel] for channel in client.channels))


def _read(item: object, origin: ItemOrigin) -> NewComplaint | ItemRejectedError:
    try:
        return complaint_of(item, origin)
    except ItemRejectedError as error:
        return error


def _none_taken(read: list[NewComplaint | ItemRejectedError], *, is_batch: bool) -> ProblemError:
    faults = [
        RequestFault(
            f"/complaints/{at}{fault.pointer}" if is_batch else fault.pointer, fault.problem
        )
        for at, one in enumerate(read)
        if isinstance(one, ItemRejectedError)
        for fault in one.faults
    ]
    more = len(faults) - _MAX_PROBLEM_FAULTS
    return ProblemError(
        Problem.NOT_AS_DESCRIBED,
        f"no complaint was taken, and there are {more} faults more" if more > 0 else "",
        faults=faults[:_MAX_PROBLEM_FAULTS],
    )


def _taken(result: IntakeResult) -> ItemOutcome:
    return ItemOutcome(
        status=_ACCEPTED,
        id=result.number,
        state=result.state,
        is_new=result.is_new,
        is_shielded=result.is_shielded,
        faults=[],
    )


def _refused(at: int, error: ItemRejectedError) -> ItemOutcome:
    return ItemOutcome(
        status=_REJECTED,
        id=None,
        state=None,
        is_new=False,
        is_shielded=False,
        faults=[
            ItemFault(pointer=f"/complaints/{at}{fault.pointer}", problem=fault.problem)
            for fault in error.faults
        ],
    )


def _may_see(client: ApiClient, complaint: Complaint) -> bool:
    return client.role is not ApiRole.APP or (
        complaint.source is ComplaintSource.CLIENT
        and complaint.source_id.startswith(f"{client.name}:")
    )


def _tomorrow(now: datetime) -> dict[str, str]:
    """Return the header that says when the next day begins in China."""
    since_midnight = (now.astimezone(UTC) + _CHINA - datetime.min.replace(tzinfo=UTC)) % timedelta(
        days=1
    )
    return {"Retry-After": f"{(timedelta(days=1) - since_midnight).total_seconds():.0f}"}


def _shown(complaint: Complaint) -> ComplaintStatus:
    sender, reporter = complaint.sender, complaint.reporter
    return ComplaintStatus(
        id=complaint.number,
        source=complaint.source,
        state=complaint.state,
        invalid_reason=complaint.invalid_reason,
        sender=masked(sender) if is_mobile(sender.encode()) else sender,
        reporter=None if reporter is None else masked(reporter),
        category=complaint.category,
        reported_at=complaint.reported_at,
        taken_at=complaint.taken_at,
        case=complaint.case_number,
    )
