"""The paths of the linkage: for members that show their certificate, for staff, its schemas."""

from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Query
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.domain.api_client import ApiClient
from gateway.domain.linkage import (
    EventRefusal,
    Member,
    MemberRegistry,
    OutboxState,
    RefusalReason,
)
from gateway.domain.permissions import Permission
from gateway.storage.errors import StoreUnavailable
from gateway.systems.linkage.envelope import MAX_ENVELOPE_OCTETS
from gateway.systems.linkage.model import SCHEMA_VERSION, StoredEvent
from gateway.systems.linkage.service import LinkageInbox
from gateway.systems.linkage.sql import LinkageInboxStore, LinkageOutboxStore
from gateway.web.access import may
from gateway.web.fields import RequestBody
from gateway.web.systems import ApiContext, SystemApi

Item = TypeVar("Item", bound=RequestBody)

INBOX, OUTBOX = "/v1/linkage/inbox", "/v1/linkage/outbox"
PULLED_AT_ONCE = 50
MOST_LISTED = 500
CaseReader = Annotated[ApiClient, Depends(may(Permission.READ_CASES))]
# Each version of the schema of events, for everybody.
SCHEMAS = tuple(
    f"/schemas/linkage-event-{version}.json" for version in range(1, SCHEMA_VERSION + 1)
)
_SCHEMA_TYPE = "application/schema+json"
# Where the server notes the certificate that the peer of a request has shown, as DER.
PEER_CERTIFICATE = "peer_certificate"

_STATUS = {
    RefusalReason.TOO_LARGE: 413,
    RefusalReason.UNKNOWN_PEER: 403,
    RefusalReason.WRONG_PEER: 403,
    RefusalReason.CONFLICT: 409,
    RefusalReason.TOO_MANY: 429,
}
_TOO_MANY_DIGITS = 19  # 2**63 has so many


def linkage_app(
    registry: MemberRegistry,
    inbox: LinkageInbox,
    outbox: LinkageOutboxStore,
    utcnow: Callable[[], datetime],
) -> Starlette:
    """Return the application; each refusal is answered with its `reason` and `detail`."""

    async def take(request: Request) -> Response:
        envelope = await _bounded(request.stream())
        sent_at = _sent_at(request)
        if sent_at is None:
            return _refused(EventRefusal(RefusalReason.CLOCK_SKEW, "the header Date"))
        taken = await inbox.take(envelope, _peer_of(request, registry), sent_at, utcnow())
        if isinstance(taken, EventRefusal):
            return _refused(taken)
        return Response(taken, media_type="application/jose+json")

    async def give(request: Request) -> Response:
        asked = _asked_for(request, registry)
        if isinstance(asked, EventRefusal):
            return _refused(asked)
        found = await outbox.after(*asked, PULLED_AT_ONCE)
        events = [{"number": one.number, "envelope": one.envelope} for one in found]
        return JSONResponse({"events": events})

    async def unavailable(_request: Request, _error: Exception) -> Response:
        return Response(status_code=503, headers={"Retry-After": "1"})

    return Starlette(
        routes=[
            Route(INBOX, take, methods=["POST"]),
            Route(OUTBOX, give, methods=["GET"]),
            *(Route(one, _schema, methods=["GET"]) for one in SCHEMAS),
        ],
        exception_handlers={StoreUnavailable: unavailable},
    )


class EventItem(RequestBody):
    """An event of the linkage, without what it says: that stands in its case."""

    number: int
    source: str
    recipient: str
    type: str
    case: str
    sequence: int
    id: str


class SentEvent(EventItem):
    """An event to another member, and what became of it; `said` is why the last attempt failed."""

    created_at: datetime
    state: OutboxState
    attempts: int
    next_at: datetime
    said: str


class ReceivedEvent(EventItem):
    """An event of another member. `conflicts` counts others under its id or sequence."""

    received_at: datetime
    is_applied: bool
    conflicts: int


class SentEvents(RequestBody):
    """A page of events; `next` is the number to ask on with, null at the end."""

    events: list[SentEvent]
    next: int | None


class ReceivedEvents(RequestBody):
    """A page of events; `next` is the number to ask on with, null at the end."""

    events: list[ReceivedEvent]
    next: int | None


class GapItem(RequestBody):
    """A case with missing events: from `first_missing`, some below `highest`."""

    source: str
    recipient: str
    case: str
    first_missing: int
    highest: int


class EventGaps(RequestBody):
    """Cases in which events are missing, at most 500 of them."""

    gaps: list[GapItem]


