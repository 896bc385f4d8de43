"""The SQL queries on `held_messages`, and its rows."""

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa

from gateway.domain.msisdn import spellings_of
from gateway.domain.quarantine import FINAL_STATES, HeldMessage, HoldState, ReceiptState
from gateway.domain.verdict import Reason
from gateway.storage.tables import (
    IS_CAMPAIGN,
    IS_DEFERRED,
    IS_OWN_HOLD,
    IS_PART,
    IS_RECEIPT_DUE,
    held_messages,
)
from gateway.systems.quarantine.model import EXPIRING_STATES, Grounds, HoldMove, Replacement


def fields_of(value: HeldMessage | Replacement | Grounds) -> dict[str, object]:
    """Return the columns of what a row holds, or of what is exchanged in it."""
    return {name: getattr(value, name) for name in value.__slots__}


def is_among(table: sa.FromClause, move: HoldMove) -> sa.ColumnElement[bool]:
    """Tell what a move may start from."""
    is_there = table.c.state.in_(sorted(move["allowed"]))
    held_for = move.get("held_for")
    return is_there if held_for is None else sa.and_(is_there, table.c.reason == held_for)


def columns_of_move(move: HoldMove) -> dict[str, object]:
    """Return the columns that a move sets; marks are never taken away again."""
    values: dict[str, object] = {"state": move["to"]}
    names = ("note", "smsc_message_id", "receipt", "is_reviewed", "is_wanted")
    values |= {name: value for name in names if (value := move.get(name))}
    if grounds := move.get("grounds"):
        values |= fields_of(grounds)
    if move.get("receipt") is ReceiptState.DUE:
        values["receipt"] = sa.case(
            (_column.receipt_asked, ReceiptState.DUE.value), else_=_column.receipt
        )
    return values


def id_of(message: HeldMessage) -> int:
    """Return the key that messages are listed by."""
    return message.message_id


def hour_of(message: HeldMessage) -> tuple[datetime, int]:
    """Return the key by which what is due is taken."""
    assert message.due_at is not None  # noqa: S101 - that is why it was taken
    return message.due_at, message.message_id


def message_of(row: sa.RowMapping) -> HeldMessage:
    """Return the message that a row holds."""
    enums = {"state": HoldState(row["state"]), "receipt": ReceiptState(row["receipt"])}
    return HeldMessage(**{**row, **enums})


_WAITING = sorted(set(HoldState) - FINAL_STATES)

_column = held_messages.c


def one(message_id: int) -> sa.Executable:
    """Select one message."""
    return sa.select(held_messages).where(_column.message_id == message_id)


def many(message_ids: Collection[int]) -> sa.Executable:
    """Select messages, oldest first."""
    query = sa.select(held_messages).where(_column.message_id.in_(sorted(message_ids)))
    return query.order_by(_column.message_id)


def newest(
    fitting: Sequence[sa.ColumnElement[bool]],
    state: HoldState | None,
    before_id: int | None,
    limit: int,
) -> sa.Executable:
    """Select the newest messages that fit, newest first."""
    query = sa.select(held_messages).order_by(_column.message_id.desc()).limit(limit)
    query = query.where(*fitting)
    if state is not None:
        query = query.where(_column.state == state)
    if before_id is not None:
        query = query.where(_column.message_id < before_id)
    return query


def fitting(
    system_id: str | None, campaign: str | None, categories: Collection[str] | None
) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for rows; None adds no condition."""
    wanted: list[sa.ColumnElement[bool]] = []
    if system_id is not None:
        wanted.append(_column.system_id == system_id)
    if campaign is not None:
        wanted.append(sa.and_(IS_CAMPAIGN, _column.campaign == campaign))
    if categories is not None:
        wanted.append(_column.category.in_(sorted(categories)))
    return wanted


def held(fitting: Sequence[sa.ColumnElement[bool]], after_id: int, limit: int) -> sa.Executable:
    """Select the ids of HELD messages that fit, oldest first."""
    return (
        sa.select(_column.message_id)
        .where(*fitting, _column.state == HoldState.HELD, _column.message_id > after_id)
        .order_by(_column.message_id)
        .limit(limit)
    )


def own_holds(msisdn: int, limit: int) -> sa.Executable:
    """Select messages held by a subscriber's own preferences, newest first."""
    return (
        sa.select(held_messages)
        .where(IS_OWN_HOLD, _column.destination.in_(spellings_of(msisdn)))
        # Ordered by the id itself, SQLite would scan all held messages in that order.
        .order_by(-_column.message_id)
        .limit(limit)
    )


