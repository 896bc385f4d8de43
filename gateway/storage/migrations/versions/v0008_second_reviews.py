"""Held messages that are dealt to a second reviewer, and the opinions on them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_OPINION = sa.text("is_second AND state = 'taken'")


def upgrade() -> None:
    """Mark opinions among the decisions; make the tables of what is dealt twice."""
    op.add_column(
        "review_decisions",
        sa.Column("is_second", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_index(
        "uq_review_decisions_second",
        "review_decisions",
        ["subject"],
        unique=True,
        sqlite_where=_OPINION,
        postgresql_where=_OPINION,
    )
    op.create_table(
        "second_reviews",
        sa.Column(
            "message_id",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            nullable=False,
            autoincrement=False,
        ),
        sa.Column("subject", sa.BigInteger, nullable=False),
        sa.Column("decision", sa.BigInteger, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("dealt_at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("escalated_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("message_id", name="pk_second_reviews"),
    )
    op.create_index("ix_second_reviews_subject", "second_reviews", ["subject"])
    op.create_index("ix_second_reviews_until", "second_reviews", ["until"])
    op.create_index("ix_second_reviews_dealt_at", "second_reviews", ["dealt_at"])
    op.create_table(
        "second_review_key",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            nullable=False,
            autoincrement=False,
        ),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_second_review_key"),
    )
