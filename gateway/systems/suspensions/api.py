"""Suspensions over HTTP: numbers that may send nothing for a time, and ports of SPs (R43, R88)."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from gateway.domain.api_client import ApiClient
from gateway.domain.msisdn import masked
from gateway.domain.permissions import Permission
from gateway.domain.suspension import (
    Lift,
    NewPortSuspension,
    NewSuspension,
    PortSuspension,
    Suspension,
    SuspensionState,
)
from gateway.runtime.masking import masked_text
from gateway.systems.suspensions.sql import SuspendedPortStore, SuspensionStore
from gateway.terminal.screen import masked_source
from gateway.web.access import acting_as, may
from gateway.web.fields import Number, Reason, RequestBody, Words
from gateway.web.problems import Problem, ProblemError, not_as_described
from gateway.web.resources import Cursor, CursorPage, Limit, cursor_of, number_in
from gateway.web.systems import ApiContext, SystemApi

_NUMBERS, _PORTS = "suspended-numbers", "suspended-ports"
_MAX_DAYS = 366
_MOST_OF_ONE = 100

Reader = Annotated[ApiClient, Depends(may(Permission.READ_OPERATIONS))]
Operator = Annotated[ApiClient, Depends(may(Permission.ACT_ON_OPERATIONS))]
Note = Annotated[Reason, Field(description="Why, for the journal.", examples=["工单 2026-118"])]


class SuspensionItem(RequestBody):
    """A suspension of a number."""

    id: Annotated[int, Field(examples=[17])]
    number: Annotated[str, Field(examples=["139****9000"])]
    state: SuspensionState
    system_id: Annotated[str, Field(description="Where it was found; empty by hand.")]
    rule: Annotated[str, Field(description="What found it; empty by hand.", examples=["R43-cap"])]
    since: datetime
    until: datetime
    lifted_at: datetime | None
    lifted_by: str
    note: str


class SuspensionList(CursorPage):
    """Suspensions of numbers, the newest first."""

    suspensions: list[SuspensionItem]


class NumberQuery(RequestBody):
    """The number to look up."""

    number: Number


class NumberSuspensionOrder(RequestBody):
    """A number that shall send nothing for some days from now."""

    number: Number
    days: Annotated[int, Field(ge=1, le=_MAX_DAYS)] = 3
    note: Note


class NumberLiftOrder(RequestBody):
    """A number that may send again."""

    number: Number
    note: Note


class PortSuspensionItem(RequestBody):
    """A suspension of a port of an SP; in force while `lifted_at` is null."""

    id: Annotated[int, Field(examples=[4])]
    system_id: Annotated[str, Field(examples=["shop"])]
    port: Annotated[str, Field(examples=["10690001"])]
    since: datetime
    by: str
    note: str
    until: datetime | None
    sanction: Annotated[int, Field(description="Of the sanction that suspends it, else 0.")]
    lifted_at: datetime | None
    lifted_by: str
    lift_note: str


class PortSuspensionList(CursorPage):
    """Suspensions of ports, the newest first."""

    suspensions: list[PortSuspensionItem]


class PortOrder(RequestBody):
    """A port of an SP that shall send nothing, or may send again."""

    system_id: Annotated[Words, Field(max_length=15, examples=["shop"])]
    port: Annotated[Words, Field(max_length=20, examples=["10690001"])]
    note: Note


class PortsStanding(RequestBody):
    """What holds a port now: nothing where the list is empty."""

    suspensions: list[PortSuspensionItem]


def suspensions(context: ApiContext) -> APIRouter:
    """Return the routes of suspensions."""
    router, database, utcnow = APIRouter(tags=["suspensions"]), context.database, context.utcnow
    _of_numbers(router, SuspensionStore(database), utcnow)
    _of_ports(router, SuspendedPortStore(database), context.ports, utcnow)
    return router


API = SystemApi((suspensions,))


def _of_numbers(
    router: APIRouter, numbers: SuspensionStore, utcnow: Callable[[], datetime]
) -> None:

    @router.get("/v1/suspensions/numbers", summary="List suspended numbers")
    async def of_numbers(
        _client: Reader,
        state: SuspensionState | None = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> SuspensionList:
        """Return suspensions of numbers, masked, the newest first."""
        before = number_in(_NUMBERS, cursor)
        found = await numbers.listed(state, before=before, limit=limit)
        behind = cursor_of(_NUMBERS, found[-1].number) if len(found) == limit else None
        return SuspensionList(suspensions=list(map(_number_item, found)), next=behind)

    @router.post("/v1/suspensions/numbers/query", summary="Look a number up")
    async def of_number(number: NumberQuery, _client: Reader) -> SuspensionList:
        """Return every suspension of one number that is on record. A number is in no URL."""
        found = await numbers.listed(msisdn=number.number, limit=_MOST_OF_ONE)
        return SuspensionList(suspensions=list(map(_number_item, found)))

    @router.post("/v1/suspensions/numbers", summary="Suspend a number", status_code=201)
    async def suspend_number(order: NumberSuspensionOrder, client: Operator) -> SuspensionItem:
        """Let a number send nothing for some days. Only staff lifts what staff suspended."""
        since, by = utcnow(), acting_as(client)
        new = NewSuspension(
            *(order.number, "", "", since, since + timedelta(days=order.days)),
            f"{by}: {masked_text(order.note.strip())}",
            is_told=True,
        )
        if not await numbers.suspend(new):
            raise ProblemError(Problem.CONFLICT, "the number is suspended already")
        return await _active(numbers, order.number)

    @router.post("/v1/suspensions/numbers/lift", summary="Let a number send again")
    async def lift_number(order: NumberLiftOrder, client: Operator) -> SuspensionItem:
        """End the suspension of a number before its time; return what is over."""
        active = await numbers.active_of(order.number)
        by = acting_as(client)
        lift = Lift(utcnow(), by, f"{by}: {masked_text(order.note.strip())}")
        if active is None or not await numbers.lift(active.number, lift):
            raise ProblemError(Problem.CONFLICT, "the number is not suspended")
        found = await numbers.listed(msisdn=order.number, limit=_MOST_OF_ONE)
        return next(_number_item(one) for one in found if one.number == active.number)


def _of_ports(
    router: APIRouter,
    ports: SuspendedPortStore,
    known_ports: Callable[[], Mapping[str, Collection[str]]],
    utcnow: Callable[[], datetime],
) -> None:
    @router.get("/v1/suspensions/ports", summary="List suspended ports")
    async def of_ports(
        _client: Reader,
        in_force: Annotated[bool, Query(description="Leave lifted ones out.")] = True,  # noqa: FBT002
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> PortSuspensionList:
        """Return suspensions of ports, the newest first (R88)."""
        before = number_in(_PORTS, cursor)
        found = await ports.listed(is_in_force=in_force, before=before, limit=limit)
        behind = cursor_of(_PORTS, found[-1].number) if len(found) == limit else None
        return PortSuspensionList(suspensions=list(map(_port_item, found)), next=behind)

    @router.post("/v1/suspensions/ports", summary="Suspend a port", status_code=201)
    async def suspend_port(order: PortOrder, client: Operator) -> PortsStanding:
        """Let a port of an SP send nothing, with its extensions, until it is lifted."""
        if order.port not in known_ports().get(order.system_id, ()):
            raise not_as_described("/port", "the SP has no such port")
        note = masked_text(order.note.strip())
        new = NewPortSuspension(order.system_id, order.port, utcnow(), acting_as(client), note)
        if not await ports.suspend(new):
            raise ProblemError(Problem.CONFLICT, "the port is suspended already")
        return await _standing(ports, order)

    @router.post("/v1/suspensions/ports/lift", summary="Let a port send again")
    async def lift_port(order: PortOrder, client: Operator) -> PortsStanding:
        """End the suspension of a port by complaints or a person; return what holds it still."""
        lift = Lift(utcnow(), acting_as(client), masked_text(order.note.strip()))
        if not await ports.lift(order.system_id, order.port, lift):
            raise ProblemError(Problem.CONFLICT, "no person and no complaints suspend this port")
        return await _standing(ports, order)


async def _active(store: SuspensionStore, msisdn: int) -> SuspensionItem:
    active = await store.active_of(msisdn)
    if active is None:  # it was lifted at once
        raise ProblemError(Problem.CONFLICT, "the number is not suspended")
    return _number_item(active)


async def _standing(store: SuspendedPortStore, order: PortOrder) -> PortsStanding:
    found = await store.holding(order.system_id, order.port)
    return PortsStanding(suspensions=list(map(_port_item, found)))


def _number_item(one: Suspension) -> SuspensionItem:
    return SuspensionItem(
        id=one.number,
        number=masked(one.msisdn),
        state=one.state,
        system_id=one.system_id,
        rule=one.rule,
        since=one.since,
        until=one.until,
        lifted_at=one.lifted_at,
        lifted_by=one.lifted_by,
        note=one.note,
    )


def _port_item(one: PortSuspension) -> PortSuspensionItem:
    return PortSuspensionItem(
        id=one.number,
        system_id=one.system_id,
        port=masked_source(one.port),
        since=one.since,
        by=one.by,
        note=one.note,
        until=one.until,
        sanction=one.sanction,
        lifted_at=one.lifted_at,
        lifted_by=one.lifted_by,
        lift_note=one.lift_note,
    )