def counts_by_state(fitting: Sequence[sa.ColumnElement[bool]]) -> sa.Executable:
    """Count the `messages` of each `state` that fit."""
    return (
        sa.select(_column.state, sa.func.count().label("messages"))
        .where(*fitting)
        .group_by(_column.state)
    )


def counts_waiting() -> sa.Executable:
    """Count the `messages` of each `system_id` that are not in a final state.

    `octets` is the size of their requests and texts as stored in the rows.
    """
    octets = sa.func.length(_column.pdu) + sa.func.length(sa.cast(_column.joined, sa.LargeBinary))
    return (
        sa.select(
            _column.system_id,
            sa.func.count().label("messages"),
            sa.func.sum(octets, type_=sa.Integer).label("octets"),
        )
        .where(_column.state.in_(_WAITING))
        .group_by(_column.system_id)
    )


def parts_of(assembly: int) -> sa.Executable:
    """Select the parts of a long message, in order."""
    return (
        sa.select(held_messages)
        .where(IS_PART, _column.assembly == assembly)
        .order_by(_column.part, _column.message_id)
    )


def awaiting(after_id: int, limit: int) -> sa.Executable:
    """Select the parts that wait for others, oldest first."""
    return (
        sa.select(held_messages)
        .where(
            IS_PART,
            IS_DEFERRED,
            _column.reason == Reason.PARTS_AWAITED,
            _column.message_id > after_id,
        )
        .order_by(_column.message_id)
        .limit(limit)
    )


def due(now: datetime, system_ids: Collection[str], limit: int) -> sa.Select[int]:
    """Select the ids of deferred messages that are due, the earliest first."""
    is_due = sa.and_(
        IS_DEFERRED,
        _column.due_at <= now,
        _column.expires_at > now,
        _column.system_id.in_(sorted(system_ids)),
    )
    return (
        sa.select(_column.message_id)
        .where(is_due)
        .order_by(_column.due_at, _column.message_id)
        .limit(limit)
    )


def due_receipts(system_id: str | None, limit: int) -> sa.Executable:
    """Select the messages with a receipt DUE, oldest first."""
    query = sa.select(held_messages).where(IS_RECEIPT_DUE)
    if system_id is not None:
        query = query.where(_column.system_id == system_id)
    return query.order_by(_column.message_id).limit(limit)


def owed_receipts() -> sa.Executable:
    """Select each `system_id` that has a receipt DUE."""
    return sa.select(_column.system_id).where(IS_RECEIPT_DUE).distinct()


def expired(now: datetime, limit: int) -> sa.Executable:
    """Select messages past their expiry time, the earliest first."""
    return (
        sa.select(held_messages)
        .where(_column.state.in_(sorted(EXPIRING_STATES)), _column.expires_at <= now)
        .order_by(_column.expires_at, _column.message_id)
        .limit(limit)
    )


def released_ids(limit: int) -> sa.Executable:
    """Select the columns of ReleasedId, the newest first."""
    return (
        sa.select(
            _column.system_id,
            _column.smsc_message_id,
            _column.message_id,
            _column.destination,
        )
        .where(_column.state == HoldState.RELEASED, _column.receipt_asked)
        .order_by(_column.message_id.desc())
        .limit(limit)
    )


def in_flight(limit: int) -> sa.Executable:
    """Select RELEASING messages, oldest first."""
    return (
        sa.select(held_messages)
        .where(_column.state == HoldState.RELEASING)
        .order_by(_column.message_id)
        .limit(limit)
    )
