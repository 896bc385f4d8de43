"""Records over HTTP: a search, and the way of one message or of a subscriber's (R73)."""

import asyncio
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple, Self, TypeVar

from fastapi import APIRouter, Depends, Request
from pydantic import Field, model_validator

from gateway.domain.api_client import ApiClient
from gateway.domain.msisdn import is_mobile, masked, msisdn_of
from gateway.domain.permissions import CLIENT_PERMISSIONS, Permission
from gateway.domain.records import NewAccess
from gateway.records.archive import FileLines, RecordArchive, scan_hour, start_of
from gateway.records.masked_records import shown_record
from gateway.records.message_search import follow_message, windows_of
from gateway.records.message_trail import MessageTrail
from gateway.records.sealed_values import Record, Subscriber, stamp_of, subjects_of
from gateway.runtime.clock import monotonic
from gateway.runtime.sealing import Sealer, SealError
from gateway.settings.gateway import GatewaySettings, load_sealer
from gateway.storage.journals import SqlJournals
from gateway.systems.quarantine.model import issued_at
from gateway.web.access import (
    ITEMS_PER_REQUEST,
    NoteLook,
    acting_as,
    charge,
    may,
    note_whole_numbers,
)
from gateway.web.fields import Moment, Number, Reason, RequestBody, Words, example
from gateway.web.problems import Problem, ProblemError, not_as_described
from gateway.web.resources import CursorPage, cursor_of, name_in

T = TypeVar("T")

MAX_SPAN = timedelta(days=31)
LOOK_S = 20.0
MOST_TRACED = 1000

_USUAL_SPAN = timedelta(hours=1)
_TRACED_SPAN = timedelta(hours=48)
_LOOK_ITEMS = 10 * ITEMS_PER_REQUEST
_RECORDS = "records"
_DEADLINE_EVERY = 1000  # records
_NUMBER = re.compile(r"[0-9]{8,}")
_AGAIN = {"Retry-After": "1"}

Reader = Annotated[ApiClient, Depends(may(Permission.READ_RECORDS))]
Word = Annotated[Words, Field(max_length=64)]


class SearchBody(RequestBody):
    """Which records are wanted; all that is given must fit. An hour is looked through as a rule."""

    model_config = example({"system_id": "shop", "rule": "K-LOAN", "limit": 50})

    since: Moment | None = None
    until: Moment | None = None
    system_id: Annotated[Word | None, Field(examples=["shop"])] = None
    kind: Annotated[Word | None, Field(examples=["decision"])] = None
    action: Annotated[Word | None, Field(examples=["quarantine"])] = None
    reason: Annotated[Word | None, Field(examples=["CONTENT"])] = None
    rule: Annotated[Word | None, Field(examples=["K-LOAN"])] = None
    category: Annotated[Word | None, Field(examples=["loan"])] = None
    port: Annotated[
        Word | None, Field(description="A sender; no person's number.", examples=["10690001"])
    ] = None
    cursor: Annotated[
        str | None,
        Field(
            max_length=256,
            pattern="^[A-Za-z0-9_-]+$",
            description="The `next` of the page before.",
        ),
    ] = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50


class RecordPage(CursorPage):
    """Records, the newest first, as `smsward records show --json` prints them: masked."""

    records: list[Mapping[str, Any]]


class TraceBody(RequestBody):
    """Which message: its id, or a subscriber's number. A number stands in no URL."""

    model_config = example({"message_id": "8176407200000001000"})

    message_id: Annotated[Word | None, Field(examples=["8176407200000001000"])] = None
    number: Number | None = None
    since: Annotated[Moment | None, Field(description="48 hours ago as a rule.")] = None
    unmask: Annotated[bool, Field(description="Show whole numbers and texts.")] = False
    reason: Annotated[
        Reason | None, Field(description="Why, for the journal; needed for a number.")
    ] = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.message_id is None) is (self.number is None):
            raise ValueError("give either message_id or number")
        if self.reason is None and (self.unmask or self.number is not None):
            raise ValueError("a number, and unmasking, need a reason")
        return self


class TraceResult(RequestBody):
    """All records about the messages that are meant, in their order."""

    records: list[Mapping[str, Any]]
    is_cut: Annotated[bool, Field(description="There are more: ask for a shorter time.")]


@dataclass(frozen=True, slots=True)
class RecordParts:
    """What the routes stand on: the archive, what opens it, the audit, a clock in UTC."""

    archive: RecordArchive
    sealer: Sealer | None
    journals: SqlJournals
    note_unmasking: NoteLook
    utcnow: Callable[[], datetime]


