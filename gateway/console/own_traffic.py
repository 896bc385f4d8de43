"""What an SP may ask of its own traffic: its messages, its limits, and counts by day."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, TypeVar

import structlog
from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, ConfigDict, Field

from gateway.domain.live import LiveLimits
from gateway.records.archive import RecordArchive
from gateway.records.sender_messages import (
    MAX_DAYS,
    MAX_MESSAGES,
    MAX_RANGE,
    MessageQuery,
    MessageState,
    RecordsTooManyError,
    SenderRecords,
)
from gateway.runtime.clock import monotonic, utcnow
from gateway.settings.gateway import GatewaySettings, load_sealer
from gateway.terminal.control import ask
from gateway.terminal.failure import CommandError
from gateway.web.access import ITEMS_PER_REQUEST, SpClient, charge
from gateway.web.fields import Day, Moment, RequestBody
from gateway.web.problems import Problem, ProblemError, not_as_described

log = structlog.get_logger()
T = TypeVar("T")

# A look into records costs as much as so many requests.
_LOOK_ITEMS = 10 * ITEMS_PER_REQUEST
_USUAL_RANGE = timedelta(hours=1)
_USUAL_DAYS = timedelta(days=6)
_AGAIN = {"Retry-After": "5"}
_UNREAD = (OSError, EOFError, zlib.error, ValueError)
_AFTER = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z/[0-9]{1,9}"


def _is_recorded(day: T) -> T:
    """Keep away from the ends of the calendar, where counting back or on fails."""
    if isinstance(day, date) and not 1970 <= day.year <= 9000:
        raise ValueError("is no day of records: 1970 to 9000")
    return day


class _AnswerBody(RequestBody):
    """What is shown of a value, from its attributes."""

    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True)


class MessageShown(_AnswerBody):
    """One message to one subscriber, without its text."""

    at: Annotated[str, Field(examples=["2025-11-25T04:00:00.123Z"])]
    message_id: Annotated[str, Field(description="As the SP was given it; may be empty.")]
    state: MessageState
    source: str
    destination: Annotated[str, Field(description="Masked.", examples=["138****8000"])]
    status: Annotated[str, Field(description="What the SP heard.", examples=["ESME_ROK"])]
    reason: Annotated[str, Field(examples=["CONTENT"])]
    rule: str
    receipt: Annotated[str, Field(description="stat of the receipt.", examples=["DELIVRD"])]


class MessagesShown(RequestBody):
    """Messages in their order; `next` goes into `after` for those behind them."""

    messages: list[MessageShown]
    next: str | None


class CountShown(_AnswerBody):
    """How many messages of a day came to an action, for a reason, from a port."""

    day: date
    port: Annotated[str, Field(description="As registered; empty if none of this SP's.")]
    action: Annotated[str, Field(examples=["reject"])]
    reason: str
    count: int


class Statistics(RequestBody):
    """Counts of days in UTC."""

    counts: list[CountShown]


class MessagesAsked(RequestBody):
    """Which messages; the fields of the query."""

    since: Annotated[Moment | None, AfterValidator(_is_recorded), Field(alias="from")] = None
    until: Annotated[Moment | None, AfterValidator(_is_recorded), Field(alias="to")] = None
    message_id: Annotated[
        str | None, Field(alias="id", min_length=1, max_length=64, pattern="^[!-~]*$")
    ] = None
    state: MessageState | None = None
    after: Annotated[str | None, Field(pattern=f"^{_AFTER}$")] = None
    limit: Annotated[int, Field(ge=1, le=MAX_MESSAGES)] = 100

    def query_of(self, system_id: str, now: datetime) -> MessageQuery:
        """Return what is to be looked for. Raises ProblemError."""
        until = self.until or now
        since = self.since or until - _USUAL_RANGE
        if not timedelta() < until - since <= MAX_RANGE:
            raise not_as_described("/query/from", "must be before to, by 24 hours at most")
        how = (self.message_id, self.state, self.after, self.limit)
        return MessageQuery(system_id, since, until, *how)


class DaysAsked(RequestBody):
    """Which days; the fields of the query."""

    first: Annotated[Day | None, AfterValidator(_is_recorded), Field(alias="from")] = None
    last: Annotated[Day | None, AfterValidator(_is_recorded), Field(alias="to")] = None

    def days_at(self, now: datetime) -> tuple[date, date]:
        """Return the first and the last day. Raises ProblemError."""
        last = self.last or now.date()
        first = self.first or last - _USUAL_DAYS
        if not timedelta() <= last - first < timedelta(days=MAX_DAYS):
            raise not_as_described("/query/from", "must not be after to, and 31 days at most")
        return first, last


class _RecordLooks:
    """Reads records beside the loop, one after the other, and of each SP one."""

    def __init__(self) -> None:
        self._alone = asyncio.Lock()
        self._looking = set[str]()

    async def take(self, system_id: str, read: Callable[[], T]) -> T:
        """Return what `read` returns. Raises ProblemError.

        A second look of an SP would stand before the first of all others: it may ask again.
        """
        if system_id in self._looking:
            raise ProblemError(Problem.NOT_NOW, "another look goes on", headers=_AGAIN)
        self._looking.add(system_id)
        try:
            async with self._alone:
                return await asyncio.to_thread(read)
        except RecordsTooManyError:
            detail = "there are too many records: take a shorter time, or ask again"
        except _UNREAD:
            detail = "the records cannot be read"
        finally:
            self._looking.remove(system_id)
        raise ProblemError(Problem.NOT_NOW, detail, headers=_AGAIN)


def traffic_of(
    settings: GatewaySettings,
    ports: Callable[[], Mapping[str, tuple[str, ...]]],
    utcnow: Callable[[], datetime] = utcnow,
) -> APIRouter:
    """Return the routes on the records of a gateway and what it answers; `ports` are of each SP."""

    async def limits_of(system_id: str) -> LiveLimits | None:
        control = settings.store.control
        try:
            return await asyncio.to_thread(ask, control, "limits", LiveLimits, system_id=system_id)
        except CommandError as error:
            log.warning("api.gateway_silent", said=str(error))
            return None

    archive, sealer = RecordArchive(settings.records.directory), load_sealer(settings)
    own = SenderRecords(archive, sealer, ports, (monotonic, utcnow))
    return own_traffic(own, limits_of, utcnow)


def own_traffic(
    records: SenderRecords,
    limits_of: Callable[[str], Awaitable[LiveLimits | None]],
    utcnow: Callable[[], datetime],
) -> APIRouter:
    """Return the routes; `limits_of` asks the running gateway, and returns None without one."""
    router, looks = APIRouter(tags=["traffic"]), _RecordLooks()

    @router.get("/v1/messages", summary="Look at one's own messages")
    async def messages(
        client: SpClient, request: Request, asked: Annotated[MessagesAsked, Query()]
    ) -> MessagesShown:
        """Return messages of this SP that came within at most 24 hours, the last hour as a rule.

        Answers and receipts count until an hour after `to`. A page may be shorter than `limit`
        where `state` or `id` leave some out; as long as `next` is given, there may be more.
        """
        query = asked.query_of(client.system_id, utcnow())
        charge(request, _LOOK_ITEMS)
        page = await looks.take(client.system_id, lambda: records.messages(query))
        shown = [MessageShown.model_validate(one) for one in page.messages]
        return MessagesShown(messages=shown, next=page.next or None)

    @router.get("/v1/statistics", summary="Count one's own messages by day")
    async def statistics(
        client: SpClient, request: Request, asked: Annotated[DaysAsked, Query()]
    ) -> Statistics:
        """Return the counts of at most 31 days in UTC, the last seven as a rule."""
        first, last = asked.days_at(utcnow())
        charge(request, _LOOK_ITEMS)
        whose = client.system_id
        counts = await looks.take(whose, lambda: records.counts(whose, first, last))
        return Statistics(counts=[CountShown.model_validate(one) for one in counts])

    @router.get("/v1/limits", summary="Ask for one's limits, and what of them is used")
    async def limits(client: SpClient) -> LiveLimits:
        """Return the limits in force at the gateway, and how much of them is used now."""
        found = await limits_of(client.system_id)
        if found is None:
            raise ProblemError(Problem.NOT_NOW, "the gateway does not answer", headers=_AGAIN)
        return found

    return router
