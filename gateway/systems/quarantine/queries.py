"""The SQL queries on `held_messages`."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Executable,
    Integer,
    LargeBinary,
    Select,
    and_,
    cast,
    func,
    select,
)

from gateway.domain.msisdn import spellings_of
from gateway.domain.quarantine import FINAL_STATES, HoldState
from gateway.domain.verdict import Reason
from gateway.ports.quarantine import EXPIRING_STATES
from gateway.stores.tables import (
    IS_CAMPAIGN,
    IS_DEFERRED,
    IS_OWN_HOLD,
    IS_PART,
    IS_RECEIPT_DUE,
    held_messages,
)

_WAITING = sorted(set(HoldState) - FINAL_STATES)

_column = held_messages.c


def one(message_id: int) -> Executable:
    """Select one message."""
    return select(held_messages).where(_column.message_id == message_id)


def many(message_ids: Collection[int]) -> Executable:
    """Select messages, oldest first."""
    query = select(held_messages).where(_column.message_id.in_(sorted(message_ids)))
    return query.order_by(_column.message_id)


def newest(
    fitting: Sequence[ColumnElement[bool]],
    state: HoldState | None,
    before_id: int | None,
    limit: int,
) -> Executable:
    """Select the newest messages that fit, newest first."""
    query = select(held_messages).order_by(_column.message_id.desc()).limit(limit)
    query = query.where(*fitting)
    if state is not None:
        query = query.where(_column.state == state)
    if before_id is not None:
        query = query.where(_column.message_id < before_id)
    return query


def fitting(
    system_id: str | None, campaign: str | None, categories: Collection[str] | None
) -> list[ColumnElement[bool]]:
    """Return the conditions for rows; None adds no condition."""
    wanted: list[ColumnElement[bool]] = []
    if system_id is not None:
        wanted.append(_column.system_id == system_id)
    if campaign is not None:
        wanted.append(and_(IS_CAMPAIGN, _column.campaign == campaign))
    if categories is not None:
        wanted.append(_column.category.in_(sorted(categories)))
    return wanted


def held(fitting: Sequence[ColumnElement[bool]], after_id: int, limit: int) -> Executable:
    """Select the ids of HELD messages that fit, oldest first."""
    return (
        select(_column.message_id)
        .where(*fitting, _column.state == HoldState.HELD, _column.message_id > after_id)
        .order_by(_column.message_id)
        .limit(limit)
    )


def own_holds(msisdn: int, limit: int) -> Executable:
    """Select messages held by a subscriber's own preferences, newest first."""
    return (
        select(held_messages)
        .where(IS_OWN_HOLD, _column.destination.in_(spellings_of(msisdn)))
        # Ordered by the id itself, SQLite would scan all held messages in that order.
        .order_by(-_column.message_id)
        .limit(limit)
    )


def counts_by_state(fitting: Sequence[ColumnElement[bool]]) -> Executable:
    """Count the `messages` of each `state` that fit."""
    return (
        select(_column.state, func.count().label("messages"))
        .where(*fitting)
        .group_by(_column.state)
    )


def counts_waiting() -> Executable:
    """Count the `messages` of each `system_id` that are not in a final state.

    `octets` is the size of their requests and texts as stored in the rows.
    """
    octets = func.length(_column.pdu) + func.length(cast(_column.joined, LargeBinary))
    return (
        select(
            _column.system_id,
            func.count().label("messages"),
            func.sum(octets, type_=Integer).label("octets"),
        )
        .where(_column.state.in_(_WAITING))
        .group_by(_column.system_id)
    )


def parts_of(assembly: int) -> Executable:
    """Select the parts of a long message, in order."""
    return (
        select(held_messages)
        .where(IS_PART, _column.assembly == assembly)
        .order_by(_column.part, _column.message_id)
    )


def awaiting(after_id: int, limit: int) -> Executable:
    """Select the parts that wait for others, oldest first."""
    return (
        select(held_messages)
        .where(
            IS_PART,
            IS_DEFERRED,
            _column.reason == Reason.PARTS_AWAITED,
            _column.message_id > after_id,
        )
        .order_by(_column.message_id)
        .limit(limit)
    )


def due(now: datetime, system_ids: Collection[str], limit: int) -> Select[int]:
    """Select the ids of deferred messages that are due, the earliest first."""
    is_due = and_(
        IS_DEFERRED,
        _column.due_at <= now,
        _column.expires_at > now,
        _column.system_id.in_(sorted(system_ids)),
    )
    return (
        select(_column.message_id)
        .where(is_due)
        .order_by(_column.due_at, _column.message_id)
        .limit(limit)
    )


def due_receipts(system_id: str | None, limit: int) -> Executable:
    """Select the messages with a receipt DUE, oldest first."""
    query = select(held_messages).where(IS_RECEIPT_DUE)
    if system_id is not None:
        query = query.where(_column.system_id == system_id)
    return query.order_by(_column.message_id).limit(limit)


def owed_receipts() -> Executable:
    """Select each `system_id` that has a receipt DUE."""
    return select(_column.system_id).where(IS_RECEIPT_DUE).distinct()


def expired(now: datetime, limit: int) -> Executable:
    """Select messages past their expiry time, the earliest first."""
    return (
        select(held_messages)
        .where(_column.state.in_(sorted(EXPIRING_STATES)), _column.expires_at <= now)
        .order_by(_column.expires_at, _column.message_id)
        .limit(limit)
    )


def released_ids(limit: int) -> Executable:
    """Select the columns of ReleasedId, the newest first."""
    return (
        select(
            _column.system_id,
            _column.smsc_message_id,
            _column.message_id,
            _column.destination,
        )
        .where(_column.state == HoldState.RELEASED, _column.receipt_asked)
        .order_by(_column.message_id.desc())
        .limit(limit)
    )


def in_flight(limit: int) -> Executable:
    """Select RELEASING messages, oldest first."""
    return (
        select(held_messages)
        .where(_column.state == HoldState.RELEASING)
        .order_by(_column.message_id)
        .limit(limit)
    )