_Limit = Annotated[int, Query(ge=1, le=MOST_LISTED)]
_Before = Annotated[int | None, Query(ge=1, lt=2**63)]
_Case = Annotated[str | None, Query(max_length=128, examples=["unicom-gd.7"])]


def linkage_reading(context: ApiContext) -> APIRouter:
    """Return the routes on which staff see what goes between carriers."""
    inbox, outbox = LinkageInboxStore(context.database), LinkageOutboxStore(context.database)
    router = APIRouter(prefix="/v1/linkage", tags=["linkage"])

    @router.get("/sent", summary="List events to other members, the newest first")
    async def sent(
        _: CaseReader,
        state: OutboxState | None = None,
        before: _Before = None,
        limit: _Limit = 50,
    ) -> SentEvents:
        """Return events with what became of them; `state=dead` are those to be sent again."""
        found = await outbox.listed(state, before=before, limit=limit)
        return SentEvents(events=_shown(SentEvent, found), next=_next(found, limit))

    @router.get("/received", summary="List events of other members, the newest first")
    async def received(
        _: CaseReader, case: _Case = None, before: _Before = None, limit: _Limit = 50
    ) -> ReceivedEvents:
        """Return events, of one case where `case` is that member's name of it."""
        found = await inbox.listed(case, before=before, limit=limit)
        return ReceivedEvents(events=_shown(ReceivedEvent, found), next=_next(found, limit))

    @router.get("/gaps", summary="List the cases in which events are missing")
    async def gaps(_: CaseReader) -> EventGaps:
        """Return them; `smsward linkage run` asks the other members for what is missing."""
        return EventGaps(gaps=_shown(GapItem, await inbox.gaps(MOST_LISTED)))

    return router


API = SystemApi((linkage_reading,))


def _shown(item: type[Item], found: Iterable[object]) -> list[Item]:
    """Return what the store has in the words of the API, where a subject is a case."""
    names = {name: "subject" if name == "case" else name for name in item.model_fields}
    return [item(**{name: getattr(one, own) for name, own in names.items()}) for one in found]


def _next(found: Sequence[StoredEvent], limit: int) -> int | None:
    return found[-1].number if len(found) == limit else None


def schemas() -> APIRouter:
    """Return the routes of the schemas, which need no token."""
    router = APIRouter(tags=["linkage"])
    for path in SCHEMAS:
        router.add_api_route(
            path,
            _schema,
            methods=["GET"],
            summary="Read the JSON Schema of events between carriers",
            response_class=Response,
            responses={200: {"content": {_SCHEMA_TYPE: {}}}},
        )
    return router


async def _schema(request: Request) -> Response:
    """Return a version of the schema (JSON Schema 2020-12), which does not change."""
    name = request.url.path.rpartition("/")[2]
    return Response(_shipped_schema(name), media_type=_SCHEMA_TYPE)


@cache
def _shipped_schema(name: str) -> bytes:
    return files(__package__).joinpath("schemas", name).read_bytes()


def _peer_of(request: Request, registry: MemberRegistry) -> Member | None:
    certificate = request.scope.get(PEER_CERTIFICATE)
    if not isinstance(certificate, bytes):
        return None
    return registry.find_certificate(sha256(certificate).digest())


def _asked_for(request: Request, registry: MemberRegistry) -> tuple[str, int] | EventRefusal:
    """Return the member that asks for its own events, and above which number."""
    peer = _peer_of(request, registry)
    if peer is None:
        return EventRefusal(RefusalReason.UNKNOWN_PEER)
    if request.query_params.get("member") != peer.name:
        return EventRefusal(RefusalReason.WRONG_PEER, "member")
    after = _number_of(request.query_params.get("after", "0"))
    return EventRefusal(RefusalReason.MALFORMED, "after") if after is None else (peer.name, after)


def _number_of(text: str) -> int | None:
    is_number = text.isascii() and text.isdigit() and len(text) < _TOO_MANY_DIGITS
    return int(text) if is_number else None


def _sent_at(request: Request) -> datetime | None:
    try:
        at = parsedate_to_datetime(request.headers.get("date", ""))
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


async def _bounded(stream: AsyncIterable[bytes]) -> bytes:
    """Return a body, or one octet more than is taken."""
    octets = b""
    async for chunk in stream:
        octets += chunk
        if len(octets) > MAX_ENVELOPE_OCTETS:
            break
    return octets[: MAX_ENVELOPE_OCTETS + 1]


def _refused(refusal: EventRefusal) -> Response:
    answer = {"reason": refusal.reason, "detail": refusal.detail}
    return JSONResponse(answer, status_code=_STATUS.get(refusal.reason, 422))
