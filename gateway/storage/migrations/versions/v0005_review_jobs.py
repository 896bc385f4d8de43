"""Decisions on whole campaigns of held messages, leases of reviewers, and escalations."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_OPEN = sa.text("state IN ('waiting', 'running')")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "review_jobs",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("campaign", sa.String(17), nullable=False),
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("category", sa.String(64), nullable=False),
        sa.Column("expected_count", sa.BigInteger, nullable=False),
        sa.Column("decided_at", sa.BigInteger, nullable=False),
        sa.Column("not_before", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("upto_id", sa.BigInteger, nullable=False),
        sa.Column("last_id", sa.BigInteger, nullable=False),
        sa.Column("done", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=True),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_review_jobs"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_review_jobs_by_number", "review_jobs", ["by", "number"])
    _index("ix_review_jobs_open", "not_before", "number")
    _index("uq_review_jobs_open", "campaign", "system_id", unique=True)
    op.create_table(
        "review_leases",
        sa.Column("subject", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_review_leases"),
    )
    op.create_index("ix_review_leases_until", "review_leases", ["until"])
    op.create_table(
        "review_escalations",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("message_id", sa.BigInteger, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("is_open", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_review_escalations"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_review_escalations_message_id", "review_escalations", ["message_id"])
    op.create_index(
        "ix_review_escalations_open",
        "review_escalations",
        ["message_id", "number"],
        sqlite_where=sa.text("is_open"),
        postgresql_where=sa.text("is_open"),
    )


def _index(name: str, *columns: str, unique: bool = False) -> None:
    op.create_index(
        name,
        "review_jobs",
        list(columns),
        unique=unique,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
