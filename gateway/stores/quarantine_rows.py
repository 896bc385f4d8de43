"""Held messages as rows, and what a move of one sets (contract: gateway.ports.quarantine)."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, FromClause, RowMapping, and_, case

from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.domain.verdict import Reason
from gateway.ports.quarantine import Grounds, Replacement
from gateway.stores.tables import held_messages


def fields_of(value: HeldMessage | Replacement | Grounds) -> dict[str, object]:
    """Return the columns of what a row holds, or of what is exchanged in it."""
    return {name: getattr(value, name) for name in value.__slots__}


def is_among(
    table: FromClause, allowed: frozenset[HoldState], held_for: Reason | None
) -> ColumnElement[bool]:
    """Tell what a move may start from."""
    is_there = table.c.state.in_(sorted(allowed))
    return is_there if held_for is None else and_(is_there, table.c.reason == held_for)


def columns_of_move(
    to: HoldState,
    note: str,
    receipt: ReceiptState | None,
    grounds: Grounds | None,
    marks: Mapping[str, bool],
) -> dict[str, object]:
    """Return the columns that a move sets; `marks` are never taken away again."""
    values: dict[str, object] = {"state": to}
    values |= {name: True for name, is_set in marks.items() if is_set}
    if note:
        values["note"] = note
    if grounds is not None:
        values |= fields_of(grounds)
    if receipt is ReceiptState.DUE:
        values["receipt"] = case(
            (held_messages.c.receipt_asked, receipt.value), else_=held_messages.c.receipt
        )
    elif receipt is not None:
        values["receipt"] = receipt
    return values


def id_of(message: HeldMessage) -> int:
    """Return the key that messages are listed by."""
    return message.message_id


def hour_of(message: HeldMessage) -> tuple[datetime, int]:
    """Return the key by which what is due is taken."""
    assert message.due_at is not None  # noqa: S101 - that is why it was taken
    return message.due_at, message.message_id


def message_of(row: RowMapping) -> HeldMessage:
    """Return the message that a row holds."""
    enums = {"state": HoldState(row["state"]), "receipt": ReceiptState(row["receipt"])}
    return HeldMessage(**{**row, **enums})
