"""The running gateway over HTTP: how it stands, sessions, senders, SMSCs, and orders to it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Path, Response
from pydantic import Field

from gateway.domain.api_client import ApiClient
from gateway.domain.live import LiveSender, LiveSession, LiveSmsc, LiveStatus, SuspendedSender
from gateway.domain.permissions import Permission
from gateway.terminal.control import AskGateway, OrderRefusedByGatewayError
from gateway.terminal.failure import CommandError
from gateway.terminal.screen import masked_source
from gateway.web.access import acting_as, may
from gateway.web.fields import Reason, RequestBody
from gateway.web.problems import Problem, ProblemError
from gateway.web.resources import (
    Cursor,
    CursorPage,
    IfMatch,
    Limit,
    cursor_of,
    etag_of,
    name_in,
    number_in,
    require_match,
)

T = TypeVar("T")
Item = TypeVar("Item")

_LAST_NUMBER = 2**63 - 1
_SESSIONS, _SENDERS = "sessions", "senders"

Reader = Annotated[ApiClient, Depends(may(Permission.READ_OPERATIONS))]
Operator = Annotated[ApiClient, Depends(may(Permission.ACT_ON_OPERATIONS))]
SystemId = Annotated[str, Path(min_length=1, max_length=15, examples=["shop"])]
SmscName = Annotated[str, Path(min_length=1, max_length=64, examples=["a"])]
Note = Annotated[Reason, Field(description="Why, for the journal.", examples=["工单 2026-118"])]


class LiveSessions(CursorPage):
    """Sessions that are bound, by their numbers."""

    sessions: list[LiveSession]


class LiveSenders(CursorPage):
    """SPs of senders.yaml as they stand, by system_id."""

    senders: list[LiveSender]


class LiveSmscs(RequestBody):
    """All SMSCs of the running gateway."""

    smscs: list[LiveSmsc]


class OrderNote(RequestBody):
    """Why an order is given."""

    note: Note


class SuspendOrder(OrderNote):
    """Why an SP is suspended."""

    unbind: Annotated[bool, Field(description="Unbind from its sessions, too.")] = False


class DrainOrder(OrderNote):
    """Why an SMSC gets nothing more."""

    force: Annotated[bool, Field(description="Also where no other of its group is up.")] = False


class ClosedSessions(RequestBody):
    """The numbers of sessions that end once what they sent is answered."""

    closed: list[int]


def operations(ask: AskGateway) -> APIRouter:
    """Return the routes of the running gateway; `ask` asks it."""
    router = APIRouter(tags=["operations"])
    _of_sessions(router, ask)
    _of_senders(router, ask)
    _of_smscs(router, ask)
    return router


def _of_sessions(router: APIRouter, ask: AskGateway) -> None:
    @router.get("/v1/status", summary="Ask how the gateway stands")
    async def status(_client: Reader) -> LiveStatus:
        """Return rates, backlog, policy, models and SMSCs, as `smsward status` prints them."""
        return await _asked(ask("status", LiveStatus))

    @router.get("/v1/sessions", summary="List sessions")
    async def sessions(
        _client: Reader,
        system_id: str | None = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> LiveSessions:
        """Return sessions that are bound, of all SPs or of one."""
        after = number_in(_SESSIONS, cursor) or 0
        found = [
            one
            for one in await _asked(ask("sessions", tuple[LiveSession, ...]))
            if one.number > after and system_id in (None, one.system_id)
        ]
        page, behind = _page(found, _SESSIONS, limit, lambda one: one.number)
        return LiveSessions(sessions=page, next=behind)

    @router.post("/v1/sessions/{number}/close", summary="Close a session")
    async def close(
        number: Annotated[int, Path(ge=1, le=_LAST_NUMBER)], order: OrderNote, client: Operator
    ) -> ClosedSessions:
        """Unbind from a session once what it sent is answered. Its SP may bind again."""
        bound = await _asked(ask("sessions", tuple[LiveSession, ...]))
        if number not in {one.number for one in bound}:
            raise ProblemError(Problem.NOT_FOUND)
        said = _said(client, order)
        return ClosedSessions(
            closed=list(await _asked(ask("session close", tuple[int, ...], number=number, **said)))
        )


def _of_senders(router: APIRouter, ask: AskGateway) -> None:
    @router.get("/v1/senders", summary="List senders")
    async def senders(_client: Reader, cursor: Cursor = None, limit: Limit = 50) -> LiveSenders:
        """Return the SPs that the gateway knows: state, ports, sessions, rates."""
        after = name_in(_SENDERS, cursor)
        found = [one for one in await _senders(ask) if one.system_id > after]
        page, behind = _page(found, _SENDERS, limit, lambda one: one.system_id)
        return LiveSenders(senders=page, next=behind)

    @router.get("/v1/senders/{system_id}", summary="Look at a sender")
    async def sender(system_id: SystemId, _client: Reader, response: Response) -> LiveSender:
        """Return one SP as it stands. Its ETag is that of its state and suspension."""
        one = await _sender(ask, system_id)
        response.headers["ETag"] = _etag(one)
        return one

    @router.post("/v1/senders/{system_id}/suspend", summary="Suspend a sender")
    async def suspend(
        system_id: SystemId, order: SuspendOrder, client: Operator
    ) -> SuspendedSender:
        """Refuse all that an SP submits from this moment on, and its binds, until it is resumed.

        It needs no ETag, for it must not wait; the same again changes only who and why.
        """
        await _sender(ask, system_id)
        said = _said(client, order) | {"system_id": system_id, "unbind": order.unbind}
        return await _asked(ask("sender suspend", SuspendedSender, **said))

    @router.post("/v1/senders/{system_id}/resume", summary="Let a sender send again")
    async def resume(
        system_id: SystemId, order: OrderNote, client: Operator, if_match: IfMatch = None
    ) -> SuspendedSender:
        """End a suspension by order; return what is over. If-Match names the one that was read."""
        require_match(if_match, _etag(await _sender(ask, system_id)))
        said = _said(client, order) | {"system_id": system_id, "unbind": False}
        return await _asked(ask("sender resume", SuspendedSender, **said))

    @router.post("/v1/senders/{system_id}/disconnect", summary="Close all sessions of a sender")
    async def disconnect(system_id: SystemId, order: OrderNote, client: Operator) -> ClosedSessions:
        """Unbind from all sessions of an SP once what they sent is answered."""
        await _sender(ask, system_id)
        said = _said(client, order) | {"system_id": system_id}
        return ClosedSessions(
            closed=list(await _asked(ask("session close", tuple[int, ...], **said)))
        )


def _of_smscs(router: APIRouter, ask: AskGateway) -> None:
    @router.get("/v1/smscs", summary="List SMSCs")
    async def smscs(_client: Reader) -> LiveSmscs:
        """Return all SMSCs: up or down since when, binds, drained or not."""
        return LiveSmscs(smscs=list((await _asked(ask("status", LiveStatus))).smscs))

    @router.post("/v1/smscs/{name}/drain", summary="Drain an SMSC")
    async def drain(name: SmscName, order: DrainOrder, client: Operator) -> LiveSmsc:
        """Send nothing more to an SMSC, and unbind from it once it has answered."""
        await _smsc(ask, name)
        said = _said(client, order) | {"name": name, "force": order.force}
        await _asked(ask("smsc drain", str, **said))
        return await _smsc(ask, name)

    @router.post("/v1/smscs/{name}/resume", summary="Bind at an SMSC again")
    async def resume_smsc(name: SmscName, order: OrderNote, client: Operator) -> LiveSmsc:
        """Let an SMSC that was drained have binds again."""
        await _smsc(ask, name)
        said = _said(client, order) | {"name": name, "force": False}
        await _asked(ask("smsc resume", str, **said))
        return await _smsc(ask, name)


def _page(
    found: Iterable[Item], kind: str, limit: int, place_of: Callable[[Item], int | str]
) -> tuple[list[Item], str | None]:
    """Return the first `limit` items in the order of their places, and the cursor behind them."""
    ordered = sorted(found, key=place_of)
    page = ordered[:limit]
    is_cut = len(ordered) > limit
    return page, cursor_of(kind, place_of(page[-1])) if is_cut else None


def _said(client: ApiClient, order: OrderNote) -> dict[str, object]:
    return {"by": acting_as(client), "note": order.note.strip()}


async def _asked(asking: Awaitable[T]) -> T:
    """Return an answer of the gateway. Raises ProblemError: 409 where it refuses, else 503."""
    try:
        return await asking
    except OrderRefusedByGatewayError as error:
        raise ProblemError(Problem.CONFLICT, str(error)) from error
    except CommandError as error:
        raise ProblemError(
            Problem.NOT_NOW, "the gateway does not answer", headers={"Retry-After": "1"}
        ) from error


async def _senders(ask: AskGateway) -> list[LiveSender]:
    """Return all SPs; a port that is a person's number is masked."""
    found = await _asked(ask("senders", tuple[LiveSender, ...]))
    return [replace(one, ports=_masked_ports(one.ports)) for one in found]


def _masked_ports(ports: Mapping[str, str]) -> dict[str, str]:
    return {masked_source(number): purpose for number, purpose in ports.items()}


async def _sender(ask: AskGateway, system_id: str) -> LiveSender:
    for one in await _senders(ask):
        if one.system_id == system_id:
            return one
    raise ProblemError(Problem.NOT_FOUND)


async def _smsc(ask: AskGateway, name: str) -> LiveSmsc:
    for one in (await _asked(ask("status", LiveStatus))).smscs:
        if one.name == name:
            return one
    raise ProblemError(Problem.NOT_FOUND)


def _etag(one: LiveSender) -> str:
    return etag_of(one.system_id, one.state, one.suspended)
