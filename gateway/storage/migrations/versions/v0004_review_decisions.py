"""Decisions of people on held messages, which wait before they take effect."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_WAITING = sa.text("state = 'waiting'")


def upgrade() -> None:
    """Make the table of decisions."""
    op.create_table(
        "review_decisions",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("message_id", sa.BigInteger, nullable=False),
        sa.Column("subject", sa.BigInteger, nullable=False),
        sa.Column("found_in", sa.String(32), nullable=False),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("category", sa.String(64), nullable=False),
        sa.Column("decided_at", sa.BigInteger, nullable=False),
        sa.Column("not_before", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=True),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_review_decisions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_review_decisions_by_number", "review_decisions", ["by", "number"])
    op.create_index("ix_review_decisions_message_id", "review_decisions", ["message_id"])
    op.create_index(
        "ix_review_decisions_due",
        "review_decisions",
        ["not_before", "number"],
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )
    op.create_index(
        "uq_review_decisions_waiting",
        "review_decisions",
        ["subject"],
        unique=True,
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )
