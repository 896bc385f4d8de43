"""Pages over the records: one message or number from submit to receipt, and counts of traffic."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from gateway.domain.live import LiveSession
from gateway.domain.msisdn import SHORTEST_NUMBER, is_mobile, msisdn_of
from gateway.domain.permissions import Permission, UserScope
from gateway.domain.records import NewAccess
from gateway.records.archive import RecordArchive, scan_hour
from gateway.records.masked_records import record_cells, shown_record
from gateway.records.message_search import (
    Window,
    earlier_windows,
    follow_message,
    windows_of,
)
from gateway.records.message_trail import MessageTrail, follow_hours, masked_about
from gateway.records.sealed_values import Record, Subscriber, stamp_of
from gateway.records.sender_messages import RecordsTooManyError
from gateway.records.traffic_counts import (
    FIELDS,
    Binding,
    Condition,
    Patience,
    SessionBinds,
    TrafficCounts,
    TrafficQuery,
    TrafficRecords,
    TrafficRow,
)
from gateway.runtime.sealing import Sealer
from gateway.settings.gateway import GatewaySettings, load_sealer
from gateway.systems.quarantine.model import issued_at
from gateway.terminal.control import AskGateway
from gateway.terminal.failure import CommandError
from gateway.terminal.screen import masked_source, visible
from gateway.web.pages import PageLink, PageUser, Templates, allowed_on, form_of, marked

T = TypeVar("T")

_OWN = frozenset({UserScope.SYSTEM_ID})
TRACE = PageLink("/trace", marked("Trace"), Permission.READ_RECORDS, _OWN, order=50)
TRAFFIC = PageLink("/traffic", marked("Traffic"), Permission.READ_RECORDS, _OWN, order=40)

TRACE_HOURS, TRAFFIC_HOURS = (1, 6, 24, 48), (1, 6, 24, 168)
MOST_S, MOST_LINES = 10.0, 5_000_000
_MOST_SEARCHED = 20 * MOST_LINES  # lines of which few are parsed
_WAIT_S = 12.0
_MOST_STEPS = 500
_TOP_VALUES = 12
_MAX_CHARS, _MAX_CONDITIONS = 64, 20
_UNREAD = (OSError, EOFError, zlib.error, ValueError)
_CELLS = ["at", "system_id", "what", "why", "rule", "status", "source", "destination", "id", "us"]
_NAMES = {
    "system_id": marked("SP"),
    "port": marked("port"),
    "action": marked("action"),
    "reason": marked("reason"),
    "rule": marked("rule"),
    "category": marked("category"),
    "smsc": marked("SMSC"),
}
_NO_RECORDS = marked("The records are not known here: gateway.yaml names their directory.")
_TOO_MANY = marked("There are too many records of that time. Choose a shorter one.")
_UNREADABLE = marked("The records cannot be read; the log of the gateway tells why.")
_BUSY = marked("Another look at the records goes on. Try again in some seconds.")
_NO_NUMBER = marked("This is no number of a subscriber: digits only, bare or with 86.")

_NOT_SOUND = marked("This time or filter is not possible: at most 31 days.")


class LookRefusedError(Exception):
    """The records cannot be looked at now; the message is one of the catalogue."""


@dataclass(frozen=True, slots=True)
class RecordAccess:
    """Where records are, what opens them, and the ports of every SP."""

    archive: RecordArchive
    sealer: Sealer | None
    ports: Callable[[], Mapping[str, tuple[str, ...]]]


def record_access(
    settings: GatewaySettings | None, ports: Callable[[], Mapping[str, tuple[str, ...]]]
) -> RecordAccess | None:
    """Return where the records of a gateway are, None where its settings are not known."""
    if settings is None:
        return None
    archive = RecordArchive(settings.records.directory)
    return RecordAccess(archive, load_sealer(settings), ports)


@dataclass(slots=True)
class RecordTurns:
    """Lets one look at the records go on at a time, and one of each user wait for it."""

    _alone: asyncio.Lock = field(default_factory=asyncio.Lock)
    _looking: set[str] = field(default_factory=set)

    async def take(self, user: str, read: Callable[[], T]) -> T:
        """Return what `read` returns, in a thread. Raises LookRefusedError."""
        if user in self._looking:
            raise LookRefusedError(_BUSY)
        self._looking.add(user)
        try:
            async with asyncio.timeout(_WAIT_S):
                await self._alone.acquire()
            try:
                return await asyncio.to_thread(read)
            finally:
                self._alone.release()
        except TimeoutError:
            raise LookRefusedError(_BUSY) from None
        except RecordsTooManyError:
            raise LookRefusedError(_TOO_MANY) from None
        except _UNREAD:
            raise LookRefusedError(_UNREADABLE) from None
        finally:
            self._looking.remove(user)


@dataclass(frozen=True, slots=True)
class RecordDesk:
    """Answers questions about records; each trace is in the journal before it is made."""

    access: RecordAccess | None
    ask: AskGateway
    journal: Callable[[NewAccess], Awaitable[object]]
    templates: Templates
    monotonic: Callable[[], float]
    utcnow: Callable[[], datetime]
    turns: RecordTurns = field(default_factory=RecordTurns)

    async def traced(self, request: Request, what: str, hours: str) -> Response:
        """Return the page of one message or number; 422 for what is neither."""
        what, problem, steps = what.strip(), "", list[Record]()
        count = int(hours) if hours in map(str, TRACE_HOURS) else TRACE_HOURS[1]
        try:
            if what:
                steps = await self._steps(request.state.user, what, count)
        except LookRefusedError as refused:
            problem = str(refused)
        is_number = _is_number(what)
        values = {
            "hours": count,
            "choices": TRACE_HOURS,
            "asked": visible(masked_about(what[:_MAX_CHARS])),
            "id": "" if is_number else what[:_MAX_CHARS],
            "steps": [_step(one) for one in steps[:_MOST_STEPS]],
            "left_out": max(0, len(steps) - _MOST_STEPS),
            "problem": self.templates.said(request, problem) if problem else "",
        }
        return self.templates.page(request, "console/trace.html", values, 422 if problem else 200)

    async def _steps(self, user: PageUser, what: str, hours: int) -> list[Record]:
        if self.access is None:
            raise LookRefusedError(_NO_RECORDS)
        archive, sealer = self.access.archive, self.access.sealer
        msisdn = msisdn_of(what.encode("utf-8", "replace")) if _is_number(what) else None
        if _is_number(what) and (msisdn is None or msisdn < SHORTEST_NUMBER):
            raise LookRefusedError(_NO_NUMBER)
        now = self.utcnow()
        span = (now - timedelta(hours=hours), now + timedelta(minutes=1))
        windows = windows_of(*span, issued_at(what) if msisdn is None else None)
        asked = visible(masked_about(what[:_MAX_CHARS]))
        about = f"{asked} in {hours} h{earlier_windows(windows)}"
        await self.journal(NewAccess(f"user: {user.name}", "trace", "", about, now))
        binds = SessionBinds(await self._bound())
        own = user.limits.get(UserScope.SYSTEM_ID)

        def read() -> list[Record]:
            if msisdn is None:
                patience = Patience(self.monotonic, MOST_S, _MOST_SEARCHED)
                found = _followed(archive, what, windows, patience, binds, own)
            else:
                trail = MessageTrail(Subscriber(msisdn, sealer).is_named_in)
                patience = Patience(self.monotonic, MOST_S, MOST_LINES)
                found = follow_hours(archive, trail, span, patience, binds, own)
            return [
                {**shown_record(one, sealer, is_whole=False), "smsc": _smsc_of(one, binds)}
                for one in found
            ]

        return await self.turns.take(user.name, read)

    async def explored(self, request: Request) -> Response:
        """Return the page of traffic that fits a filter, with counts by value."""
        asked = TrafficFilter.of(request, self.utcnow())
        user: PageUser = request.state.user
        own = user.limits.get(UserScope.SYSTEM_ID)
        found, problem = None, "" if asked.query(own).is_sound else _NOT_SOUND
        try:
            if not problem:
                found = await self._counted(user, asked.query(own))
        except LookRefusedError as refused:
            problem = str(refused)
        values = {
            "asked": asked,
            "names": {name: self.templates.said(request, said) for name, said in _NAMES.items()},
            "choices": TRAFFIC_HOURS,
            "tables": () if found is None else _tables(found, asked, own),
            "found": found,
            "rows": () if found is None else [_row_shown(one) for one in found.rows],
            "replay": _replay_path(asked) if _may_replay(user) else "",
            "problem": self.templates.said(request, problem) if problem else "",
        }
        return self.templates.page(
            request, "console/traffic.html", values, 422 if problem == _NOT_SOUND else 200
        )

    async def _counted(self, user: PageUser, query: TrafficQuery) -> TrafficCounts:
        if self.access is None:
            raise LookRefusedError(_NO_RECORDS)
        records = TrafficRecords(self.access.archive, self.access.sealer, self.access.ports)
        patience = partial(Patience, self.monotonic, MOST_S, MOST_LINES)
        bound = await self._bound()
        return await self.turns.take(user.name, lambda: records.count(query, bound, patience()))

    async def _bound(self) -> dict[int, Binding]:
        """Return at which SMSC the sessions of now are; {} where the gateway does not answer."""
        try:
            sessions = await self.ask("sessions", tuple[LiveSession, ...])
        except CommandError:
            return {}
        return {one.number: (stamp_of(one.since), one.smsc) for one in sessions}


@dataclass(frozen=True, slots=True)
class TrafficFilter:
    """What the page of traffic shows, as its address says it; times are in UTC."""

    hours: int
    since: datetime | None
    until: datetime | None
    now: datetime
    only: tuple[Condition, ...]
    without: tuple[Condition, ...]

    @classmethod
    def of(cls, request: Request, now: datetime) -> "TrafficFilter":
        """Return the filter that an address says."""
        given = request.query_params
        hours = given.get("hours", "")
        named = ((name, given.get(name, "").strip()) for name in FIELDS)
        split = (one.partition(":") for one in given.getlist("without")[:_MAX_CONDITIONS])
        return cls(
            int(hours) if hours in map(str, TRAFFIC_HOURS) else TRAFFIC_HOURS[0],
            _moment(given.get("since", "")),
            _moment(given.get("until", "")),
            now,
            tuple((name, value[:_MAX_CHARS]) for name, value in named if value),
            tuple((name, value[:_MAX_CHARS]) for name, _, value in split),
        )

    @property
    def span(self) -> tuple[datetime, datetime]:
        """Return the time that is meant."""
        until = self.until or self.now
        return self.since or until - timedelta(hours=self.hours), until

    def query(self, own: str | None) -> TrafficQuery:
        """Return what is counted; of one SP, `own`, for who is limited to that."""
        only = tuple(one for one in self.only if own is None or one[0] != "system_id")
        limit = () if own is None else (("system_id", own),)
        return TrafficQuery(*self.span, (*limit, *only), self.without, is_of_sp=own is not None)

    def path(
        self,
        only: Sequence[Condition] | None = None,
        without: Sequence[Condition] | None = None,
    ) -> str:
        """Return the address of this filter, with other conditions where they are given."""
        fields: list[Condition] = []
        if self.since or self.until:
            moments = {"since": self.since, "until": self.until}
            fields += [(name, f"{at:%Y-%m-%dT%H:%M}") for name, at in moments.items() if at]
        elif self.hours != TRAFFIC_HOURS[0]:
            fields.append(("hours", str(self.hours)))
        fields += self.only if only is None else only
        others = self.without if without is None else without
        fields += [("without", f"{name}:{value}") for name, value in others]
        return f"{TRAFFIC.path}?{urlencode(fields)}" if fields else TRAFFIC.path

    def only_path(self, name: str, value: str) -> str:
        """Return the address for what has this value, too."""
        others = tuple(one for one in self.only if one[0] != name)
        return self.path(only=(*others, (name, value)))

    def without_path(self, name: str, value: str) -> str:
        """Return the address for what has another value."""
        return self.path(without=(*self.without, (name, value)))

    def chips(self) -> list[tuple[str, str, bool, str]]:
        """Return each condition: name, value, whether it leaves out, and the address without it."""
        only = [
            (*one, False, self.path(only=tuple(other for other in self.only if other != one)))
            for one in self.only
        ]
        without = [
            (*one, True, self.path(without=tuple(other for other in self.without if other != one)))
            for one in self.without
        ]
        return only + without

    def given(self, name: str) -> str:
        """Return what a field must be, "" for anything."""
        return dict(self.only).get(name, "")


def record_pages(desk: RecordDesk) -> APIRouter:
    """Return the pages of traces and traffic. A number comes by POST: no address has one."""
    router = APIRouter(include_in_schema=False)

    @router.get(TRACE.path, dependencies=[allowed_on(TRACE)])
    async def form(request: Request) -> Response:
        return await desk.traced(request, "", request.query_params.get("hours", ""))

    @router.post(TRACE.path, dependencies=[allowed_on(TRACE)])
    async def trace(request: Request) -> Response:
        given = await form_of(request)
        return await desk.traced(request, given.get("what", ""), given.get("hours", ""))

    @router.get(TRACE.path + "/{message_id}", dependencies=[allowed_on(TRACE)])
    async def trace_message(request: Request, message_id: str) -> Response:
        return await desk.traced(request, message_id, request.query_params.get("hours", ""))

    @router.get(TRAFFIC.path, dependencies=[allowed_on(TRAFFIC)])
    async def traffic(request: Request) -> Response:
        return await desk.explored(request)

    return router


def _is_number(what: str) -> bool:
    return what.startswith("+") or is_mobile(what.encode("utf-8", "replace"))


def _followed(
    archive: RecordArchive,
    message_id: str,
    windows: Sequence[Window],
    patience: Patience,
    binds: SessionBinds,
    own: str | None,
) -> list[Record]:
    return follow_message(
        message_id,
        archive.hours(),
        windows,
        lambda hour: patience.bounded_blocks(scan_hour(archive, hour, bool)),
        system_id=own,
        note_bound=binds.note,
    )


def _smsc_of(record: Record, binds: SessionBinds) -> str:
    return binds.at(record.get("session"), str(record.get("at")))


def _step(record: Record) -> dict[str, object]:
    names = (
        "at",
        "system_id",
        "what",
        "why",
        "rule",
        "status",
        "source",
        "destination",
        "id",
        "us",
    )
    cells = dict(zip(names, map(visible, record_cells(record)), strict=True))
    findings = record.get("findings")
    return {
        **cells,
        "kind": str(record.get("kind")),
        "smsc": visible(str(record.get("smsc") or "")),
        "digest": visible(str(record.get("digest") or ""))[:12],
        "findings": [
            {str(name): visible(str(value)) for name, value in one.items()}
            for one in (findings if isinstance(findings, list) else ())
        ],
    }


def _tables(
    found: TrafficCounts, asked: TrafficFilter, own: str | None
) -> list[tuple[str, list[tuple[str, int, str, str]], int]]:
    """Return by field: values with count and both addresses, and how many more values there are."""
    shown = []
    for name in FIELDS:
        if name == "system_id" and own is not None:
            continue
        counts = found.by_field[name]
        rows = [
            (_shown(name, value), count, *_paths(asked, name, value))
            for value, count in counts.most_common(_TOP_VALUES)
        ]
        shown.append((name, rows, max(0, len(counts) - _TOP_VALUES)))
    return shown


def _paths(asked: TrafficFilter, name: str, value: str) -> tuple[str, str]:
    if not value or (name == "port" and is_mobile(value.encode("utf-8", "replace"))):
        return "", ""  # nothing to ask for, or a number that belongs into no address
    return asked.only_path(name, value), asked.without_path(name, value)


def _shown(name: str, value: str) -> str:
    return visible(masked_source(value) if name == "port" else value)


def _row_shown(row: TrafficRow) -> dict[str, object]:
    values = {name: _shown(name, value) for name, value in row.values.items()}
    return {
        **values,
        "at": row.at,
        "source": visible(masked_source(row.source)),
        "destination": row.destination,
        "trace": f"{TRACE.path}/{row.message_id}" if row.message_id.isalnum() else "",
    }


def _may_replay(user: PageUser) -> bool:
    return not user.is_limited and user.may(Permission.READ_POLICIES)


def _replay_path(asked: TrafficFilter) -> str:
    """Return the address at which a rule is replayed on the messages that are shown."""
    since, until = asked.span
    times = {"since": f"{since:%Y-%m-%dT%H:%M}", "until": f"{until:%Y-%m-%dT%H:%M}"}
    own = {name: value for name, value in asked.only if name in {"system_id", "rule"}}
    return f"/policies/replay?{urlencode(times | own)}"


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not 1970 <= at.year <= 9000:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
