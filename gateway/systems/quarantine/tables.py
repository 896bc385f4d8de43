"""The table of decisions on held messages; gateway.storage.tables has that of the messages."""

from datetime import datetime

import sqlalchemy as sa

from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER, columns, partial_index
from gateway.storage.tables import IS_WAITING, UtcTime, held_messages, metadata, word
from gateway.systems.quarantine.model import PersonDecision, ReviewState

# The fields of ReviewDecision. Numbers in its texts are masked, so that none is sealed.
review_decisions = sa.Table(
    "review_decisions",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    sa.Column("message_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("subject", sa.BigInteger, nullable=False),
    sa.Column("found_in", word(HoldState, 32), nullable=False),
    sa.Column("decision", word(PersonDecision, 16), nullable=False),
    *columns(sa.Text, "by", "reason", "note"),
    sa.Column("category", sa.String(64), nullable=False),
    *columns(UtcTime, "decided_at", "not_before"),
    sa.Column("state", word(ReviewState, 8), nullable=False),
    sa.Column("ended_at", UtcTime, nullable=True),
    sa.Column("outcome", sa.Text, nullable=False),
    # What a person decided last.
    sa.Index(None, "by", "number"),
    # What the gateway asks every few moments; one message has one decision that waits.
    partial_index("ix_review_decisions_due", "not_before", "number", where=IS_WAITING),
    partial_index("uq_review_decisions_waiting", "subject", where=IS_WAITING, unique=True),
    **NEVER_REUSED,
)

_held, _decision = held_messages.c, review_decisions.c


def subject_of(held: HeldMessage) -> int:
    """Return the number that a message shares with the other parts of a long one."""
    return held.assembly or held.message_id


# The same as a column of held_messages.
SUBJECT = sa.case((_held.assembly != 0, _held.assembly), else_=_held.message_id)
# No decision on it waits. The words are those of the indexes, or SQLite does not take these.
IS_UNDECIDED = ~(
    sa.exists()
    .where(sa.text("review_decisions.state = 'waiting'"), _decision.subject == SUBJECT)
    .correlate(held_messages)
)


def voided(message_id: int, at: datetime, outcome: str) -> sa.Update:
    """Return the statement that ends the decision which waits on a message without effect."""
    own = sa.select(SUBJECT).where(_held.message_id == message_id).scalar_subquery()
    return (
        sa.update(review_decisions)
        .where(IS_WAITING, _decision.subject == own)
        .values(state=ReviewState.VOID, ended_at=at, outcome=outcome)
    )
