"""Exceptions: what a rule holds of a template of an SP, and people let go from now on."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of exceptions."""
    op.create_table(
        "hold_exceptions",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("system_id", sa.String(16), nullable=False),
        sa.Column("campaign", sa.String(17), nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("after_id", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger, nullable=True),
        sa.Column("revoked_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_hold_exceptions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_hold_exceptions_until", "hold_exceptions", ["until"])
