"""The tables of the linkage: what came in, what is to go out, and how far each case has come."""

import sqlalchemy as sa

from gateway.domain.linkage import OutboxState
from gateway.storage.dialect import NEVER_REUSED, ROW_NUMBER, columns, partial_index
from gateway.storage.sealed_columns import SealedText
from gateway.storage.tables import UtcTime, metadata, word

IS_WAITING = sa.text("state = 'waiting'")
IS_DEAD = sa.text("state = 'dead'")
IS_UNAPPLIED = sa.text("NOT is_applied")


def _event_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("source", sa.String(100), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("type", sa.String(100), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("recipient", sa.String(32), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(71), nullable=False),
    ]


# One column for each field of InboxEntry, and of OutboxEntry.
linkage_inbox = sa.Table(
    "linkage_inbox",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    *_event_columns(),
    sa.Column("envelope", SealedText("linkage_inbox.envelope"), nullable=False),
    sa.Column("receipt", sa.Text, nullable=False),
    sa.Column("received_at", UtcTime, nullable=False),
    *columns(sa.Boolean, "is_applied"),
    *columns(sa.Integer, "conflicts"),
    # By the store, not only by its code: two deliveries of one event may come at once.
    sa.Index("uq_linkage_inbox_id", "source", "id", unique=True),
    sa.Index(
        "uq_linkage_inbox_sequence", "source", "recipient", "subject", "sequence", unique=True
    ),
    partial_index("ix_linkage_inbox_unapplied", "source", "recipient", where=IS_UNAPPLIED),
    sa.Index(None, "received_at"),
    **NEVER_REUSED,
)
linkage_outbox = sa.Table(
    "linkage_outbox",
    metadata,
    sa.Column("number", ROW_NUMBER, primary_key=True),
    *_event_columns(),
    sa.Column("envelope", SealedText("linkage_outbox.envelope"), nullable=False),
    sa.Column("receipt", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("state", word(OutboxState, 9), nullable=False),
    *columns(sa.Integer, "attempts"),
    sa.Column("next_at", UtcTime, nullable=False),
    sa.Column("said", sa.String(100), nullable=False),
    sa.Index("uq_linkage_outbox_id", "source", "id", unique=True),
    partial_index("ix_linkage_outbox_waiting", "next_at", "number", where=IS_WAITING),
    partial_index("ix_linkage_outbox_dead", "number", where=IS_DEAD),
    sa.Index(None, "recipient", "number"),
    sa.Index(None, "created_at"),
    # Peers keep the number up to which they have read.
    **NEVER_REUSED,
)
# The events of one source to one recipient about one case: all up to `complete_to` are on record.
linkage_streams = sa.Table(
    "linkage_streams",
    metadata,
    sa.Column("source", sa.String(100), primary_key=True),
    sa.Column("recipient", sa.String(32), primary_key=True),
    sa.Column("subject", sa.String(64), primary_key=True),
    *columns(sa.BigInteger, "complete_to", "highest"),
)
# Up to which number the outbox of a member was read; of this node, the journal of its cases.
linkage_cursors = sa.Table(
    "linkage_cursors",
    metadata,
    sa.Column("member", sa.String(32), primary_key=True),
    sa.Column("pulled_to", sa.BigInteger, nullable=False),
)
