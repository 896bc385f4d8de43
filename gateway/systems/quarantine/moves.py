"""How a move changes rows of held messages, within a transaction of the caller."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from operator import attrgetter

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.held_findings import rule_line
from gateway.domain.quarantine import HeldMessage, HoldState, ReceiptState
from gateway.storage.change_feed import ChangeKind, note_changes
from gateway.storage.database import values_of
from gateway.storage.journals import note_access
from gateway.storage.tables import held_messages
from gateway.systems.quarantine.model import HoldMove, ReleaseScope
from gateway.systems.quarantine.tables import IS_OPEN, left_out, review_escalations, voided

_column = held_messages.c
_MOST_NAMED = 20  # messages in one entry of the audit

HELD_AGAIN = "something else holds it now"
GIVEN_BACK = "it was released, and the SMSC refused it"


async def moved_in(
    connection: AsyncConnection,
    message_ids: Collection[int],
    move: HoldMove,
    *provided: sa.ColumnElement[bool],
) -> list[HeldMessage]:
    """Move messages within a transaction, with their change rows; return those moved, by id.

    A move to HELD ends what people decided on a message before that, and has not taken effect.
    """
    statement = (
        sa.update(held_messages)
        .where(_column.message_id.in_(message_ids), is_among(held_messages, move), *provided)
        .values(_columns_of_move(move))
        .returning(held_messages)
    )
    rows = (await connection.execute(statement)).mappings().all()
    moved = sorted((HeldMessage(**row) for row in rows), key=attrgetter("message_id"))
    keys = [str(one.message_id) for one in moved]
    await note_changes(connection, ChangeKind.QUARANTINE, keys, move["at"])
    if move["to"] is HoldState.HELD:
        outcome = HELD_AGAIN if move.get("grounds") else GIVEN_BACK
        for one in moved:  # a decision is on what held it when it was read
            await connection.execute(voided(one.message_id, move["at"], outcome))
            await connection.execute(left_out(one.message_id))
    if moved and (entry := move.get("audited")) is not None:
        await note_access(connection, replace(entry, about=_about(moved)))
    return moved


async def close_escalations(connection: AsyncConnection, moved: Sequence[HeldMessage]) -> None:
    """Note that messages were decided on, which may have been escalated; at most 1000."""
    ours = review_escalations.c.message_id.in_([one.message_id for one in moved])
    await connection.execute(
        sa.update(review_escalations).where(ours, IS_OPEN).values(is_open=False)
    )


def is_among(table: sa.FromClause, move: HoldMove) -> sa.ColumnElement[bool]:
    """Tell what a move may start from."""
    is_there = table.c.state.in_(sorted(move["allowed"]))
    held_for = move.get("held_for")
    return is_there if held_for is None else sa.and_(is_there, table.c.reason == held_for)


def _columns_of_move(move: HoldMove) -> dict[str, object]:
    """Return the columns that a move sets; marks are never taken away again."""
    values: dict[str, object] = {"state": move["to"]}
    names = (
        *("note", "decision", "smsc_message_id", "receipt", "is_reviewed", "is_wanted"),
        "held_again_at",
    )
    values |= {name: value for name in names if (value := move.get(name))}
    if grounds := move.get("grounds"):
        values |= values_of(grounds)
    if overruling := move.get("overrules"):
        values["overruled"] = _overruled(overruling)
    if move.get("receipt") is ReceiptState.DUE:
        values["receipt"] = sa.case(
            (_column.receipt_asked, ReceiptState.DUE.value), else_=_column.receipt
        )
    return values


def _overruled(overruling: ReleaseScope) -> sa.ColumnElement[str]:
    """Return what is overruled of a message then, with what was overruled before.

    What was held before findings were kept is held by one rule, all that it finds.
    """
    lines = _column.overruled + overruling.lines
    if not overruling.of_message:
        return lines
    before, _, after = rule_line("|").partition("|")
    own = sa.case((_column.found != "", _column.found), else_=before + _column.rule + after)
    return lines + own


def _about(moved: Sequence[HeldMessage]) -> str:
    """Return which messages an entry of the audit is about: of many the first and the last."""
    ids = [one.message_id for one in moved]
    if len(ids) <= _MOST_NAMED:
        return f"message {', '.join(map(str, ids))}"
    campaigns = {one.campaign for one in moved}
    of = f", campaign {campaigns.pop()}" if len(campaigns) == 1 and moved[0].campaign else ""
    return f"{len(ids)} messages, {ids[0]} to {ids[-1]}{of}"