class _Place(NamedTuple):
    """Where a page ends: the record with this number, from 0, of an hour."""

    hour: int
    line: int


class _LookTooLongError(Exception):
    """A look into records took longer than it may."""


def records_of(
    settings: GatewaySettings,
    journals: SqlJournals,
    note_unmasking: NoteLook,
    utcnow: Callable[[], datetime],
) -> APIRouter:
    """Return the routes of the records that a gateway with these settings writes."""
    archive, sealer = RecordArchive(settings.records.directory), load_sealer(settings)
    return records(RecordParts(archive, sealer, journals, note_unmasking, utcnow))


def records(parts: RecordParts) -> APIRouter:
    """Return the routes of records; one look is done at a time."""
    router, alone = APIRouter(tags=["records"]), asyncio.Lock()

    @router.post("/v1/records/search", summary="Search records")
    async def search(asked: SearchBody, _client: Reader, request: Request) -> RecordPage:
        """Return records of at most 31 days, the newest first, with numbers masked.

        It compares what every reader may see: masked numbers cannot be found by guessing.
        """
        until = asked.until or parts.utcnow()
        since = asked.since or until - _USUAL_SPAN
        if not timedelta() < until - since <= MAX_SPAN:
            raise not_as_described("/since", "must be before until, by 31 days at most")
        if asked.port is not None and is_mobile(asked.port.encode("utf-8", "replace")):
            raise not_as_described("/port", "is a person's number and no port")
        end = _place_in(asked.cursor)
        charge(request, _LOOK_ITEMS)
        find = _Search(parts, asked, stamp_of(since), stamp_of(until))
        found, behind = await _looked(alone, lambda: find.page(since, until, end))
        following = None if behind is None else cursor_of(_RECORDS, f"{behind[0]}:{behind[1]}")
        return RecordPage(records=found, next=following)

    @router.post("/v1/records/trace", summary="Trace a message or a subscriber's")
    async def trace(asked: TraceBody, client: Reader, request: Request) -> TraceResult:
        """Return all about a message, from the submit to the receipt, or about a subscriber's.

        A look for a person, and whole numbers, are in the journal with their reason first; whole
        numbers are for roles with numbers.unmask, and counted as many as the records name.
        """
        may_unmask = Permission.UNMASK_NUMBER in CLIENT_PERMISSIONS[client.role]
        if asked.unmask and not may_unmask:
            raise ProblemError(Problem.FORBIDDEN, f"only for roles with {Permission.UNMASK_NUMBER}")
        charge(request, _LOOK_ITEMS)
        since = asked.since or parts.utcnow() - _TRACED_SPAN
        about = asked.message_id or masked(asked.number or 0)
        if asked.reason is not None and not asked.unmask:
            look = NewAccess(acting_as(client), "trace", asked.reason, about, parts.utcnow())
            await parts.journals.note_access(look)
        found, is_cut = await _looked(alone, lambda: _traced(parts, asked, since))
        if asked.reason is not None and asked.unmask:
            count = len(_numbers_in(found))
            about = f"{count} number{'' if count == 1 else 's'}: {about}"
            look = NewAccess(acting_as(client), "trace unmask", asked.reason, about, parts.utcnow())
            await note_whole_numbers(parts.note_unmasking, look, count)
        return TraceResult(records=found, is_cut=is_cut)

    return router


async def _looked(alone: asyncio.Lock, look: Callable[[], T]) -> T:
    """Return what a look into records finds, beside the loop. Raises ProblemError."""
    try:
        async with alone:
            return await asyncio.to_thread(look)
    except _LookTooLongError:
        detail = "there are too many records: take a shorter time"
    except SealError:
        detail = "the records are sealed with a key that is not here"
    except (OSError, EOFError, ValueError, zlib.error):
        detail = "the records cannot be read"
    raise ProblemError(Problem.NOT_NOW, detail, headers=_AGAIN)


def _place_in(cursor: str | None) -> _Place | None:
    hour, _, index = name_in(_RECORDS, cursor).partition(":")
    if cursor is None:
        return None
    if not (hour.isdecimal() and index.isdecimal()) or len(hour + index) > 18:
        raise not_as_described("/cursor", "is not the `next` of a page of this list")
    return _Place(int(hour), int(index))


class _Search:
    """Reads hours from the newest back until a page is full."""

    def __init__(self, parts: RecordParts, asked: SearchBody, since: str, until: str) -> None:
        self._parts = parts
        self._since, self._until = since, until
        self._limit = asked.limit
        named = {
            "kind": asked.kind,
            "system_id": asked.system_id,
            "action": asked.action,
            "reason": asked.reason,
            "rule": asked.rule,
            "category": asked.category,
            "source": asked.port,
        }
        self._wanted = {name: value for name, value in named.items() if value is not None}
        self._deadline = monotonic() + LOOK_S

    def page(
        self, since: datetime, until: datetime, end: _Place | None
    ) -> tuple[list[Record], _Place | None]:
        """Return the newest records before `end`, and where the next page ends."""
        found: list[Record] = []
        archive = self._parts.archive
        hours = [one for one in archive.hours() if since < start_of(one + 1)]
        for hour in sorted((one for one in hours if start_of(one) < until), reverse=True):
            if end is not None and hour > end.hour:
                continue
            before = end.line if end is not None and hour == end.hour else None
            last = list(self._fitting(hour, before))
            room = self._limit - len(found)
            found += [record for _, record in reversed(last[-room:])]
            if len(found) == self._limit:
                return found, _Place(hour, last[-room:][0][0])
        return found, None

    def _fitting(self, hour: int, before: int | None) -> Iterator[tuple[int, Record]]:
        for index, record in enumerate(_timed(self._parts.archive, hour, self._deadline)):
            if before is not None and index >= before:
                return
            shown = self._shown(record)
            if shown is not None:
                yield index, shown

    def _shown(self, record: Record) -> Record | None:
        """Return a record as it may be seen, None if it does not fit."""
        if not self._since <= str(record.get("at")) < self._until:
            return None
        # Most records fail here, before their numbers are looked at.
        for name in ("kind", "system_id", "rule"):
            if name in self._wanted and record.get(name) != self._wanted[name]:
                return None
        shown = shown_record(record, self._parts.sealer, is_whole=False)
        is_meant = all(shown.get(name) == value for name, value in self._wanted.items())
        return shown if is_meant else None


def _traced(parts: RecordParts, asked: TraceBody, since: datetime) -> tuple[list[Record], bool]:
    """Return the records of a trace, and whether there are more."""
    deadline, until = monotonic() + LOOK_S, parts.utcnow() + timedelta(minutes=1)
    found: Sequence[Record]
    if asked.number is None:
        issued, reaches_back = issued_at(asked.message_id or ""), asked.since is None
        windows = windows_of(since, until, issued, reaches_back=reaches_back)
        found = follow_message(
            asked.message_id or "",
            parts.archive.hours(),
            windows,
            lambda hour: _timed_blocks(parts.archive, hour, deadline),
        )
    else:
        begin = stamp_of(since)
        trail = MessageTrail(Subscriber(asked.number, parts.sealer).is_named_in)
        for hour in sorted(parts.archive.hours()):
            if start_of(hour + 1) > since:
                read = _timed(parts.archive, hour, deadline)
                trail.follow(one for one in read if str(one.get("at")) >= begin)
        found = sorted(trail.found, key=lambda one: str(one.get("at")))
    shown = [shown_record(one, parts.sealer, is_whole=asked.unmask) for one in found[:MOST_TRACED]]
    return shown, len(found) > MOST_TRACED


def _numbers_in(records: Sequence[Record]) -> set[str]:
    """Return the subscribers' numbers that records name, each in one spelling."""
    found: set[str] = set()
    for record in records:
        for name in subjects_of(record):
            value = record.get(name)
            if name != "octets" and value is not None:
                found.update(_NUMBER.findall(str(value)))
    return {str(msisdn_of(one.encode()) or one) for one in found}


def _timed_blocks(archive: RecordArchive, hour: int, deadline: float) -> Iterator[FileLines]:
    """Yield the lines of an hour in blocks. Raises _LookTooLongError past the deadline."""
    for block in scan_hour(archive, hour, bool):
        if monotonic() > deadline:
            raise _LookTooLongError
        yield block


def _timed(archive: RecordArchive, hour: int, deadline: float) -> Iterator[Record]:
    """Yield the records of an hour. Raises _LookTooLongError past the deadline."""
    for index, record in enumerate(archive.read(hour)):
        if index % _DEADLINE_EVERY == 0 and monotonic() > deadline:
            raise _LookTooLongError
        yield record
